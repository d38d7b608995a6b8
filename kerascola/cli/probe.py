"""Judge an encoder: how much its embeddings tell of recordings with labels, beside random weights of its network.

Embeds the recordings once, which is kept, and fits probes to the embeddings. Out come the table, results.json and
report.html, a page with intervals, confusions, learning curves, a map, neighbours to listen to.
"""

import argparse

from kerascola.cli.judge import MODEL, add_judging_arguments, judge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=MODEL)
    add_judging_arguments(parser)
    parser.add_argument(
        "--head",
        choices=["linear", "mlp", "knn"],
        help="also fit this probe to all recordings: DIR/head.keras, for kerascola-export --head",
    )


def run(args: argparse.Namespace) -> int:
    return judge(args, [args.model])
