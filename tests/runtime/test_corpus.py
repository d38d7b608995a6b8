"""Sounds of any number and length are embedded in order, in memory that grows with neither."""

import threading
import time
import tracemalloc
from contextlib import closing
from functools import partial

import numpy as np
import pytest
from onnx_models import METADATA, write_statistics_model

from kerascola import Embedder
from kerascola.errors import AudioError, ModelError
from kerascola.runtime import ahead
from kerascola.runtime.ahead import read_ahead
from kerascola.runtime.corpus import MOST_WAITING, Mean, Rows, in_order

WINDOW, LEAST = METADATA.window_samples, METADATA.min_samples
LENGTHS = [20_000, 5000, 100, 8000, 8001, 30_001, 5000, 7999, 12_000] * 3


@pytest.fixture(scope="module")
def embedder(tmp_path_factory) -> Embedder:
    return Embedder(write_statistics_model(tmp_path_factory.mktemp("model") / "model.onnx"), batch_size=4)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def in_pieces(sound: np.ndarray, size: int = 3000):
    return (sound[begin : begin + size] for begin in range(0, len(sound), size))


def test_every_clip_is_what_it_is_alone_and_in_its_place(embedder, tmp_path):
    sounds = [noise(samples, seed) for seed, samples in enumerate(LENGTHS)]
    for make in (partial(Mean, 4), partial(Rows, 4, tmp_path)):
        clips = list(in_order(embedder, map(in_pieces, sounds), make))
        assert [clip.samples for clip in clips] == LENGTHS
        for clip, sound in zip(clips, sounds, strict=True):
            found = np.concatenate(list(clip.rows.blocks(2)))
            right = embedder.frames(sound, METADATA.sample_rate)[0]
            np.testing.assert_allclose(found, right if make.func is Rows else right.mean(axis=0)[None], atol=1e-6)
            clip.rows.close()


def test_a_clip_that_fails_is_in_its_place_too(tmp_path):
    embedder = Embedder(write_statistics_model(tmp_path / "log.onnx", logarithm=True), batch_size=4)

    def broken():
        yield noise(20_000) + 1
        raise AudioError("damaged")

    sounds = [in_pieces(noise(9000) + 1), broken(), in_pieces(np.zeros(9000, np.float32)), in_pieces(noise(9000) + 1)]
    clips = list(in_order(embedder, iter(sounds), partial(Mean, 4)))
    assert [type(clip.error) for clip in clips] == [type(None), AudioError, ModelError, type(None)]
    np.testing.assert_allclose(next(clips[0].rows.blocks(1)), next(clips[3].rows.blocks(1)))


def test_it_stops_behind_the_clip_that_brings_it_to_so_many_windows(embedder):
    def silent():
        raise AudioError("nothing in it")
        yield

    sounds = iter([in_pieces(noise(16_000)), silent(), in_pieces(noise(100)), in_pieces(noise(16_000)), silent()])
    assert len(list(in_order(embedder, sounds, partial(Mean, 4), 5))) == 3
    assert len(list(in_order(embedder, sounds, partial(Mean, 4), 5))) == 2


def batches_of(embedder: Embedder, monkeypatch, sounds) -> tuple[list[tuple[int, int]], int]:
    """Their shapes in a shard, and how many clips are in it."""
    shapes, run, clips = [], Embedder.run, 0
    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "run", lambda self, w, *_: shapes.append((len(w), len(w[0]))) or run(self, w))
        for clip in in_order(embedder, map(in_pieces, sounds), partial(Mean, 4), 10):
            clips += clip.is_done
    return shapes, clips


def test_batches_follow_from_the_sounds_of_a_shard_alone(embedder, monkeypatch):
    """A shard that comes second has the same ones as if it were the first."""
    sounds = [noise(samples, seed) for seed, samples in enumerate(LENGTHS)]
    one_by_one = iter(sounds)
    first, begin = batches_of(embedder, monkeypatch, one_by_one)
    second, count = batches_of(embedder, monkeypatch, one_by_one)
    assert batches_of(embedder, monkeypatch, iter(sounds[begin:])) == (second, count)
    assert batches_of(embedder, monkeypatch, iter(sounds[:begin])) == (first, begin)
    assert max(size for size, _ in first) == embedder.batch_size and first != second


def test_a_short_clip_does_not_hold_up_all_that_follow(embedder):
    given = 0

    def sounds():
        nonlocal given
        for samples in [500] + [WINDOW] * 500:
            given += 1
            yield in_pieces(noise(samples))

    clips = in_order(embedder, sounds(), partial(Mean, 4))
    assert next(clips).samples == 500
    assert given <= MOST_WAITING + 2 * embedder.batch_size


def peak(embedder: Embedder, make, count: int, seconds: int) -> int:
    """Bytes at most, while sounds of so many seconds are made and embedded."""
    second = noise(METADATA.sample_rate)
    tracemalloc.start()
    with closing(read_ahead((second.copy() for _ in range(seconds)) for _ in range(count))) as sounds:
        rows = 0
        for clip in in_order(embedder, sounds, make):
            assert clip.samples == seconds * len(second)
            rows += sum(map(len, clip.rows.blocks(16)))
            clip.rows.close()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows >= count
    return found


@pytest.mark.parametrize("kind", [Mean, Rows])
def test_memory_grows_neither_with_a_sound_s_length_nor_with_their_number(embedder, tmp_path, monkeypatch, kind):
    monkeypatch.setattr("kerascola.runtime.corpus.IN_MEMORY", 1 << 10)
    make = partial(Mean, 4) if kind is Mean else partial(Rows, 4, tmp_path)
    peak(embedder, make, 10, 1)  # what is loaded once
    few, many = peak(embedder, make, 200, 1), peak(embedder, make, 1000, 1)
    assert many < 1.2 * few
    short, long = peak(embedder, make, 1, 60), peak(embedder, make, 1, 600)
    assert long < 1.2 * short and long < 600 * METADATA.sample_rate * 4 / 5


def test_ahead_gives_the_same_sounds_and_is_not_far_ahead(monkeypatch):
    monkeypatch.setattr(ahead, "SAMPLES", 5000)
    monkeypatch.setattr(ahead, "SOUNDS", 3)
    produced = [0] * 10

    def sound(number):
        for piece in range(20):
            produced[number] += 1
            yield np.full(1000, 100 * number + piece)

    with closing(read_ahead(map(sound, range(10)))) as sounds:
        for number, pieces in enumerate(sounds):
            for piece, samples in enumerate(pieces):
                assert samples.tolist() == [100 * number + piece] * 1000
                assert produced[number] <= piece + 11  # the portion that is read, and the next
                assert sum(produced[number + 1 :]) <= 2 * 5
    assert produced == [20] * 10


def test_what_a_sound_raises_is_raised_where_it_is_asked_for():
    def broken():
        yield np.zeros(10)
        raise AudioError("damaged")

    with closing(read_ahead([iter([np.zeros(5)]), broken(), iter([np.ones(5)])])) as sounds:
        assert sum(map(len, next(sounds))) == 5
        with pytest.raises(AudioError, match="damaged"):
            list(next(sounds))
        assert sum(map(len, next(sounds))) == 5


def test_no_thread_is_left_behind():
    before = threading.active_count()

    def endless():
        while True:
            time.sleep(0.001)
            yield np.zeros(1 << 16)

    sounds = read_ahead(endless() for _ in range(100))
    next(next(sounds))
    sounds.close()
    assert threading.active_count() == before
