"""JAX compiles for each shape, and so, too, for each weight that it draws or fills: here NumPy does both."""

import types

import numpy as np
from keras.src.initializers import constant_initializers, random_initializers
from keras.src.random.seed_generator import draw_seed


def seeded(seed) -> np.random.Generator:
    """Without JAX where the seed is a number, as layers may be built while a call is traced."""
    return np.random.default_rng(seed if isinstance(seed, int) else np.asarray(draw_seed(seed)))


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None) -> np.ndarray:
    return seeded(seed).normal(mean, stddev, shape).astype("float32")


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None) -> np.ndarray:
    """What is further off than two deviations is drawn anew."""
    rng = seeded(seed)
    drawn = rng.normal(size=shape)
    while (far := np.abs(drawn) > 2).any():
        drawn[far] = rng.normal(size=far.sum())
    return (mean + stddev * drawn).astype("float32")


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None) -> np.ndarray:
    return seeded(seed).uniform(minval, maxval, shape).astype("float32")


def initialise_by_numpy() -> None:
    """For the whole process. What a compiled step draws is still drawn by JAX."""
    own = random_initializers.random
    drawing = {"normal": normal, "truncated_normal": truncated_normal, "uniform": uniform}
    random_initializers.random = types.SimpleNamespace(**vars(own) | drawing)
    filling = {"zeros": np.zeros, "ones": np.ones}
    constant_initializers.ops = types.SimpleNamespace(**vars(constant_initializers.ops) | filling)
