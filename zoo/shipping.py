"""Ship a trained model: write its files, its record and its card into a zoo's folder, verified on the way.

    python -m kerascola.zoo.shipping runs/cola --name small.cola-synth --facts facts.yaml --results judged/results.json

facts.yaml has summary, encoder, licence, data, hours; and, where there are any, command (else that of the run), limits
and trials, each of which has tried, gave and cost.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from kerascola.cli import guarded
from kerascola.errors import ZooError
from kerascola.runtime.catalogue import shipped
from kerascola.runtime.record import is_name

BACKENDS = ("tensorflow", "jax", "torch")


def main(argv: Sequence[str] | None = None) -> int:
    text = (__doc__ or "").strip()
    parser = argparse.ArgumentParser(
        prog="python -m kerascola.zoo.shipping", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, metavar="RUN|MODEL.keras", help="a run's folder, or its model")
    parser.add_argument("--name", required=True, metavar="ARCH.TAG", help="as small.cola-synth")
    parser.add_argument("--facts", required=True, type=Path, metavar="FACTS.yaml", help="what the files cannot know")
    parser.add_argument(
        "--results", nargs="+", default=[], type=Path, metavar="RESULTS.json", help="that `kerascola probe` wrote"
    )
    parser.add_argument("--zoo", type=Path, default=shipped(), metavar="FOLDER", help="default: the package's")
    args = parser.parse_args(argv)
    return guarded("kerascola-export", lambda: run(args))


def run(args: argparse.Namespace) -> int:
    import yaml

    from kerascola.cli.quiet import import_keras

    if not is_name(args.name):
        raise ZooError(f"expected a name such as small.cola-synth, in small letters, received {args.name!r}")
    try:
        facts = yaml.safe_load(args.facts.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ZooError(f"{args.facts} is not YAML: {error}") from error
    import_keras()
    from kerascola.runtime.typed import parsed
    from kerascola.zoo.checkpoint import Facts, ship

    installed = [backend for backend in BACKENDS if find_spec(backend)]
    print(f"exporting and verifying, and loading it on {', '.join(installed)}", file=sys.stderr)
    record = ship(args.model, args.name, parsed(Facts, facts, str(args.facts)), args.results, args.zoo, installed)
    for kind, file in record.files.items():
        print(f"{args.zoo / 'checkpoints' / record.name}.{kind}: {file.bytes / 1e6:.2f} MB")
    for name, value in record.parity.items():
        print(f"{name.replace('_', ' ')}: {value:.7g}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
