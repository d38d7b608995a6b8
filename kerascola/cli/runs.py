"""What the verbs that train have in common: where the run is, how it is gone on with, who is told of it."""

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from kerascola.cli.recipes import add_changes
from kerascola.errors import RecipeError

if TYPE_CHECKING:
    from kerascola.training.run import Run


def add_run_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--run", metavar="DIR", help=f"run directory (default: runs/{name}-DATE-TIME-PROCESS)")
    parser.add_argument("--resume", action="store_true", help="go on after the last checkpoint of the run in --run")
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        choices=["wandb", "mlflow"],
        help="send the numbers there too; may be repeated (TensorBoard's files are in the run directory anyway)",
    )
    parser.add_argument(
        "--on-bad-file",
        choices=["fail", "skip"],
        default="fail",
        help="what to do where a recording cannot be read: stop, or name it and go on without (default: fail)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=min(8, cores // 2) if (cores := os.cpu_count() or 1) > 4 else 0,
        metavar="COUNT",
        help="processes that read and decode, 0 for threads (default: 0 up to 4 cores, else half of them, at most 8)",
    )
    add_changes(parser)


def check_run(args: argparse.Namespace) -> None:
    if args.workers < 0:
        raise RecipeError(f"--workers: expected 0 or more, received {args.workers}")
    if args.resume and not args.run:
        raise RecipeError("--resume needs the run to go on with: --run DIR")


def default_folder(name: str) -> str:
    """Another for each process, also where a script starts several at once."""
    return f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def run_of(args: argparse.Namespace, name: str) -> "Run":
    """Says where it is."""
    from kerascola.training.run import Run

    folder = args.run or default_folder(name)
    print(f"run directory: {folder}", file=sys.stderr)
    run = Run(folder)
    if args.resume and not run.state.exists():
        print("it has no checkpoint yet: starting from the beginning", file=sys.stderr)
    return run
