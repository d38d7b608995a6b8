"""A Keras model on TensorFlow -> ONNX, by tf2onnx."""

import os
from contextlib import AbstractContextManager, nullcontext

import keras
import numpy as np
import onnx
import tensorflow as tf
from keras.src.export.tf2onnx_lib import patch_tf2onnx
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tf2onnx.constants import ENV_TF2ONNX_CATCH_ERRORS
from tf2onnx.convert import _convert_common
from tf2onnx.graph import Node
from tf2onnx.handler import tf_op
from tf2onnx.onnx_opset import math

from kerascola.export.graph import scales_last_axis

# Each pass of tf2onnx's optimiser would work on a copy of the graph, weights and all, to go back to if it failed.
os.environ[ENV_TF2ONNX_CATCH_ERRORS] = "FALSE"


def update_proto(node: Node, *storage, original=Node.update_proto) -> None:
    """A weight would be written into its node's message after each pass, in memory that protobuf does not free.

    Nobody reads it there: initialisers are made of the attribute itself.
    """
    if not node.is_const():
        original(node, *storage)


Node.update_proto = update_proto


@tf_op("Erfc")
class Erfc:
    """1 - erf(x): TensorFlow writes an exact GELU by it, ONNX has erf alone."""

    @classmethod
    def version_9(cls, ctx, node, **kwargs) -> None:
        shapes, dtypes, outputs = [ctx.get_shape(node.output[0])], [ctx.get_dtype(node.output[0])], list(node.output)
        one = ctx.make_const(f"{node.name}/one", np.float32(1)).output[0]
        erf = ctx.make_node("Erf", [node.input[0]], name=f"{node.name}/erf").output[0]
        ctx.remove_node(node.name)
        ctx.make_node("Sub", [one, erf], outputs=outputs, name=node.name, shapes=shapes, dtypes=dtypes)


@tf_op("Einsum")
class Einsum:
    """A scale of the last axis is a product before tf2onnx's optimiser sees it.

    That spells an Einsum as matrix products, of which onnxruntime's optimiser breaks some, as a ConvNeXt's from 32
    filters on.
    """

    @classmethod
    def version_12(cls, ctx, node, **kwargs) -> None:
        if scales_last_axis(node.get_attr_value("equation").decode()):
            node.type = "Mul"
            del node.attr["equation"], node.attr["N"]
        else:
            math.Einsum.version_12(ctx, node, **kwargs)


def lower(model: keras.Model, minimum: int, opset: int) -> onnx.ModelProto:
    """Batch and an open second axis become dynamic; `minimum` is of no use to this converter."""
    patch_tf2onnx()  # Keras's own mend of tf2onnx for NumPy 2
    shape = (None, *model.inputs[0].shape[1:])
    function = tf.function(
        lambda x: tf.identity(model(x, training=False)),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
        autograph=False,
    )
    # Freezing is what turns weights and captured constants into initialisers instead of graph inputs. The public
    # converter takes no frozen graph in memory, hence its inner function.
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(), lower_control_flow=False)
    names = frozen.inputs[0].name, frozen.outputs[0].name
    proto, _ = _convert_common(
        frozen.graph.as_graph_def(),
        name=model.name,
        opset=opset,
        input_names=names[:1],
        output_names=names[1:],
    )
    return proto


def float64() -> AbstractContextManager:
    """TensorFlow computes in float64 what asks for it as it is."""
    return nullcontext()
