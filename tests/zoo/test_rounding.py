"""Weights in float16 within the file, float32 in the model that Keras makes of it; on every backend."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest
from models_for_tests import metadata_of, small_embedder

from kerascola.errors import ZooError
from kerascola.models.embedder import embedder, load_embedder, save_embedder, side_by_side, split
from kerascola.zoo.rounding import rounded


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The model; its file; the smaller file."""
    folder = tmp_path_factory.mktemp("rounding")
    model = small_embedder()
    metadata = metadata_of(model)
    path = save_embedder(model, metadata, folder / "model.keras")
    return model, path, rounded(path, folder / "small.keras", metadata)


def weights(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(weight) for weight in model.get_weights()]


def datasets(path) -> dict[str, h5py.Dataset]:
    with zipfile.ZipFile(path) as archive:
        file = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    found: dict = {}
    file.visititems(lambda name, item: found.update({name: item} if isinstance(item, h5py.Dataset) else {}))
    return found


def test_every_weight_is_the_nearest_that_float16_has_and_the_front_end_its_own(made):
    model, _, small = made
    loaded, metadata = load_embedder(small)
    assert metadata == metadata_of(model)
    for name in ("frontend", "encoder"):
        pairs = list(zip(weights(model.get_layer(name)), weights(loaded.get_layer(name)), strict=True))
        for before, after in pairs:
            assert after.dtype == np.float32
            np.testing.assert_array_equal(
                after, before if name == "frontend" else before.astype(np.float16).astype(np.float32)
            )
        assert any((before != after).any() for before, after in pairs) == (name == "encoder")
    waves = np.random.default_rng(0).normal(scale=0.1, size=(2, 4000)).astype(np.float32)
    np.testing.assert_allclose(loaded.predict_on_batch(waves), model.predict_on_batch(waves), rtol=0.01, atol=0.01)


def test_the_file_holds_halves(made):
    _, path, small = made
    before, after = datasets(path), datasets(small)
    assert before.keys() == after.keys()
    kinds = {str(item.dtype) for item in after.values()}
    assert kinds == {"float16", "float32"} and {str(item.dtype) for item in before.values()} == {"float32"}
    kept = sum(item.size for item in after.values() if item.dtype == np.float32)
    assert kept == 400 * 992 + 496 * 64  # the transform and the mel bands
    assert small.stat().st_size < path.stat().st_size


@pytest.mark.once("a file is written, which is the same on all")
def test_the_same_model_gives_the_same_file(made, tmp_path):
    model, path, small = made
    assert rounded(path, tmp_path / "again.keras", metadata_of(model)).read_bytes() == small.read_bytes()


@pytest.mark.once("a file is written, which is the same on all")
def test_front_ends_of_two_side_by_side_are_kept(tmp_path):
    parts = [split(small_embedder()) for _ in range(2)]
    both = side_by_side([embedder(*part, f"embedder_{n}") for n, part in enumerate(parts) if part])
    path = save_embedder(both, metadata_of(both), tmp_path / "both.keras")
    found = datasets(rounded(path, tmp_path / "small.keras", metadata_of(both)))
    assert sum(item.size for item in found.values() if item.dtype == np.float32) == 2 * (400 * 992 + 496 * 64)


@pytest.mark.once("a file is written, which is the same on all")
@pytest.mark.parametrize("value", [70000.0, -70000.0, np.nan, np.inf])
def test_what_float16_cannot_hold_is_refused(tmp_path, value):
    model = small_embedder()
    values = weights(model.get_layer("encoder"))
    values[0][0, 0, 0, 0] = value
    model.get_layer("encoder").set_weights(values)
    path = save_embedder(model, metadata_of(model), tmp_path / "model.keras")
    with pytest.raises(ZooError, match="expected weights of at most 65504, .*, received .* in /.*conv2d/vars/0"):
        rounded(path, tmp_path / "small.keras", metadata_of(model))


@pytest.mark.once("a file is read, which is the same on all")
def test_a_model_without_a_front_end_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((None,)), keras.layers.Identity()])
    model.save(tmp_path / "model.keras")
    with pytest.raises(ZooError, match="expected a sub-model `frontend`"):
        rounded(tmp_path / "model.keras", tmp_path / "small.keras", metadata_of(small_embedder()))
