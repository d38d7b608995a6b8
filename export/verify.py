"""An artefact against the Keras model that it was made from."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import keras
import numpy as np
from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

from kerascola.errors import ExportError
from kerascola.export import probes
from kerascola.models.embedder import split
from kerascola.runtime.metadata import Metadata

RATIO = 2.0  # of float32's own error against float64: where that is more, and on extreme sounds
EXTREME = "pure tones, squares and DC"


@dataclass(frozen=True)
class Bounds:
    """What may be lost where weights are kept in so many digits."""

    absolute: float  # difference from Keras, times the largest embedding where that is above 1
    cosine: float
    digit: float  # the last, of a weight


FLOAT32 = Bounds(1e-4, 0.99999, 2.0**-23)
FLOAT16 = Bounds(1e-2, 0.9999, 2.0**-11)

Waves = dict[str, np.ndarray]
Run = Callable[[Waves], Waves]  # waveforms by name -> embeddings by name


class Measure:
    """What artefacts of a model are held to: computed once for however many there are."""

    def __init__(self, model: keras.Model, metadata: Metadata, float64: Callable[[], AbstractContextManager]) -> None:
        """Within `float64()` Keras may compute in float64."""
        self.model, self.metadata, self.float64 = model, metadata, float64
        self.ordinary, self.extreme = probes.ordinary(metadata), probes.extreme(metadata)
        self.waves: Waves = {**self.ordinary, EXTREME: self.extreme}
        self.known: dict[tuple[str, float | None], np.ndarray] = {}

    def own(self, name: str) -> np.ndarray:
        """Keras's embeddings of the sounds of that name."""
        if (name, None) not in self.known:
            self.known[name, None] = finite(self.model.predict_on_batch(self.waves[name]), name)
        return self.known[name, None]

    def truth(self, name: str, digit: float = 0.0) -> np.ndarray:
        """Those of float64; with a `digit`, of sounds that hiss and weights that are off by one."""
        if (name, digit) not in self.known:
            waves = probes.hissing(self.waves[name]) if digit else self.waves[name].astype("float64")
            with self.float64(), float64_results():
                found = in_float64(self.model, digit).predict_on_batch(waves)
            self.known[name, digit] = finite(found, name)
        return self.known[name, digit]


def verify(measure: Measure, run: Run, bounds: Bounds = FLOAT32) -> dict[str, float]:
    """The errors found, for the artefact's metadata; raises ExportError where a bound is broken.

    `run` is the artefact in the runtime that will serve it.
    """
    ordinary, dimension = measure.ordinary, measure.metadata.dimension
    received = run(measure.waves)
    for name, embeddings in received.items():
        batch = len(measure.waves[name])
        if embeddings.shape != (batch, dimension) or not np.isfinite(embeddings).all():
            raise ExportError(
                f"on {name}: expected finite embeddings [{batch}, {dimension}], "
                f"received {list(embeddings.shape)}, {np.isfinite(embeddings).mean():.0%} of it finite"
            )

    worst, least = 0.0, 1.0
    for name in ordinary:
        own = measure.own(name)
        error, cosine = distance(received[name], own)
        limit, off = bounds.absolute * largest(own), error
        if off > limit:  # Keras itself may be no closer to the truth, as on phases
            exact = measure.truth(name)
            limit, off = max(limit, RATIO * distance(own, exact)[0]), distance(received[name], exact)[0]
        if off > limit or cosine < bounds.cosine:
            raise ExportError(
                f"on {name}: expected the Keras model's embeddings within {limit:.2g} at a cosine of at least "
                f"{bounds.cosine}, received a difference of {off:.2g} at {cosine:.7f}. Nothing was kept"
            )
        worst, least = max(worst, error), min(least, cosine)

    exact = measure.truth(EXTREME)
    keras_error, keras_cosine = distance(measure.own(EXTREME), exact)
    error, cosine = distance(received[EXTREME], exact)
    limit = max(bounds.absolute, RATIO * keras_error)
    unlucky = cosine >= bounds.cosine or keras_cosine < bounds.cosine
    if error > limit and unlucky:  # that was one sum: another may be less so
        limit = max(limit, RATIO * distance(measure.truth(EXTREME, bounds.digit), exact)[0])
    if error > limit:
        raise ExportError(
            f"on {EXTREME}: expected embeddings within {limit:.2g} of float64's, Keras's own in float32 being "
            f"{keras_error:.2g} off, received a difference of {error:.2g} at a cosine of {cosine:.7f}. Nothing was kept"
        )
    return {
        "max_difference": worst,
        "min_cosine": least,
        "extreme_error": error,
        "extreme_error_of_keras": keras_error,
    }


def largest(expected: np.ndarray) -> float:
    """1 for embeddings of order one; float32 has as many digits for larger ones, not as many decimals."""
    return max(1.0, float(np.abs(expected).max()))


def finite(expected: np.ndarray, name: str) -> np.ndarray:
    """What Keras gives, which is no measure if it is not finite."""
    if not np.isfinite(expected).all():
        raise ExportError(f"on {name}: expected finite embeddings from the Keras model itself, received others")
    return expected


def distance(received: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """(largest absolute difference, least cosine of a row)."""
    a, b = received.astype(np.float64), expected.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.where(norms > 0, (a * b).sum(axis=1) / np.where(norms > 0, norms, 1), a.any() == b.any())
    return float(np.abs(a - b).max()), float(cosine.min())


def in_float64(model: keras.Model, digit: float = 0.0) -> keras.Model:
    """The same model and weights, computing in float64; with each weight up to such a share of it away.

    Those of a front end by no more than float32's last digit: it is never kept in less, and fills empty bins.
    """
    config = json.loads(json.dumps(model.get_config()).replace('"float32"', '"float64"'))
    precise = type(model).from_config(config)
    precise.set_weights(model.get_weights())
    if digit:
        rng = np.random.default_rng(0)
        frontend, encoder = split(precise) or (None, precise)
        if frontend is not None:
            shake(frontend, FLOAT32.digit, rng)
        shake(encoder, digit, rng)
    return precise


def shake(model: keras.Model, digit: float, rng: np.random.Generator) -> None:
    weights = [np.asarray(w) for w in model.get_weights()]
    model.set_weights([w * (1 + digit * rng.uniform(-1, 1, w.shape)) if w.dtype.kind == "f" else w for w in weights])


@contextmanager
def float64_results() -> Iterator[None]:
    """On JAX and torch keras.ops give float32 for float64, by a table to which there is no switch."""
    narrowed = BIT64_TO_BIT32_DTYPE["float64"]
    BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    try:
        yield
    finally:
        BIT64_TO_BIT32_DTYPE["float64"] = narrowed
