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
from tf2onnx.onnx_opset import math, nn

from kerascola.export.graph import scales_last_axis
from kerascola.export.recurrent import recurrences
from kerascola.export.spelling import spelt

# Each pass of tf2onnx's optimiser would work on a copy of the graph, weights and all, to go back to if it failed.
os.environ[ENV_TF2ONNX_CATCH_ERRORS] = "FALSE"


def update_proto(node: Node, *storage, original=Node.update_proto) -> None:
    """A weight would be written into its node's message after each pass, in memory that protobuf does not free.

    Nobody reads it there: initialisers are made of the attribute itself.
    """
    if not node.is_const():
        original(node, *storage)


Node.update_proto = update_proto


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


STAND_IN = "stands_for_layer_normalization"


def normalise(x, gamma, beta, epsilon: float):
    """TensorFlow has no operation for it; one that has its inputs, and is not run, is told by its name."""
    unused = tf.zeros([0])
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=unused, variance=unused, epsilon=epsilon, name=STAND_IN
    ).y


@tf_op("FusedBatchNormV3")
class LayerNormalization:
    """What `normalise` stands for; any other is what it says."""

    @classmethod
    def version_17(cls, ctx, node, **kwargs) -> None:
        if STAND_IN not in node.name:
            return nn.BatchNorm.version_9(ctx, node, **kwargs)
        shapes, dtypes = [ctx.get_shape(node.output[0])], [ctx.get_dtype(node.output[0])]
        options = {"axis": -1, "epsilon": node.get_attr_value("epsilon")}
        inputs, outputs = node.input[:3], node.output[:1]
        ctx.remove_node(node.name)
        ctx.make_node(
            "LayerNormalization", inputs, outputs=outputs, name=node.name, attr=options, shapes=shapes, dtypes=dtypes
        )


def lower(model: keras.Model, minimum: int, opset: int) -> onnx.ModelProto:
    """Batch and an open second axis become dynamic; `minimum` is of no use to this converter."""
    patch_tf2onnx()  # Keras's own mend of tf2onnx for NumPy 2
    shape = (None, *model.inputs[0].shape[1:])
    function = tf.function(
        lambda x: tf.identity(model(x, training=False)),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
        autograph=False,
    )
    with recurrences(model, product, loops=True) as gru, spelt(normalise, ranks=(4,)):
        traced = function.get_concrete_function()
    # Freezing is what turns weights and captured constants into initialisers instead of graph inputs. The public
    # converter takes no frozen graph in memory, hence its inner function.
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    names = frozen.inputs[0].name, frozen.outputs[0].name
    proto, _ = _convert_common(
        frozen.graph.as_graph_def(),
        name=model.name,
        opset=opset,
        input_names=names[:1],
        output_names=names[1:],
    )
    gru.put_into(proto.graph)
    return proto


def product(x, mark: np.ndarray):
    return tf.matmul(x, mark[None])


def float64() -> AbstractContextManager:
    """TensorFlow computes in float64 what asks for it as it is."""
    return nullcontext()
