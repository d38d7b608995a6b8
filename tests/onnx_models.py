"""A tiny model that keeps kerascola's ONNX contract, and what it computes, in NumPy."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kerascola.runtime.metadata import Classes, Metadata

METADATA = Metadata(
    sample_rate=16000, window_samples=8000, hop_samples=4000, min_samples=400, dimension=4, recipe="test"
)
LABELS = ("dog", "wind", "bell")
WEIGHTS = np.array([[2, -2, 1], [6, 1, -6], [-8, 2, 5], [1, -1, 0]], np.float32)


def statistics(window: np.ndarray) -> np.ndarray:
    """[samples] -> [4], as the graph below does it."""
    x = window.astype(np.float64)
    return np.array([x.mean(), np.abs(x).mean(), (x * x).mean(), x.max()])


def write_statistics_model(
    path: Path,
    metadata: Metadata = METADATA,
    *,
    props: dict[str, str] | None = None,
    input_name: str = "waveform",
    samples: int | str = "samples",
    logarithm: bool = False,
) -> Path:
    """`logarithm` makes silence give -inf. `props` replace the metadata's."""
    axis: dict[str, Any] = {"axes": [1], "keepdims": 1}
    nodes = [
        helper.make_node("ReduceMean", [input_name], ["mean"], **axis),
        helper.make_node("Abs", [input_name], ["magnitude"]),
        helper.make_node("ReduceMean", ["magnitude"], ["level"], **axis),
        helper.make_node("Mul", [input_name, input_name], ["square"]),
        helper.make_node("ReduceMean", ["square"], ["power"], **axis),
        helper.make_node("ReduceMax", [input_name], ["peak"], **axis),
        helper.make_node("Concat", ["mean", "level", "power", "peak"], ["together"], axis=1),
        helper.make_node("Log" if logarithm else "Identity", ["together"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "statistics",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["batch", samples])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata.to_props() if props is None else props)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def write_network_model(path: Path) -> Path:
    """Weights of several types, in and beside the nodes, a graph inside a node, and shapes that are computed."""
    rng = np.random.default_rng(0)
    halved = numpy_helper.from_array(rng.normal(0, 0.1, (4, 1, 9)).astype(np.float16), "halved")
    constants = [
        halved,
        numpy_helper.from_array(np.array([1]), "one"),
        helper.make_tensor("scale", TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0]),
        helper.make_tensor("tail", TensorProto.INT64, [1], [4]),
        helper.make_tensor("columns", TensorProto.INT32, [1], [1]),
    ]
    ends = {
        name: helper.make_graph(
            [helper.make_node(kind, ["convolved"], [f"{name}_out"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, ["batch", 4, "steps"])],
        )
        for name, kind in (("then", "Relu"), ("otherwise", "Tanh"))
    }
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["planes"]),
        helper.make_node("Cast", ["halved"], ["kernel"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["planes", "kernel"], ["convolved"], strides=[4], kernel_shape=[9], pads=[4, 4]),
        helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [True])),
        helper.make_node("If", ["yes"], ["bent"], then_branch=ends["then"], else_branch=ends["otherwise"]),
        helper.make_node("ReduceMean", ["bent"], ["pooled"], axes=[2], keepdims=0),
        helper.make_node("Shape", ["pooled"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ConstantOfShape", ["tail"], ["more"]),
        helper.make_node("Sum", ["pooled", "zeros", "more"], ["sum"]),
        helper.make_node("Expand", ["scale", "shape"], ["scales"]),
        helper.make_node("Mul", ["sum", "scales"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 4])],
        constants,
        value_info=[helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, METADATA.to_props())
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def with_heads(path: Path, heads: Mapping[str, Classes]) -> Path:
    """The statistics model, and heads of the logits embedding @ WEIGHTS."""
    write_statistics_model(path, dataclasses.replace(METADATA, heads=heads))
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(WEIGHTS, "weights"))
    for name, classes in heads.items():
        logits, scores = (f"{name}.{what}" if name else what for what in ("logits", "scores"))
        model.graph.node.append(helper.make_node("MatMul", ["embedding", "weights"], [logits]))
        kind = helper.make_node("Sigmoid" if classes.multi_label else "Softmax", [logits], [scores])
        model.graph.node.append(kind)
        ends = [helper.make_tensor_value_info(each, TensorProto.FLOAT, ["batch", 3]) for each in (logits, scores)]
        model.graph.output.extend(ends)
    onnx.save(model, path)
    return path


def head_alone(path: Path) -> Path:
    """Of WEIGHTS: embedding -> logits and scores."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("logits", "scores")]
    nodes = [
        helper.make_node("MatMul", ["embedding", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    start = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph(nodes, "head", [start], ends, [numpy_helper.from_array(WEIGHTS, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, dataclasses.replace(METADATA, heads={"": Classes(LABELS)}).to_props())
    onnx.save(model, path)
    return path
