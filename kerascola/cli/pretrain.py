"""Pre-train an encoder on recordings, which need no labels; writes model.keras into a run directory."""

import argparse

from kerascola.cli.runs import add_run_arguments, check_run, run_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="a recipe's name (see `kerascola recipes list`) or a YAML file")
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="recordings: a folder, a list (CSV, JSON lines or Parquet with a column path), or a pattern in quotes; or "
        "synth, sounds that are made while training",
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="begin at the weights of a trained model, of the recipe's front end and encoder: a MODEL.keras, its "
        "address or a name of the zoo",
    )
    add_run_arguments(parser, "RECIPE")


def run(args: argparse.Namespace) -> int:
    from kerascola import recipes

    recipe = recipes.load(args.recipe, args.changes)
    check_run(args)

    from kerascola.cli.progress import Report
    from kerascola.cli.quiet import import_keras
    from kerascola.runtime.models import model_file

    import_keras(training=True)
    from kerascola.training.pretrain import pretrain

    start = None if args.start is None else str(model_file(args.start, "keras", Report))
    model = pretrain(
        recipe,
        args.data,
        run_of(args, recipe.name),
        args.resume,
        tuple(args.log),
        start=start,
        on_bad_file=args.on_bad_file,
        workers=args.workers,
    )
    print(f"{model}\nnext: kerascola-export {model} --format onnx --out {model.with_suffix('.onnx')}")
    return 0
