import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from onnx_models import METADATA, write_statistics_model

from kerascola import Embedder
from kerascola.data.recordings import Recordings
from kerascola.errors import DataError
from kerascola.evaluation import embeddings as module
from kerascola.evaluation.embeddings import embeddings

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")

RATE = METADATA.sample_rate


@pytest.fixture
def place(tmp_path):
    """Nine recordings of several lengths and rates."""
    for n in range(9):
        sound = np.random.default_rng(n).uniform(-0.5, 0.5, 900 + 3700 * n)
        (tmp_path / "sounds").mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"sounds/{n}.wav", sound, RATE if n % 2 else RATE // 2)
    return tmp_path


@pytest.fixture
def embedder(tmp_path, monkeypatch):
    """Which says what it has been given."""
    embedder = Embedder(write_statistics_model(tmp_path / "model.onnx"))
    embedder.given = []

    def each(clips, *options, **more):
        def told():
            for clip in clips:
                embedder.given.append(len(clip))
                yield clip

        return Embedder.each(embedder, told(), *options, **more)

    embedder.each = each
    return embedder


def test_they_are_the_embedders_and_made_once(place, embedder):
    recordings = Recordings(place / "sounds", RATE)
    found = embeddings(embedder, recordings, place / "cache")
    expected = Embedder(embedder.path).embed([str(path) for path in recordings.paths])
    np.testing.assert_allclose(found.vectors, expected, atol=1e-6)
    assert not found.missing and len(embedder.given) == 9
    again = embeddings(embedder, Recordings(place / "sounds", RATE), place / "cache")
    np.testing.assert_array_equal(again.vectors, found.vectors)
    assert len(embedder.given) == 9


def test_another_model_or_another_sound_is_embedded_anew(place, embedder):
    embeddings(embedder, Recordings(place / "sounds", RATE), place / "cache")
    before = len(embedder.given)
    sound = np.ones(5000, np.float32) / 4
    soundfile.write(place / "sounds/3.wav", sound, RATE)
    found = embeddings(embedder, Recordings(place / "sounds", RATE), place / "cache")
    np.testing.assert_allclose(found.vectors[3], Embedder(embedder.path).embed(sound, RATE), atol=1e-4)
    assert len(embedder.given) == before + 9
    other = Embedder(write_statistics_model(place / "other.onnx", replace(METADATA, window_samples=4000)))
    shorter = embeddings(other, Recordings(place / "sounds", RATE), place / "cache")
    np.testing.assert_allclose(shorter.vectors[3], other.embed(sound, RATE), atol=1e-4)
    assert not np.allclose(shorter.vectors, found.vectors)


def test_a_part_of_a_file_is_another_sound(place, embedder):
    (place / "list.csv").write_text("path,start,end\nsounds/5.wav,0.1,0.4\nsounds/5.wav,0.4,0.9\n")
    found = embeddings(embedder, Recordings(place / "list.csv", RATE), place / "cache")
    recordings = Recordings(place / "list.csv", RATE)
    for n in range(2):
        expected = Embedder(embedder.path).embed(recordings.whole(n), RATE)
        np.testing.assert_allclose(found.vectors[n], expected, atol=1e-6)


@pytest.mark.parametrize("torn", [0, 5])
def test_stopped_it_goes_on(place, embedder, monkeypatch, torn):
    """Also where the last row was half written."""
    monkeypatch.setattr(module, "BLOCK", 2)
    whole = embeddings(embedder, Recordings(place / "sounds", RATE), place / "whole").vectors
    embedder.given.clear()
    run, done = module.block, []

    def stopped(*args):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(1)
        return run(*args)

    monkeypatch.setattr(module, "block", stopped)
    with pytest.raises(KeyboardInterrupt):
        embeddings(embedder, Recordings(place / "sounds", RATE), place / "cache")
    (part,) = (place / "cache/embeddings").glob("*.part")
    assert part.stat().st_size == 6 * 4 * embedder.dimension
    os.truncate(part, part.stat().st_size - torn)
    monkeypatch.setattr(module, "block", run)
    embedder.given.clear()
    again = embeddings(embedder, Recordings(place / "sounds", RATE), place / "cache").vectors
    np.testing.assert_array_equal(again, whole)
    assert len(embedder.given) == (4 if torn else 3)


def test_what_gives_none_fails_by_name_once_the_others_are_kept_or_is_said(place, embedder):
    recordings = Recordings(place / "sounds", RATE)
    (place / "sounds/4.wav").write_bytes((place / "sounds/4.wav").read_bytes()[:44])
    with pytest.raises(DataError, match=r"1 of 9 recordings gave no embedding(.|\n)*--on-bad-file skip") as told:
        embeddings(embedder, recordings, place / "cache")
    assert str(told.value).count("4.wav") == 1
    given = len(embedder.given)
    recordings.on_bad_file = "skip"
    with pytest.warns(UserWarning, match="1 of 9 recordings gave no embedding"):
        found = embeddings(embedder, recordings, place / "cache")
    assert given == len(embedder.given) == 8
    assert np.isnan(found.vectors[4]).all() and np.isfinite(np.delete(found.vectors, 4, axis=0)).all()
    assert list(found.missing) == [4]


def test_embeddings_that_are_no_numbers_are_named(place):
    embedder = Embedder(write_statistics_model(place / "model.onnx", logarithm=True))
    for path in (place / "sounds").iterdir():
        soundfile.write(path, np.zeros(5000), RATE)
    with pytest.raises(DataError, match=r"9 of 9 recordings gave (.|\n)*expected finite embeddings") as told:
        embeddings(embedder, Recordings(place / "sounds", RATE), place / "cache")
    assert "go on without" not in str(told.value)  # there would be none


def test_one_process_at_a_time(place, embedder, monkeypatch):
    recordings = Recordings(place / "sounds", RATE)
    run = module.block

    def nested(*args):
        monkeypatch.setattr(module, "block", run)
        with pytest.raises(DataError, match="another process"):
            embeddings(embedder, recordings, place / "cache")
        return run(*args)

    monkeypatch.setattr(module, "block", nested)
    assert np.isfinite(embeddings(embedder, recordings, place / "cache").vectors).all()
    assert sorted(path.suffix for path in (place / "cache/embeddings").iterdir()) == [".f32", ".jsonl", ".lock"]
