"""GELU and layer normalisation in the graphs of the backend at hand."""

from collections import Counter

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers, ops

from kerascola.encoders.build import build
from kerascola.export.graph import tidy
from kerascola.export.log_mel_graph import OPSET
from kerascola.export.onnx_file import lowering
from kerascola.export.spelling import spelt

TORCH = keras.backend.backend() == "torch"


def lowered(model: keras.Model) -> tuple[onnx.ModelProto, Counter]:
    proto = tidy(lowering().lower(model, 32, OPSET))
    return proto, Counter(node.op_type for node in proto.graph.node)


def check(proto: onnx.ModelProto, model: keras.Model, *shapes: tuple[int, ...]) -> None:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for shape in shapes:
        x = np.random.default_rng(0).normal(1.0, 2.0, shape).astype(np.float32)
        expected = model.predict_on_batch(x)
        np.testing.assert_allclose(session.run(None, {session.get_inputs()[0].name: x})[0], expected, atol=2e-5)
        assert np.ptp(expected) > 0.1, "too dull a model"


def drawn(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(weight + rng.normal(0, 0.2, weight.shape))
    return model


def test_a_convnext_is_of_whole_layer_normalisations_and_gelus(tmp_path):
    """Counts of nodes, in the file and in what onnxruntime makes of it: the same from every backend."""
    encoder, _ = build("convnext", (64,), depths=(1, 1, 1, 1), widths=(8, 8, 8, 16))
    proto, found = lowered(drawn(encoder))
    # the stem's and one of each branch, and one before each step down
    assert found["LayerNormalization"] == 1 + 4 + 3
    assert (found["Erf"], found["Div"], found["Sub"], found["Sqrt"]) == (4, 4, 0, 0)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "run.onnx"), 3
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    run = Counter(node.op_type for node in onnx.load(tmp_path / "run.onnx").graph.node)
    assert run["Gelu"] + run["BiasGelu"] == 4 and run["Erf"] == 0 and run["LayerNormalization"] == 8
    check(proto, encoder, (1, 32, 64), (3, 75, 64))


NORMALISED = [
    # what normalises, and whether it is one operation where torch is not at work
    (lambda x: layers.LayerNormalization(epsilon=0.3)(x), True),
    (lambda x: layers.LayerNormalization(axis=(2, 3))(x), False),
    (lambda x: layers.LayerNormalization(center=False)(x), False),
    (lambda x: layers.LayerNormalization(scale=False)(x), False),
    (lambda x: layers.BatchNormalization()(x), False),
    (lambda x: ops.gelu(x, approximate=True), False),
]


@pytest.mark.parametrize("number", range(len(NORMALISED)))
def test_what_is_not_over_the_last_axis_with_both_weights_stays_what_it_is(number):
    make, whole = NORMALISED[number]
    image = keras.Input((None, 6, 4))
    model = drawn(keras.Model(image, make(image)))
    proto, found = lowered(model)
    if not TORCH:
        assert found["LayerNormalization"] == whole
    check(proto, model, (2, 33, 6, 4))


def test_keras_is_left_as_it_was():
    from keras.src import backend
    from keras.src.ops import nn

    before = backend.nn.gelu, nn._layer_normalization
    with pytest.raises(ZeroDivisionError), spelt():
        assert backend.nn.gelu is not before[0]
        raise ZeroDivisionError
    assert (backend.nn.gelu, nn._layer_normalization) == before
