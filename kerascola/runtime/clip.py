"""What a caller may pass as a clip, and how it becomes a waveform."""

import os
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np

from kerascola.audio.read import prepare, stream
from kerascola.errors import AudioError

Pieces = Iterator[np.ndarray]  # of a sound, mono float32 [samples]

BLOCK = 1 << 18  # samples of a piece of an array

ACCEPTED = (
    "a path, bytes, a binary file object, an array with its rate, (array, rate) or {'array': ..., 'sampling_rate': ...}"
)


def is_several(audio: Any) -> bool:
    """Whether `audio` is a list of clips rather than one: any list or tuple but (array, rate)."""
    if not isinstance(audio, list | tuple) or _is_pair(audio):
        return False
    if any(isinstance(item, Real) for item in audio):
        raise AudioError(
            f"expected clips, received a {type(audio).__name__} of numbers. "
            "Pass samples as a numpy array with their rate: embed(numpy.array(samples), rate)"
        )
    return True


def stays(clip: Any) -> bool:
    """Whether it is the same later: a path or bytes. An array may be filled anew, and a file closed."""
    if isinstance(clip, Mapping):
        return all(stays(inside) for inside in clip.values() if inside is not None)
    return isinstance(clip, str | os.PathLike | bytes)


def load(clip: Any, rate: int | None, model_rate: int) -> np.ndarray:
    """One clip -> mono float32 [samples] at the model's rate; `rate` is that of a bare array."""
    found = list(pieces(clip, rate, model_rate))
    return found[0] if len(found) == 1 else np.concatenate(found)


def pieces(clip: Any, rate: int | None, model_rate: int) -> Pieces:
    """What `load` gives, of files in memory that does not grow with their length. Nothing is done or raised before the
    first is asked for."""
    yield from _pieces(clip, rate, model_rate)


def _pieces(clip: Any, rate: int | None, model_rate: int) -> Pieces:
    if _is_array(clip):
        if rate is None:
            raise AudioError(
                f"expected the rate of an array, received shape {list(np.shape(clip))} without it. "
                "Say it: embed(array, rate)"
            )
        return _blocks(clip, rate, model_rate)
    if rate is not None:
        raise AudioError(
            f"expected a rate only with a bare array, received rate {rate!r} with a {type(clip).__name__}, "
            "which says its own. Leave the rate out"
        )
    if isinstance(clip, tuple) and _is_pair(clip):
        return _blocks(clip[0], clip[1], model_rate)
    if isinstance(clip, Mapping):
        return _of_mapping(clip, model_rate)
    if isinstance(clip, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(clip, "read"):
        return stream(clip, model_rate)
    raise AudioError(f"expected {ACCEPTED}, received a {type(clip).__name__}")


def _of_mapping(clip: Mapping[str, Any], model_rate: int) -> Pieces:
    """As Hugging Face datasets give them, decoded or not."""
    if clip.get("array") is not None:
        if clip.get("sampling_rate") is None:
            raise AudioError("expected 'sampling_rate' beside 'array', received none. Put the array's rate there")
        return _blocks(clip["array"], clip["sampling_rate"], model_rate)
    for key in ("bytes", "path"):
        if clip.get(key) is not None:
            return stream(clip[key], model_rate)
    keys = ", ".join(map(str, clip)) or "none"
    raise AudioError(f"expected 'array' and 'sampling_rate', 'bytes' or 'path' in a dict, received the keys {keys}")


def _blocks(array: Any, array_rate: Any, model_rate: int) -> Pieces:
    waveform = prepare(array, array_rate, model_rate)
    return (waveform[begin : begin + BLOCK] for begin in range(0, len(waveform), BLOCK))


def _is_array(clip: Any) -> bool:
    """NumPy's strings, which are paths, and bytes have an __array__, too."""
    return hasattr(clip, "__array__") and not isinstance(clip, str | bytes)


def _is_pair(clip: list | tuple) -> bool:
    """(array, rate). A list is always several clips."""
    return isinstance(clip, tuple) and len(clip) == 2 and _is_array(clip[0]) and isinstance(clip[1], Real)
