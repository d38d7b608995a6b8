"""Steps that XLA compiles to faster code for a CPU than Keras's layers ask of it.

Its depthwise convolution and that one's gradients are many times slower than the same sums written as shifted
products, and its 1 x 1 convolution twice as slow as a matrix product.
"""

from functools import partial

import jax
from jax import lax
from jax import numpy as jnp

from kerascola.training import fast_gram

LEAST_KERNEL = 1
POINTWISE_AS_PRODUCT = True


def on_cpu() -> bool:
    return jax.default_backend() == "cpu"


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise(x, kernel, strides, pads):
    """x [n, h, w, c] * kernel [kh, kw, c]; `pads` are (before, after) of height and of width."""
    padded, out = pad(x, pads), out_size(x, kernel, strides, pads)
    return sum(shifted(padded, tap, out, strides) * kernel[tap] for tap in all_taps(kernel))


def forward(x, kernel, strides, pads):
    return depthwise(x, kernel, strides, pads), (x, kernel)


def backward(strides, pads, saved, gradient):
    x, kernel = saved
    to_x = image_gradient(x, kernel, strides, pads, gradient)
    size, out = x.shape[1:3], gradient.shape[1:3]
    if fast_gram.worthwhile(size, out, kernel.shape[:2]):
        taps = fast_gram.taps(size, out, kernel.shape[:2], strides, (pads[0][0], pads[1][0]))
        seen, asked = (t.reshape(len(x), -1, t.shape[-1]) for t in (x, gradient))
        gram = jnp.einsum("npc,nqc->cpq", seen, asked).reshape(x.shape[-1], -1)
        return to_x, (gram @ taps.astype(gram.dtype)).T.reshape(kernel.shape)

    def one_sample(sums, sample):  # one at a time stays in the cache
        padded, asked = (t[None] for t in sample)
        products = (shifted(padded, tap, out, strides) * asked for tap in all_taps(kernel))
        return tuple(s + p.sum((0, 1, 2)) for s, p in zip(sums, products, strict=True)), None

    zeros = tuple(jnp.zeros(kernel.shape[-1], x.dtype) for _ in all_taps(kernel))
    sums = lax.scan(one_sample, zeros, (pad(x, pads), gradient))[0]
    return to_x, jnp.stack(sums).reshape(kernel.shape)


depthwise.defvjp(forward, backward)


def image_gradient(x, kernel, strides, pads, gradient):
    """XLA fuses the transposed sum of a few taps; beyond, it is faster as a sum over the flipped kernel."""
    if kernel.shape[0] * kernel.shape[1] <= 9:
        return jax.linear_transpose(lambda x: depthwise.fun(x, kernel, strides, pads), x)(gradient)[0]
    around = [(0, 0, 0)]
    for m, n, k, s, (before, _) in zip(
        x.shape[1:3], gradient.shape[1:3], kernel.shape, strides, pads, strict=False
    ):  # the stride's gaps between, and as much round it that each input pixel sees k of them
        low = k - 1 - before
        around.append((low, m + k - 1 - ((n - 1) * s + 1) - low, s - 1))
    spread = lax.pad(gradient, jnp.zeros((), gradient.dtype), [*around, (0, 0, 0)])
    return depthwise.fun(spread, kernel[::-1, ::-1], (1, 1), ((0, 0), (0, 0)))


def pad(x, pads):
    return jnp.pad(x, [(0, 0), *pads, (0, 0)])


def out_size(x, kernel, strides, pads) -> tuple[int, ...]:
    sizes = zip(x.shape[1:3], kernel.shape, strides, pads, strict=False)
    return tuple((n + sum(p) - k) // s + 1 for n, k, s, p in sizes)


def all_taps(kernel) -> list[tuple[int, int]]:
    return [(i, j) for i in range(kernel.shape[0]) for j in range(kernel.shape[1])]


def shifted(padded, tap, out, strides):
    """What each output pixel sees through the tap."""
    ends = [t + (n - 1) * s + 1 for t, n, s in zip(tap, out, strides, strict=True)]
    sizes = (len(padded), *ends, padded.shape[-1])
    return lax.slice(padded, (0, *tap, 0), sizes, (1, *strides, 1))
