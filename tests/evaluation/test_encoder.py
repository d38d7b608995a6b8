from dataclasses import replace

import numpy as np
import pytest
from models_for_tests import statistics_embedder
from onnx_models import METADATA, statistics

from kerascola import Embedder
from kerascola.errors import ModelError
from kerascola.evaluation.encoder import open_encoder, timed
from kerascola.models.embedder import save_embedder
from kerascola.runtime.metadata import Classes

RATE, WINDOW, LEAST = METADATA.sample_rate, METADATA.window_samples, METADATA.min_samples


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


@pytest.mark.parametrize("samples", [1, LEAST - 1, LEAST, 5000, WINDOW, WINDOW + 1, 5 * WINDOW // 2])
def test_a_keras_file_gives_the_clips_that_its_onnx_file_serves(model, samples):
    sounds = [noise(samples, seed) for seed in range(3)]
    found = open_encoder(model("keras")).embed(sounds, RATE)
    np.testing.assert_allclose(found, Embedder(model("onnx")).embed(sounds, RATE), atol=1e-6)


def test_a_keras_model_sees_windows_of_one_shape(model, monkeypatch):
    shapes = set()
    embed = open_encoder(model("keras"))
    monkeypatch.setattr(embed.model, "predict_on_batch", lambda x: shapes.add(x.shape) or np.zeros((len(x), 4)))
    embed.embed([noise(WINDOW), noise(3 * WINDOW), noise(40 * WINDOW)], RATE)
    timed(embed, np.stack([noise(3 * WINDOW), noise(3 * WINDOW, 1)]))
    timed(embed, noise(100)[None])
    assert shapes == {(32, WINDOW)}


@pytest.mark.once("an ONNX file, which no backend runs")
@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_windows_are_of_the_sound_around_their_times(model, rate):
    window = 1001
    sounds = np.stack([noise(rate // 3, seed) for seed in range(5)])
    found, times = timed(open_encoder(model(sample_rate=rate, window_samples=window)), sounds)
    assert times.dtype == found.dtype == np.float32
    assert times.tolist() == [0, 50, 100, 150, 200, 250, 300]
    assert found.shape == (5, 7, 4)
    for sound, vectors in zip(sounds, found, strict=True):
        silence = np.zeros(rate)
        around = np.concatenate([silence, sound, silence])
        for time, vector in zip(times, vectors, strict=True):
            start = rate + rate * time / 1000 - window / 2
            nearest = {round(start - 0.01), round(start + 0.01)}  # of two as near, either
            assert any(np.allclose(vector, statistics(around[s : s + window]), atol=1e-6) for s in nearest)


@pytest.mark.once("an ONNX file, which no backend runs")
@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_nothing_drifts_in_twenty_minutes_nor_are_all_windows_there_at_once(model, monkeypatch, rate):
    """Windows of three samples hear a click at their centre, and none besides."""
    sizes, run = set(), Embedder.run
    monkeypatch.setattr(Embedder, "run", lambda self, x, *output: sizes.add(len(x)) or run(self, x, *output))
    sound = np.zeros((1, 20 * 60 * rate), np.float32)
    clicks = noise(24000) + 1
    sound[0, [number * rate // 20 for number in range(24000)]] = clicks
    found, times = timed(open_encoder(model(sample_rate=rate, window_samples=3, min_samples=1)), sound)
    np.testing.assert_array_equal(times, np.arange(24001) * 50.0)
    np.testing.assert_array_equal(found[0, :-1, 3], clicks)
    assert max(sizes) == 32


def test_what_is_no_model_is_refused(tmp_path):
    for path, said in [("", "received none. Give NAME.onnx or NAME.keras"), (tmp_path, "received a folder")]:
        with pytest.raises(ModelError, match=said):
            open_encoder(path)
    file = tmp_path / "model.keras"
    statistics_embedder().save(file)
    with pytest.raises(ModelError, match="says nothing of itself"):
        open_encoder(file)
    save_embedder(statistics_embedder(), replace(METADATA, heads={"": Classes(("a", "b"))}), file)
    with pytest.raises(ModelError, match="is a head, of 2 classes"):
        open_encoder(file)


@pytest.mark.parametrize("suffix", ["onnx", "keras"])
def test_no_silent_infinity(model, suffix):
    loud = np.full((1, WINDOW), 1e30, np.float32)
    with pytest.raises(ModelError, match="finite"):
        timed(open_encoder(model(suffix)), loud)
    with pytest.raises(ModelError, match="finite"):
        open_encoder(model(suffix)).embed(loud[0], RATE)
