"""Any sound file or array -> mono float32 at the rate asked for."""

import io
import math
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import soundfile

from kerascola.audio.resample import check_rate, resample
from kerascola.errors import AudioError, shortened

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

# What a walk through a folder takes for sound; a file that is named is read whatever its suffix.
SUFFIXES = (".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".w64", ".wav")

BLOCK = 1 << 16  # samples decoded at a time, of all channels: a header may say that there are 1024
DENSEST = 256  # frames that a byte may hold; silence in FLAC can be denser, and is counted
PREROLL = 512  # samples of the slower rate; soxr's HQ filter reaches less than half as far
RUN_IN = 1.0  # seconds; an MP3 frame may need many before it (the bit reservoir), and Opus has to converge
OGG_TAIL = 10.0  # seconds; in the last page of a Vorbis file libsndfile seeks wrong (its issue 885)
MOST_CHANNELS = 32
FULL_SCALE = {"int16": (0, 2.0**15), "int32": (0, 2.0**31), "uint8": (128, 2.0**7)}


def in_child() -> None:
    """soundfile opens files one at a time, and a thread that was opening one as the process was forked is not here to
    let others go on."""
    if hasattr(soundfile.SoundFile, "_sf_error_lock"):  # since its 0.14
        soundfile.SoundFile._sf_error_lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=in_child)


class Decoder(soundfile.SoundFile):
    """For reading on: soundfile seeks after each block of a seekable file, where an MP3 loses frames."""

    size: int  # of the file, in bytes

    def seekable(self) -> bool:
        return False


def read(source: Source, rate: int, start: float = 0.0, seconds: float | None = None) -> np.ndarray:
    """Mono float32 [samples] at `rate`; part of a file is the same samples as that part of the whole.

    Less than `seconds` comes back where the file ends earlier. A file object is read from its beginning.
    """
    return np.concatenate(list(stream(source, rate, start, seconds)))


def stream(source: Source, rate: int, start: float = 0.0, seconds: float | None = None) -> Iterator[np.ndarray]:
    """What `read` gives, a piece at a time, in memory that does not grow with its length."""
    name, rate = describe(source), check_rate(rate, "rate")
    check_part(name, start, seconds)
    with _opened(source, name) as sound:
        first = round(start * rate)
        skip = first - _enter(sound, name, rate, first)
        stop, block = math.inf, BLOCK
        if seconds is not None:
            stop = skip + max(1, round(seconds * rate))
            ratio = sound.samplerate / rate
            block = min(BLOCK, math.ceil(stop * ratio + 2 * PREROLL * max(1.0, ratio)))
        produced = 0
        for piece in resample(_mono(sound, name, block), sound.samplerate, rate):
            wanted = _finite(piece[max(0, skip - produced) : int(min(stop - produced, len(piece)))], name)
            produced += len(piece)
            if len(wanted):
                yield wanted
            if produced >= stop:
                break
    if produced <= skip:
        raise AudioError(silent(name, start))


class Header(NamedTuple):
    seconds: float
    rate: int
    channels: int
    format: str  # as libsndfile calls it, with its encoding: "WAV PCM_16"


def header(source: Source) -> Header:
    """What the header says; the length is counted where it does not say, or says what cannot be."""
    name = describe(source)
    with _opened(source, name) as sound:
        frames = sound.frames
        if frames > DENSEST * sound.size:  # as of a stream of unknown length, of which libsndfile says 2**63 - 1
            frames = sum(len(block) for block in _mono(sound, name, BLOCK))
        if not frames:
            raise AudioError(silent(name))
        return Header(frames / sound.samplerate, sound.samplerate, sound.channels, f"{sound.format} {sound.subtype}")


def duration(source: Source) -> float:
    """Seconds of sound."""
    return header(source).seconds


def blocks(source: Source) -> Iterator[np.ndarray]:
    """All of a file, mono at its own rate, in memory that does not grow with its length."""
    name = describe(source)
    with _opened(source, name) as sound:
        yield from _mono(sound, name, BLOCK)


def prepare(array: Any, array_rate: int, rate: int, name: str = "the array") -> np.ndarray:
    """[samples] or [samples, channels] -> mono float32 at `rate`; the array itself if that is what it is."""
    array_rate, rate = check_rate(array_rate, f"the rate of {name}"), check_rate(rate, "rate")
    mono = mixed_down(array, name)
    if not len(mono):
        raise AudioError(f"{name}: expected sound, received no samples ({list(np.shape(array))}). Leave it out")
    samples = _finite(np.concatenate(list(resample([mono], array_rate, rate))), name)
    if not len(samples):
        raise AudioError(
            f"{name}: expected at least one sample at {rate} Hz, received {len(mono)} at {array_rate} Hz. Leave it out"
        )
    return samples


def mixed_down(array: Any, name: str = "the array") -> np.ndarray:
    """[samples] or [samples, channels] -> mono float32 at full scale 1, of the same rate."""
    if not isinstance(array, np.ndarray) and not hasattr(array, "__array__"):
        raise AudioError(f"{name}: expected a numpy array, received a {type(array).__name__}. Convert it")
    array = np.asarray(array)
    kind = array.dtype.name
    if kind not in FULL_SCALE and kind not in ("float32", "float64"):
        raise AudioError(
            f"{name}: expected int16, int32, uint8, float32 or float64 samples, received {kind}. "
            "Convert it: array.astype('float32'), scaled so that full scale is 1"
        )
    if array.ndim not in (1, 2):
        raise AudioError(
            f"{name}: expected the shape [samples] or [samples, channels], received {list(array.shape)}. "
            "Pass several clips as a list of arrays"
        )
    if array.ndim == 2 and array.shape[1] > MOST_CHANNELS:
        raise AudioError(
            f"{name}: expected the shape [samples, channels] with at most {MOST_CHANNELS} channels, received "
            f"{list(array.shape)}. Pass array.T for [channels, samples], or several clips as a list of arrays"
        )
    mono = array.mean(axis=1) if array.ndim == 2 and array.size else array.reshape(-1)
    if kind in FULL_SCALE:
        zero, scale = FULL_SCALE[kind]
        mono = (mono - np.float64(zero)) / scale
    with np.errstate(over="ignore"):  # beyond float32 becomes inf, which the next line refuses
        return _finite(mono.astype(np.float32, copy=False), name)


def describe(source: Any) -> str:
    """What to call a source in a message: its path where it has one."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return f"{len(source)} bytes"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else f"a {type(source).__name__}"


@contextmanager
def _opened(source: Source, name: str) -> Iterator[Decoder]:
    """The decoder; what it raises, then and later, becomes an AudioError that names the file."""
    try:
        with _decoder(source, name) as sound:
            check_rate(sound.samplerate, f"{name}: the sample rate in its header")
            yield sound
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{name}: expected sound that libsndfile can decode (wav, flac, ogg, mp3, aiff, ...), received: "
            f"{error.error_string.rstrip('.')}. Convert or repair it: ffmpeg -i FILE out.wav"
        ) from error


def _decoder(source: Source, name: str) -> Decoder:
    openable, size = _openable(source, name)
    try:
        sound = Decoder(openable)
    except TypeError as error:  # soundfile wants to be told about .raw
        raise AudioError(
            f"{name}: expected a sound file with a header, received raw samples ({error}). "
            "Read them with numpy.fromfile and pass the array with its rate"
        ) from error
    sound.size = size
    return sound


def _openable(source: Source, name: str) -> tuple[Any, int]:
    """What libsndfile is given, and its size in bytes."""
    if isinstance(source, str | os.PathLike):
        try:
            kind = os.stat(source).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # to open a pipe may take for ever
                raise ValueError("a pipe or a device, whose content can be passed as bytes")
            with open(source, "rb") as there:
                size = os.fstat(there.fileno()).st_size
            return (os.fspath(source) if os.name == "nt" else os.fsencode(source)), size  # a name may not be UTF-8
        except (OSError, ValueError) as error:  # ValueError also where no file can have that name
            reason = getattr(error, "strerror", None) or str(error)
            raise AudioError(f"{name}: expected a sound file, received: {reason}. Check the path") from error
    if isinstance(source, bytes | bytearray | memoryview):
        source = io.BytesIO(source)
    if isinstance(source, io.TextIOBase) or not hasattr(source, "read"):
        raise AudioError(
            f"{name}: expected a path, bytes or a file object open for reading bytes, received "
            f"{type(source).__name__}. Use open(path, 'rb')"
        )
    try:
        seekable = getattr(source, "seekable", None)
        file = source if seekable is not None and seekable() else io.BytesIO(source.read())
        file.seek(0, io.SEEK_END)
        size = file.tell()
        file.seek(0)
    except Exception as error:  # what an object of somebody else's raises has no base class
        reason = shortened(str(error) or type(error).__name__, 500)
        raise AudioError(
            f"{name}: expected an open file object of sound, received: {reason}. Open it again, or pass its bytes"
        ) from error
    return file, size


def _mono(sound: Decoder, name: str, frames: int) -> Iterator[np.ndarray]:
    """Blocks until the decoder has no more: a header's count of frames may be wrong."""
    frames = min(frames, max(1, BLOCK // sound.channels))
    while True:
        block = sound.read(frames, dtype="float32", always_2d=True)
        if not len(block):
            return
        with np.errstate(all="ignore"):  # infinities, which are refused
            mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        yield _finite(mono, name)


def _finite(samples: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise AudioError(
            f"{name}: expected finite samples, received {bad} that are NaN or infinite. "
            "Repair the recording or leave it out"
        )
    return samples


def _enter(sound: Decoder, name: str, rate: int, first: int) -> int:
    """Goes to a place before output sample `first` from where that comes out right; its output sample."""
    begin = first / rate
    if sound.samplerate != rate:
        begin -= PREROLL / min(sound.samplerate, rate)
    if sound.format in ("MP3", "OGG"):
        begin -= RUN_IN
    if sound.format == "OGG":
        begin = min(begin, sound.frames / sound.samplerate - OGG_TAIL)
    # A frame of the file and a sample of the output fall on the same instant `common` times a second.
    common = math.gcd(sound.samplerate, rate)
    periods = max(0, math.floor(begin * common))
    try:
        if periods:
            sound.seek(periods * (sound.samplerate // common))
    except soundfile.LibsndfileError as error:
        raise AudioError(silent(name, first / rate)) from error
    return periods * (rate // common)


def silent(name: str, start: float = 0.0) -> str:
    where = f"after second {start:g}" if start else "in it"
    return f"{name}: expected sound, received a file with no samples {where}. Leave it out"


def check_part(name: str, start: float, seconds: float | None) -> None:
    for what, value in (("start", start), ("seconds", 1.0 if seconds is None else seconds)):
        number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if not number or value < 0 or (what == "seconds" and value == 0):
            least = "0 or more" if what == "start" else "more than 0"
            raise AudioError(f"{name}: expected {what} to be {least}, received {value!r}. It is in seconds")
