"""An exported .onnx file -> an onnxruntime session that keeps kerascola's contract."""

import os
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import onnxruntime

from kerascola.errors import KerascolaError, ModelError, shortened, shown
from kerascola.runtime.declared import declared
from kerascola.runtime.metadata import Classes, Metadata

INPUT, OUTPUT = "waveform", "embedding"  # float32 [batch, samples] -> float32 [batch, dimension]
LOGITS, SCORES = "logits", "scores"  # float32 [batch, classes] of a head; NAME.logits where there are several

# Bytes of a tensor that onnxruntime computes as it opens a file, rather than in each run: of a small file, and of any,
# where float32 makes four times of 8 bits.
LEAST_FOLDED, MOST_FOLDED, TIMES_FOLDED = 1 << 26, 1 << 30, 4

SAID_ONCE = onnxruntime.RunOptions()  # what goes wrong in a run is raised, and need not be printed, too
SAID_ONCE.log_severity_level = 4

# What else kerascola-export writes, and is opened by others.
OTHERS = {".keras": "a Keras model", ".pt2": "a model for torch", ".tflite": "a model for LiteRT"}
OTHERS |= {".xml": "a model for OpenVINO", ".json": "JSON"}

Provider = str | tuple[str, dict[str, Any]]  # tuple: with onnxruntime's options for it


def outputs_of(head: str) -> tuple[str, str]:
    """(logits, scores)"""
    return (f"{head}.{LOGITS}", f"{head}.{SCORES}") if head else (LOGITS, SCORES)


def open_session(
    model: str | os.PathLike[str],
    providers: str | Sequence[Provider] | None,
    threads: int | None,
    is_head: bool = False,
) -> tuple[onnxruntime.InferenceSession, Metadata]:
    """Of an embedder, or of a head that is served alone."""
    path = _checked_path(model)
    wanted = _checked_providers(providers)
    metadata = Metadata.from_props(declared(path), str(path))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # 0: onnxruntime chooses
    options.intra_op_num_threads = check_count(0 if threads is None else threads, "threads", least=0)
    # Threads that wait sleep. Spinning saves a millisecond where no one else computes, and slows down fourfold where
    # someone does, such as the threads that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # and not its own, whatever the name is
    folded = min(MOST_FOLDED, max(LEAST_FOLDED, TIMES_FOLDED * path.stat().st_size))
    options.add_session_config_entry("optimization.constant_folding_max_output_size_in_bytes", str(folded))
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise ModelError(
            f"{path}: expected an ONNX model that onnxruntime {onnxruntime.__version__} can open, received: "
            f"{first_line(error)}. Export the Keras model again: kerascola-export MODEL.keras"
        ) from error
    if is_head:
        _check_head(session, metadata, path)
    else:
        _check_contract(session, metadata, path)
    names = [p if isinstance(p, str) else p[0] for p in wanted]
    missing = [name for name in names if name not in session.get_providers()]
    if missing:  # onnxruntime has gone on with the CPU by itself
        raise KerascolaError(
            f"expected onnxruntime to run on {', '.join(missing)}, received only "
            f"{', '.join(session.get_providers())}: libraries did not load (see above). "
            "Repair them, or ask for the CPU: providers=None"
        )
    return session, metadata


def check_count(value: Any, what: str, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise KerascolaError(f"expected {what} to be a whole number from {least}, received {value!r}")
    return int(value)


def first_line(error: Exception) -> str:
    return shortened((str(error).strip().splitlines() or [type(error).__name__])[0].rstrip("."), 500)


def _checked_path(model: str | os.PathLike[str]) -> Path:
    path = Path(model)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise ModelError(f"{path}: expected an .onnx file, received {what}. Check the path")
    if path.suffix in OTHERS:
        source = path if path.suffix == ".keras" else "MODEL.keras"
        raise ModelError(
            f"{path}: expected an .onnx file, received {OTHERS[path.suffix]}. "
            f"Export the Keras model: kerascola-export {source} --format onnx --out {path.with_suffix('.onnx')}"
        )
    return path


def _checked_providers(providers: str | Sequence[Provider] | None) -> list[Provider]:
    if providers is None:
        return ["CPUExecutionProvider"]
    wanted: list[Provider] = [providers] if isinstance(providers, str) else list(providers)
    available = onnxruntime.get_available_providers()
    unknown = [p for p in wanted if (p if isinstance(p, str) else p[0]) not in available]
    if unknown or not wanted:
        raise KerascolaError(
            f"expected providers that this onnxruntime has ({', '.join(available)}), received {providers!r}. "
            "Others come with another build: CUDA with onnxruntime-gpu in place of onnxruntime"
        )
    return wanted


def choose(heads: Mapping[str, Classes], name: str | None, path: str) -> str:
    """The name of the head that is asked for, or of the only one."""
    if not heads:
        raise ModelError(
            f"{path}: expected a model with a head, received one that gives embeddings alone. "
            "Export one with it: kerascola-export MODEL.keras --head HEAD.keras"
        )
    if name is None and len(heads) == 1:
        return next(iter(heads))
    if name is None or name not in heads:
        raise ModelError(f"{path}: expected one of the heads {', '.join(heads)}, received {name!r}")
    return name


def _check_head(session: onnxruntime.InferenceSession, metadata: Metadata, path: Path) -> None:
    inputs = [(i.name, i.type, i.shape[1:]) for i in session.get_inputs()]
    expected = [(OUTPUT, "tensor(float)", [metadata.dimension])]
    if inputs != expected or list(metadata.heads) != [""]:
        raise ModelError(
            f"{path}: expected a head alone, with the input {expected[0]}, received the inputs {inputs} "
            f"and {len(metadata.heads)} heads. kerascola-export HEAD.keras writes one; Embedder opens all others"
        )
    _check_classes(session, metadata, path)


def _check_classes(session: onnxruntime.InferenceSession, metadata: Metadata, path: Path) -> None:
    """Every head that the metadata tells of is there, with a number for each label."""
    outputs = {o.name: (o.type, o.shape[1:]) for o in session.get_outputs()}
    for name, classes in metadata.heads.items():
        for output in outputs_of(name):
            if outputs.get(output) != ("tensor(float)", [len(classes.labels)]):
                raise ModelError(
                    f"{path}: expected an output {output} of {len(classes.labels)} float32 numbers, as its metadata "
                    f"says, received {outputs.get(output)}. Export the model again"
                )


def _check_contract(session: onnxruntime.InferenceSession, metadata: Metadata, path: Path) -> None:
    inputs = [(i.name, i.type, len(i.shape)) for i in session.get_inputs()]
    outputs = {o.name: (o.type, len(o.shape)) for o in session.get_outputs()}
    expected = ("tensor(float)", 2)
    if inputs and inputs[0][0] == OUTPUT and metadata.heads:
        raise ModelError(f"{path} is a head, which takes embeddings: open it by kerascola.Head")
    if inputs != [(INPUT, *expected)] or outputs.get(OUTPUT) != expected:
        raise ModelError(
            f"{path}: expected the input {INPUT} and the output {OUTPUT}, both float32 of two axes, "
            f"received the inputs {shown(inputs, 300)} and the outputs {shown(outputs, 300)}. Export the model again"
        )
    fixed = [size for size in session.get_inputs()[0].shape if isinstance(size, int)]
    if fixed:
        raise ModelError(
            f"{path}: expected an input of any batch and any length, received the shape "
            f"{shown(session.get_inputs()[0].shape)}. Export the model again with both axes dynamic"
        )
    width = next(o.shape[1] for o in session.get_outputs() if o.name == OUTPUT)
    if isinstance(width, int) and width != metadata.dimension:
        raise ModelError(
            f"{path}: expected embeddings of {metadata.dimension} numbers, as its metadata says, "
            f"received {width}. Export the model again"
        )
    _check_classes(session, metadata, path)
