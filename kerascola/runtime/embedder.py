"""Sound -> embeddings, with onnxruntime and an exported model."""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np

from kerascola.audio.segment import windows
from kerascola.errors import AudioError, KerascolaError, ModelError
from kerascola.runtime.clip import is_several, load
from kerascola.runtime.models import model_file
from kerascola.runtime.packing import Batch, Packing
from kerascola.runtime.session import (
    INPUT,
    LOGITS,
    OUTPUT,
    Provider,
    check_count,
    choose,
    first_line,
    open_session,
    outputs_of,
)
from kerascola.runtime.streaming import Stream


@dataclass
class Mean:
    total: np.ndarray  # float64 [dimension]
    windows: int
    missing: int  # windows not yet added


class Embedder:
    """An exported model: embed(clip) -> float32 [dimension], embed([clip, ...]) -> [n, dimension].

    It is named by its path, its address (https:// or hf://), or its name in the zoo.

    A clip is a path, bytes, a binary file object, an array with its rate, (array, rate), or a dict that has
    "array" and "sampling_rate", "bytes" or "path". Its embedding is the mean over its windows.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        providers: str | Sequence[Provider] | None = None,
        threads: int | None = None,
        batch_size: int = 32,
    ) -> None:
        self.batch_size = check_count(batch_size, "batch_size", least=1)
        self.path = os.fspath(model_file(model, "onnx"))
        self.session, self.metadata = open_session(self.path, providers, threads)

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
        if not is_several(audio):
            vectors, _ = self.frames(audio, rate)
            return vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        vectors = np.zeros((len(audio), self.dimension), np.float32)
        for index, vector in self.each(audio, rate):
            vectors[index] = vector
        return vectors

    def frames(
        self, audio: Any, rate: int | None = None, hop_seconds: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The windows of one clip: float32 [n, dimension], and their centres in seconds, float64 [n]."""
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
        name = choose(self.metadata.heads, head, self.path)
        classes = self.metadata.heads[name]
        logits, scores = outputs_of(name)
        output = logits if classes.average == LOGITS else scores
        clips = audio if is_several(audio) else [audio]
        found = np.zeros((len(clips), len(classes.labels)), np.float32)
        for index, mean in self._means(clips, rate, "raise", output):
            found[index] = mean
        found = classes.scores(found) if output == logits else found
        return classes.labels, found if is_several(audio) else found[0]

    def stream(self, rate: int, hop_seconds: float | None = None) -> Stream:
        """For sound of that rate that comes in chunks: stream(chunk), ..., stream.end() give what `frames` would."""
        hop = self.metadata.hop_samples if hop_seconds is None else self._hop(hop_seconds)
        return Stream(self._vectors, self.metadata.window_samples, hop, self.sample_rate, rate)

    def each(
        self, clips: Iterable[Any], rate: int | None = None, on_error: Literal["raise", "return"] = "raise"
    ) -> Iterator[tuple[int, Any]]:
        """(index, embedding) of each clip once it is done, in memory that does not grow with their number.

        The order is nearly that of the clips. With on_error="return" a clip that cannot be embedded
        gives (index, KerascolaError), and the others go on.
        """
        if on_error not in ("raise", "return"):
            raise KerascolaError(f"expected on_error to be 'raise' or 'return', received {on_error!r}")
        yield from self._means(clips, rate, on_error, OUTPUT)

    def _means(self, clips: Iterable[Any], rate: int | None, on_error: str, output: str) -> Iterator[tuple[int, Any]]:
        """(index, mean over the windows of what `output` gives) of each clip once it is done."""
        packing, means = Packing(self.batch_size), dict[int, Mean]()
        for index, clip in enumerate(clips):
            try:
                waveform = load(clip, rate, self.sample_rate)
            except AudioError as error:
                if on_error == "raise":
                    raise AudioError(f"item {index}: {error}") from error
                yield index, error
                continue
            starts = windows(len(waveform), self.metadata.window_samples, self.metadata.hop_samples)
            means[index] = Mean(np.zeros(self._width(output)), len(starts), len(starts))
            for start in starts:
                batch = packing.add(index, self.window(waveform, start))
                if batch:
                    yield from self._finished(batch, means, on_error, output)
        for batch in packing.rest():
            yield from self._finished(batch, means, on_error, output)

    def run(self, windows: list[np.ndarray], output: str = OUTPUT) -> np.ndarray:
        """Windows of one length -> float32 [batch, dimension], or what another output has."""
        waveform = np.stack(windows)
        try:
            (vectors,) = self.session.run([output], {INPUT: waveform})
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ModelError(
                f"{self.path}: expected {output} of {list(waveform.shape)} samples, "
                f"received: {first_line(error)}. Export the model again"
            ) from error
        if vectors.shape != (len(windows), self._width(output)):
            raise ModelError(
                f"{self.path}: expected {output} of the shape {[len(windows), self._width(output)]}, "
                f"received {list(vectors.shape)}. Export the model again"
            )
        return vectors

    def _width(self, output: str) -> int:
        if output == OUTPUT:
            return self.dimension
        return next(len(one.labels) for name, one in self.metadata.heads.items() if output in outputs_of(name))

    def _finished(self, batch: Batch, means: dict[int, Mean], on_error: str, output: str) -> Iterator[tuple[int, Any]]:
        """Runs a batch; the clips that it completes."""
        vectors = self.run([window for _, window in batch], output)
        for (index, _), vector in zip(batch, vectors, strict=True):
            mean = means[index]
            mean.total += vector
            mean.missing -= 1
            if mean.missing:
                continue
            embedding = (means.pop(index).total / mean.windows).astype(np.float32)
            if np.isfinite(embedding).all():
                yield index, embedding
            elif on_error == "raise":
                raise ModelError(self.not_finite(f"item {index}"))
            else:
                yield index, ModelError(self.not_finite("the clip"))

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
