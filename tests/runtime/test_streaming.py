"""A sound in chunks gives what it gives as a whole, window by window."""

import numpy as np
import pytest
from onnx_models import METADATA, write_statistics_model

from kerascola import Embedder
from kerascola.errors import AudioError, ModelError
from kerascola.runtime.streaming import Stream

RATE, WINDOW, HOP = METADATA.sample_rate, METADATA.window_samples, METADATA.hop_samples


@pytest.fixture(scope="module")
def embedder(tmp_path_factory) -> Embedder:
    return Embedder(write_statistics_model(tmp_path_factory.mktemp("model") / "model.onnx"), batch_size=3)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape[0]).uniform(-0.5, 0.5, shape).astype(np.float32)


def pieces(sound: np.ndarray, longest: int, seed: int = 0) -> list[np.ndarray]:
    """Of any length from 0."""
    rng, cut = np.random.default_rng(seed), []
    while len(sound):
        here = int(rng.integers(0, longest, endpoint=True))
        cut.append(sound[:here])
        sound = sound[here:]
    return cut


def streamed(embedder: Embedder, chunks: list[np.ndarray], rate: int, hop_seconds: float | None = None):
    stream = embedder.stream(rate, hop_seconds)
    parts = [stream(chunk) for chunk in chunks] + [stream.end()]
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


@pytest.mark.parametrize("samples", [1, 399, 5000, WINDOW, WINDOW + 1, WINDOW + HOP, 30001, 100_000])
@pytest.mark.parametrize("longest", [700, 9000, 200_000])
def test_together_they_are_the_frames_of_the_whole(embedder, samples, longest):
    sound = noise(samples)
    for found, expected in zip(
        streamed(embedder, pieces(sound, longest), RATE), embedder.frames(sound, RATE), strict=True
    ):
        assert found.dtype == expected.dtype and found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("hop_seconds", [None, 0.1, 0.77])
def test_at_other_rates_and_hops(embedder, rate, hop_seconds):
    """0.77 s are more than a window, so that some of the sound is in none."""
    sound = noise(3 * rate + 17, 2)
    found = streamed(embedder, pieces(sound, 3000), rate, hop_seconds)
    for one, expected in zip(found, embedder.frames(sound, rate, hop_seconds), strict=True):
        np.testing.assert_allclose(one, expected, atol=1e-5)


def test_a_window_comes_as_soon_as_it_is_complete(embedder):
    sound, stream = noise(2 * WINDOW), embedder.stream(RATE)
    assert len(stream(sound[: WINDOW - 1])[0]) == 0
    vectors, seconds = stream(sound[WINDOW - 1 : WINDOW])
    assert vectors.shape == (1, embedder.dimension) and seconds == [WINDOW / 2 / RATE]
    assert len(stream(sound[WINDOW : WINDOW + HOP])[0]) == 1


def test_no_more_is_kept_than_a_window(embedder):
    stream = embedder.stream(RATE, hop_seconds=1.0)
    for chunk in pieces(noise(200_000), 5000):
        stream(chunk)
        kept = stream.windows.kept
        assert len(kept) <= WINDOW and kept.base is None


def test_whole_numbers_are_brought_to_full_scale(embedder):
    sound = noise(20_000)
    found, _ = streamed(embedder, pieces((sound * 32768).astype(np.int16), 3000), RATE)
    np.testing.assert_allclose(found, embedder.frames(sound, RATE)[0], atol=1e-4)


def test_nothing_has_no_windows(embedder):
    vectors, seconds = streamed(embedder, [noise(0)], RATE)
    assert vectors.shape == (0, embedder.dimension) and seconds.shape == (0,)


def test_what_is_refused(embedder):
    with pytest.raises(AudioError, match=r"the rate of the stream: expected a whole number of Hz .* received 0"):
        embedder.stream(0)
    stream = embedder.stream(RATE)
    with pytest.raises(AudioError, match="the chunk: expected int16, .* received complex64"):
        stream(np.zeros(10, np.complex64))
    with pytest.raises(AudioError, match="the chunk: "):
        stream(np.full(10, np.nan, np.float32))
    stream.end()
    with pytest.raises(AudioError, match=r"expected no chunk after end\(\)"):
        stream(noise(10))
    with pytest.raises(AudioError, match=r"expected end\(\) once"):
        stream.end()


def test_a_stream_that_failed_does_not_go_on_without_its_windows():
    def embed(waveform, starts):
        raise ModelError("expected finite embeddings")

    stream = Stream(embed, 800, 400, 8000, 8000)
    with pytest.raises(ModelError):
        stream(np.zeros(2000, np.float32))
    for again in (lambda: stream(np.zeros(2000, np.float32)), stream.end):
        with pytest.raises(AudioError, match="has lost windows. Begin another stream"):
            again()
