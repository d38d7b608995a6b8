import contracts
import keras
import numpy as np
import pytest
from keras import layers, ops

from kerascola.training import fast_gram
from kerascola.training.swap import faster, inner_layers

BACKEND = keras.backend.backend()
FRAMES, BANDS, BATCH = 11, 8, 3


def small_encoder() -> keras.Model:
    """Each form that is swapped, and some that are not: 1-D and 2-D, strides, paddings, kernels, a nested model."""
    inputs = keras.Input((None, BANDS))
    x = layers.DepthwiseConv1D(5, padding="same", activation="swish")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv1D(3, strides=2, padding="valid")(x)
    x = layers.Conv1D(8, 1, activation="relu")(x)
    x = ops.expand_dims(x, -1)
    x = layers.Conv2D(6, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(scale=False, momentum=0.7)(x)
    x = layers.DepthwiseConv2D(7, padding="same", use_bias=False)(x)
    x = layers.DepthwiseConv2D(3, dilation_rate=2, padding="same")(x)
    inner = keras.Input((None, 8, 6))
    y = layers.DepthwiseConv2D(5, strides=2, padding="same", activation="tanh")(inner)
    y = layers.BatchNormalization(center=False)(y)
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(y)
    y = layers.Conv2D(5, 1)(y)
    x = keras.Model(inner, y, name="inner")(x)
    return keras.Model(inputs, ops.max(x, axis=(1, 2)), name="encoder")


def spectrograms(frames: int = FRAMES) -> np.ndarray:
    return np.random.default_rng(0).normal(1.0, 2.0, size=(BATCH, frames, BANDS)).astype(np.float32)


def step(model: keras.Model, rate: float = 1.0) -> contracts.OneStep:
    """One step of plain descent: what the weights moved by is their gradient."""
    trained = contracts.OneStep(model)
    trained.compile(optimizer=keras.optimizers.SGD(rate))
    trained.train_on_batch(spectrograms())
    return trained


def twins() -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(0)
    one, other = small_encoder(), small_encoder()
    for weight in one.weights:  # none at a value that hides a mistake, as a bias at zero or a variance at one does
        weight.assign(weight + keras.random.uniform(weight.shape, 0.0, 0.2))
    other.set_weights(one.get_weights())
    return one, other


def own_calls(model: keras.Model) -> bool:
    return not any("call" in layer.__dict__ for layer in inner_layers(model))


def test_what_is_swapped_on_this_backend():
    encoder = small_encoder()
    kinds = {layer.path: type(layer).__name__ for layer in inner_layers(encoder)}
    with faster(encoder) as paths:
        swapped = sorted(kinds[path] for path in paths)
        assert own_calls(encoder) is (not paths)
    depthwise = ["DepthwiseConv1D"] * 2 + ["DepthwiseConv2D"] * 2
    norms = ["BatchNormalization"] * 3
    expected = {
        "tensorflow": norms,
        "torch": [*norms, *depthwise],
        "jax": ["Conv1D", "Conv2D", *depthwise],
    }
    assert swapped == expected[BACKEND]
    assert own_calls(encoder)


def test_the_same_outputs_gradients_and_moving_statistics():
    plain, swapped = twins()
    before = [contracts.numbers(weight) for weight in plain.weights]
    inputs = spectrograms()
    for training in (False, True):
        expected = contracts.numbers(plain(inputs, training=training))
        with faster(swapped):
            received = contracts.numbers(swapped(inputs, training=training))
        np.testing.assert_allclose(received, expected, atol=1e-5)
    for model in (plain, swapped):
        model.set_weights(before)
    step(plain)
    with faster(swapped):
        step(swapped)
    for one, other, old in zip(plain.weights, swapped.weights, before, strict=True):
        moved = contracts.numbers(one) - old
        difference = contracts.numbers(other) - contracts.numbers(one)
        # a bias before a normalisation has gradients of rounding errors alone
        assert np.abs(difference).max() <= 1e-4 * np.abs(moved).max() + 2e-5, one.path


def test_nothing_is_left_of_it_in_the_model_or_its_file(tmp_path):
    plain, model = twins()
    with faster(model):
        trained = step(model, 1e-3)
        model.save(tmp_path / "inside.keras")
    assert own_calls(model)
    contracts.check_plain(model)
    assert [w.path.split("/")[-1] for w in model.weights] == [w.path.split("/")[-1] for w in plain.weights]
    inside = keras.saving.load_model(tmp_path / "inside.keras", safe_mode=True)
    for frames in (FRAMES, FRAMES + 4):
        expected = contracts.numbers(model(spectrograms(frames)))
        np.testing.assert_allclose(inside.predict_on_batch(spectrograms(frames)), expected, atol=1e-5)
    contracts.check_saved(model, spectrograms(), tmp_path)
    assert len(trained.optimizer.variables) == 2  # plain descent's own: iterations and learning rate


def test_it_is_undone_when_training_fails():
    encoder = small_encoder()
    with pytest.raises(ZeroDivisionError), faster(encoder):
        _ = 1 / 0
    assert own_calls(encoder)


def depthwise_in_loops(x, kernel, stride, before, out):
    y = np.zeros((len(x), *out, x.shape[-1]))
    for h in range(out[0]):
        for w in range(out[1]):
            for i in range(kernel.shape[0]):
                for j in range(kernel.shape[1]):
                    row, column = h * stride + i - before[0], w * stride + j - before[1]
                    if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                        y[:, h, w] += x[:, row, column] * kernel[i, j]
    return y


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("mode", ["same", "valid"])
def test_depthwise_is_the_sum_over_taps(size, stride, mode):
    keras.utils.set_random_seed(0)
    layer = layers.DepthwiseConv2D(size, stride, padding=mode)
    model = keras.Sequential([keras.Input((9, 8, 2)), layer])
    x = np.random.default_rng(size).normal(size=(2, 9, 8, 2)).astype(np.float32)
    out = [-(-n // stride) if mode == "same" else (n - size) // stride + 1 for n in (9, 8)]
    total = [(o - 1) * stride + size - n if mode == "same" else 0 for o, n in zip(out, (9, 8), strict=True)]
    before = [max(0, t) // 2 for t in total]
    with faster(model):
        received = contracts.numbers(model(x, training=True))
    kernel = contracts.numbers(layer.kernel)[..., 0]
    np.testing.assert_allclose(received, depthwise_in_loops(x, kernel, stride, before, out), atol=1e-5)


@pytest.mark.parametrize(("size", "stride"), [((4, 2), 1), ((7, 4), 2), ((40, 8), 1)])
def test_the_depthwise_kernels_gradient_is_the_finite_difference(size, stride):
    """The output is linear in the kernel: a tap's difference is exact, whatever its step."""
    layer = layers.DepthwiseConv2D(5, stride, padding="same", use_bias=False, depthwise_initializer="zeros")
    model = keras.Sequential([keras.Input((*size, 2)), layer])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, *size, 2)).astype(np.float32)
    out = tuple(-(-n // stride) for n in size)
    before = [max(0, (o - 1) * stride + 5 - n) // 2 for o, n in zip(out, size, strict=True)]
    weights = rng.normal(size=(3, *out, 2)).astype(np.float32)
    expected = np.zeros((5, 5, 2))
    for tap in np.ndindex(5, 5):
        one = np.zeros((5, 5, 2))
        one[tap] = 1.0
        expected[tap] = (depthwise_in_loops(x, one, stride, before, out) * weights).sum((0, 1, 2))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=lambda y, p: ops.sum(y * p))
    with faster(model):
        model.train_on_batch(x, weights)
    np.testing.assert_allclose(-contracts.numbers(layer.kernel)[..., 0], expected, atol=2e-4)


def test_taps_join_the_pixels_that_a_kernel_joins():
    taps = fast_gram.taps((4, 3), (2, 2), (3, 3), (2, 2), (1, 1)).reshape(4, 3, 2, 2, 3, 3)
    for h, w, a, b, i, j in np.ndindex(*taps.shape):
        assert taps[h, w, a, b, i, j] == (h == 2 * a + i - 1 and w == 2 * b + j - 1)
