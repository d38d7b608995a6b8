"""What a model is exported to: how each artefact is called, what it needs, and which backend writes it."""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from kerascola.errors import ExportError

ALL = "all"
MANIFEST = "manifest.json"
QUANTIZED = ("fp16", "int8")


class NotMade(ExportError):
    """A format that cannot be had here: a package is missing, or it cannot hold the model."""


@dataclass(frozen=True)
class Format:
    title: str
    ending: str  # of the artefact's name
    within: str = ""  # what a folder of it has, by which it is known; a file has none
    modules: tuple[str, ...] = ()  # without which it is not made
    extras: str = "export"  # that bring them
    backend: str = ""  # that writes it of the Keras file; else the one at hand lowers the model


FORMATS = {
    "onnx": Format("an ONNX file", ".onnx"),
    "saved_model": Format(
        "a SavedModel", "_saved_model", "saved_model.pb", ("tensorflow",), "tensorflow,export", "tensorflow"
    ),
    "openvino": Format("a model of OpenVINO", "_openvino", "model.xml", ("openvino",), "openvino,export"),
    "litert": Format(
        "a LiteRT file", ".tflite", "", ("tensorflow", "ai_edge_litert"), "tensorflow,litert,export", "tensorflow"
    ),
    "torch": Format("a program of torch", ".pt2", "", ("torch",), "torch,export", "torch"),
}
EVERYTHING = Format("a folder of all formats", "_all", MANIFEST)
BY_GRAPH = ("onnx", "openvino")  # of the ONNX graph: with heads, and with weights in float16


def format_of(name: str) -> Format:
    if name == ALL:
        return EVERYTHING
    if name not in FORMATS:
        raise ExportError(f"expected a format of {', '.join(FORMATS)} or {ALL}, received {name!r}")
    return FORMATS[name]


def check_installed(name: str) -> None:
    missing = [module for module in FORMATS[name].modules if find_spec(module) is None]
    if missing:
        raise NotMade(
            f"{FORMATS[name].title} needs {' and '.join(missing)}, not installed: "
            f'pip install "kerascola[{FORMATS[name].extras}]"'
        )


def default_out(model: Path, name: str) -> Path:
    return model.with_name(f"{model.stem}{format_of(name).ending}")


def check_place(out: Path, name: str) -> None:
    """A folder to write into, and at most an artefact of that format in the way."""
    if not out.parent.is_dir():
        raise ExportError(f"{out.parent}: no such folder to write {out.name} into. Make it first")
    format = format_of(name)
    replaceable = (out / format.within).is_file() if format.within else out.is_file()
    if replaceable and name == ALL:
        replaceable = is_ours(out / MANIFEST)
    if out.exists() and not replaceable:
        what = format.title if format.within else "a file"
        raise ExportError(f"{out} is there and is not {what}, so it is not replaced. Name another by --out")


def is_ours(manifest: Path) -> bool:
    """Others write a manifest.json, too."""
    try:
        known = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(known, dict) and "kerascola" in known
