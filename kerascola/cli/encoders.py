"""The files that an encoder is judged by: what is named as it would serve, and its network at random weights."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import kerascola
from kerascola.cli.progress import Report
from kerascola.dsp.log_mel import LogMel
from kerascola.errors import KerascolaError, ModelError
from kerascola.runtime.archive import member
from kerascola.runtime.home import home
from kerascola.runtime.metadata import Metadata, load_metadata
from kerascola.runtime.models import model_file

if TYPE_CHECKING:
    import keras

Say = Callable[[str], None]
BASELINE = "log-mel"
SPEC = LogMel(level="none", floor=3e-4)  # about -110 dB of a full-scale sine
MOST_BYTES = 1 << 26  # of a network's configuration
LEARNT = "leaf", "sincnet"  # front ends whose filters are of the file, not of the network


def as_onnx(name: str, say: Say) -> Path:
    """`name` is a model, which is exported once if it is of Keras, or log-mel: statistics of a spectrogram."""
    if name == BASELINE:
        return exported(digest(repr(SPEC).encode()), baseline, say, "log-mel statistics")
    try:
        path = model_file(name, "onnx", Report)
    except ModelError as error:
        raise ModelError(f"{error}. Or {BASELINE}, which is judged by that name") from error
    if not path.is_file():
        raise ModelError(f"{name}: expected a file MODEL.onnx or MODEL.keras, or {BASELINE}; received no such file")
    if path.suffix == ".keras":
        return exported(digest(path.read_bytes()), lambda: given(path), say, path.name)
    return path


def at_random(name: str, count: int, say: Say) -> list[Path]:
    """The network of MODEL.keras, or of that which lies beside MODEL.onnx, at the weights of so many seeds."""
    if name == BASELINE or not count:
        return []
    path = model_file(name, "keras", Report).with_suffix(".keras")
    if not path.is_file():
        raise ModelError(
            f"{path}: no such file, so {name} cannot be set beside its own network at random weights. Put the Keras "
            "file there that it was exported from, name that itself, or go without: --random 0"
        )
    key = architecture(path)
    return [
        exported(digest(f"{key} {seed}".encode()), partial(random, path, seed), say, f"{path.name}, seed {seed}", False)
        for seed in range(count)
    ]


def keras_file(name: str) -> Path | None:
    """What can be trained: MODEL.keras, and whatever is of the zoo."""
    path = model_file(name, "keras", Report)
    return path if path.suffix == ".keras" else None


def exported(
    key: str, make: "Callable[[], tuple[keras.Model, Metadata]]", say: Say, what: str, compare: bool = True
) -> Path:
    """From the cache, or made and kept there."""
    folder = home() / "exports"
    path = folder / f"{key}.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        say(f"exporting {what}")
        from kerascola.cli.quiet import import_keras

        import_keras()
        from kerascola.export.onnx_file import export_onnx

        model, metadata = make()
        export_onnx(model, metadata, path, lambda line: None, compare=compare)
    return path


def digest(content: bytes) -> str:
    return hashlib.blake2b(content + kerascola.__version__.encode(), digest_size=16).hexdigest()


def architecture(path: Path) -> str:
    """Of the network and its front end, whatever the weights."""
    metadata = load_metadata(path)
    front = dict(metadata.frontend) if metadata else {}
    if not front or front.get("name") in LEARNT:
        return digest(path.read_bytes())
    config = member(path, "config.json", MOST_BYTES)
    if config is None:
        raise ModelError(f"{path} is not a Keras archive: expected a config.json in it, received none. Save it again")
    return digest(config + repr(sorted(front.items())).encode())


def given(path: Path) -> "tuple[keras.Model, Metadata]":
    from kerascola.models.embedder import load_embedder, metadata_of

    return load_embedder(path)[0], metadata_of(path)


def random(path: Path, seed: int) -> "tuple[keras.Model, Metadata]":
    from kerascola.evaluation.references import randomise

    model, metadata = given(path)
    try:
        randomise(model, seed)
    except KerascolaError as error:
        raise ModelError(f"{path}: {error}. Go without: --random 0") from error
    return model, metadata


def baseline() -> "tuple[keras.Model, Metadata]":
    from kerascola.evaluation.references import log_mel_statistics

    return log_mel_statistics(SPEC)
