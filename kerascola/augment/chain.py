"""Augmentations one after the other: drawn for each view of a sound, applied to all views of a batch at once."""

import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from kerascola.augment import tensors as ops
from kerascola.augment.augmentation import Augmentation, Sound, Tensors

Chain = Sequence[Augmentation]
Normal = Callable  # shape -> standard normal noise, from the backend's generator


def draw(
    chain: Chain, place: str, sound: Sound, views: int, generator: Callable[[int], np.random.Generator]
) -> dict[str, np.ndarray]:
    """{"place.0.name": [views, ...]} for one sound.

    Each augmentation has a `generator` of its own, by its name and by how many of that name come before it: what it
    draws does not depend on the others.
    """
    drawn: dict[str, np.ndarray] = {}
    before: Counter[str] = Counter()
    for i, augmentation in enumerate(chain):
        kind = augmentation.name
        rng = generator(zlib.crc32(f"{place}.{kind}.{before[kind]}".encode()))
        before[kind] += 1
        each = [augmentation.draw(rng, sound, view) for view in range(views)]
        drawn |= {f"{place}.{i}.{name}": np.stack([one[name] for one in each]) for name in each[0]}
    return drawn


def apply(chain: Chain, place: str, x, batch: Tensors, views: int, normal: Normal):
    """x [views * n, ...], the first views of all sounds and then the second, with what was drawn, [n, views, ...]."""
    for i, augmentation in enumerate(chain):
        head = f"{place}.{i}."
        p = {name.removeprefix(head): merge_views(value) for name, value in batch.items() if name.startswith(head)}
        if augmentation.noisy:
            p["noise"] = normal(ops.shape(x))
        if augmentation.mixes:
            p["other"] = ops.take(x, others(p["partner"], views), axis=0)
        x = augmentation(x, p)
    return x


def merge_views(value):
    """[n, views, ...] -> [views * n, ...]"""
    return ops.reshape(ops.swapaxes(value, 0, 1), (-1, *value.shape[2:]))


def others(partner, views: int):
    """[views * n] random whole numbers -> as many rows, each of another sound in the same view."""
    rows = ops.arange(ops.shape(partner)[0], dtype="int32")
    n = ops.shape(partner)[0] // views
    steps = 1 + partner % ops.maximum(n - 1, 1)  # never a whole round: a sound is not its own background
    return (rows // n) * n + (rows + steps) % n
