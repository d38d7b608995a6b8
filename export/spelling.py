"""GELU and layer normalisation, spelt alike from each backend while they are lowered, so that each is one operation."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from keras import ops
from keras.src import backend
from keras.src.ops import nn

Normalise = Callable[[Any, Any, Any, float], Any]  # of x, gamma, beta and epsilon, over the last axis


@contextmanager
def spelt(normalise: Normalise | None = None, ranks: tuple[int, ...] = ()) -> Iterator[None]:
    """Within it Keras computes an exact GELU in the order of steps that onnxruntime looks for, and asks `normalise`.

    That gives what the converter makes a LayerNormalization of, for x of these ranks. Left to the backends, a GELU is
    five operations and, but for torch's, a layer normalisation is nine: ConvNeXts take a sixth longer.
    """
    its_gelu, its_normalisation = backend.nn.gelu, nn._layer_normalization

    def gelu(x, approximate=True):
        return its_gelu(x, approximate) if approximate else (x * (ops.erf(x / math.sqrt(2)) + 1)) * 0.5

    def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **others):
        last = axis in (-1, len(x.shape) - 1, [-1], [len(x.shape) - 1])
        whole = last and gamma is not None and beta is not None and epsilon is not None and not any(others.values())
        fits = whole and len(x.shape) in ranks and backend.standardize_dtype(x.dtype) == "float32"
        if normalise is None or not fits:
            return its_normalisation(x, gamma, beta, axis, epsilon, **others)
        return normalise(x, backend.convert_to_tensor(gamma), backend.convert_to_tensor(beta), epsilon)

    backend.nn.gelu, nn._layer_normalization = gelu, layer_normalization
    try:
        yield
    finally:
        backend.nn.gelu, nn._layer_normalization = its_gelu, its_normalisation
