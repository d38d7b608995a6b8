"""A plain Keras embedder -> one verified ONNX file, whatever the backend."""

import dataclasses
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType, ModuleType

import keras
import numpy as np
import onnx
import onnxruntime
from onnx import helper

import kerascola
from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.errors import ExportError
from kerascola.export import graph, probes
from kerascola.export.calibration import Sounds
from kerascola.export.heads import Heads, alone, attach, check_fused
from kerascola.export.heads import check as check_head
from kerascola.export.int8 import quantised
from kerascola.export.log_mel_graph import OPSET, log_mel_graph
from kerascola.export.verify import FLOAT16, FLOAT32, Bounds, Measure, Waves, verify
from kerascola.models.embedder import split
from kerascola.runtime.embedder import Embedder
from kerascola.runtime.head import Head
from kerascola.runtime.metadata import Classes, Metadata
from kerascola.runtime.session import INPUT, LOGITS, OUTPUT, SCORES

Say = Callable[[str], None]

# Of log magnitudes: float32 leaves 3e-4 where a bin is far below the loudest, one hertz of difference makes 7e-2.
FRONTEND = 5e-3


def export_onnx(
    model: keras.Model,
    metadata: Metadata,
    out: Path,
    say: Say = print,
    *,
    half: bool = False,
    int8: Sounds | None = None,
    compare: bool = True,
    heads: Heads = MappingProxyType({}),
    measure: Measure | None = None,
) -> Metadata:
    """`out` is there, verified, when this returns, and not otherwise. Returns what the file says of itself.

    `heads` are fused: the file gives their logits and scores beside the embedding. With `half` the encoder's weights
    are kept in float16; with sounds for `int8` its layers compute in that, and the file is held to float32's, which is
    compared with Keras. Not compared with Keras where nobody will serve it: a network at random weights may be
    ill-conditioned. `measure` is the model's, where it is there already.
    """
    if (half or int8) and split(model) is None:
        raise ExportError(
            "--quantize is for the encoder, and this model is not a `frontend` and an `encoder`: leave it out"
        )
    bounds = FLOAT16 if half else FLOAT32
    partial = out.with_name(f".partial-{out.name}")
    try:
        proto = lower(model, metadata, say, half)
        verified: dict[str, float] = {}
        if int8:
            onnx.save(proto, partial)
            verified = compared(partial, measure or measure_of(model, metadata), bounds, say)
            proto, found = quantised(proto, metadata, int8, say)
            verified |= found
        for name, (head, classes) in heads.items():
            say(f"lowering the head{f' {name}' * bool(name)}, of {len(classes.labels)} classes")
            proto = attach(proto, lower_one(head, 1), classes, name)
        onnx.checker.check_model(proto)
        onnx.save(proto, partial)
        if compare and not int8:
            verified = compared(partial, measure or measure_of(model, metadata), bounds, say)
        if heads:
            verified["head_max_difference"] = check_fused(outputs(partial, probes.heard(metadata)), heads)
        known = {name: classes for name, (_, classes) in heads.items()}
        metadata = dataclasses.replace(metadata, verified=verified, versions=versions(metadata), heads=known)
        helper.set_model_props(proto, metadata.to_props())
        onnx.save(proto, partial)
        Embedder(partial)  # opens as its users will open it
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    return metadata


def compared(path: Path, measure: Measure, bounds: Bounds, say: Say) -> dict[str, float]:
    say("comparing with Keras")
    return verify(measure, lambda waves: serve(path, waves), bounds)


def export_head(head: keras.Model, classes: Classes, of: Metadata, out: Path, say: Say = print) -> Metadata:
    """A head alone, for embeddings that are there already; `of` is the embedder that these are of."""
    partial = out.with_name(f".partial-{out.name}")
    try:
        say(f"lowering the head, of {len(classes.labels)} classes")
        proto = alone(lower_one(head, 1), classes, of.dimension)
        onnx.checker.check_model(proto)
        vectors = np.random.default_rng(0).standard_normal((17, of.dimension)).astype(np.float32)
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        logits, scores = session.run([LOGITS, SCORES], {OUTPUT: vectors})
        verified = {"head_max_difference": check_head(vectors, logits, scores, head, classes, "")}
        metadata = dataclasses.replace(of, verified=verified, versions=versions(of), heads={"": classes})
        helper.set_model_props(proto, metadata.to_props())
        onnx.save(proto, partial)
        Head(partial)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    return metadata


def versions(metadata: Metadata) -> dict[str, str]:
    return {
        **metadata.versions,
        "exported by": f"kerascola {kerascola.__version__} from {keras.backend.backend()}",
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


def lowering() -> ModuleType:
    """The module that lowers on the backend at hand."""
    return importlib.import_module(f"kerascola.export.lower_{keras.backend.backend()}")


def measure_of(model: keras.Model, metadata: Metadata) -> Measure:
    return Measure(model, metadata, lowering().float64)


def lower(model: keras.Model, metadata: Metadata, say: Say, half: bool = False) -> onnx.ModelProto:
    """Front end and encoder apart where the model is made of them, so that the front end can be the fast one."""
    backend = keras.backend.backend()
    parts = split(model)
    if parts is None:
        say(f"no sub-models `frontend` and `encoder`: lowering the whole model from {backend}")
        proto = lower_one(model, metadata.min_samples)
    else:
        frontend, encoder = parts
        first = hand_written(frontend, metadata)
        if first is None:
            say(f"no hand-written graph matches this front end: lowering it from {backend}")
            first = lower_one(frontend, metadata.min_samples)
        say(f"lowering the encoder from {backend}")
        least = frontend.predict_on_batch(np.zeros((1, metadata.min_samples), np.float32)).shape[1]
        second = lower_one(encoder, least)
        if half:
            graph.halve(second)
        proto = graph.join(first, second)
    graph.sign(proto, metadata.dimension)
    return proto


def lower_one(model: keras.Model, minimum: int) -> onnx.ModelProto:
    return graph.tidy(lowering().lower(model, minimum, OPSET))


def hand_written(frontend: keras.Model, metadata: Metadata) -> onnx.ModelProto | None:
    """The graph of the log-mel that the metadata names, or of a preset, if it computes what `frontend` does."""
    waves = probes.ordinary(metadata)
    for spec in log_mels(metadata):
        if tuple(frontend.output.shape[2:]) != spec.shape or spec.sample_rate != metadata.sample_rate:
            continue
        proto = log_mel_graph(spec)
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        if all(same(session.run(None, {"waveform": w})[0], frontend.predict_on_batch(w)) for w in waves.values()):
            return proto
    return None


def log_mels(metadata: Metadata) -> list[LogMel]:
    """The model's own specification first; a file that Keras saved again has lost it, and is most likely a preset."""
    presets = list(PRESETS.values())
    if metadata.frontend.get("name") != "log_mel":
        return [] if metadata.frontend else presets
    try:
        return [LogMel(**metadata.frontend), *presets]
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ExportError(f"the model's metadata has a log-mel front end that cannot be: {error}") from error


def same(received: np.ndarray, expected: np.ndarray) -> bool:
    return received.shape == expected.shape and bool(np.abs(received - expected).max() <= FRONTEND)


def serve(path: Path, waves: Waves) -> Waves:
    """The file itself, reopened."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ends = [i.name for i in session.get_inputs()], [o.name for o in session.get_outputs()]
    if ends[0] != [INPUT] or ends[1][:1] != [OUTPUT]:
        raise ExportError(f"expected one input `waveform` and a first output `embedding`, received {ends}")
    return {name: session.run([OUTPUT], {INPUT: wave})[0] for name, wave in waves.items()}


def outputs(path: Path, waves: Waves) -> dict[str, Waves]:
    """All that the file gives for each, by name."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return {name: dict(zip(names, session.run(names, {INPUT: wave}), strict=True)) for name, wave in waves.items()}
