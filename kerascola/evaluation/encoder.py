"""A model file as others' benchmarks ask for it: clips to vectors, or windows at regular times to vectors."""

import os

import numpy as np

from kerascola.errors import ModelError
from kerascola.runtime.embedder import Embedder
from kerascola.runtime.models import model_file
from kerascola.runtime.session import OUTPUT

HOP = 50  # milliseconds from one time to the next: as exactly as HEAR asks when a note begins


def open_encoder(model: str | os.PathLike[str]) -> Embedder:
    """Of an .onnx file or a name of the zoo, without Keras, or of a .keras file, on the backend that Keras has."""
    if not os.fspath(model):
        raise ModelError("expected the path of a model, received none. Give NAME.onnx or NAME.keras")
    path = model_file(model, "onnx")
    return KerasEmbedder(path) if path.suffix == ".keras" else Embedder(path)


class KerasEmbedder(Embedder):
    """What `Embedder` does, of a Keras file. Batches are always full, so that a length is compiled once."""

    batch_size, pinned = 32, (32,)

    def __init__(self, model: str | os.PathLike[str]) -> None:
        from kerascola.models.embedder import load_embedder, metadata_of

        self._begin(os.fspath(model), {})
        self.metadata = metadata_of(self.path)
        self.model, _ = load_embedder(self.path)

    def run(self, windows: list[np.ndarray], output: str = OUTPUT) -> np.ndarray:
        self.check_open()
        return self.model.predict_on_batch(self.batch(windows))[: len(windows)]

    def close(self) -> None:
        super().close()
        self.model = None


def timed(embed: Embedder, sounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [n, samples] -> embeddings [n, t, dimension] of the windows around each time, and the times [t] in ms.

    From 0 to the end of the sounds, before and after which there is silence. A window begins at the sample that is
    nearest to where it would be exactly.
    """
    samples, rate, window = sounds.shape[1], embed.sample_rate, embed.metadata.window_samples
    numbers = np.arange(1000 * samples // (HOP * rate) + 1, dtype=np.int64)
    starts = (2 * HOP * rate * numbers - 1000 * window + 1000) // 2000  # in whole numbers, so that nothing drifts
    before, after = -starts[0], max(0, starts[-1] + window - samples)
    padded = np.pad(sounds, ((0, 0), (before, after)))
    count = len(sounds) * len(starts)
    vectors = np.empty((count, embed.dimension), np.float32)
    for i in range(0, count, embed.batch_size):
        rows, times = np.divmod(np.arange(i, min(i + embed.batch_size, count)), len(starts))
        begins = starts[times] + before
        vectors[i : i + len(rows)] = embed.run(
            [padded[row, b : b + window] for row, b in zip(rows, begins, strict=True)]
        )
    if not np.isfinite(vectors).all():
        raise ModelError(f"{embed.path}: expected finite embeddings, received NaN or infinity. Look at the samples")
    return vectors.reshape(len(sounds), len(starts), -1), (HOP * numbers).astype(np.float32)
