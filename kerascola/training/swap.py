"""Faster arithmetic for slow layers while a model trains on a CPU; the model itself stays as it is.

    with faster(encoder):
        step = Step(pretrainer)
        step(batch)

Inside, some layers' `call` is another way to the same numbers and gradients, over the layers' own variables, so that
optimisers, checkpoints and saved files know nothing of it. What a `Step` compiles is compiled at its first call: enter
before that.
"""

import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import keras
from keras import layers, ops


@contextmanager
def faster(model: keras.Model) -> Iterator[list[str]]:
    """Yields the paths of the layers that compute differently inside; none where the backend trains on a GPU."""
    step = importlib.import_module(f"kerascola.training.fast_{keras.backend.backend()}")
    if not step.on_cpu():
        yield []
        return
    calls = {layer: call for layer in inner_layers(model) if (call := faster_call(layer, step))}
    with ExitStack() as undo:
        for layer, call in calls.items():
            undo.callback(layer.__dict__.pop, "call", None)
            layer.__dict__["call"] = call  # not setattr: Keras must not track it
        yield [layer.path for layer in calls]


def inner_layers(model: keras.Model) -> list[layers.Layer]:
    """Every layer at any depth, once."""
    found: dict[int, layers.Layer] = {}

    def walk(layer: layers.Layer) -> None:
        if id(layer) not in found:
            found[id(layer)] = layer
            for inner in layer._layers:
                walk(inner)

    walk(model)
    return list(found.values())


def faster_call(layer: layers.Layer, step) -> Callable | None:
    """A stand-in for the layer's `call`; None where its own is as good or its form is not one of these."""
    kind = type(layer)  # subclasses may do as they like: only Keras's own
    if kind is layers.BatchNormalization and hasattr(step, "normalise"):
        return None if layer.renorm or layer.synchronized else normalisation(layer, step.normalise)
    if not isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D | layers.Conv1D | layers.Conv2D):
        return None
    if layer.data_format != "channels_last" or set(layer.dilation_rate) != {1} or layer.padding == "causal":
        return None
    if kind in (layers.DepthwiseConv1D, layers.DepthwiseConv2D) and hasattr(step, "depthwise"):
        worth = layer.depth_multiplier == 1 and min(layer.kernel_size) >= step.LEAST_KERNEL
        return depthwise(layer, step.depthwise) if worth else None
    if kind in (layers.Conv1D, layers.Conv2D) and getattr(step, "POINTWISE_AS_PRODUCT", False):
        plain = layer.groups == 1 and {*layer.kernel_size, *layer.strides} == {1}
        return pointwise(layer) if plain and not layer.lora_enabled else None
    return None


def depthwise(layer, convolve: Callable) -> Callable:
    def call(inputs):
        x, kernel = inputs, ops.convert_to_tensor(layer.kernel)[..., 0]
        strides, sizes = layer.strides, layer.kernel_size
        if layer.rank == 1:  # as an image one pixel wide
            x, kernel, strides, sizes = x[:, :, None], kernel[:, None], (*strides, 1), (*sizes, 1)
        pads = tuple(map(padding, x.shape[1:3], sizes, strides, [layer.padding] * 2))
        y = convolve(x, kernel, tuple(strides), pads)
        return finish(layer, y[:, :, 0] if layer.rank == 1 else y)

    return call


def padding(size: int, kernel: int, stride: int, mode: str) -> tuple[int, int]:
    """Before and after, as Keras's "same" and "valid" have it."""
    total = max(0, (math.ceil(size / stride) - 1) * stride + kernel - size) if mode == "same" else 0
    return total // 2, total - total // 2


def pointwise(layer) -> Callable:
    def call(inputs):
        kernel = ops.convert_to_tensor(layer.kernel)
        return finish(layer, ops.matmul(inputs, ops.reshape(kernel, kernel.shape[-2:])))

    return call


def finish(layer, y):
    if layer.use_bias:
        y = y + ops.convert_to_tensor(layer.bias)
    return y if layer.activation is None else layer.activation(y)


def normalisation(layer, normalise: Callable) -> Callable:
    """With the batch's statistics only; `normalise` gives the output, the mean and the biased variance."""
    own = layer.call

    def call(inputs, training=None, mask=None):
        last = layer.axis in (-1, len(inputs.shape) - 1)
        if not (training and layer.trainable) or mask is not None or not last or len(inputs.shape) not in (3, 4):
            return own(inputs, training=training, mask=mask)
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        gamma = ops.cast(layer.gamma, x.dtype) if layer.scale else ops.ones(x.shape[-1:], x.dtype)
        beta = ops.cast(layer.beta, x.dtype) if layer.center else ops.zeros(x.shape[-1:], x.dtype)
        y, mean, variance = normalise(x, gamma, beta, layer.epsilon)
        for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(ops.cast(moving, x.dtype) * layer.momentum + now * (1.0 - layer.momentum))
        return ops.cast(y, layer.compute_dtype)

    return call
