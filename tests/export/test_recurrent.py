"""A GRU is one operation of the graph, whatever the backend that lowers it."""

import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers

from kerascola.export.onnx_file import lower_one


def check_lowered(model: keras.Model) -> list[str]:
    """Its operators; at several lengths it gives what Keras does."""
    proto = lower_one(model, 2)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch, time in ((1, 2), (3, 7)):
        x = np.random.default_rng(time).normal(size=(batch, time, 5)).astype(np.float32)
        received = session.run(None, {session.get_inputs()[0].name: x})[0]
        np.testing.assert_allclose(received, model.predict_on_batch(x), atol=1e-5)
    return [node.op_type for node in proto.graph.node]


def test_grus_are_one_operation_each():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 5))
    x = layers.GRU(4, return_sequences=True, bias_initializer="random_normal")(inputs)
    model = keras.Model(inputs, layers.GRU(3, bias_initializer="random_normal")(x))
    kinds = check_lowered(model)
    assert kinds.count("GRU") == 2 and "Loop" not in kinds and "MatMul" not in kinds


@pytest.mark.parametrize("kind", ["reset before", "from a state"])
def test_one_that_a_single_operation_is_not_is_a_loop_or_refused(kind):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 5))
    if kind == "from a state":
        outputs = layers.GRU(3)(inputs, initial_state=layers.Dense(3)(inputs[:, 0]))
    else:
        outputs = layers.GRU(3, reset_after=False)(inputs)
    model = keras.Model(inputs, outputs)
    if keras.backend.backend() == "torch":
        with pytest.raises(Exception, match="expected a GRU with Keras's defaults"):  # in one of torch's own
            lower_one(model, 2)
    else:
        assert "GRU" not in check_lowered(model)
