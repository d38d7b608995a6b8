import functools

import contracts
import keras
import numpy as np
import pytest

from kerascola import recipes
from kerascola.augment.views import Views
from kerascola.data.draws import collate, generator
from kerascola.dsp.log_mel import LogMel
from kerascola.encoders.small import small
from kerascola.frontends.frontend import clip_level
from kerascola.frontends.log_mel import log_mel
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives.cola import Cola
from kerascola.training.step import Step, give_weights

CROP = 4800
SMALL = ["views.crop_seconds=0.3", "data.clip_seconds=0.6"]
WAVEFORM = """[{name: gain}, {name: polarity}, {name: noise}, {name: mix}, {name: fade}, {name: time_mask},
  {name: time_shift}, {name: low_pass}, {name: high_pass}, {name: band_eq}, {name: reverb},
  {name: time_stretch, window: 256}, {name: pitch_shift, window: 256}]"""
SPECTROGRAM = """[{name: spec_augment, time_masks: 0}, {name: frame_mask}, {name: multiply}, {name: gaussian_noise},
  {name: mix_back}, {name: resized_crop, interpolation: bicubic}, {name: time_warp}, {name: blur},
  {name: time_reversal}, {name: roll, frames: 5, bands: 5}]"""
VIEWS = Views(crop_samples=CROP, noise=0.01)
LEVEL = functools.partial(clip_level, spec=LogMel())


@pytest.fixture(scope="module")
def pretrainer():
    keras.utils.set_random_seed(0)
    encoder = small(filters=8, dimension=32, dropout=0.0)
    model = Pretrainer(log_mel(LogMel()), encoder, Cola("dot", dimension=32), VIEWS, seed=3, clip_level=LEVEL)
    model.compile(optimizer=keras.optimizers.Adam(3e-3))
    return model


def batch(n: int = 4, samples: int = 9600) -> dict[str, np.ndarray]:
    """Clips that differ in pitch, so that crops of one can be told from those of another."""
    rng = np.random.default_rng(5)
    time = np.arange(samples) / 16000
    pitch = np.geomspace(200, 4000, n)[:, None]
    clips = np.sin(2 * np.pi * pitch * time) + 0.1 * rng.normal(size=(n, samples))
    starts = rng.integers(0, samples - CROP, size=(n, 2))
    return {"clips": clips.astype(np.float32), "starts": starts.astype(np.int32)}


def test_views_are_crops_of_the_unit_norm_clip_and_only_positives_are_noisy(pretrainer):
    data = batch()
    views = contracts.numbers(pretrainer.waveforms(data, training=True))
    unit = data["clips"] / np.linalg.norm(data["clips"], axis=1, keepdims=True)
    for i, (a, p) in enumerate(data["starts"]):
        np.testing.assert_allclose(views[i], unit[i, a : a + CROP], atol=1e-6)
        noise = views[4 + i] - unit[i, p : p + CROP]
        assert noise.std() == pytest.approx(0.01, rel=0.1)
        assert abs(noise.mean()) < 1e-3
    quiet = contracts.numbers(pretrainer.waveforms(data, training=False))
    np.testing.assert_allclose(quiet[4], unit[0, data["starts"][0, 1] :][:CROP], atol=1e-6)


def test_noise_differs_from_step_to_step(pretrainer):
    first, second = (contracts.numbers(pretrainer.waveforms(batch(), training=True)) for _ in range(2))
    assert np.abs(first[4:] - second[4:]).max() > 0.01


def test_training_learns_and_moves_the_encoder_but_not_the_front_end(pretrainer):
    data = batch()
    give_weights(pretrainer, data)
    frozen = [w.copy() for w in pretrainer.features.get_weights()]
    moving = [w.copy() for w in pretrainer.encoder.get_weights()]

    losses = []
    with Step(pretrainer) as step:
        for _ in range(30):
            logs = step(data)
            assert set(logs) == {"loss", "accuracy", "views"}
            losses.append(float(contracts.numbers(logs["loss"])))
    assert np.mean(losses[15:]) < 0.75 * np.mean(losses[:15])
    for before, after in zip(frozen, pretrainer.features.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert any(not np.array_equal(a, b) for a, b in zip(moving, pretrainer.encoder.get_weights(), strict=True))


def test_what_a_backbone_asks_of_its_weights_is_in_the_loss(pretrainer):
    data = batch()
    without = float(contracts.numbers(pretrainer(data)["loss"]))
    kernel = next(weight for weight in pretrainer.encoder.trainable_variables if weight.name == "kernel")
    kernel.regularizer = keras.regularizers.L2(0.5)
    found = float(contracts.numbers(pretrainer(data)["loss"]))
    kernel.regularizer = None
    assert found == pytest.approx(without + 0.5 * (contracts.numbers(kernel) ** 2).sum(), rel=1e-5)


def test_every_augmentation_runs_in_the_compiled_step_and_leaves_the_gradients_finite():
    """On a waveform that the gradient passes through: a learnt gain stands before all of them.

    Behind them stands a front end of powers: magnitudes have no slope in the silence that some of them make.
    """
    changes = [f"views.waveform={WAVEFORM}", f"views.spectrogram={SPECTROGRAM}", "frontend.power=2", *SMALL]
    recipe = recipes.load("cola", changes)
    views = recipe.augmented_views()
    assert len(views.waveform) == len(recipes.schema.parts("views.waveform"))
    assert len(views.spectrogram) == len(recipes.schema.parts("views.spectrogram"))
    keras.utils.set_random_seed(0)
    encoder = small(filters=4, dimension=16, dropout=0.0)
    gain = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")

    def level(clips):
        return gain(LEVEL(clips)[..., None])[..., 0]

    model = Pretrainer(log_mel(recipe.frontend), encoder, Cola("dot", dimension=32), views, seed=3, clip_level=level)
    model.gain = gain
    model.compile(optimizer=keras.optimizers.SGD(1e-3))
    data = batch(samples=recipe.clip_samples)
    data["clips"][0] = 0  # in silence roots and logarithms have no slope
    drawn = [
        views.draw(clip, generator(0, 0, k), functools.partial(generator, 0, 0, k))
        for k, clip in enumerate(data["clips"])
    ]
    made = {"clips": data["clips"], **collate(drawn)}
    give_weights(model, made)
    with Step(model) as step:
        for _ in range(2):
            assert np.isfinite(float(contracts.numbers(step(made)["loss"])))
    assert all(np.isfinite(contracts.numbers(weight)).all() for weight in model.trainable_variables)
    assert contracts.numbers(gain.kernel)[0, 0] != 1.0, "the gradient came through"
