"""Steps that torch computes faster than Keras's layers ask it to."""

import torch
from torch.nn import functional

from kerascola.training import fast_gram

LEAST_KERNEL = 2  # oneDNN's kernel gradient is fast for 3 x 3 alone: `fast_gram.worthwhile` draws the line


def on_cpu() -> bool:
    from keras.src.backend.torch.core import get_device

    return get_device() == "cpu"


def normalise(x, gamma, beta, epsilon: float):
    """Keras spells batch normalisation out, in nine passes over the images; torch has it in two."""
    mean, variance = torch.zeros_like(gamma), torch.ones_like(gamma)
    y = functional.batch_norm(x.movedim(-1, 1), mean, variance, gamma, beta, True, 1.0, epsilon).movedim(1, -1)
    count = x.numel() // x.shape[-1]
    return y, mean.detach(), variance.detach() * ((count - 1) / count)


def depthwise(x, kernel, strides, pads):
    """x [n, h, w, c] * kernel [kh, kw, c]; `pads` are (before, after) of height and of width."""
    (top, bottom), (left, right) = pads
    if (top, left) != (bottom, right):
        x, top, left = functional.pad(x, (0, 0, left, right, top, bottom)), 0, 0
    images, kernels = x.permute(0, 3, 1, 2), kernel.permute(2, 0, 1)[:, None]
    out = tuple(
        (n + 2 * p - k) // s + 1 for n, p, k, s in zip(x.shape[1:3], (top, left), kernel.shape, strides, strict=False)
    )
    if fast_gram.worthwhile(tuple(x.shape[1:3]), out, tuple(kernel.shape[:2])):
        y = Depthwise.apply(images, kernels, strides, (top, left))
    else:
        kernels = kernels.contiguous(memory_format=torch.channels_last)
        y = functional.conv2d(images, kernels, None, strides, (top, left), 1, len(kernels))
    return y.permute(0, 2, 3, 1)


class Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(context, images, kernels, strides, pads):
        context.save_for_backward(images, kernels)
        context.strides, context.pads = strides, pads
        return functional.conv2d(images, kernels, None, strides, pads, 1, len(kernels))

    @staticmethod
    def backward(context, gradient):
        images, kernels = context.saved_tensors
        strides, pads, channels = context.strides, context.pads, len(kernels)
        wanted = [context.needs_input_grad[0], False, False]
        to_images = torch.ops.aten.convolution_backward(
            gradient, images, kernels, None, strides, pads, [1, 1], False, [0, 0], channels, wanted
        )[0]
        size, out, kernel = tuple(images.shape[2:]), tuple(gradient.shape[2:]), tuple(kernels.shape[2:])
        taps = torch.from_numpy(fast_gram.taps(size, out, kernel, tuple(strides), pads)).to(gradient.dtype)
        # copied at once: `bmm` would copy other strides a channel at a time
        seen = images.permute(1, 2, 3, 0).reshape(channels, -1, len(images)).contiguous()
        asked = gradient.permute(1, 0, 2, 3).reshape(channels, len(images), -1).contiguous()
        to_kernels = (torch.bmm(seen, asked).reshape(channels, -1) @ taps).reshape(kernels.shape)
        return to_images, to_kernels, None, None
