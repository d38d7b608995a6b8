"""A Keras model on JAX -> ONNX, by jax2onnx."""

from contextlib import AbstractContextManager

import jax
import jax2onnx
import keras
import onnx


def lower(model: keras.Model, minimum: int, opset: int) -> onnx.ModelProto:
    """Batch and the second axis become symbols, the latter at least `minimum`, which decides shape comparisons."""
    dims = ", ".join(["batch", "length", *map(str, model.inputs[0].shape[2:])])
    shape = jax.export.symbolic_shape(dims, constraints=("batch >= 1", f"length >= {minimum}"))
    return jax2onnx.to_onnx(
        lambda x: model(x, training=False),
        inputs=[jax.ShapeDtypeStruct(shape, "float32")],
        model_name=model.name,
        opset=opset,
        return_mode="proto",
    )


def float64() -> AbstractContextManager:
    """Within it JAX computes in float64 what asks for it."""
    return jax.enable_x64(True)
