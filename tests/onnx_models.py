"""A tiny model that keeps kerascola's ONNX contract, and what it computes, in NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from kerascola.runtime.metadata import Metadata

METADATA = Metadata(
    sample_rate=16000, window_samples=8000, hop_samples=4000, min_samples=400, dimension=4, recipe="test"
)


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
