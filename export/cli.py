"""Export a Keras embedder to a file that takes a waveform and gives an embedding, verified after writing."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kerascola.cli import guarded
from kerascola.errors import ExportError
from kerascola.export import FORMATS

BACKENDS = ("tensorflow", "jax", "torch")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kerascola-export", description=__doc__)
    parser.add_argument("model", help="a Keras file, NAME.keras, its address, or a name of the zoo")
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="default: %(default)s")
    parser.add_argument("--out", metavar="PATH", help="default: beside the file, NAME.onnx or NAME_saved_model")
    parser.add_argument(
        "--quantize",
        choices=["fp16"],
        help="fp16: the encoder's weights in half the space. Still computed in float32, at the same speed",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is at --out")
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
    from kerascola.cli.progress import Report
    from kerascola.runtime.models import is_named, model_file

    model = model_file(args.model, "keras", Report)
    beside = Path(model.name) if is_named(args.model) else model  # not in the cache
    out = Path(args.out) if args.out else default_out(beside, args.format)
    if out.exists() and not args.overwrite:
        raise ExportError(f"{out} is there already: replace it by --overwrite, or name another by --out")

    from kerascola.cli.quiet import import_keras

    import_keras()
    from kerascola.export.artefact import export_file

    half = args.quantize == "fp16"
    known = {k: getattr(args, k) for k in ("sample_rate", "window_samples", "hop_samples", "min_samples")}
    metadata = export_file(model, out, args.format, lambda line: print(line, file=sys.stderr), known, half)
    found = metadata.verified
    print(
        f"{out}: [batch, samples at {metadata.sample_rate} Hz] -> [batch, {metadata.dimension}]\n"
        f"verified against Keras: largest difference {found['max_difference']:.1e}, "
        f"least cosine {found['min_cosine']:.7f}"
    )
    return 0


def default_out(model: Path, format: str) -> Path:
    return model.with_suffix(".onnx") if format == "onnx" else model.with_name(f"{model.stem}_saved_model")


if __name__ == "__main__":
    raise SystemExit(main())
