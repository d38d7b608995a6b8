"""Each bound on a model whose embeddings NumPy can compute as well."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
from keras import ops
from models_for_tests import metadata_of, small_embedder

from kerascola.errors import ExportError
from kerascola.export import probes
from kerascola.export.onnx_file import lowering
from kerascola.export.verify import EXTREME, FLOAT16, Measure, float64_results, in_float64, verify
from kerascola.runtime.metadata import Metadata

METADATA = Metadata(sample_rate=2000, window_samples=800, hop_samples=400, min_samples=300, dimension=4)
LOUD = 1e6  # times which float32's own error is far above the absolute bound


def statistics(scale: float) -> keras.Model:
    """[batch, samples] -> [batch, 4]"""
    waveform = keras.Input((None,), dtype="float32")
    moments = [waveform * waveform + 0.125, ops.abs(waveform) + 0.125, waveform, waveform * waveform * waveform]
    return keras.Model(waveform, scale * ops.stack([ops.mean(m, axis=-1) for m in moments], axis=-1))


def truth(scale: float, waves: np.ndarray) -> np.ndarray:
    x = waves.astype(np.float64)
    moments = [x**2 + 0.125, np.abs(x) + 0.125, x, x**3]
    return scale * np.stack([m.mean(axis=-1) for m in moments], axis=-1)


@pytest.fixture(scope="module")
def model():
    return statistics(1.0)


@pytest.fixture(scope="module")
def loud():
    return statistics(LOUD)


def check(model, change=lambda name, embeddings: embeddings, **fixed):
    """verify() against what Keras itself gives but for a change, and what is `fixed` by name."""

    def run(waves):
        return {n: fixed[n] if n in fixed else change(n, model.predict_on_batch(w)) for n, w in waves.items()}

    return verify(Measure(model, METADATA, lowering().float64), run)


def test_what_is_right_passes_with_its_errors(model):
    found = check(model, lambda name, e: e + np.float32(5e-5) * (name == EXTREME or "17 x 800" in name))
    assert found["max_difference"] == pytest.approx(5e-5, rel=1e-2)
    assert 0.99999 < found["min_cosine"] <= 1
    assert found["extreme_error"] == pytest.approx(5e-5, rel=1e-2)
    assert 0 < found["extreme_error_of_keras"] < 1e-6


@pytest.mark.parametrize("kind", ["17 x 300", "3 x", "17 x 800", "1 x 20000", "silence"])
def test_a_difference_on_any_one_sound(model, kind):
    def change(name, embeddings):
        if kind in name:
            embeddings = embeddings.copy()
            embeddings[-1, 2] += 3e-4
        return embeddings

    with pytest.raises(ExportError, match=rf"{kind}.* within 0.0001 .*received a difference of 0.0003 "):
        check(model, change)


def test_a_cosine_of_small_embeddings():
    """Where the absolute bound sees nothing."""
    model = statistics(1e-5)
    with pytest.raises(ExportError, match=r"cosine of at least 0.99999, received a difference of \S+e-0[56] at -?0\."):
        check(model, lambda name, e: e * np.array([1, -1, 1, 1], np.float32))


def test_a_difference_in_length_alone(model):
    """Where the cosine sees nothing."""
    with pytest.raises(ExportError, match=r"at 1.0000000"):
        check(model, lambda name, e: e * np.float32(1.01))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["silence", EXTREME])
def test_not_finite(model, where, value):
    def change(name, embeddings):
        if where in name:
            embeddings = embeddings.copy()
            embeddings[0, 0] = value
        return embeddings

    with pytest.raises(
        ExportError, match=rf"{where}.*expected finite embeddings \[\d+, 4\], received \[\d+, 4\], 9\d%"
    ):
        check(model, change)


def test_a_reference_that_is_not_finite(model, monkeypatch):
    received = {name: model.predict_on_batch(w) for name, w in probes.ordinary(METADATA).items()}
    received[EXTREME] = model.predict_on_batch(probes.extreme(METADATA))
    monkeypatch.setattr(model, "predict_on_batch", lambda waves: np.full((len(waves), 4), np.nan, np.float32))
    with pytest.raises(ExportError, match="finite embeddings from the Keras model itself"):
        verify(Measure(model, METADATA, lowering().float64), lambda waves: received)


@pytest.mark.parametrize(
    "change, shape", [(lambda e: e[:, :3], "17, 3"), (lambda e: e[:1], "1, 4"), (lambda e: e[..., None], "17, 4, 1")]
)
def test_a_wrong_shape(model, change, shape):
    with pytest.raises(ExportError, match=rf"expected finite embeddings \[17, 4\], received \[{shape}\]"):
        check(model, lambda name, e: change(e) if "17 x 300" in name else e)


def test_the_reference_is_computed_in_float64(loud):
    waves = probes.extreme(METADATA)
    with lowering().float64(), float64_results():
        precise = np.asarray(in_float64(loud).predict_on_batch(waves.astype("float64")))
    assert precise.dtype == np.float64
    assert loud.predict_on_batch(waves).dtype == np.float32, "and float32 is what it was afterwards"
    np.testing.assert_allclose(precise, truth(LOUD, waves), rtol=0, atol=1e-6)


@pytest.mark.parametrize("factor, passes", [(0, True), (1.9, True), (2.1, False)])
def test_twice_keras_own_error_on_extreme_sounds(loud, factor, passes):
    waves = probes.extreme(METADATA)
    right = truth(LOUD, waves)
    own = np.abs(loud.predict_on_batch(waves) - right).max()
    assert own > 1e-3, "float32 is too good here to try the bound"
    assert np.abs(truth(LOUD, probes.hissing(waves)) - right).max() < own, "the other bound would be the larger"
    numbers = f"within {2 * own:.2g} of float64's, .* being {own:.2g} off, received a difference of {factor * own:.2g}"
    with nullcontext() if passes else pytest.raises(ExportError, match=numbers):
        found = check(loud, **{EXTREME: right + factor * own})
        assert found["extreme_error"] == pytest.approx(factor * own, abs=1e-6)
        assert found["extreme_error_of_keras"] == pytest.approx(own, abs=1e-6)


@pytest.mark.parametrize("error, passes", [(0.9e-4, True), (1.1e-4, False)])
def test_the_absolute_bound_on_extreme_sounds_where_keras_is_nearly_exact(model, error, passes):
    with nullcontext() if passes else pytest.raises(ExportError, match="received a difference of 0.00011"):
        check(model, **{EXTREME: truth(1.0, probes.extreme(METADATA)) + error})


@pytest.mark.parametrize("factor, passes", [(1.9, True), (2.1, False)])
def test_twice_what_inaudible_noise_changes_on_extreme_sounds(model, monkeypatch, factor, passes):
    """Where Keras's float32 is lucky. The noise is louder here, so that it changes more than the absolute bound."""
    monkeypatch.setattr(probes, "HISS", 0.003)
    waves = probes.extreme(METADATA)
    right = truth(1.0, waves)
    unheard = np.abs(truth(1.0, probes.hissing(waves)) - right).max()
    assert unheard > 2e-4
    with nullcontext() if passes else pytest.raises(ExportError, match=f"within {2 * unheard:.2g} of float64's"):
        check(model, **{EXTREME: right + factor * unheard})


@pytest.mark.parametrize("error, passes", [(1e-3, True), (3e-3, False)])
def test_twice_what_the_weights_last_digits_change_on_extreme_sounds(error, passes):
    """Embeddings of order one, left over from 1e4 minus 1e4."""
    waveform = keras.Input((None,), dtype="float32")
    energy = ops.mean(waveform * waveform, axis=-1, keepdims=True)
    ones = keras.initializers.Constant(1e4)
    model = keras.Model(
        waveform, keras.layers.Dense(4, use_bias=False, kernel_initializer=ones)(energy) - 1e4 * energy + 1.0
    )
    right = np.ones((len(probes.extreme(METADATA)), 4))
    with nullcontext() if passes else pytest.raises(ExportError, match=r"within 0.00\d+ of float64's"):
        check(model, **{EXTREME: right + error})


@pytest.mark.parametrize("own, passes", [(1.0, False), (1.1, True)])
def test_noise_is_no_excuse_for_another_direction_unless_keras_lost_it_too(model, monkeypatch, own, passes):
    monkeypatch.setattr(probes, "HISS", 1.0)
    waves, kept = probes.extreme(METADATA), model.predict_on_batch
    right = truth(1.0, waves)
    turned = right * [1, 1, 1.5, 1.5]
    assert np.abs(turned - right).max() < np.abs(truth(1.0, probes.hissing(waves)) - right).max()
    monkeypatch.setattr(
        model,
        "predict_on_batch",
        lambda x: kept(x) * np.float32([1, 1, own, own] if np.array_equal(x, waves) else [1, 1, 1, 1]),
    )
    with nullcontext() if passes else pytest.raises(ExportError, match=r"within 0.0001 of .* at a cosine of 0\.9"):
        check(model, **{EXTREME: turned})


@pytest.mark.parametrize("error, passes", [(0.9e-4, True), (1.1e-4, False)])
def test_the_bound_on_ordinary_sounds_grows_with_the_embeddings(error, passes):
    """Float32 has as many digits for large numbers, not as many decimals."""
    big = statistics(100.0)
    largest = max(
        np.abs(big.predict_on_batch(w)).max() for n, w in probes.ordinary(METADATA).items() if "17 x 800" in n
    )
    assert largest > 10
    with nullcontext() if passes else pytest.raises(ExportError, match="17 x 800: expected the Keras model"):
        check(big, lambda name, e: e + np.float32(error * largest) * ("17 x 800" in name))


def test_where_keras_is_far_from_the_truth_an_artefact_may_be_as_far(model, monkeypatch):
    """As on phases: there the difference between the two says little."""
    own, off = model.predict_on_batch, np.float32(3e-4) * np.float32([1, 0, 0, 0])
    monkeypatch.setattr(model, "predict_on_batch", lambda waves: own(waves) + off)  # the float64 copy is not touched
    for times, passes in ((2, True), (4, False)):
        numbers = "within 0.0006 at a cosine of at least 0.99999, received a difference of 0.0009"
        with nullcontext() if passes else pytest.raises(ExportError, match=numbers):
            check(model, lambda name, e, away=times * off: e - away * ("3 x" in name and "sounds" in name))


@pytest.mark.once("NumPy plays the artefact")
def test_half_the_digits_are_no_excuse_for_another_scale():
    """The front end of a file in float16 is in float32: its weights' last digits fill no empty bins."""
    model = small_embedder()
    about = metadata_of(model)

    def run(waves):
        return {name: (1.5 if name == EXTREME else 1) * model.predict_on_batch(wave) for name, wave in waves.items()}

    with pytest.raises(ExportError, match=EXTREME):
        verify(Measure(model, about, lowering().float64), run, FLOAT16)
