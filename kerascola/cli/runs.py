"""What the verbs that train have in common: where the run is, how it is gone on with, who is told of it."""

import argparse
import sys
import time
from typing import TYPE_CHECKING

from kerascola.cli.recipes import add_changes
from kerascola.errors import RecipeError

if TYPE_CHECKING:
    from kerascola.training.run import Run


def add_run_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--run", metavar="DIR", help=f"run directory (default: runs/{name}-DATE-TIME)")
    parser.add_argument("--resume", action="store_true", help="go on after the last checkpoint of the run in --run")
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        choices=["wandb", "mlflow"],
        help="send the numbers there too; may be repeated (TensorBoard's files are in the run directory anyway)",
    )
    add_changes(parser)


def check_resume(args: argparse.Namespace) -> None:
    if args.resume and not args.run:
        raise RecipeError("--resume needs the run to go on with: --run DIR")


def run_of(args: argparse.Namespace, name: str) -> "Run":
    """Says where it is."""
    from kerascola.training.run import Run

    folder = args.run or f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    print(f"run directory: {folder}", file=sys.stderr)
    run = Run(folder)
    if args.resume and not run.state.exists():
        print("it has no checkpoint yet: starting from the beginning", file=sys.stderr)
    return run
