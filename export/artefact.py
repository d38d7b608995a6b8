"""One export from file to file: what the model knows of itself, where the artefact goes, which format."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np

from kerascola.errors import ExportError, KerascolaError
from kerascola.export.calibration import sounds_for
from kerascola.export.everything import export_all
from kerascola.export.formats import ALL, BY_GRAPH, FORMATS, check_installed, check_place, format_of
from kerascola.export.heads import check_names, load_heads
from kerascola.export.onnx_file import Say, export_head, export_onnx, measure_of
from kerascola.export.openvino_folder import export_openvino
from kerascola.export.quantize import NOT_AT_ALL, Quantize
from kerascola.export.rebuilt import export_rebuilt
from kerascola.models.embedder import load_embedder
from kerascola.models.heads import classes_of
from kerascola.runtime.metadata import Metadata, of_tree

NEEDED = ("sample_rate", "window_samples", "min_samples")


def export_file(
    model_path: Path,
    out: Path,
    format: str,
    say: Say,
    known: dict[str, Any],
    heads: Mapping[str, str | Path] = MappingProxyType({}),
    quantize: Quantize = NOT_AT_ALL,
) -> Metadata:
    """`heads` are Keras files by the names that they get."""
    format_of(format)
    check_names(heads)
    half, int8 = quantize.to == "fp16", quantize.to == "int8"
    if int8 and format != "onnx":
        raise ExportError(f"int8 is for the format onnx, received {format}: leave --quantize out, or take fp16")
    if (half or heads) and format not in (*BY_GRAPH, ALL):
        raise ExportError(
            f"{'fp16 is' if half else 'heads are'} for the formats {' and '.join(BY_GRAPH)}, received {format}: leave "
            f"{'--quantize' if half else '--head'} out, or take --format onnx"
        )
    if out.resolve() == model_path.resolve():
        raise ExportError(f"{out} is the model itself: name another place by --out")
    check_place(out, format)
    if format in FORMATS:
        check_installed(format)
    model, found = load_embedder(model_path)
    if found and found.heads:
        if heads or quantize.to or format != "onnx":
            raise ExportError(f"{model_path} is a head: export it to an .onnx file alone, or a model with it by --head")
        return export_head(model, *classes_of(model, found, model_path), out, say)
    check(model, model_path)
    metadata = complete(found, known, int(model.output.shape[-1]), model_path)
    check_least(model, metadata)
    attached = load_heads(heads, metadata)
    if format == "onnx":
        with sounds_for(metadata, quantize) as sounds:
            return export_onnx(model, metadata, out, say, half=half, int8=sounds, heads=attached)
    measure = measure_of(model, metadata)
    if format == ALL:
        return export_all(measure, model_path.stem, out, say, half, attached)
    if format == "openvino":
        return export_openvino(measure, out, say, half, attached)
    return export_rebuilt(format, measure, out, say)


def check(model: keras.Model, path: Path) -> None:
    """One waveform in, one embedding out, both of any batch size."""
    ends = [tuple(t.shape) for t in (*model.inputs, *model.outputs)] if model.inputs else []
    if len(ends) != 2 or ends[0] != (None, None) or len(ends[1]) != 2 or ends[1][1] is None:
        raise ExportError(
            f"{path}: expected one input [batch, samples] of any length and one output [batch, dimension], "
            f"received the shapes {ends}"
        )


def complete(found: Metadata | None, known: dict[str, Any], dimension: int, path: Path) -> Metadata:
    known = {name: value for name, value in known.items() if value is not None}
    if found:
        return possible(dataclasses.replace(found, **known))
    missing = [f"--{name.replace('_', '-')}" for name in NEEDED if name not in known]
    if missing:
        raise ExportError(
            f"{path} does not say how it is to be used: its kerascola metadata is gone, as when Keras saves a model "
            f"again. Give it by {', '.join(missing)}"
        )
    return possible(Metadata(**{"hop_samples": known["window_samples"], "dimension": dimension, **known}))


def possible(metadata: Metadata) -> Metadata:
    """What the artefact's readers would refuse is refused before the work."""
    try:
        return of_tree(dataclasses.asdict(metadata))
    except KerascolaError as error:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in (*NEEDED, "hop_samples"))
        raise ExportError(f"{error}. Options that say otherwise: {options}") from error


def check_least(model: keras.Model, metadata: Metadata) -> None:
    """The shortest waveform gives an embedding."""
    least = metadata.min_samples
    try:
        finite = np.isfinite(model.predict_on_batch(np.zeros((1, least), np.float32))).all()
    except Exception as error:  # each backend has its own for a kernel that is longer than what it slides over
        raise ExportError(f"the model cannot take --min-samples, {least}: {str(error).splitlines()[0]}") from error
    if not finite:
        raise ExportError(f"the model gives no finite embedding of --min-samples, {least}. Raise it")
