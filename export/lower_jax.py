"""A Keras model on JAX -> ONNX, by jax2onnx."""

from contextlib import AbstractContextManager

import jax
import jax2onnx
import keras
import onnx
from onnx import shape_inference

ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"}


def lower(model: keras.Model, minimum: int, opset: int) -> onnx.ModelProto:
    """Batch and the second axis become symbols, the latter at least `minimum`, which decides shape comparisons."""
    dims = ", ".join(["batch", "length", *map(str, model.inputs[0].shape[2:])])
    shape = jax.export.symbolic_shape(dims, constraints=("batch >= 1", f"length >= {minimum}"))
    proto = jax2onnx.to_onnx(
        lambda x: model(x, training=False),
        inputs=[jax.ShapeDtypeStruct(shape, "float32")],
        model_name=model.name,
        opset=opset,
        return_mode="proto",
    )
    drop_broadcasts(proto)
    return proto


def drop_broadcasts(model: onnx.ModelProto) -> None:
    """JAX broadcasts explicitly; an Expand before an element-wise node that broadcasts by itself is only slow."""
    graph = model.graph
    producer = {output: node for node in graph.node for output in node.output}
    inferred = shape_inference.infer_shapes(model).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    shapes |= {initializer.name: list(initializer.dims) for initializer in graph.initializer}
    for node in graph.node:
        if node.op_type not in ELEMENTWISE or len(node.input) != 2:
            continue
        expands = [i for i in (0, 1) if is_expand(producer.get(node.input[i]))]
        if len(expands) != 1:
            continue
        expand, other = producer[node.input[expands[0]]], node.input[1 - expands[0]]
        if other in shapes and shapes[other] == shapes.get(node.output[0]):  # by itself it gives the whole shape
            node.input[expands[0]] = expand.input[0]


def is_expand(node: onnx.NodeProto | None) -> bool:
    return node is not None and node.op_type == "Expand"


def float64() -> AbstractContextManager:
    """Within it JAX computes in float64 what asks for it."""
    return jax.enable_x64(True)
