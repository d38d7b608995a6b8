"""What `probe` and `compare` have in common: encoders judged on recordings with labels, and the report of it."""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kerascola
from kerascola.cli.recipes import add_changes
from kerascola.cli.runs import default_folder
from kerascola.errors import DataError, ModelError

if TYPE_CHECKING:
    from kerascola.data.recordings import Recordings
    from kerascola.evaluation.judging import Encoder
    from kerascola.evaluation.trials import Settings, Task
    from kerascola.runtime.metadata import Metadata

MODEL = (
    "MODEL.onnx or MODEL.keras, its address, or a name of the zoo; or log-mel, mean and deviation of a spectrogram, "
    "which any encoder should be above"
)


def add_judging_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("recordings")
    data.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="recordings in a sub-folder for each class, or a list (CSV, JSON lines, Parquet) with path, label and, if "
        "it has them, split, group, fold, start, end",
    )
    data.add_argument("--label", default="label", metavar="COLUMN", help="the list's labels (default: label)")
    data.add_argument("--multi-label", action="store_true", help="a recording may have several labels")
    data.add_argument(
        "--folds",
        metavar="N|COLUMN",
        help="test on each of N parts in turn, or on each value of a column (default: the list's own splits, or a "
        "fifth that is held out)",
    )
    data.add_argument(
        "--group", default="group", metavar="COLUMN", help="what is never parted by folds, as speakers (default: group)"
    )
    data.add_argument("--on-bad-file", choices=["fail", "skip"], default="fail", help="stop, or go on without")
    how = parser.add_argument_group("probes")
    how.add_argument(
        "--by",
        nargs="+",
        default=["linear", "knn"],
        metavar="PROBE",
        help="linear (logistic regression), ridge, mlp, knn (default: linear knn)",
    )
    how.add_argument(
        "--cs", nargs="+", type=float, metavar="C", help="of linear, to choose of (default: .001 .01 .1 1)"
    )
    how.add_argument("--k", type=int, default=20, metavar="N", help="neighbours of knn (default: 20)")
    how.add_argument("--temperature", type=float, default=0.07, metavar="T", help="of knn's votes (default: 0.07)")
    how.add_argument(
        "--fractions", nargs="+", type=float, default=[], metavar="SHARE", help="of the labels, as 0.01 0.1"
    )
    how.add_argument("--shots", nargs="+", type=int, default=[], metavar="N", help="labels of each class, as 1 5 10")
    how.add_argument("--repeats", type=int, default=5, metavar="N", help="of each share and number (default: 5)")
    how.add_argument("--random", type=int, default=5, metavar="SEEDS", help="random weights beside it (default: 5)")
    how.add_argument("--seed", type=int, default=0, help="of folds, of labels that are used and of draws (default: 0)")
    parser.add_argument(
        "--finetune",
        action="store_true",
        help="also train in every fold: each MODEL.keras fine-tuned, and its network from scratch (hours, on a CPU)",
    )
    parser.add_argument("--recipe", help="whose `finetune` is followed (default: that of the run that made MODEL)")
    add_changes(parser)
    parser.add_argument("--out", metavar="DIR", help="where report.html goes (default: runs/VERB-DATE-TIME-PROCESS)")
    parser.add_argument("--threads", type=int, metavar="N", help="for onnxruntime (default: it chooses)")


def judge(args: argparse.Namespace, names: list[str]) -> int:
    from kerascola.data.files import write_whole
    from kerascola.evaluation.report import write_report

    out = Path(args.out or default_folder(args.verb))
    with kept_warnings() as warned:
        results = judged(args, names, warned, out)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "results.json", json.dumps(results, indent=1).encode())
    print(as_text(results))
    print(f"\n{write_report(results, out)}")
    return 0


def judged(args: argparse.Namespace, names: list[str], warned: list[str], out: Path) -> dict[str, Any]:
    from kerascola.cli.progress import track
    from kerascola.cli.quiet import import_keras, import_quietly
    from kerascola.data.recordings import Recordings
    from kerascola.data.sets import kin
    from kerascola.evaluation import trials
    from kerascola.evaluation.findings import findings
    from kerascola.evaluation.folds import column_of, folds_of
    from kerascola.evaluation.judging import embed, probe
    from kerascola.runtime.home import home
    from kerascola.runtime.session import open_session

    if args.finetune:
        import_keras(training=True)
    settings = settings_of(args)
    trials.check(settings, args.multi_label)
    encoders = encoders_of(names, args.random)
    _, first = open_session(encoders[0].models[0], None, args.threads)
    options = {"label": args.label, "group": args.group, "multi": args.multi_label, **column_of(args.folds)}
    recordings = Recordings(args.data, first.sample_rate, args.on_bad_file, **options)
    folds_of(recordings, args.folds, seed=args.seed)  # what is wrong with them is said before the work
    recordings = recordings.where(embed(encoders, recordings, home(), args.threads, track))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said above
        folds = folds_of(recordings, args.folds, seed=args.seed)
    fits(encoders, recordings)
    task = trials.Task(recordings.labels, kin(recordings), recordings.classes, tuple(folds), settings)
    probe(encoders, task, recordings.origins, track)
    if args.finetune:
        train(args, encoders, task, recordings, out)
    if args.verb == "probe" and args.head:
        write_head(args.head, encoders[0], first, task, out)
    if find_spec("umap"):
        import_quietly("umap")
    return about(args, encoders, task, recordings) | findings(encoders, task, recordings) | {"warnings": warned}


def settings_of(args: argparse.Namespace) -> "Settings":
    from kerascola.evaluation.linear import CS
    from kerascola.evaluation.trials import Amount, Settings

    wrong = [share for share in args.fractions if not 0 < share < 1] + [n for n in args.shots if n < 1]
    if wrong:
        raise DataError(f"expected --fractions between 0 and 1 and --shots from 1, received {wrong[0]:g}")
    for name in ("k", "repeats", "temperature"):
        if getattr(args, name) <= 0:
            raise DataError(f"expected --{name} above 0, received {getattr(args, name):g}")
    if any(c <= 0 for c in args.cs or ()):
        raise DataError(f"expected --cs above 0, received {min(args.cs):g}")
    amounts = [Amount(share=share) for share in sorted(set(args.fractions))]
    amounts += [Amount(shots=shots) for shots in sorted(set(args.shots))]
    cs = tuple(sorted(set(args.cs))) if args.cs else CS
    by = tuple(dict.fromkeys(args.by))
    return Settings(by, cs, args.k, args.temperature, tuple(amounts), args.repeats, args.seed)


def encoders_of(names: list[str], seeds: int) -> "list[Encoder]":
    """Each, and its network at random weights: how much of its worth was learnt."""
    from kerascola.cli.encoders import BASELINE, as_onnx, at_random
    from kerascola.evaluation.judging import Encoder
    from kerascola.runtime.models import title

    if seeds < 0:
        raise DataError(f"expected --random from 0, received {seeds}")
    if doubled := [name for place, name in enumerate(names) if name in names[:place]]:
        raise DataError(f"expected encoders that differ, received {doubled[0]} twice")
    short = [title(name) for name in names]
    titles = [one if short.count(one) == 1 else name for name, one in zip(names, short, strict=True)]
    found = []
    for name, called in zip(names, titles, strict=True):
        kind = "baseline" if name == BASELINE else "given"
        found.append(Encoder(called, [as_onnx(name, say)], kind, file=name))
        if kind == "baseline":
            continue
        try:
            if models := at_random(name, seeds, say):
                found.append(Encoder(f"random weights of {called}", models, "random", called, name))
        except ModelError as error:
            warnings.warn(f"no random weights beside {name}: {error}", stacklevel=2)
    return found


def train(
    args: argparse.Namespace, encoders: "list[Encoder]", task: "Task", recordings: "Recordings", out: Path
) -> None:
    """Adds to each encoder of a Keras file what training gives."""
    from kerascola.cli.encoders import keras_file
    from kerascola.evaluation.tuned import SCRATCH, TUNED, tuned
    from kerascola.training.start import rate_of, recipe_for

    changes = [*args.changes, *(["data.multi_label=true"] if args.multi_label else [])]
    for encoder in encoders:
        file = keras_file(encoder.file) if encoder.kind == "given" else None
        if file is None:
            continue
        recipe = recipe_for(str(file), args.recipe, changes)
        at = recordings.at(rate_of(str(file), recipe))
        folder = out / "training" / encoder.name
        for name, model in ((TUNED, str(file)), (SCRATCH, recipe.name)):
            say(f"{encoder.name}, {name}")
            encoder.trials.append(tuned(name, model, recipe, task, at, folder))


def write_head(kind: str, encoder: "Encoder", metadata: "Metadata", task: "Task", out: Path) -> None:
    from kerascola.cli.quiet import import_keras

    import_keras()
    from kerascola.evaluation.heads import head_of
    from kerascola.models.heads import save_head

    head, classes = head_of(encoder.vectors[0], task, kind)
    out.mkdir(parents=True, exist_ok=True)
    say(f"a head on all recordings: {save_head(head, classes, metadata, out / 'head.keras')}")


def fits(encoders: "list[Encoder]", recordings: "Recordings") -> None:
    """Says where sound is less than what an encoder takes."""
    for encoder in encoders:
        if encoder.kind == "random":
            continue
        rate, least = encoder.known["sample_rate"], encoder.known["min_seconds"]
        lower = recordings.rates < rate
        if lower.any():
            rates = ", ".join(f"{r:,}" for r in sorted(set(recordings.rates[lower].tolist())))
            warnings.warn(
                f"{encoder.name} takes {rate:,} Hz, and {lower.sum()} of {len(recordings)} recordings are at {rates} "
                "Hz: they hold nothing above half of that",
                stacklevel=2,
            )
        short = recordings.seconds < least - 1 / rate
        if short.any():
            warnings.warn(
                f"{encoder.name} takes {least:.3g} s or more, and {short.sum()} of {len(recordings)} recordings are "
                "shorter: they end in silence",
                stacklevel=2,
            )


def about(
    args: argparse.Namespace, encoders: "list[Encoder]", task: "Task", recordings: "Recordings"
) -> dict[str, Any]:
    """What was judged, and how."""
    from kerascola.cli.doctor import package
    from kerascola.data.files import content
    from kerascola.data.manifest import readable
    from kerascola.evaluation.judging import DRAWS

    ends = recordings.starts + recordings.seconds
    names = [encoder.name for encoder in encoders if encoder.kind != "random"]
    source = Path(args.data).name or args.data
    packages = ("numpy", "onnxruntime", "sklearn", "soundfile", "soxr")
    multi = task.labels.ndim > 1
    return {
        "title": f"{' and '.join(names) if len(names) < 3 else f'{len(names)} encoders'} on {readable(source)}",
        "made": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": readable(" ".join(["kerascola", *sys.argv[1:]])),
        "versions": {"kerascola": kerascola.__version__, **{name: package(name)["version"] for name in packages}},
        "data": {
            "source": readable(args.data),
            "recordings": len(recordings),
            "hours": float(recordings.seconds.sum() / 3600),
            "classes": list(task.classes),
            "multi_label": multi,
            "sha256": content(zip(recordings.paths, recordings.starts.tolist(), ends.tolist(), strict=True)),
        },
        "protocol": {
            "text": protocol(args, task),
            **{key: value for key, value in asdict(task.settings).items() if key != "amounts"},
            "bootstrap": DRAWS[multi],
            "folds": [
                {"name": fold.name, "train": len(fold.train), "valid": len(fold.valid), "test": len(fold.test)}
                for fold in task.folds
            ],
        },
    }


def protocol(args: argparse.Namespace, task: "Task") -> str:
    parted = (
        f"{len(task.folds)} folds by the column {args.folds}, each tested on in turn"
        if args.folds and not args.folds.isdigit()
        else f"{args.folds} folds, each tested on in turn"
        if args.folds
        else f"tested on: {task.folds[0].name}"
    )
    grid = ", ".join(f"{c:g}" for c in task.settings.cs)
    how = {
        "linear": f"linear: logistic regression on standardised embeddings, C of {grid} chosen on validation clips or "
        "by cross-validation in three folds of training",
        "ridge": "ridge: linear regression on standardised embeddings, its penalty chosen likewise",
        "mlp": "mlp: one hidden layer of 512 on standardised embeddings",
        "knn": f"knn: {task.settings.k} neighbours by cosine, votes of exp(cosine / {task.settings.temperature:g})",
    }
    return "; ".join([parted, *(how[probe] for probe in task.settings.probes)])


def as_text(results: dict[str, Any]) -> str:
    """The table of all labels, as wide as it has to be."""
    metric = results["headline"]
    told = [("", f"{metric.replace('_', ' ')} (95 % of draws)", "spread")]
    for encoder in results["encoders"]:
        for row in encoder["rows"]:
            low, high = row["intervals"][metric]
            name = f"{encoder['name']}, {row['probe']}" + (f", {row['labels']}" if row["labels"] != "all" else "")
            spread = f"{row['spread'][metric]:.3f}" if metric in row["spread"] else ""
            told.append((name, f"{row['values'][metric]:.3f} ({low:.3f} to {high:.3f})", spread))
    told.append(("chance", f"{results['chance'][metric]:.3f}", ""))
    widths = [max(len(cells[n]) for cells in told) for n in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in told
    )


@contextmanager
def kept_warnings() -> Iterator[list[str]]:
    """Printed as ever, and kept for the report."""
    kept: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        shown = warnings.showwarning

        def show(message: Any, category: type[Warning], *place: Any, **options: Any) -> None:
            if category is UserWarning:
                kept.append(str(message))
            shown(message, category, *place, **options)

        warnings.showwarning = show
        yield kept


def say(line: str) -> None:
    print(line, file=sys.stderr)
