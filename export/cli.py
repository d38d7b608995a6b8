"""Export a Keras embedder to a file that takes a waveform and gives an embedding, verified after writing."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerascola.cli import guarded
from kerascola.errors import ExportError
from kerascola.export.formats import ALL, FORMATS, QUANTIZED, default_out
from kerascola.export.place import check_new

if TYPE_CHECKING:
    from kerascola.runtime.metadata import Metadata

BACKENDS = ("tensorflow", "jax", "torch")
MOST = 10  # labels that are told


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kerascola-export", description=__doc__)
    parser.add_argument("model", help="a Keras file, NAME.keras, its address, or a name of the zoo")
    parser.add_argument(
        "--format",
        choices=[*FORMATS, ALL],
        default="onnx",
        help="default: %(default)s. all: a folder of each that can be made here, with a manifest",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        help=f"default: beside the file, NAME and one of {' '.join(each.ending for each in FORMATS.values())} _all",
    )
    parser.add_argument(
        "--quantize",
        choices=QUANTIZED,
        help="fp16: the encoder's weights in half the space. Still computed in float32, at the same speed. int8: the "
        "encoder's layers, as far as its embeddings bear it, in a quarter of the space and faster; refused where too "
        "much is lost",
    )
    parser.add_argument(
        "--calibrate",
        metavar="DATA",
        help="of int8: recordings like those that will be served, a folder, a list or a pattern (default: synthesised "
        "sounds)",
    )
    parser.add_argument(
        "--labels",
        metavar="DATA",
        help="of int8: recordings in a folder for each class, or a list with labels, of which a linear probe may lose "
        "half a point of accuracy",
    )
    parser.add_argument(
        "--head",
        nargs="+",
        default=[],
        metavar="[NAME=]HEAD.keras",
        help="also give the logits and scores of this head, that `kerascola finetune` or `kerascola probe --head` "
        "wrote; with a name for each of several",
    )
    parser.add_argument(
        "--triton",
        metavar="DIR",
        help="also put the ONNX file into this repository of models for Triton, under its name",
    )
    parser.add_argument(
        "--web", metavar="DIR", help="also make a page there that runs the ONNX file in a browser, by onnxruntime-web"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is at --out, in --triton and at --web")
    parser.add_argument("--backend", choices=BACKENDS, help="Keras backend (default: as Keras is configured)")
    lost = parser.add_argument_group("for a model whose kerascola metadata is lost, or to replace it")
    lost.add_argument("--sample-rate", type=positive, metavar="HZ", help="of the waveform")
    lost.add_argument("--window-samples", type=positive, metavar="N", help="what the encoder was trained on")
    lost.add_argument("--hop-samples", type=positive, metavar="N", help="between windows (default: the window)")
    lost.add_argument("--min-samples", type=positive, metavar="N", help="the shortest waveform it can take")
    return parser


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, received {text!r}")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    if args.backend:
        os.environ["KERAS_BACKEND"] = args.backend
    return guarded("kerascola-export", lambda: run(args))


def run(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import Report, track
    from kerascola.export.quantize import Quantize
    from kerascola.runtime.models import is_named, model_file

    model = model_file(args.model, "keras", Report)
    beside = Path(model.name) if is_named(args.model) else model  # not in the cache
    out = Path(args.out) if args.out else default_out(beside, args.format)
    check_new(out, args.overwrite)
    deploy = deployments(args, model, out)
    quantize = Quantize(args.quantize, args.calibrate, args.labels, track)

    from kerascola.cli.quiet import import_keras

    import_keras()
    from kerascola.export.artefact import export_file
    from kerascola.export.heads import named

    known = {k: getattr(args, k) for k in ("sample_rate", "window_samples", "hop_samples", "min_samples")}
    metadata = export_file(model, out, args.format, say, known, named(args.head), quantize)
    print("\n".join(told(out, metadata)))
    for write in deploy:
        print(write())
    return 0


def deployments(args: argparse.Namespace, model: Path, out: Path) -> list[Callable[[], Path]]:
    """What is to be made of the ONNX file once it is there; refused now where there is no place for it."""
    if not (args.triton or args.web):
        return []
    if args.format not in ("onnx", ALL):
        raise ExportError(f"--triton and --web are for the format onnx or {ALL}, received {args.format}")
    from kerascola.export.triton import check_repository, write_repository
    from kerascola.export.web import check_folder, write_page
    from kerascola.runtime.metadata import load_metadata

    known = load_metadata(model)
    if known and known.heads:
        raise ExportError(
            f"--triton and --web are for models that take sound, received {model}, which is a head: leave them out, "
            "or export its model with it by --head"
        )

    name = out.stem if args.format == "onnx" else model.stem
    onnx = out if args.format == "onnx" else out / f"{name}.onnx"
    writers: list[Callable[[], Path]] = []
    if args.triton:
        check_repository(Path(args.triton), name, args.overwrite)
        writers.append(lambda: write_repository(onnx, Path(args.triton), name))
    if args.web:
        check_folder(Path(args.web), args.overwrite)
        writers.append(lambda: write_page(onnx, Path(args.web), name))
    return writers


def say(line: str) -> None:
    print(line, file=sys.stderr)


def told(out: Path, metadata: "Metadata") -> Iterator[str]:
    """What the artefact takes and gives, and how near it is to Keras."""
    found = metadata.verified
    alone = "max_difference" not in found
    yield (
        f"{out}: [batch, {metadata.dimension}] -> scores [batch, {len(metadata.heads[''].labels)}]"
        if alone
        else f"{out}: [batch, samples at {metadata.sample_rate} Hz] -> [batch, {metadata.dimension}]"
    )
    if not alone:
        graph = "its graph in float32 verified" if "int8_cosine" in found else "verified"
        yield (
            f"{graph} against Keras: largest difference {found['max_difference']:.1e}, "
            f"least cosine {found['min_cosine']:.7f}"
        )
    if "int8_cosine" in found:
        lost = (
            f", {found['int8_points_lost']:.2f} points of accuracy lost on {found['int8_clips']} clips"
            if "int8_points_lost" in found
            else ""
        )
        yield (
            f"int8, {found['int8_share']:.0%} of the weights, held to float32: cosine {found['int8_cosine']:.4f} on "
            f"average, {found['int8_least_cosine']:.4f} at least{lost}"
        )
    for name, classes in metadata.heads.items():
        labels = [*classes.labels[:MOST], *["..."] * (len(classes.labels) > MOST)]
        yield f"head{f' {name}' * bool(name)}: {', '.join(labels)}"
    if metadata.heads:
        yield f"scores verified against Keras: largest difference {found['head_max_difference']:.1e}"


if __name__ == "__main__":
    raise SystemExit(main())
