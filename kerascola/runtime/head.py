"""A head that is served alone: embeddings -> labels and scores, with onnxruntime."""

import os

import numpy as np

from kerascola.errors import ModelError
from kerascola.runtime.opened import Opened
from kerascola.runtime.session import OUTPUT, SAID_ONCE, SCORES, first_line


class Head(Opened):
    """An exported head: head(vectors [n, dimension]) -> its labels, and their scores [n, classes].

    So that one embedding, computed once or read from a file, serves many questions. Threads, forks and close() are as
    of an `Embedder`.
    """

    def __init__(self, model: str | os.PathLike[str], *, threads: int | None = None) -> None:
        super().__init__(os.fspath(model), {"threads": threads}, is_head=True)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.metadata.heads[""].labels

    def __call__(self, vectors: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
        self.check_open()
        vectors = np.asarray(vectors)
        one = vectors.ndim == 1
        rows = np.atleast_2d(vectors)
        if rows.ndim != 2 or rows.shape[1] != self.metadata.dimension or rows.dtype.kind != "f":
            raise ModelError(
                f"{self.path}: expected embeddings [n, {self.metadata.dimension}] of floating point, "
                f"received {rows.dtype} of the shape {list(vectors.shape)}"
            )
        with np.errstate(over="ignore"):  # beyond float32 becomes inf, which is refused
            rows = rows.astype(np.float32)
        self._check_finite(rows, "embeddings")
        try:
            (scores,) = self.session.run([SCORES], {OUTPUT: rows}, SAID_ONCE)
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ModelError(
                f"{self.path}: expected scores of {len(rows)} embeddings, received: {first_line(error)}. "
                "Export the head again"
            ) from error
        self._check_finite(scores, "scores")
        return self.labels, scores[0] if one else scores

    def _check_finite(self, rows: np.ndarray, what: str) -> None:
        wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(wrong):
            raise ModelError(
                f"{self.path}: expected finite {what}, received NaN or infinity for number {wrong[0]} of "
                f"{len(rows)} embeddings. Leave it out, or compute it again by Embedder"
            )
