"""Look at recordings before training: how many, how long, which rates and classes, and what is wrong with them."""

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "what a folder, list or pattern holds; exit code 1 where it is not fit to train on"
    check = actions.add_parser("check", help=text, description=text)
    check.add_argument("data", metavar="DATA", help="a folder, a list, or a pattern in quotes")
    check.add_argument("--decode", action="store_true", help="read every file to its end: finds silence and clipping")
    check.add_argument(
        "--label", default="label", metavar="COLUMN", help="the list's column of labels (default: label)"
    )
    check.add_argument("--multi-label", action="store_true", help="a recording may have several labels")
    check.add_argument("--out", metavar="FILE.png", help="draw a picture, too")
    check.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import track
    from kerascola.data.check import as_text, check

    report = check(
        args.data, args.label, args.multi_label, args.decode, lambda things, total: track(things, total, "files")
    )
    print(json.dumps(report.to_json(), indent=1) if args.json else as_text(report))
    if args.out:
        from kerascola.evaluation.overview import draw

        draw(report, args.out)
    return 1 if report.fatal else 0
