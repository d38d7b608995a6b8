"""Train a classifier on recordings with labels, from a pre-trained model or from a recipe's random weights.

MODEL.keras is fine-tuned, a RECIPE trained from scratch; with --frozen either stays as it is under a linear layer. The
run directory gets model.keras, the encoder; head.keras, the linear layer; results.json and predictions-SET.csv.
"""

import argparse
import json
import sys

from kerascola.cli.runs import add_run_arguments, check_run, run_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        help="a MODEL.keras that `kerascola pretrain` wrote, its address or a name of the zoo; or a recipe's name or "
        "YAML file",
    )
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="recordings in a sub-folder for each class, or a list (CSV, JSON lines, Parquet) with path, label and, if "
        "it has them, split, group, start, end",
    )
    parser.add_argument("--test", metavar="DATA", help="what is tested on (default: the list's splits, or a share)")
    parser.add_argument("--label", metavar="COLUMN", help="the list's column of labels (default: label)")
    parser.add_argument("--frozen", action="store_true", help="train nothing but a linear layer on the embeddings")
    parser.add_argument("--fraction", type=float, metavar="SHARE", help="of each class's labels, those that are used")
    parser.add_argument("--recipe", help="whose `finetune` is followed (default: that of the run that made MODEL)")
    add_run_arguments(parser, "finetune-NAME")


def run(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import Report
    from kerascola.cli.quiet import import_keras
    from kerascola.runtime.models import is_named, model_file

    check_run(args)
    model = str(model_file(args.model, "keras", Report)) if is_named(args.model) else args.model
    changes = list(args.changes)
    changes += ["finetune.frozen=true"] if args.frozen else []
    changes += [] if args.label is None else [f"data.label={json.dumps(args.label)}"]
    changes += [] if args.fraction is None else [f"data.labelled={args.fraction:g}"]
    import_keras(training=True)
    from kerascola.data.sets import to_finetune
    from kerascola.training.finetune import finetune
    from kerascola.training.start import is_file, rate_of, recipe_for

    recipe = recipe_for(model, args.recipe, changes)
    sets = to_finetune(recipe, args.data, rate_of(model, recipe), args.test, args.on_bad_file)
    kind = ("pre-trained" if is_file(model) else "random") + (", frozen" if recipe.finetune.frozen else "")
    counts = ", ".join(f"{len(part)} of {name}" for name, part in sets.items())
    training = run_of(args, f"finetune-{recipe.name}")
    print(f"{kind} encoder, {len(sets['train'].classes)} classes; {counts}; as {recipe.name} says", file=sys.stderr)
    told = finetune(model, recipe, sets, training, args.resume, tuple(args.log), workers=args.workers)
    for name, numbers in told.items():
        listing = "  ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in numbers.items() if key != "clips")
        print(f"{name}: {numbers['clips']} clips  {listing}")
    print(f"{training.path}/model.keras, head.keras, results.json")
    return 0
