"""Judge several encoders on the same recordings: one table, differences with intervals, one report.

As `kerascola probe` does with one; the figures are of the first.
"""

import argparse

from kerascola.cli.judge import MODEL, add_judging_arguments, judge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="MODEL", help=MODEL)
    add_judging_arguments(parser)


def run(args: argparse.Namespace) -> int:
    return judge(args, args.models)
