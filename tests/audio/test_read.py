import gzip
import io
import os
import signal
import struct

import numpy as np
import pytest
import soundfile

from kerascola.audio.read import duration, prepare, read
from kerascola.errors import AudioError

RATE = 44100


def noise(seconds: float, channels: int = 1, seed: int = 0) -> np.ndarray:
    sound = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(RATE * seconds), channels)).astype(np.float32)
    return sound[:, 0] if channels == 1 else sound


def write(path, sound, rate=RATE, subtype=None):
    soundfile.write(path, sound, rate, subtype=subtype)
    return path


def test_a_float_file_at_its_own_rate_is_itself(tmp_path):
    sound = noise(0.5)
    out = read(write(tmp_path / "a.wav", sound, subtype="FLOAT"), RATE)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, sound)


def test_channels_are_averaged(tmp_path):
    sound = noise(0.5, channels=3)
    out = read(write(tmp_path / "a.wav", sound, subtype="FLOAT"), RATE)
    np.testing.assert_allclose(out, (sound[:, 0] + sound[:, 1] + sound[:, 2]) / 3, atol=1e-7)


def test_path_text_bytes_and_file_object_are_the_same(tmp_path):
    path = write(tmp_path / "a.flac", noise(0.5))
    expected = read(path, 16000)
    assert len(expected) == 8000
    np.testing.assert_array_equal(read(str(path), 16000), expected)
    np.testing.assert_array_equal(read(path.read_bytes(), 16000), expected)
    np.testing.assert_array_equal(read(memoryview(path.read_bytes()), 16000), expected)
    with path.open("rb") as file:
        np.testing.assert_array_equal(read(file, 16000), expected)
        np.testing.assert_array_equal(read(file, 16000), expected)  # from its beginning, wherever it is
    with Pipe(path.read_bytes()) as pipe:
        np.testing.assert_array_equal(read(pipe, 16000), expected)


class Pipe(io.BytesIO):
    """Can be read, not sought."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation("seek")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [RATE, 16000, 48000])
def test_a_part_is_that_part_of_the_whole(tmp_path, suffix, rate):
    path = write(tmp_path / f"a.{suffix}", noise(3))
    whole = read(path, rate)
    for start, seconds in [(0, 0.3), (0.0123, 0.5), (1.2345, 1.0), (2.9, 0.1), (2.5, 10), (1.5, None)]:
        part = read(path, rate, start=start, seconds=seconds)
        first = round(start * rate)
        expected = whole[first:] if seconds is None else whole[first : first + round(seconds * rate)]
        assert len(part) == len(expected)
        np.testing.assert_allclose(part, expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_part_of_an_mp3_has_its_bit_reservoir(tmp_path, mode):
    """A soft tone leaves tiny frames, which borrow from many before; a plain seek loses the first of them."""
    tone = 0.3 * np.sin(np.arange(22050 * 20) * 0.03)
    path = tmp_path / "a.mp3"
    soundfile.write(path, tone, 22050, bitrate_mode=mode, compression_level=0.9)
    whole = read(path, 16000)
    for start in np.linspace(2, 19, 30):
        first = round(start * 16000)
        part = read(path, 16000, start=start, seconds=0.2)
        np.testing.assert_allclose(part, whole[first : first + 3200], atol=1e-5)


def test_a_part_of_the_last_page_of_an_ogg(tmp_path):
    """Low rates make long pages, and libsndfile seeks wrong in the last of them."""
    tone = 0.3 * np.sin(np.arange(22050 * 20) * 0.003 * np.linspace(1, 10, 22050 * 20))
    path = write(tmp_path / "a.ogg", tone, rate=22050)
    whole = read(path, 16000)
    for start in np.linspace(12, 19.7, 40):
        first = round(start * 16000)
        part = read(path, 16000, start=start, seconds=0.2)
        np.testing.assert_allclose(part, whole[first : first + 3200], atol=1e-5)


@pytest.mark.parametrize("suffix", ["mp3", "ogg"])
def test_blocks_are_decoded_as_the_whole_is(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.3 * np.sin(np.arange(22050 * 4) * 0.03), 22050)
    whole, _ = soundfile.read(path, dtype="float32")
    monkeypatch.setattr("kerascola.audio.read.BLOCK", 1000)
    np.testing.assert_allclose(read(path, 22050), whole, atol=1e-6)


def test_a_part_is_sought_not_decoded_from_the_beginning(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", noise(30))
    decoded = []
    original = soundfile.SoundFile.read

    def counting(*args, **kwargs):
        block = original(*args, **kwargs)
        decoded.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    assert len(read(path, 16000, start=20, seconds=1)) == 16000
    assert sum(decoded) < 2 * RATE


def test_a_long_file_comes_in_blocks(tmp_path, monkeypatch):
    """Several blocks, an odd rate: neither a seam nor a lost sample."""
    monkeypatch.setattr("kerascola.audio.read.BLOCK", 1000)
    sound = np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE).astype(np.float32)
    out = read(write(tmp_path / "a.wav", sound, subtype="FLOAT"), 16000)
    assert len(out) == 48000
    expected = np.sin(2 * np.pi * 440 * np.arange(48000) / 16000)
    np.testing.assert_allclose(out[1600:-1600], expected[1600:-1600], atol=1e-4)


def lying_wav(path, sound, claimed_bytes: int) -> bytes:
    data = bytearray(write(path, sound, subtype="FLOAT").read_bytes())
    at = data.index(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", claimed_bytes)
    return bytes(data)


def test_a_header_that_claims_too_much_is_not_believed(tmp_path):
    sound = noise(0.5)
    np.testing.assert_array_equal(read(lying_wav(tmp_path / "a.wav", sound, 0xFFFFFFFF), RATE), sound)


def test_a_header_that_claims_many_channels_takes_little_memory(tmp_path, monkeypatch):
    taken = []
    empty = np.empty
    monkeypatch.setattr(
        np, "empty", lambda shape, *args, **options: taken.append(shape) or empty(shape, *args, **options)
    )
    path = write(tmp_path / "a.wav", np.zeros((50, 1000), np.float32))
    assert duration(path) == 50 / RATE and len(read(path, RATE)) == 50
    assert (65, 1000) in taken and max(map(np.prod, taken)) <= 1 << 16


def test_a_truncated_mp3_gives_what_is_there(tmp_path):
    data = write(tmp_path / "a.mp3", noise(4)).read_bytes()
    out = read(data[: len(data) // 2], RATE)
    assert 1.5 * RATE < len(out) < 2.5 * RATE


def test_duration(tmp_path):
    assert duration(write(tmp_path / "a.wav", noise(1.5))) == 1.5
    assert duration(write(tmp_path / "b.ogg", noise(0.25, channels=2))) == 0.25


@pytest.mark.parametrize("look", [duration, lambda source: read(source, 16000)])
def test_what_is_not_sound_is_named(tmp_path, look):
    text = tmp_path / "notes.wav"
    text.write_text("not sound " * 100)
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    raw = tmp_path / "samples.raw"
    raw.write_bytes(bytes(100))
    silent = write(tmp_path / "nothing.wav", np.zeros(0, np.float32))
    for source, name, reason in [
        (text, "notes.wav", "libsndfile"),
        (empty, "empty.wav", "libsndfile"),
        (raw, "samples.raw", "raw samples"),
        (silent, "nothing.wav", "no samples"),
        (tmp_path / "gone.wav", "gone.wav", "No such file"),
        (tmp_path, tmp_path.name, "directory"),
        (b"abc", "3 bytes", "libsndfile"),
        (io.StringIO("abc"), "StringIO", "reading bytes"),
        (42, "int", "a path, bytes or a file object"),
    ]:
        with pytest.raises(AudioError) as caught:
            look(source)
        assert name in str(caught.value) and reason in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("look", [duration, lambda source: read(source, 16000)])
def test_a_pipe_is_not_waited_for(tmp_path, look):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "link.wav").symlink_to("pipe.wav")
    usual = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(30)
    try:
        for name in ("pipe.wav", "link.wav"):
            with pytest.raises(AudioError, match=f"{name}: expected a sound file, received: a pipe or a device"):
                look(tmp_path / name)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, usual)


class Failing(Pipe):
    def read(self, *_):
        raise RuntimeError("the line is dead")


@pytest.mark.parametrize("look", [duration, lambda source: read(source, 16000)])
def test_a_file_object_that_cannot_be_read_is_named(tmp_path, look):
    closed = write(tmp_path / "closed.wav", noise(0.5)).open("rb")
    closed.close()
    cut = gzip.compress(noise(0.5).tobytes())[:-20]
    for source, reason in [
        (closed, "closed.wav: expected an open file object .*closed file"),
        (gzip.open(tmp_path / "closed.wav"), "Not a gzipped file"),
        (gzip.GzipFile(fileobj=io.BytesIO(cut)), "ended before"),
        (Failing(), "a Failing: expected an open file object of sound, received: the line is dead. Open it again"),
    ]:
        with pytest.raises(AudioError, match=reason):
            look(source)


def test_a_damaged_flac_is_not_passed_off_as_a_short_one(tmp_path):
    data = write(tmp_path / "a.flac", noise(4)).read_bytes()
    with pytest.raises(AudioError, match="bytes: .*Convert or repair"):
        read(data[: len(data) // 2], 16000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path, value):
    sound = noise(0.5)
    sound[1234] = value
    path = write(tmp_path / "bad.wav", sound, subtype="FLOAT")
    with pytest.raises(AudioError, match="bad.wav.*1 that are NaN or infinite"):
        read(path, 16000)
    with pytest.raises(AudioError, match="the array.*1 that are NaN or infinite"):
        prepare(sound, RATE, 16000)


def test_samples_that_are_infinite_once_resampled_are_refused(tmp_path):
    sound = np.where(np.arange(1600) % 7 < 3, 3.4e38, -3.4e38).astype(np.float32)
    path = write(tmp_path / "a.wav", sound, subtype="FLOAT")
    np.testing.assert_array_equal(read(path, RATE), sound)
    with pytest.raises(AudioError, match="a.wav.* that are NaN or infinite"):
        read(path, 16000)
    with pytest.raises(AudioError, match="the array.* that are NaN or infinite"):
        prepare(sound, RATE, 16000)


@pytest.mark.parametrize("rate", [0, -1, True, "16000", None])
def test_bad_rates(tmp_path, rate):
    path = write(tmp_path / "a.wav", noise(0.1))
    with pytest.raises(AudioError, match="rate: expected a whole number"):
        read(path, rate)
    with pytest.raises(AudioError, match="the rate of the array: expected a whole number"):
        prepare(noise(0.1), rate, 16000)


@pytest.mark.parametrize("start, seconds", [(-1, None), ("0", None), (0, 0), (0, -1), (0, True), (0, float("nan"))])
def test_bad_parts(tmp_path, start, seconds):
    with pytest.raises(AudioError, match="a.wav: expected (start|seconds) to be"):
        read(write(tmp_path / "a.wav", noise(0.1)), 16000, start, seconds)


@pytest.mark.parametrize("start", [1.0, 60.0])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_part_after_the_end(tmp_path, suffix, start):
    path = write(tmp_path / f"a.{suffix}", noise(1))
    with pytest.raises(AudioError, match=f"no samples after second {start:g}"):
        read(path, 16000, start=start, seconds=1)


def test_a_rate_in_a_header_beyond_reason_is_refused(tmp_path):
    with pytest.raises(AudioError, match="a.wav: the sample rate in its header.*received 1"):
        read(write(tmp_path / "a.wav", np.zeros(100, np.float32), rate=1), 16000)


@pytest.mark.parametrize("subtype, dtype", [("PCM_16", "int16"), ("PCM_32", "int32"), ("PCM_U8", "uint8")])
def test_integer_arrays_scale_as_libsndfile_scales_files(tmp_path, subtype, dtype):
    """An independent decoder's view of the same stored integers."""
    path = write(tmp_path / "a.wav", noise(0.2, channels=2), subtype=subtype)
    if dtype == "uint8":  # soundfile cannot return these: take them out of the file
        data = path.read_bytes()
        stored = np.frombuffer(data[data.index(b"data") + 8 :], np.uint8)[: 2 * round(0.2 * RATE)].reshape(-1, 2)
    else:
        stored, _ = soundfile.read(path, dtype=dtype)
    np.testing.assert_allclose(prepare(stored, RATE, 16000), read(path, 16000), atol=1e-6)


def test_full_scale_integers():
    np.testing.assert_array_equal(prepare(np.array([-32768, 0, 16384], np.int16), 16000, 16000), [-1, 0, 0.5])
    np.testing.assert_array_equal(prepare(np.array([0, 128, 192], np.uint8), 16000, 16000), [-1, 0, 0.5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
def test_float_arrays_are_taken_as_they_are(dtype):
    out = prepare(np.array([0.5, -3.0, 0.25], dtype), 16000, 16000)
    assert out.dtype == np.float32 and out.dtype.isnative
    np.testing.assert_array_equal(out, [0.5, -3.0, 0.25])


def test_an_array_resamples_as_its_file_does(tmp_path):
    sound = noise(1, channels=2)
    path = write(tmp_path / "a.wav", sound, subtype="FLOAT")
    np.testing.assert_allclose(prepare(sound, RATE, 16000), read(path, 16000), atol=1e-6)
    np.testing.assert_allclose(prepare(sound.T.copy().T, RATE, 16000), read(path, 16000), atol=1e-6)


@pytest.mark.parametrize(
    "array, reason",
    [
        (np.zeros((2, 16000), np.float32), "array.T"),
        (np.zeros((1, 100, 2), np.float32), "list of arrays"),
        (np.float32(1), "list of arrays"),
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros((100, 0), np.float32), "no samples"),
        (np.zeros(1, np.float32), "at least one sample at 16000 Hz"),
        (np.zeros(100, np.float16), "received float16"),
        (np.zeros(100, np.int64), "received int64"),
        (np.zeros(100, bool), "received bool"),
        (np.array(["a"]), "received str"),
        (np.array([1e300]), "NaN or infinite"),
        ([0.1, 0.2], "received a list"),
    ],
)
def test_arrays_that_are_refused(array, reason):
    with pytest.raises(AudioError) as caught:
        prepare(array, RATE, 16000, name="clip 7")
    assert reason in str(caught.value) and "clip 7" in str(caught.value)
