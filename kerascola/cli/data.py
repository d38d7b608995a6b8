"""Recordings before training: what they are like, and the corpora that are known by name."""

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path

from kerascola.errors import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    text = "say what a folder, list or pattern holds; exit code 1 where it is not fit to train on"
    check = actions.add_parser("check", help=text, description=text)
    check.add_argument("data", metavar="DATA", help="a folder, a list, or a pattern in quotes")
    check.add_argument("--decode", action="store_true", help="read every file to its end: finds silence and clipping")
    check.add_argument("--label", default="label", metavar="COLUMN", help="the column of labels in a list")
    check.add_argument("--multi-label", action="store_true", help="a recording may have several labels")
    check.add_argument("--out", metavar="FILE.png", help="draw a picture, too")
    check.add_argument("--json", action="store_true", help="print JSON")

    text = "decode recordings once, at the rate that a model takes, into shards that are read from quickly"
    pack = actions.add_parser("pack", help=text, description=f"{text}; what was begun is gone on with")
    pack.add_argument("data", metavar="DATA", help="a folder, a list, or a pattern in quotes")
    pack.add_argument("--to", required=True, metavar="FOLDER", help="then train with --data FOLDER")
    pack.add_argument("--rate", type=int, default=16000, metavar="HZ", help="of the model (default: 16000)")
    pack.add_argument("--shard-mb", type=int, default=64, metavar="MB", help="size of a shard (default: 64)")
    pack.add_argument("--on-bad-file", choices=["fail", "skip"], default="fail", help="stop, or go on without")

    actions.add_parser("list", help="the corpora that are known by name, and their licences")

    text = "write the list (CSV) of a corpus that lies in a folder as it is published"
    manifest = actions.add_parser("manifest", help=text, description=text)
    manifest.add_argument("corpus", metavar="NAME", help="see `kerascola data list`")
    manifest.add_argument("folder", metavar="FOLDER")
    add_list_options(manifest)

    text = "fetch a corpus and write its list; what was begun is gone on with"
    fetch = actions.add_parser("fetch", help=text, description=text)
    text = "see `kerascola data list`; or hf:NAME or tfds:NAME of Hugging Face datasets or TensorFlow Datasets"
    fetch.add_argument("corpus", metavar="NAME", help=text)
    fetch.add_argument("--to", metavar="FOLDER", help="where to (default: data/NAME)")
    text = "no more than these: of librispeech and nsynth their parts, of hf:NAME and tfds:NAME their splits"
    fetch.add_argument("--parts", nargs="+", default=[], metavar="PART", help=text)
    add_list_options(fetch)
    hub = fetch.add_argument_group("of hf:NAME and tfds:NAME")
    hub.add_argument("--config", metavar="NAME", help="which configuration of hf:NAME (tfds has it in its name)")
    hub.add_argument("--audio", metavar="COLUMN", help="the column of sound, where there are several")
    hub.add_argument("--label", metavar="COLUMN", help="the column of labels (default: label, or the one of classes)")
    hub.add_argument("--rate", type=int, metavar="HZ", help="the sample rate, where the data set does not say it")


def add_list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FILE.csv", help="the list (default: FOLDER/NAME.csv)")
    parser.add_argument("--test-fold", metavar="FOLD", help="the fold that is tested on, of a corpus that has folds")


def run(args: argparse.Namespace) -> int:
    verbs = {"check": run_check, "pack": run_pack, "list": run_list, "manifest": run_manifest, "fetch": run_fetch}
    return verbs[args.action](args)


def run_check(args: argparse.Namespace) -> int:
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


def run_pack(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import track
    from kerascola.data.pack import pack

    made = pack(
        args.data, args.to, args.rate, args.on_bad_file, args.shard_mb, track, lambda text: print(text, file=sys.stderr)
    )
    for reason in made["left_out"]:
        print(f"left out: {reason}", file=sys.stderr)
    print(f"{args.to}: {made['recordings']} recordings, {made['hours']:.2f} hours, {len(made['left_out'])} left out")
    print(f"next: kerascola pretrain {'cola' if args.rate == 16000 else 'RECIPE'} --data {args.to}")
    return 0


def run_list(args: argparse.Namespace) -> int:
    from kerascola.data.corpora import NAMES, corpus

    width = max(map(len, NAMES))
    for name in NAMES:
        module = corpus(name)
        about = (module.__doc__ or "").splitlines()[0]
        print(f"{name:{width}}  {'fetched' if module.ARCHIVES else '       '}  {about} [{module.LICENCE}]")
    return 0


def run_manifest(args: argparse.Namespace) -> int:
    from kerascola.data.corpora import records

    return write(records(args.corpus, args.folder, args.test_fold), args.folder, args.corpus, args.out)


def write(found: list[dict[str, str]], folder: str, name: str, out: str | None) -> int:
    from kerascola.data.corpora import write_list

    file = write_list(found, folder, out or Path(folder) / f"{name}.csv")
    print(f"{file}: {len(found)} recordings\nnext: kerascola data check {file}")
    return 0


def run_fetch(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import Report
    from kerascola.data.corpora import corpus
    from kerascola.data.corpora.fetching import fetch_corpus
    from kerascola.data.manifest import HUBS

    if args.corpus.startswith(HUBS):
        return run_fetch_published(args)
    if given := [option for option in ("config", "audio", "label", "rate") if getattr(args, option) is not None]:
        raise DataError(f"{args.corpus}: expected --{given[0]} with hf:NAME or tfds:NAME only")
    args.folder = args.to or f"data/{args.corpus}"
    print(f"{args.corpus}: licence {corpus(args.corpus).LICENCE}; {corpus(args.corpus).SOURCE}", file=sys.stderr)
    fetch_corpus(args.corpus, args.folder, lambda archive: Report(archive.name), args.parts)
    return run_manifest(args)


def run_fetch_published(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import track
    from kerascola.cli.quiet import import_quietly
    from kerascola.data.corpora import split_by_fold
    from kerascola.data.corpora.hubs import fetch_published, safe

    if args.corpus.startswith("tfds:") and find_spec("tensorflow"):
        import_quietly("tensorflow")
    name = safe("-".join(filter(None, (args.corpus.split(":", 1)[1], args.config))))
    folder = args.to or f"data/{name}"
    found = fetch_published(
        args.corpus,
        folder,
        args.config,
        args.parts,
        args.audio,
        args.label,
        args.rate,
        lambda line: print(line, file=sys.stderr),
        lambda things, total: track(things, total, "files"),
    )
    if args.test_fold is not None:
        split_by_fold(found, args.test_fold, args.corpus)
    return write(found, folder, name, args.out)
