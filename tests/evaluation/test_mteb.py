import numpy as np
import pytest
import soundfile
import torch

from kerascola import Embedder
from kerascola.errors import AudioError
from kerascola.evaluation.mteb import KerascolaEncoder

# What MTEB says of a task, by keyword, to every model.
TASK = {"task_metadata": None, "hf_split": "test", "hf_subset": "default", "prompt_type": None, "batch_size": 2}


def noise(samples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples)


def batches(sounds, rates, size=2):
    items = [{"array": sound, "sampling_rate": rate} for sound, rate in zip(sounds, rates, strict=True)]
    return [{"audio": items[i : i + size], "label": None} for i in range(0, len(items), size)]


@pytest.mark.parametrize("suffix", ["onnx", "keras"])
def test_a_clip_is_what_the_runtime_serves_of_it(model, tmp_path, suffix):
    """Of any length, rate and number of channels, in its place."""
    sounds = [noise(samples, seed) for seed, samples in enumerate([300, 40000, 7000, 8000, 44100])]
    rates = [8000, 16000, 22050, 48000, 44100]
    expected = []
    for sound, rate in zip(sounds, rates, strict=True):
        soundfile.write(tmp_path / "sound.wav", sound, rate, subtype="DOUBLE")
        expected.append(Embedder(model("onnx")).embed(tmp_path / "sound.wav"))
    stereo = [np.stack([sound, np.zeros_like(sound)]) * 2 for sound in sounds[:2]]  # [channels, samples]
    encoder = KerascolaEncoder(model(suffix))
    found = encoder.encode(batches([*sounds, *stereo], [*rates, *rates[:2]]), **TASK)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [*expected, *expected[:2]], atol=1e-6)
    assert encoder.encode([], **TASK).shape == (0, 4)


@pytest.mark.once("an ONNX file, which no backend runs")
def test_tasks_that_are_not_of_sound_alone_are_refused(model):
    with pytest.raises(AudioError, match="'audio', received text"):
        KerascolaEncoder(model()).encode([{"text": ["a dog"]}], **TASK)


@pytest.mark.once("an ONNX file, which no backend runs")
def test_similarity_is_the_cosine(model):
    encoder = KerascolaEncoder(model())
    one, other = noise(12, 0).reshape(3, 4), noise(8, 1).reshape(2, 4)
    cosines = [[a @ b / np.sqrt((a @ a) * (b @ b)) for b in other] for a in one]
    np.testing.assert_allclose(encoder.similarity(one, torch.tensor(other)), cosines, atol=1e-6)
    np.testing.assert_allclose(encoder.similarity(one[0], other), cosines[:1], atol=1e-6)
    np.testing.assert_allclose(encoder.similarity_pairwise(one[:2], other), np.diag(cosines), atol=1e-6)
