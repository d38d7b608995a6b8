"""The trained checkpoints that are known by name: list, show, get and verify them."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kerascola.errors import KerascolaError, ZooError

if TYPE_CHECKING:
    from kerascola.runtime.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    place = argparse.ArgumentParser(add_help=False)
    text = "another zoo: a folder or an address (default: KERASCOLA_ZOO, or what comes with kerascola)"
    place.add_argument("--zoo", metavar="ZOO", help=text)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", parents=[place], help="every checkpoint in a line")
    show = actions.add_parser("show", parents=[place], help="a checkpoint's card")
    show.add_argument("name", metavar="NAME")
    text = "print where a checkpoint's files are, fetched first if they are not here"
    get = actions.add_parser("get", parents=[place], help=text, description=text)
    get.add_argument("name", metavar="NAME")
    get.add_argument("--format", choices=["onnx", "keras", "both"], default="onnx", help="default: %(default)s")
    get.add_argument("--to", type=Path, metavar="DIR", help="copy them there")
    text = "check files by their checksums and by what they make of a known sound; exit code 1 where one is wrong"
    verify = actions.add_parser("verify", parents=[place], help=text, description=text)
    verify.add_argument("names", nargs="*", metavar="NAME", help="default: all")


def run(args: argparse.Namespace) -> int:
    verbs = {"list": run_list, "show": run_show, "get": run_get, "verify": run_verify}
    return verbs[args.action](args)


def run_list(args: argparse.Namespace) -> int:
    from kerascola.cli.doctor import aligned
    from kerascola.runtime.catalogue import holds, open_zoo

    zoo = open_zoo(args.zoo)
    if not zoo.records:
        print(holds(zoo), file=sys.stderr)
        return 0
    head = ("name", "encoder", "numbers", "MB", "Hz", "figure")
    print("\n".join(aligned([head, *(line(record) for _, record in sorted(zoo.records.items()))])))
    return 0


def line(record: "Record") -> tuple[str, ...]:
    size = f"{record.files['onnx'].bytes / 1e6:.1f}"
    first = record.metrics[0] if record.metrics else None
    figure = f"{first.metric.replace('_', ' ')} {first.value:.3f} ({first.protocol})" if first else ""
    return record.name, record.encoder, str(record.dimension), size, str(record.sample_rate), figure


def run_show(args: argparse.Namespace) -> int:
    from kerascola.runtime.catalogue import open_zoo, record_of
    from kerascola.zoo.cards import card

    print(card(record_of(open_zoo(args.zoo), args.name)), end="")
    return 0


def run_get(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import Report
    from kerascola.runtime.catalogue import file_of, open_zoo, record_of
    from kerascola.runtime.record import KINDS

    zoo = open_zoo(args.zoo)
    record = record_of(zoo, args.name)
    for kind in KINDS if args.format == "both" else [args.format]:
        path = file_of(zoo, record, kind, Report)
        if args.to:
            args.to.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copyfile(path, args.to / path.name))
        print(path)
    return 0


def run_verify(args: argparse.Namespace) -> int:
    from kerascola.cli.doctor import chosen_backend, package
    from kerascola.cli.progress import Report
    from kerascola.runtime.catalogue import holds, open_zoo, record_of
    from kerascola.zoo.checks import check

    zoo = open_zoo(args.zoo)
    records = [record_of(zoo, name) for name in args.names] or list(zoo.records.values())
    if not records:
        print(holds(zoo), file=sys.stderr)
        return 0
    backend, _ = chosen_backend()
    installed = all(package(module)["version"] for module in ("keras", backend))
    if not installed:
        print("Keras is not installed with a backend: the files for it are checked by their checksums", file=sys.stderr)
    wrong = 0
    for name, what, found in check(zoo, records, backend if installed else None, Report):
        wrong += isinstance(found, KerascolaError)
        print(f"{name}  {what}: {found}", file=sys.stderr if isinstance(found, KerascolaError) else sys.stdout)
    if wrong:
        raise ZooError(f"{wrong} of these checkpoints' files are not what their records say (see above)")
    return 0
