"""Sound -> embeddings, with onnxruntime and an exported model."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from numbers import Real
from typing import Any, Literal

import numpy as np

from kerascola.audio.segment import windows
from kerascola.errors import AudioError, KerascolaError, ModelError
from kerascola.runtime.ahead import AtOnce, alone, read_ahead
from kerascola.runtime.binding import Bound
from kerascola.runtime.clip import Pieces, is_several, load, pieces, stays
from kerascola.runtime.corpus import Mean, in_order
from kerascola.runtime.models import model_file
from kerascola.runtime.opened import Opened
from kerascola.runtime.session import (
    INPUT,
    LOGITS,
    OUTPUT,
    SAID_ONCE,
    Provider,
    check_count,
    choose,
    first_line,
    outputs_of,
)
from kerascola.runtime.streaming import Stream


class Embedder(Opened):
    """An exported model: embed(clip) -> float32 [dimension], embed([clip, ...]) -> [n, dimension].

    It is named by its path, its address (https:// or hf://), or its name in the zoo.

    A clip is a path, bytes, a binary file object, an array with its rate, (array, rate), or a dict that has
    "array" and "sampling_rate", "bytes" or "path". Its embedding is the mean over its windows.

    Threads may share one. It is open until close() or the end of a `with`, opens its file again in a process that was
    forked, and goes to one that is spawned by its path.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        providers: str | Sequence[Provider] | None = None,
        threads: int | None = None,
        batch_size: int | Sequence[int] = 32,
        io_binding: bool = False,
    ) -> None:
        """`batch_size` is how many windows a batch has at most, or all sizes that one may have, such as (1, 8, 32):
        what is between is then filled up with silence, so that memory and accelerators see few shapes. Clips that are
        shorter than a window keep their length.

        With `io_binding` a batch's input and output stay at one place in the provider's memory, as CUDA graphs need
        it, and there is one run at a time. On a CPU it makes nothing faster.
        """
        if isinstance(batch_size, Sequence) and not isinstance(batch_size, str):
            self.pinned = tuple(sorted(check_count(size, "each batch_size", least=1) for size in batch_size))
        else:
            self.pinned = ()
        self.batch_size = max(self.pinned) if self.pinned else check_count(batch_size, "batch_size", least=1)
        super().__init__(
            os.fspath(model_file(model, "onnx")),
            {"providers": providers, "threads": threads, "batch_size": batch_size, "io_binding": io_binding},
        )
        self._bound = Bound(self.session) if io_binding else None

    @property
    def dimension(self) -> int:
        return self.metadata.dimension

    @property
    def sample_rate(self) -> int:
        return self.metadata.sample_rate

    def __call__(self, audio: Any, rate: int | None = None) -> np.ndarray:
        return self.embed(audio, rate)

    def embed(self, audio: Any, rate: int | None = None) -> np.ndarray:
        """One clip -> [dimension]; a list of clips -> [n, dimension]. `rate` is that of bare arrays."""
        return self._mean(audio, rate, OUTPUT)

    def _mean(self, audio: Any, rate: int | None, output: str) -> np.ndarray:
        """Over the windows of what `output` gives, of one clip or of each in a list."""
        self.check_open()
        if is_several(audio):
            found = np.zeros((len(audio), self._width(output)), np.float32)
            for index, mean in self._means(audio, rate, "raise", output):
                found[index] = mean
            return found
        with closing(alone(pieces(audio, rate, self.sample_rate))) as sound:
            (clip,) = in_order(self, sound, partial(Mean, self._width(output)), output=output)
        if clip.error:
            raise clip.error
        return next(clip.rows.blocks(1))[0]

    def frames(
        self, audio: Any, rate: int | None = None, hop_seconds: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The windows of one clip: float32 [n, dimension], and their centres in seconds, float64 [n]."""
        self.check_open()
        if is_several(audio):
            raise AudioError(f"expected one clip, received a {type(audio).__name__}. Call frames for each")
        hop = self.metadata.hop_samples if hop_seconds is None else self._hop(hop_seconds)
        waveform = load(audio, rate, self.sample_rate)
        starts = windows(len(waveform), self.metadata.window_samples, hop)
        length = min(len(waveform), self.metadata.window_samples)
        return self._vectors(waveform, starts), (starts + length / 2) / self.sample_rate

    def classify(
        self, audio: Any, rate: int | None = None, head: str | None = None
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """The labels of a head, and the scores of one clip [classes] or of a list of clips [n, classes].

        `head` is needed where the model has several. Scores of one label a clip add up to 1; those of several labels
        are each from 0 to 1.
        """
        self.check_open()
        name = choose(self.metadata.heads, head, self.path)
        classes = self.metadata.heads[name]
        logits, scores = outputs_of(name)
        output = logits if classes.average == LOGITS else scores
        found = self._mean(audio, rate, output)
        if output == logits:
            found = classes.scores(np.atleast_2d(found)).reshape(found.shape)
        return classes.labels, found

    def stream(self, rate: int, hop_seconds: float | None = None) -> Stream:
        """For sound of that rate that comes in chunks: stream(chunk), ..., stream.end() give what `frames` would."""
        self.check_open()
        hop = self.metadata.hop_samples if hop_seconds is None else self._hop(hop_seconds)
        return Stream(self._vectors, self.metadata.window_samples, hop, self.sample_rate, rate)

    def each(
        self, clips: Iterable[Any], rate: int | None = None, on_error: Literal["raise", "return"] = "raise"
    ) -> Iterator[tuple[int, Any]]:
        """(index, embedding) of each clip, in their order, in memory that does not grow with their number.

        Paths and bytes are decoded ahead, in threads. With on_error="return" a clip that cannot be embedded gives
        (index, KerascolaError), and the others go on.
        """
        self.check_open()
        if on_error not in ("raise", "return"):
            raise KerascolaError(f"expected on_error to be 'raise' or 'return', received {on_error!r}")
        return self._means(clips, rate, on_error, OUTPUT)

    def _means(self, clips: Iterable[Any], rate: int | None, on_error: str, output: str) -> Iterator[tuple[int, Any]]:
        make = partial(Mean, self._width(output))
        with closing(read_ahead(self._sounds(clips, rate))) as sounds:
            for index, clip in enumerate(in_order(self, sounds, make, output=output)):
                if clip.error is None:
                    yield index, next(clip.rows.blocks(1))[0]
                elif on_error == "return":
                    yield index, clip.error
                else:
                    raise type(clip.error)(f"item {index}: {clip.error}") from clip.error

    def _sounds(self, clips: Iterable[Any], rate: int | None) -> Iterator[Pieces | AtOnce]:
        """An array that is not in a list may be filled anew for the next clip, and a file closed."""
        is_list = isinstance(clips, list | tuple)
        for clip in clips:
            sound = pieces(dict(clip) if isinstance(clip, Mapping) else clip, rate, self.sample_rate)
            is_kept = stays(clip) or (is_list and not hasattr(clip, "read"))
            yield sound if is_kept else AtOnce(sound)

    def close(self) -> None:
        """Gives its memory back, once what other threads have under way is done."""
        super().close()
        self._bound = None

    def warm_up(self) -> None:
        """Runs each size of a batch once on silence: what a first run makes is then there, of which a CPU's takes a few
        milliseconds, an accelerator's seconds."""
        for size in self.pinned or (1, self.batch_size):
            self.run([np.zeros(self.metadata.window_samples, np.float32)] * size)

    def run(self, windows: list[np.ndarray], output: str = OUTPUT) -> np.ndarray:
        """Windows of one length -> float32 [batch, dimension], or what another output has."""
        session, waveform, width = self.session, self.batch(windows), self._width(output)
        bound = self._bound
        if bound is not None and bound.session is not session:  # that of the process that this one was forked from
            bound = self._bound = Bound(session)
        try:
            if bound is None:
                (vectors,) = session.run([output], {INPUT: waveform}, SAID_ONCE)
            else:
                vectors = bound.run(output, width, waveform)
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ModelError(
                f"{self.path}: expected {output} of {list(waveform.shape)} samples, "
                f"received: {first_line(error)}. Export the model again"
            ) from error
        if vectors.shape != (len(waveform), width):
            raise ModelError(
                f"{self.path}: expected {output} of the shape {[len(waveform), width]}, "
                f"received {list(vectors.shape)}. Export the model again"
            )
        return vectors[: len(windows)]

    def batch(self, windows: list[np.ndarray]) -> np.ndarray:
        """Of a size that batches may have."""
        size = next((size for size in self.pinned if size >= len(windows)), len(windows))
        batch = np.zeros((size, len(windows[0])), np.float32)
        batch[: len(windows)] = windows
        return batch

    def _width(self, output: str) -> int:
        if output == OUTPUT:
            return self.dimension
        return next(len(one.labels) for name, one in self.metadata.heads.items() if output in outputs_of(name))

    def _vectors(self, waveform: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Of a waveform's windows, a batch at a time."""
        vectors = np.empty((len(starts), self.dimension), np.float32)
        for i in range(0, len(starts), self.batch_size):
            part = starts[i : i + self.batch_size]
            vectors[i : i + len(part)] = self.run([self.window(waveform, start) for start in part])
        if not np.isfinite(vectors).all():
            raise ModelError(self.not_finite("the clip"))
        return vectors

    def window(self, waveform: np.ndarray, start: int) -> np.ndarray:
        """The one that starts there, as the model takes it."""
        window = waveform[start : start + self.metadata.window_samples]
        missing = self.metadata.min_samples - len(window)
        return np.pad(window, (0, missing)) if missing > 0 else window

    def _hop(self, seconds: float) -> int:
        number = isinstance(seconds, Real) and not isinstance(seconds, bool) and math.isfinite(seconds)
        if not number or round(seconds * self.sample_rate) < 1:
            raise AudioError(
                f"expected hop_seconds to be at least one sample, 1/{self.sample_rate}, received {seconds!r}"
            )
        return round(seconds * self.sample_rate)

    def not_finite(self, what: str) -> str:
        return (
            f"{self.path}: expected finite embeddings, received NaN or infinity for {what}. "
            "Look at its samples: a level far from the training data's can overflow"
        )
