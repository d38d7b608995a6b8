"""What a model is exported to: how each artefact is called, what it needs, and which backend writes it."""

import json
from dataclasses import dataclass
from glob import escape
from importlib.util import find_spec
from pathlib import Path

from kerascola.errors import ExportError
from kerascola.export.place import check_only

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
    besides: tuple[str, ...] = ()  # what else such a folder has, as patterns of paths
    modules: tuple[str, ...] = ()  # without which it is not made
    extras: str = "export"  # that bring them
    backend: str = ""  # that writes it of the Keras file; else the one at hand lowers the model


FORMATS = {
    "onnx": Format("an ONNX file", ".onnx"),
    "saved_model": Format(
        "a SavedModel",
        "_saved_model",
        "saved_model.pb",
        ("fingerprint.pb", "variables/variables.*", "assets.extra/kerascola.json"),
        ("tensorflow",),
        "tensorflow,export",
        "tensorflow",
    ),
    "openvino": Format(
        "a model of OpenVINO",
        "_openvino",
        "model.xml",
        ("model.bin", "kerascola.json"),
        ("openvino",),
        "openvino,export",
    ),
    "litert": Format(
        "a LiteRT file",
        ".tflite",
        modules=("tensorflow", "ai_edge_litert"),
        extras="tensorflow,litert,export",
        backend="tensorflow",
    ),
    "torch": Format("a program of torch", ".pt2", modules=("torch",), extras="torch,export", backend="torch"),
}
ENDINGS = {".keras", *(format.ending for format in FORMATS.values() if not format.within)}
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
    """A folder to write into, a name for that format, and at most an artefact of it in the way, with nothing else."""
    if not out.parent.is_dir():
        raise ExportError(f"{out.parent}: no such folder to write {out.name} into. Make it first")
    format = format_of(name)
    if out.suffix in ENDINGS - {format.ending}:
        raise ExportError(
            f"expected a name for {format.title}, as {out.stem}{format.ending}, received {out.name}, which is one for "
            "another. Change --out"
        )
    if not out.exists():
        return
    replaceable = (out / format.within).is_file() if format.within else out.is_file()
    told = told_by(out / MANIFEST) if replaceable and name == ALL else []
    if not replaceable or told is None:
        what = format.title if format.within else "a file"
        raise ExportError(f"{out} is there and is not {what}, so it is not replaced. Name another by --out")
    if format.within:
        check_only(out, [format.within, *format.besides, *told], format.title, "--out")


def told_by(manifest: Path) -> list[str] | None:
    """The files of the artefacts that a manifest tells of, as patterns; None for another's, as others write such files,
    too."""
    try:
        known = json.loads(manifest.read_text(encoding="utf-8"))
        artefacts = known["artefacts"] if "kerascola" in known else None
        return artefacts and [escape(file["path"]) for each in artefacts for file in each["files"]]
    except (ValueError, KeyError, TypeError):
        return None
