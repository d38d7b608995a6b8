import functools

import contracts
import keras
import numpy as np
import pytest

from kerascola.dsp.log_mel import LogMel
from kerascola.encoders.efficientnet import efficientnet
from kerascola.frontends.frontend import clip_level
from kerascola.frontends.log_mel import log_mel
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives.cola import Cola

CROP = 4800
LEVEL = functools.partial(clip_level, spec=LogMel())


@pytest.fixture(scope="module")
def pretrainer():
    keras.utils.set_random_seed(0)
    encoder = efficientnet(width=0.25, depth=0.3, drop_connect=0.0)
    model = Pretrainer(log_mel(LogMel()), encoder, Cola("dot", dimension=32), CROP, noise=0.01, seed=3, level=LEVEL)
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
    views = contracts.numbers(pretrainer.views(data, training=True))
    unit = data["clips"] / np.linalg.norm(data["clips"], axis=1, keepdims=True)
    for i, (a, p) in enumerate(data["starts"]):
        np.testing.assert_allclose(views[i], unit[i, a : a + CROP], atol=1e-6)
        noise = views[4 + i] - unit[i, p : p + CROP]
        assert noise.std() == pytest.approx(0.01, rel=0.1)
        assert abs(noise.mean()) < 1e-3
    quiet = contracts.numbers(pretrainer.views(data, training=False))
    np.testing.assert_allclose(quiet[4], unit[0, data["starts"][0, 1] :][:CROP], atol=1e-6)


def test_noise_differs_from_step_to_step(pretrainer):
    first, second = (contracts.numbers(pretrainer.views(batch(), training=True)) for _ in range(2))
    assert np.abs(first[4:] - second[4:]).max() > 0.01


def test_fit_learns_and_moves_the_encoder_but_not_the_front_end(pretrainer):
    data = batch()
    pretrainer(data)
    frozen = [w.copy() for w in pretrainer.features.get_weights()]
    moving = [w.copy() for w in pretrainer.encoder.get_weights()]

    def stream():
        while True:
            yield (data,)

    history = pretrainer.fit(stream(), steps_per_epoch=15, epochs=2, shuffle=False, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    assert history["loss"][1] < 0.75 * history["loss"][0]
    for before, after in zip(frozen, pretrainer.features.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert any(not np.array_equal(a, b) for a, b in zip(moving, pretrainer.encoder.get_weights(), strict=True))
