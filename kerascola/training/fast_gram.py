"""The depthwise kernel's gradient as matrix products, for small images.

With G[c, p, q] = sum over the batch of x[n, p, c] * dy[n, q, c] over pixels p and q, each tap's gradient is the sum of
G over those pairs of pixels that the tap joins. G costs pixels / taps times the direct sum's arithmetic, but at a
matrix product's speed.
"""

from functools import lru_cache

import numpy as np

MOST_PAIRS = 20_000  # beyond, the direct sum is faster

Pair = tuple[int, int]


def worthwhile(size: Pair, out: Pair, kernel: Pair) -> bool:
    pairs = size[0] * size[1] * out[0] * out[1]
    return kernel[0] * kernel[1] >= 15 and pairs <= MOST_PAIRS


@lru_cache(maxsize=64)
def taps(size: Pair, out: Pair, kernel: Pair, strides: Pair, before: Pair) -> np.ndarray:
    """[pixels in * pixels out, taps] float32: 1 where output pixel q sees input pixel p through the tap."""
    joined = []
    for axis in range(2):
        seen = np.arange(out[axis])[:, None] * strides[axis] + np.arange(kernel[axis]) - before[axis]
        joined.append(np.arange(size[axis])[:, None, None] == seen)  # [in, out, tap]
    both = np.einsum("hak,wbl->hwabkl", *joined)
    return both.reshape(-1, kernel[0] * kernel[1]).astype(np.float32)
