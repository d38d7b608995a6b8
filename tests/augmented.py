"""What every augmentation must keep."""

import contracts
import keras
import numpy as np
from keras import ops

from kerascola.augment.augmentation import Augmentation, Sound


def drawn(augmentation: Augmentation, sound: Sound, batch: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    return [augmentation.draw(np.random.default_rng([seed, row]), sound) for row in range(batch)]


def tensors(rows: list[dict[str, np.ndarray]], **more: np.ndarray) -> dict:
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return {name: ops.convert_to_tensor(value) for name, value in {**stacked, **more}.items()}


def run(augmentation: Augmentation, x: np.ndarray, rows: list[dict], **more: np.ndarray) -> np.ndarray:
    return contracts.numbers(augmentation(ops.convert_to_tensor(x), tensors(rows, **more)))


def check(augmentation: Augmentation, x: np.ndarray, sound: Sound, oracle, atol: float = 1e-5) -> None:
    """x [4, ...]; `oracle(row, its parameters, its noise, its other)` in float64 says what becomes of a row."""
    rng = np.random.default_rng(7)
    rows = drawn(augmentation, sound, len(x))
    more = {}
    if augmentation.noisy:
        more["noise"] = rng.standard_normal(x.shape).astype(np.float32)
    if augmentation.mixes:
        more["other"] = np.roll(x, 1, axis=0)
    kept = x.copy()
    y = run(augmentation, x, rows, **more)
    np.testing.assert_array_equal(x, kept, "its input was changed")
    assert y.shape == x.shape
    for place, row in enumerate(rows):
        beside = [value[place].astype(np.float64) for value in more.values()]
        expected = oracle(x[place].astype(np.float64), row, *beside) if row["on"] else x[place]
        np.testing.assert_allclose(y[place], expected, rtol=0, atol=atol, err_msg=f"row {place}, {row}")

    if not augmentation.mixes:  # with other mates, of the same shape
        mates = np.concatenate([x[:1], 3 * x[:0:-1]])
        again = run(augmentation, mates, [rows[0], *rows[:0:-1]], **more)
        np.testing.assert_allclose(again[0], y[0], rtol=0, atol=1e-6)

    half = ops.cast(ops.convert_to_tensor(x), "bfloat16")
    changed = augmentation(half, tensors(rows, **more))
    assert (keras.backend.standardize_dtype(changed.dtype), tuple(changed.shape)) == ("bfloat16", x.shape)
    rounded = run(augmentation, contracts.numbers(half), rows, **more)
    np.testing.assert_allclose(contracts.numbers(changed), rounded, rtol=2**-8, atol=1e-5)

    off = run(augmentation, x, [{**row, "on": np.asarray(False)} for row in rows], **more)
    np.testing.assert_array_equal(off, x)
