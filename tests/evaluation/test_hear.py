"""What hear-validator 2021 asks, and that it is right."""

import numpy as np
import pytest
import tensorflow
import torch
from onnx_models import METADATA, statistics

from kerascola.errors import AudioError, KerascolaError, ModelError
from kerascola.evaluation import hear

FRAMEWORKS = {"torch": (torch, torch.nn.Module), "tensorflow": (tensorflow, tensorflow.Module)}


def tensor(framework: str, values: np.ndarray):
    return torch.tensor(values, requires_grad=True) if framework == "torch" else tensorflow.constant(values)


def numbers(framework: str, found) -> np.ndarray:
    """Of a float32 tensor of the framework's."""
    module, _ = FRAMEWORKS[framework]
    assert isinstance(found, module.Tensor) and found.dtype == module.float32
    return found.numpy()


def noise(count: int, seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, int(seconds * rate))).astype(np.float32)


CASES = [("onnx", 16000), ("onnx", 22050), ("onnx", 44100), ("onnx", 48000), ("keras", 22050)]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(("suffix", "rate"), CASES)
def test_what_the_validator_asks(model, framework, suffix, rate):
    loaded = hear.load_model(str(model(suffix, sample_rate=rate, window_samples=rate // 5)), framework)
    assert isinstance(loaded, FRAMEWORKS[framework][1])
    assert (loaded.sample_rate, loaded.scene_embedding_size, loaded.timestamp_embedding_size) == (rate, 4, 4)
    assert type(loaded.scene_embedding_size) is type(loaded.timestamp_embedding_size) is int
    for seconds in (1.07, 1.98, 4.0):
        audio = tensor(framework, noise(2, seconds, rate))
        found, times = hear.get_timestamp_embeddings(audio, loaded)
        assert found.device == times.device == audio.device
        found, times = numbers(framework, found), numbers(framework, times)
        assert found.shape == (*times.shape, 4) and len(times) == 2 and np.isfinite(found).all()
        apart = np.diff(times)
        assert apart.min() > 0 and apart.max() <= 50 and np.ptp(apart) <= 1
        assert times.min() <= 50 and 1000 * seconds - 50 <= times.max() <= 1000 * seconds
    audio = tensor(framework, noise(4, 2.74, rate))
    scenes = hear.get_scene_embeddings(audio, loaded)
    assert scenes.device == audio.device
    assert numbers(framework, scenes).shape == (4, 4) and np.isfinite(scenes.numpy()).all()


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("suffix", ["onnx", "keras"])
def test_a_sound_is_heard_where_it_is_and_in_no_other_clip(model, framework, suffix):
    """A tone from 0.6 s to 0.7 s, in windows of 100 ms."""
    rate, window = METADATA.sample_rate, METADATA.sample_rate // 10
    audio = np.zeros((2, rate), np.float32)
    audio[1, rate * 6 // 10 : rate * 7 // 10] = np.sin(np.arange(window) * 0.5)
    loaded = hear.load_model(str(model(suffix, window_samples=window, hop_samples=window)), framework)
    found, times = hear.get_timestamp_embeddings(tensor(framework, audio), loaded)
    power = numbers(framework, found)[..., 2]
    assert not power[0].any()
    share = {550: 0, 600: 0.5, 650: 1, 700: 0.5, 750: 0}
    for time, level in zip(times.numpy()[1], power[1], strict=True):
        assert level == pytest.approx(0.5 * share.get(time, 0), abs=0.01)
    scenes = numbers(framework, hear.get_scene_embeddings(tensor(framework, audio), loaded))
    expected = np.mean([statistics(audio[1, i : i + window]) for i in range(0, rate, window)], axis=0)
    np.testing.assert_allclose(scenes, [np.zeros(4), expected], atol=1e-6)


@pytest.mark.parametrize("suffix", ["onnx", "keras"])
def test_a_clip_s_embeddings_do_not_depend_on_the_others(model, suffix):
    loaded, audio = hear.load_model(str(model(suffix)), "torch"), torch.from_numpy(noise(5, 1.3, 16000))
    louder = torch.cat([audio[2:3], 100 * audio])
    for embed in (hear.get_scene_embeddings, lambda *given: hear.get_timestamp_embeddings(*given)[0]):
        torch.testing.assert_close(embed(audio, loaded)[2], embed(louder, loaded)[0], rtol=0, atol=1e-6)


@pytest.mark.once("an ONNX file, which no backend runs")
def test_which_tensors_are_asked_for(model, monkeypatch):
    path = str(model())
    for backend, module in [("torch", torch.nn.Module), ("tensorflow", tensorflow.Module), ("jax", torch.nn.Module)]:
        monkeypatch.setenv("KERAS_BACKEND", backend)
        assert isinstance(hear.load_model(path), module)
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr(hear, "find_spec", lambda name: name == "tensorflow")
    assert isinstance(hear.load_model(path), tensorflow.Module)
    monkeypatch.setattr(hear, "find_spec", lambda name: None)
    with pytest.raises(KerascolaError, match="torch or tensorflow for HEAR's tensors, received neither"):
        hear.load_model(path)
    with pytest.raises(KerascolaError, match="torch or tensorflow, received 'jax'"):
        hear.load_model(path, "jax")


@pytest.mark.once("an ONNX file, which no backend runs")
def test_what_cannot_be_embedded_is_refused(model):
    with pytest.raises(ModelError, match="received none. Give NAME.onnx or NAME.keras"):
        hear.load_model()
    loaded = hear.load_model(str(model()), "torch")
    for shape in [(16000,), (2, 16000, 1), (2, 0)]:
        for embed in (hear.get_scene_embeddings, hear.get_timestamp_embeddings):
            with pytest.raises(AudioError, match=r"\[sounds, samples\], received"):
                embed(torch.zeros(shape), loaded)
