"""The model that is shipped, and its file: a plain Keras archive that also knows how it is to be used."""

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras

from kerascola.errors import ModelError
from kerascola.runtime.metadata import MEMBER, Metadata, load_metadata
from kerascola.runtime.models import model_file
from kerascola.runtime.session import first_line


def embedder(frontend: keras.Model, encoder: keras.Model, name: str = "embedder") -> keras.Model:
    """waveform [batch, samples] -> embedding [batch, dim], of Keras's own layers only."""
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    embedding = keras.layers.Identity(name="embedding", dtype="float32")(encoder(frontend(waveform)))
    return keras.Model(waveform, embedding, name=name)


def split(model: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """(frontend, encoder) if the model is nothing but the one after the other."""
    plain = (keras.layers.InputLayer, keras.layers.Identity)
    layers = [step for step in model.operations if not isinstance(step, plain)]  # bare keras.ops are no layers
    if [layer.name for layer in layers] != ["frontend", "encoder"]:
        return None
    return layers[0], layers[1]


def parts(model: keras.Model) -> list[tuple[keras.Model, keras.Model]]:
    """(frontend, encoder) of the model, or of each of those that it has side by side."""
    inside = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return [found for each in (model, *inside) if (found := split(each))]


def side_by_side(embedders: Sequence[keras.Model]) -> keras.Model:
    """One whose embedding is all of theirs, one after the other."""
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    parts = [each(waveform) for each in embedders]
    embedding = keras.layers.Concatenate(name="embedding", dtype="float32")(parts)
    return keras.Model(waveform, embedding, name="embedder")


def save_embedder(model: keras.Model, metadata: Metadata, path: str | Path) -> Path:
    """Write `path` whole or not at all. `keras.saving.load_model` reads it without this package."""
    path = Path(path)
    partial = path.with_name(f".partial-{path.name}")
    try:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(MEMBER, json.dumps(asdict(metadata), indent=1))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def load(model: str | os.PathLike[str]) -> keras.Model:
    """The plain Keras model that `model` names: a .keras file, its address, or a name of the zoo."""
    return load_embedder(model_file(model, "keras"))[0]


def load_embedder(path: str | Path) -> tuple[keras.Model, Metadata | None]:
    """The model, and its metadata unless the file was saved again by Keras, which drops it."""
    metadata = load_metadata(path)
    try:
        model = keras.saving.load_model(Path(path), compile=False, safe_mode=True)
    except Exception as error:  # what a configuration can make Keras and its backend raise has no base class
        raise ModelError(
            f"{path}: expected a model that Keras {keras.__version__} can load in safe mode, received: "
            f"{first_line(error)}. Make it of Keras's own layers, or get the file again"
        ) from error
    found = [each.shape[-1] for each in model.outputs or ()]
    if metadata and not metadata.heads and found != [metadata.dimension]:  # a linear layer gives classes
        raise ModelError(
            f"{path}: expected embeddings of {metadata.dimension} numbers, as its metadata says, received {found}. Get "
            "the file again"
        )
    return model, metadata


def metadata_of(path: str | Path) -> Metadata:
    """Of an embedder that says how it is to be used."""
    metadata = load_metadata(path)
    if metadata is None:
        raise ModelError(
            f"{path} says nothing of itself: it was saved again by Keras. Expected the file as `kerascola pretrain` "
            "wrote it"
        )
    if metadata.heads:
        count = sum(len(one.labels) for one in metadata.heads.values())
        raise ModelError(f"{path} is a head, of {count} classes: expected the encoder, as model.keras beside it")
    return metadata
