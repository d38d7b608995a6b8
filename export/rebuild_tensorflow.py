"""The formats that TensorFlow writes, of a plain Keras file that was loaded under it."""

import re
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from kerascola.export.formats import NotMade
from kerascola.export.graph import scales_last_axis


def scaled(layer: keras.layers.EinsumDense, inputs, training=None, original=keras.layers.EinsumDense.call):
    """A scale of the last axis is a product: LiteRT's converter makes a matrix product of it, which does not run."""
    if not scales_last_axis(layer.equation):
        return original(layer, inputs, training)
    product = inputs * layer.kernel
    return layer.activation(product if layer.bias is None else product + layer.bias)


keras.layers.EinsumDense.call = scaled


def saved_model(model: keras.Model, out: Path, least: int) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda waveform: {"embedding": model(waveform, training=False)},
        input_signature=[keras.layers.InputSpec(shape=(None, None), dtype="float32", name="waveform")],
    )
    archive.write_out(str(out), verbose=False)


def litert(model: keras.Model, out: Path, least: int) -> None:
    """By way of a SavedModel, from which the converter finds the weights.

    Of LiteRT's own operators alone: those of TensorFlow (Flex) would need a runtime that few have.
    """
    by_way = out.with_name("model_saved_model")
    if not by_way.exists():
        saved_model(model, by_way, least)
    try:
        out.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(by_way)).convert())
    except ConverterError as error:
        missing = sorted(set(re.findall(r"'tf\.(\w+)' op", str(error))))
        if not missing:
            raise
        raise NotMade(
            f"LiteRT cannot hold this model: it has no {' and no '.join(missing)} for any length, as "
            f"{'a recurrent layer' if 'TensorListReserve' in missing else 'this encoder or its front end'} needs"
        ) from error
