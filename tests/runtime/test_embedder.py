import io
from dataclasses import replace

import numpy as np
import onnx
import pytest
import soundfile
from onnx_models import METADATA, statistics, write_statistics_model

from kerascola import Embedder
from kerascola.errors import AudioError, KerascolaError, ModelError
from kerascola.runtime.corpus import MOST_WAITING

RATE, WINDOW, HOP, LEAST = 16000, METADATA.window_samples, METADATA.hop_samples, METADATA.min_samples


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def expected(clip: np.ndarray) -> np.ndarray:
    """The mean of the statistics over the windows, straight from the definition."""
    if len(clip) < WINDOW:
        return statistics(np.concatenate([clip, np.zeros(max(0, LEAST - len(clip)))]))
    starts = list(range(0, len(clip) - WINDOW + 1, HOP))
    if starts[-1] + WINDOW < len(clip):
        starts.append(len(clip) - WINDOW)
    return np.mean([statistics(clip[start : start + WINDOW]) for start in starts], axis=0)


@pytest.fixture
def model(tmp_path):
    return write_statistics_model(tmp_path / "model.onnx")


@pytest.fixture
def embedder(model):
    return Embedder(model)


LENGTHS = [8000, 8001, 20000, 5000, 5000, 399, 1, 400, 401, 16000, 100_000, 12000, 5000, 7999, 200, 30001]


@pytest.mark.parametrize("samples", LENGTHS)
def test_a_clip_is_the_mean_of_its_windows(embedder, samples):
    clip = noise(samples)
    vector = embedder.embed(clip, RATE)
    assert vector.dtype == np.float32 and vector.shape == (4,)
    np.testing.assert_allclose(vector, expected(clip), atol=1e-5)
    np.testing.assert_array_equal(embedder(clip, RATE), vector)


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_an_embedding_depends_on_its_own_clip_only(model, batch_size):
    embedder = Embedder(model, batch_size=batch_size)
    clips = [noise(samples, seed) * (1 + seed) for seed, samples in enumerate(LENGTHS * 3)]
    together = embedder.embed(clips, RATE)
    assert together.shape == (len(clips), 4) and together.dtype == np.float32
    for clip, vector in zip(clips, together, strict=True):
        np.testing.assert_allclose(vector, embedder.embed(clip, RATE), atol=1e-5)
        np.testing.assert_allclose(vector, expected(clip), atol=1e-4)
    np.testing.assert_allclose(embedder.embed(clips[::-1], RATE)[::-1], together, atol=1e-5)


def test_windows_of_many_clips_share_batches(model, monkeypatch):
    sizes = []
    run = Embedder.run

    def counting(self, batch, output):
        sizes.append(len(batch))
        return run(self, batch, output)

    monkeypatch.setattr(Embedder, "run", counting)
    clips = [noise(WINDOW + HOP, seed) for seed in range(20)]  # of two windows each
    Embedder(model, batch_size=8).embed(clips, RATE)
    assert sizes == [8] * 5


def test_short_clips_keep_their_length_and_the_shortest_get_silence_at_the_end(model, monkeypatch):
    inputs = []
    run = Embedder.run

    def recording(self, batch, output="embedding"):
        inputs.extend(batch)
        return run(self, batch, output)

    monkeypatch.setattr(Embedder, "run", recording)
    clips = [noise(LEAST - 100), noise(LEAST), noise(WINDOW - 1)]
    Embedder(model).embed(clips, RATE)
    by_length = sorted(inputs[:2], key=lambda x: x[-1] == 0) + inputs[2:]
    np.testing.assert_array_equal(by_length[0], clips[1])
    np.testing.assert_array_equal(by_length[1], np.concatenate([clips[0], np.zeros(100, np.float32)]))
    np.testing.assert_array_equal(by_length[2], clips[2])


def test_clips_stream_through_in_bounded_memory(model):
    """A clip comes out before many more have been asked for, and every one comes out once, in its place."""
    embedder = Embedder(model, batch_size=4)
    asked = 0

    def endless():
        nonlocal asked
        while True:
            asked += 1
            yield noise(WINDOW if asked % 3 else 1000 + asked, asked), RATE

    for seen, (index, vector) in enumerate(embedder.each(endless())):
        np.testing.assert_allclose(
            vector, expected(noise(WINDOW if (index + 1) % 3 else 1001 + index, index + 1)), atol=1e-5
        )
        assert index == seen
        assert asked - seen <= MOST_WAITING + 4 * 4 + 4
        if seen == 200:
            break


def test_every_form_of_a_clip(embedder, tmp_path):
    clip = noise(12000)
    path = tmp_path / "a.wav"
    soundfile.write(path, clip, RATE, subtype="FLOAT")
    right = embedder.embed(clip, RATE)
    forms = [
        path,
        str(path),
        path.read_bytes(),
        io.BytesIO(path.read_bytes()),
        (clip, RATE),
        (clip, np.int64(RATE)),
        {"array": clip, "sampling_rate": RATE, "path": "gone.wav"},
        {"bytes": path.read_bytes(), "path": "gone.wav"},
        {"bytes": None, "path": str(path)},
        {"path": path},
    ]
    for form in forms:
        np.testing.assert_allclose(embedder.embed(form), right, atol=1e-6)
    np.testing.assert_allclose(embedder.embed(forms[:3] + forms[4:]), [right] * 9, atol=1e-6)
    np.testing.assert_allclose(embedder.embed(tuple(forms[:2])), [right] * 2, atol=1e-6)
    np.testing.assert_allclose(embedder.embed(np.stack([clip, clip], axis=1), RATE), right, atol=1e-6)


def test_numpys_text_is_a_path(embedder, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(9000), RATE, subtype="FLOAT")
    names = np.array([str(tmp_path / "a.wav")] * 2)  # as the column of paths that `kerascola embed` writes
    right = expected(noise(9000))
    for found in (embedder(names[0]), *embedder(list(names)), *(row for _, row in embedder.each(names))):
        np.testing.assert_allclose(found, right, atol=1e-5)
    np.testing.assert_allclose(embedder({"path": names[0]}), right, atol=1e-5)
    with pytest.raises(AudioError, match="rate only with a bare array.*str"):
        embedder(names[0], RATE)


def test_two_arrays_in_a_tuple_are_two_clips(embedder):
    assert embedder.embed((noise(9000), noise(9000, 1)), RATE).shape == (2, 4)
    assert embedder.embed([(noise(9000), RATE)]).shape == (1, 4)


def test_sound_of_another_rate_is_resampled(embedder):
    tone = np.sin(2 * np.pi * 440 * np.arange(88200) / 44100).astype(np.float32)
    same = np.sin(2 * np.pi * 440 * np.arange(32000) / 16000).astype(np.float32)
    np.testing.assert_allclose(embedder.embed(tone, 44100), embedder.embed(same, RATE), atol=2e-3)
    wrong = embedder.embed(tone[:44100], 44100) - embedder.embed(noise(16000), RATE)
    assert np.abs(wrong).max() > 0.1  # the tolerance above does tell sounds apart


def test_no_clips(embedder):
    assert embedder.embed([]).shape == (0, 4)
    assert embedder.embed([]).dtype == np.float32


@pytest.mark.parametrize(
    "audio, rate, reason",
    [
        (noise(9000), None, r"embed\(array, rate\)"),
        ([0.1, 0.2], None, "list of numbers"),
        ((0.1, 0.2, 0.3), None, "tuple of numbers"),
        ([[0.1, 0.2]], None, "item 0: .*received a list"),
        (None, None, "received a NoneType"),
        (iter([]), None, "received a list_iterator"),
        ("a.wav", RATE, "rate only with a bare array.*str"),
        ({"array": noise(9000), "sampling_rate": RATE}, RATE, "rate only with a bare array.*dict"),
        ((noise(9000), RATE), RATE, "rate only with a bare array.*tuple"),
        ({"array": noise(9000)}, None, "'sampling_rate' beside 'array'"),
        ({"audio": 1}, None, "the keys audio"),
        ({}, None, "the keys none"),
        (noise(9000).reshape(2, -1), RATE, "array.T"),
        (noise(9000), 0, "whole number of Hz"),
        ("gone.wav", None, "gone.wav"),
        ([(noise(9000), RATE), "gone.wav"], None, "item 1: gone.wav"),
        ([noise(9000), noise(9000) * np.nan], RATE, "item 1: the array: expected finite"),
        (noise(9000) * np.nan, RATE, "the array: expected finite"),
    ],
)
def test_what_is_no_clip(embedder, audio, rate, reason):
    with pytest.raises(AudioError, match=reason):
        embedder.embed(audio, rate)


def test_bad_clips_can_be_returned_and_the_others_go_on(embedder, tmp_path):
    good = noise(9000)
    closed = io.BytesIO(b"no sound")
    closed.close()
    clips = [(good, RATE), tmp_path / "gone.wav", b"no sound", closed, (good, RATE)]
    results = dict(embedder.each(clips, on_error="return"))
    assert isinstance(results[1], AudioError) and "gone.wav" in str(results[1])
    assert isinstance(results[2], AudioError)
    assert isinstance(results[3], AudioError) and "closed file" in str(results[3])
    for index in (0, 4):
        np.testing.assert_allclose(results[index], expected(good), atol=1e-5)
    with pytest.raises(AudioError, match="item 1: .*gone.wav"):
        list(embedder.each([(good, RATE), tmp_path / "gone.wav"]))
    with pytest.raises(KerascolaError, match="on_error"):
        list(embedder.each([], on_error="ignore"))


@pytest.mark.parametrize("samples", [300, 5000, 8000, 20000, 20001])
def test_frames_are_the_windows(model, samples):
    embedder = Embedder(model, batch_size=2)
    clip = noise(samples)
    vectors, seconds = embedder.frames(clip, RATE)
    assert vectors.dtype == np.float32 and seconds.dtype == np.float64
    np.testing.assert_allclose(vectors.mean(axis=0), expected(clip), atol=1e-5)
    length = min(samples, WINDOW)
    for vector, second in zip(vectors, seconds, strict=True):
        start = round(second * RATE - length / 2)
        cut = clip[start : start + length]
        np.testing.assert_allclose(vector, statistics(np.pad(cut, (0, max(0, LEAST - length)))), atol=1e-5)


def test_the_hop_of_frames(embedder):
    clip = noise(24000)
    vectors, seconds = embedder.frames(clip, RATE, hop_seconds=0.1)
    np.testing.assert_allclose(seconds, 0.25 + 0.1 * np.arange(11))
    np.testing.assert_allclose(vectors[3], statistics(clip[4800:12800]), atol=1e-5)
    for hop in (0, -1, 1e-9, True, "1", float("nan")):
        with pytest.raises(AudioError, match="hop_seconds"):
            embedder.frames(clip, RATE, hop_seconds=hop)
    with pytest.raises(AudioError, match="one clip"):
        embedder.frames([clip], RATE)


def test_what_a_model_says_of_itself(embedder):
    assert embedder.metadata == METADATA
    assert (embedder.dimension, embedder.sample_rate) == (4, RATE)


def test_files_that_are_no_models(tmp_path):
    keras = tmp_path / "model.keras"
    keras.write_bytes(b"PK")
    text = tmp_path / "text.onnx"
    text.write_text("hello")
    foreign = write_statistics_model(tmp_path / "foreign.onnx", props={"author": "somebody"})
    kinds = {".pt2": "a model for torch", ".tflite": "a model for LiteRT", ".xml": "a model for OpenVINO"}
    others = []
    for suffix, kind in {**kinds, ".json": "JSON"}.items():
        path = tmp_path / f"model{suffix}"
        path.write_text("{}")
        others.append((path, f"model{suffix}: expected an .onnx file, received {kind}.*kerascola-export MODEL.keras"))
    for path, reason in [
        (tmp_path / "gone.onnx", "gone.onnx.*no such file"),
        (tmp_path, "a folder"),
        (keras, "kerascola-export .*model.keras"),
        (text, "text.onnx: expected an ONNX model"),
        *others,
        (foreign, "foreign.onnx was not made by"),
        (42, "received a int"),
    ]:
        with pytest.raises(ModelError, match=reason):
            Embedder(path)


def test_models_that_break_the_contract(tmp_path):
    renamed = write_statistics_model(tmp_path / "renamed.onnx", input_name="audio")
    fixed = write_statistics_model(tmp_path / "fixed.onnx", samples=8000)
    wide = write_statistics_model(tmp_path / "wide.onnx", replace(METADATA, dimension=512))
    for path, reason in [
        (renamed, "input waveform"),
        (fixed, "any length"),
        (wide, "512 numbers.*received 4"),
    ]:
        with pytest.raises(ModelError, match=reason):
            Embedder(path)


@pytest.mark.parametrize("io_binding", [False, True])
def test_what_goes_wrong_in_a_run_is_said_once(tmp_path, capfd, io_binding):
    """And not printed by onnxruntime as well."""
    path = write_statistics_model(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([7, 4]), "rows"))
    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(onnx.helper.make_node("Reshape", ["before", "rows"], ["embedding"]))
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"model.onnx: expected embedding of \[1, 8000\] samples, received: "):
        Embedder(path, io_binding=io_binding)(noise(8000), RATE)
    assert "onnxruntime" not in capfd.readouterr().err


def test_embeddings_that_are_no_numbers_are_an_error(tmp_path):
    embedder = Embedder(write_statistics_model(tmp_path / "log.onnx", logarithm=True))
    sound = np.abs(noise(9000)) + 0.1
    assert np.isfinite(embedder.embed(sound, RATE)).all()
    with pytest.raises(ModelError, match="item 1"):
        embedder.embed([sound, np.zeros(9000, np.float32)], RATE)
    with pytest.raises(ModelError, match="NaN or infinity for the clip"):
        embedder.embed(np.zeros(9000, np.float32), RATE)
    results = dict(embedder.each([sound, np.zeros(9000, np.float32), sound], RATE, on_error="return"))
    assert isinstance(results[1], ModelError)
    np.testing.assert_allclose(results[2], embedder.embed(sound, RATE), atol=1e-6)


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"providers": ["NoSuchProvider"]}, "CPUExecutionProvider.*NoSuchProvider"),
        ({"providers": []}, "CPUExecutionProvider"),
        ({"threads": -1}, "threads"),
        ({"threads": True}, "threads"),
        ({"threads": 1.5}, "threads"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": "8"}, "batch_size"),
    ],
)
def test_options_that_cannot_be(model, options, reason):
    with pytest.raises(KerascolaError, match=reason):
        Embedder(model, **options)


def test_options_reach_onnxruntime(model):
    embedder = Embedder(model, providers="CPUExecutionProvider", threads=1)
    assert embedder.session.get_session_options().intra_op_num_threads == 1
    assert embedder.session.get_providers() == ["CPUExecutionProvider"]
    assert Embedder(model).session.get_providers() == ["CPUExecutionProvider"]
