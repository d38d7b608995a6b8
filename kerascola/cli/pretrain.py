"""Pre-train an encoder on a folder of unlabelled recordings; writes model.keras into a run directory."""

import argparse
import sys
import time

from kerascola.cli.recipes import add_changes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="a recipe's name (see `kerascola recipes list`) or a YAML file")
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="recordings: a folder, a list (CSV, JSON lines or Parquet with a column path), or a pattern in quotes",
    )
    parser.add_argument("--run", metavar="DIR", help="run directory (default: runs/RECIPE-DATE-TIME)")
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        choices=["wandb", "mlflow"],
        help="send the numbers there too; may be repeated (TensorBoard's files are in the run directory anyway)",
    )
    parser.add_argument("--resume", action="store_true", help="go on after the last checkpoint of the run in --run")
    add_changes(parser)


def run(args: argparse.Namespace) -> int:
    from kerascola import recipes
    from kerascola.errors import RecipeError

    recipe = recipes.load(args.recipe, args.changes)
    if args.resume and not args.run:
        raise RecipeError("--resume needs the run to go on with: --run DIR")

    from kerascola.cli.quiet import import_keras

    import_keras(training=True)
    from kerascola.training.pretrain import pretrain
    from kerascola.training.run import Run

    folder = args.run or f"runs/{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    print(f"run directory: {folder}", file=sys.stderr)
    training = Run(folder)
    if args.resume and not training.state.exists():
        print("it has no checkpoint yet: starting from the beginning", file=sys.stderr)
    model = pretrain(recipe, args.data, training, args.resume, tuple(args.log))
    print(f"{model}\nnext: kerascola-export {model} --format onnx --out {model.with_suffix('.onnx')}")
    return 0
