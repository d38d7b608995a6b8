"""What every part of a kind must keep, so that a part's own test is a few lines."""

import math

import keras
import numpy as np
import pytest
from keras import ops


def numbers(tensor) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


def trainable(model: keras.Model) -> int:
    """The number of its trainable weights."""
    return sum(math.prod(weight.shape) for weight in model.trainable_variables)


counted_once = pytest.mark.once(
    "sizes of networks at full width, which are laid out by the same lines on every backend"
)


def unfilled():
    """Networks are built under it without values: torch alone has such a device."""
    return keras.device("meta")


def check_plain(model: keras.Model) -> None:
    """Only Keras's own layers and operations, at any depth."""

    def walk(config) -> None:
        if isinstance(config, dict):
            if "class_name" in config and config.get("registered_name"):
                assert config["registered_name"] in (config["class_name"], None), config["registered_name"]
            if isinstance(config.get("module"), str):
                assert config["module"].split(".")[0] in ("keras", "builtins"), config["module"]
            for value in config.values():
                walk(value)
        elif isinstance(config, list | tuple):
            for value in config:
                walk(value)

    walk(keras.saving.serialize_keras_object(model))


def check_strides(model: keras.Model) -> None:
    """No strided convolution of one tap over fewer than 16 channels: blocks.py says why."""
    for layer in model._flatten_layers():
        if set(getattr(layer, "kernel_size", ())) == {1} and max(layer.strides) > 1:
            assert layer.input.shape[-1] >= 16, layer.name


def check_saved(model: keras.Model, inputs: np.ndarray, folder) -> None:
    """Saved and loaded under safe mode it gives the same numbers."""
    model.save(folder / "part.keras")
    loaded = keras.saving.load_model(folder / "part.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.predict_on_batch(inputs), model.predict_on_batch(inputs), atol=1e-6)


def check_lengths(model: keras.Model, make_input, lengths) -> None:
    """One model takes every length."""
    for length in lengths:
        output = model.predict_on_batch(make_input(3, length))
        assert np.isfinite(output).all(), length


def check_own_input_only(model: keras.Model, inputs: np.ndarray) -> None:
    """A sample's output does not depend on its batch mates."""
    together = model.predict_on_batch(inputs)
    for index in range(len(inputs)):
        other = 3 * inputs[::-1]  # of the same shape, as JAX compiles for each
        other[index] = inputs[index]
        np.testing.assert_allclose(model.predict_on_batch(other)[index], together[index], atol=2e-5)


class OneStep(keras.Model):
    """Trains `part` alone, on a loss that every output has a share in."""

    def __init__(self, part: keras.Model) -> None:
        super().__init__()
        self.part = part

    def call(self, inputs, training: bool = False):
        return self.part(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        weights = ops.arange(1, y_pred.shape[-1] + 1, dtype="float32")
        return ops.mean((ops.cast(y_pred, "float32") * weights - 1.0) ** 2)


def check_trains(part: keras.Model, inputs: np.ndarray, unused: tuple[str, ...] = ()) -> None:
    """One step of plain gradient descent moves every trainable weight but the `unused`."""
    before = [numbers(weight).copy() for weight in part.trainable_variables]
    model = OneStep(part)
    model.compile(optimizer=keras.optimizers.SGD(1e-2))
    model.train_on_batch(inputs)
    still = [
        weight.path
        for weight, old in zip(part.trainable_variables, before, strict=True)
        if np.array_equal(numbers(weight), old)
    ]
    assert tuple(still) == unused, f"no gradient reached {still}"
    assert all(np.isfinite(numbers(weight)).all() for weight in part.variables)


def check_bfloat16(exact: keras.Model, build, inputs: np.ndarray) -> None:
    """Built under mixed precision it computes in bfloat16 and comes near its float32 self."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = build()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(exact.get_weights())
    assert keras.backend.standardize_dtype(mixed.output.dtype) == "bfloat16"
    output, expected = (np.asarray(m.predict_on_batch(inputs), np.float32) for m in (mixed, exact))
    norms = np.linalg.norm(output, axis=-1) * np.linalg.norm(expected, axis=-1)
    cosine = np.sum(output * expected, axis=-1) / norms
    assert cosine.min() > 0.99, cosine


def check_encoder(
    build, shape: tuple[int, ...], dimension: int, least: int, folder, ordinary: int = 61, unused: tuple[str, ...] = ()
) -> None:
    """An encoder: [batch, frames >= least, *shape] -> [batch, dimension]; `ordinary` is a usual number of frames."""
    rng = np.random.default_rng(0)

    def features(batch: int, frames: int) -> np.ndarray:
        return rng.normal(size=(batch, frames, *shape)).astype(np.float32)

    keras.utils.set_random_seed(0)
    encoder = build()
    assert encoder.name == "encoder"
    assert encoder.input.shape == (None, None, *shape)
    assert encoder.output.shape == (None, dimension)
    check_plain(encoder)
    check_strides(encoder)
    check_lengths(encoder, features, (least, ordinary))  # few shapes, as JAX compiles for each
    inputs = features(3, ordinary)
    check_own_input_only(encoder, inputs)
    check_saved(encoder, inputs, folder)
    check_bfloat16(encoder, build, inputs)
    check_trains(encoder, inputs, unused)


def close(received: np.ndarray, expected: np.ndarray) -> None:
    """As near as float32 comes on noise, whose bands all hold something."""
    np.testing.assert_allclose(received, expected, rtol=2e-6, atol=5e-6)


def check_frontend(build, oracle, min_samples: int, folder, agree=close) -> None:
    """A front end: [batch, samples >= min_samples] -> features as `oracle` has them row by row, so of its own row."""
    frontend = build()
    assert frontend.name == "frontend"
    check_plain(frontend)
    assert not frontend.trainable_variables
    assert keras.backend.standardize_dtype(frontend.output.dtype) == "float32"
    rng = np.random.default_rng(0)
    for samples in (min_samples, 3200, 5399):
        waves = (rng.normal(size=(2, samples)) * [[0.1], [0.003]]).astype(np.float32)
        for row, wave in zip(frontend.predict_on_batch(waves), waves, strict=True):
            expected = oracle(wave)
            assert row.shape == np.shape(expected)
            agree(row, expected)
    check_saved(frontend, waves, folder)
