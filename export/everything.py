"""Every format that can be made here, in one folder, with a manifest of what each is and how it was verified."""

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras

import kerascola
from kerascola.export.formats import BY_GRAPH, FORMATS, MANIFEST, NotMade, check_installed
from kerascola.export.heads import Heads
from kerascola.export.onnx_file import Say, export_onnx
from kerascola.export.openvino_folder import convert
from kerascola.export.place import put
from kerascola.export.rebuilt import finish, made, write
from kerascola.export.verify import FLOAT16, FLOAT32, RATIO, Bounds, Measure
from kerascola.runtime.metadata import Metadata

RUNTIMES = {"onnx": "onnxruntime", "saved_model": "tensorflow", "litert": "ai-edge-litert"}  # others by their format


def export_all(
    measure: Measure,
    name: str,
    out: Path,
    say: Say = print,
    half: bool = False,
    heads: Heads = MappingProxyType({}),
) -> Metadata:
    """The folder `out`, of artefacts called `name`, is there whole, or not at all. Returns what the ONNX file says.

    A format whose package is missing, or that cannot hold this model, is listed as such; anything else that goes wrong
    goes wrong for all.
    """
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=out.parent) as folder:
        work, whole = Path(folder), Path(folder) / "all"
        whole.mkdir()
        files = {format: whole / f"{name}{known.ending}" for format, known in FORMATS.items()}
        known = {
            "onnx": export_onnx(
                measure.model, measure.metadata, files["onnx"], say, half=half, heads=heads, measure=measure
            )
        }
        reasons = left_out(half or bool(heads))
        for backend in ("tensorflow", "torch"):
            formats = [f for f in FORMATS if f not in reasons and FORMATS[f].backend == backend]
            if formats:
                titles = " and ".join(FORMATS[format].title for format in formats)
                say(f"writing {titles} from {backend} and comparing with Keras")
                write(formats, measure, work)
            for format in formats:
                try:
                    artefact = made(format, work)
                except NotMade as error:
                    reasons[format] = str(error)
                    continue
                known[format] = finish(format, artefact, measure)
                artefact.rename(files[format])
        if "openvino" not in reasons:
            known["openvino"] = convert(files["onnx"], files["openvino"], measure, say, half, heads)
        for format, reason in reasons.items():
            say(f"not made, {format}: {reason}")
        bounds = {format: FLOAT16 if half else FLOAT32 for format in known}
        manifest = {
            "kerascola": kerascola.__version__,
            "model": name,
            "backend": keras.backend.backend(),
            "metadata": usage(known["onnx"]),
            "artefacts": [entry(f, files[f], known[f], bounds[f]) for f in FORMATS if f in known],
            "not_made": [{"format": format, "why": reason} for format, reason in reasons.items()],
        }
        (whole / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        put(whole, out)
    return known["onnx"]


def left_out(by_graph: bool) -> dict[str, str]:
    """Why, by format."""
    reasons = {}
    for format in FORMATS:
        try:
            check_installed(format)
        except NotMade as error:
            reasons[format] = str(error)
        if by_graph and format not in BY_GRAPH:
            reasons[format] = f"heads and fp16 are for {' and '.join(BY_GRAPH)}"
    return reasons


def usage(metadata: Metadata) -> dict[str, Any]:
    """What is the same for all of them."""
    told = dataclasses.asdict(metadata)
    return {key: value for key, value in told.items() if key not in ("verified", "versions")}


def entry(format: str, path: Path, metadata: Metadata, bounds: Bounds) -> dict[str, Any]:
    runtime = RUNTIMES.get(format, format)
    return {
        "format": format,
        "path": path.name,
        "files": [
            sums(each, path.parent) for each in sorted([path] if path.is_file() else path.rglob("*")) if each.is_file()
        ],
        "verified_by": f"{runtime} {metadata.versions[runtime]}",
        "made_by": metadata.versions["exported by"],
        "bounds": {
            "max_difference_of_largest": bounds.absolute,
            "min_cosine": bounds.cosine,
            "extreme_error_of_keras_times": RATIO,
        },
        "found": metadata.verified,
    }


def sums(path: Path, root: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {
        "path": path.relative_to(root).as_posix(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }
