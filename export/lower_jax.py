"""A Keras model on JAX -> ONNX, by jax2onnx."""

from contextlib import AbstractContextManager

import jax
import jax2onnx
import keras
import numpy as np
import onnx
from jax2onnx.plugins.flax.nnx.layer_norm import LAYER_NORM_PRIM
from onnx import helper

from kerascola.errors import ExportError
from kerascola.export.recurrent import recurrences
from kerascola.export.spelling import spelt


def lower(model: keras.Model, minimum: int, opset: int) -> onnx.ModelProto:
    """Batch and an open second axis become symbols, the latter at least `minimum`, which decides shape comparisons."""
    _, *sizes = model.inputs[0].shape
    dims = ", ".join(["batch", *("length" if size is None else str(size) for size in sizes)])
    least = [f"length >= {minimum}"] if None in sizes else []
    shape = jax.export.symbolic_shape(dims, constraints=("batch >= 1", *least))
    with recurrences(model, product, loops=True) as gru, spelt(normalise, ranks=(2, 3, 4)):
        proto = jax2onnx.to_onnx(
            lambda x: model(x, training=False),
            inputs=[jax.ShapeDtypeStruct(shape, "float32")],
            model_name=model.name,
            opset=opset,
            return_mode="proto",
            normalization_mode="prefer_native",
        )
    mend_pooling(proto.graph)
    gru.put_into(proto.graph)
    return proto


def product(x, mark: np.ndarray):
    return keras.ops.matmul(x, keras.ops.convert_to_tensor(mark))


def normalise(x, gamma, beta, epsilon: float):
    """By the primitive that jax2onnx has for Flax's layer normalisation."""
    options = {"epsilon": epsilon, "axis": x.ndim - 1, "use_fast_variance": False}
    return LAYER_NORM_PRIM.bind(x, gamma, beta, **options)


def mend_pooling(graph: onnx.GraphProto) -> None:
    """Pooling over the middle axes of [batch, height, width, channels] as ONNX has it, over the last two.

    jax2onnx pools all four axes, with a size of 1 for the outer ones, of a tensor that it gives two more axes:
    Unsqueeze, Unsqueeze, MaxPool, Squeeze. onnxruntime refuses that.
    """
    producer = {output: node for node in graph.node for output in node.output}
    reader = {name: node for node in graph.node for name in node.input}
    for pool in [node for node in graph.node if node.op_type == "MaxPool"]:
        sizes = {a.name: list(a.ints) for a in pool.attribute if a.ints}
        kernel = sizes["kernel_shape"]
        if len(kernel) != 4 or (kernel[0], kernel[3]) != (1, 1):
            continue
        inner = producer[pool.input[0]]
        outer, after = producer[inner.input[0]], reader[pool.output[0]]
        wrapping = [node.op_type for node in (outer, inner, after)]
        if wrapping != ["Unsqueeze", "Unsqueeze", "Squeeze"] or any(sizes.get("pads", [])):
            raise ExportError(f"expected an unpadded pooling between Unsqueeze and Squeeze, received {wrapping}")
        name = pool.output[0]
        mended = [
            helper.make_node("Transpose", [outer.input[0]], [f"{name}/first"], perm=[0, 3, 1, 2]),
            helper.make_node(
                "MaxPool",
                [f"{name}/first"],
                [f"{name}/pooled"],
                kernel_shape=kernel[1:3],
                strides=sizes.get("strides", [1] * 4)[1:3],
            ),
            helper.make_node("Transpose", [f"{name}/pooled"], [after.output[0]], perm=[0, 2, 3, 1]),
        ]
        place = list(graph.node).index(pool)
        for offset, node in enumerate(mended):
            graph.node.insert(place + offset, node)
        for node in (outer, inner, pool, after):
            graph.node.remove(node)


def float64() -> AbstractContextManager:
    """Within it JAX computes in float64 what asks for it."""
    return jax.enable_x64(True)
