"""Broadcasts that JAX writes out, in small graphs made by hand."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="needs the JAX backend")


def check(nodes, kinds: list[str]) -> None:
    from kerascola.export.graph import drop_unused
    from kerascola.export.lower_jax import drop_broadcasts

    constants = {"row": np.arange(4, dtype=np.float32), "one": np.float32(3), "shape": np.array([2, 3, 4])}
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node(kind, inputs, [output]) for kind, inputs, output in nodes],
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 4])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    before = run(model)
    drop_broadcasts(model)
    drop_unused(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == kinds
    np.testing.assert_array_equal(run(model), before)


def run(model: onnx.ModelProto) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize("narrow", ["row", "one"])
def test_a_broadcast_before_an_element_wise_node_goes(kind, narrow):
    expand = ("Expand", [narrow, "shape"], "wide")
    check([expand, (kind, ["x", "wide"], "y")], [kind])
    check([("Exp", ["x"], "p"), ("Expand", [narrow, "shape"], "wide"), (kind, ["wide", "p"], "y")], ["Exp", kind])


def test_one_whose_other_side_is_narrower_stays():
    check([("Expand", ["row", "shape"], "wide"), ("Mul", ["wide", "one"], "y")], ["Expand", "Mul"])


def test_one_whose_other_side_is_as_narrow_stays():
    check([("Expand", ["row", "shape"], "wide"), ("Mul", ["wide", "row"], "y")], ["Expand", "Mul"])


def test_two_broadcasts_stay():
    nodes = [("Expand", ["row", "shape"], "a"), ("Expand", ["one", "shape"], "b"), ("Add", ["a", "b"], "y")]
    check(nodes, ["Expand", "Expand", "Add"])


def test_one_that_is_read_elsewhere_stays_there():
    nodes = [("Expand", ["row", "shape"], "a"), ("Add", ["a", "x"], "b"), ("Mean", ["a", "b"], "y")]
    check(nodes, ["Expand", "Add", "Mean"])
