"""A GRU is one operation in ONNX, from every backend: a product stands for it while the model is lowered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import onnx
from keras import ops
from keras.src import backend
from onnx import helper, numpy_helper

from kerascola.errors import ExportError

Product = Callable[[Any, np.ndarray], Any]  # [batch, time, features] times [features, units], one MatMul in the graph


@dataclass
class Recurrences:
    """Those of a model, in the order in which they are met, each with the numbers by which its product is known."""

    weights: dict[int, list[np.ndarray]]  # by the identity of a layer's kernel: kernel, recurrent kernel, biases
    met: list[tuple[np.ndarray, list[np.ndarray]]] = field(default_factory=list)

    def put_into(self, graph: onnx.GraphProto) -> None:
        """One GRU in the place of each product."""
        for mark, weights in self.met:
            names = [held.name for held in graph.initializer if same(numpy_helper.to_array(held), mark)]
            products = [node for node in graph.node if len(node.input) == 2 and node.input[1] in names]
            if len(products) != 1 or products[0].op_type != "MatMul":
                raise ExportError(
                    f"expected one product in the place of a GRU, received {[node.op_type for node in products]}"
                )
            replace(graph, products[0], weights)


@contextmanager
def recurrences(model: keras.Model, product: Product, loops: bool) -> Iterator[Recurrences]:
    """Within it Keras computes a product where it has a GRU, which no converter knows.

    Left to the backends it is a loop of small operations, and a twentieth slower, or, from torch, of a fixed length.
    Where a loop can be lowered (`loops`), a GRU of other kinds than ONNX's becomes one.
    """
    cells = [
        layer.cell for layer in model._flatten_layers() if isinstance(layer, keras.layers.GRU) and from_zero(layer)
    ]
    found = Recurrences({id(cell.kernel): [ops.convert_to_numpy(w) for w in of(cell)] for cell in cells})

    def gru(inputs, initial_state, mask, *, kernel, activation, recurrent_activation, **options) -> tuple:
        """What Keras's layer asks of its backend: the last output, all outputs [batch, time, units], the last state."""
        plain = activation is keras.activations.tanh and recurrent_activation is keras.activations.sigmoid
        usual = options["reset_after"] and options["bias"] is not None and not options["go_backwards"]
        if mask is not None or not usual or not plain or id(kernel) not in found.weights:
            if loops:
                raise NotImplementedError  # by which Keras knows to go through its own
            raise ExportError(
                "expected a GRU with Keras's defaults, without mask or a state to begin from: no other is exported"
            )
        weights = found.weights[id(kernel)]
        units = weights[1].shape[0]
        mark = np.random.default_rng(len(found.met)).standard_normal((inputs.shape[-1], units)).astype(np.float32)
        found.met.append((mark, weights))
        outputs = product(inputs, mark)
        last = outputs[:, -1]
        return last, outputs if options["return_sequences"] else last[:, None], [last]

    its_gru = backend.gru
    backend.gru = gru
    try:
        yield found
    finally:
        backend.gru = its_gru


def from_zero(layer: keras.layers.GRU) -> bool:
    """Whether it is given nothing but a sequence, and keeps no state from one to the next."""
    return not layer.stateful and all(len(node.input_tensors) == 1 for node in layer._inbound_nodes)


def of(cell: keras.layers.GRUCell) -> list[Any]:
    return [weight for weight in (cell.kernel, cell.recurrent_kernel, cell.bias) if weight is not None]


def same(held: np.ndarray, mark: np.ndarray) -> bool:
    return held.size == mark.size and held.shape[-2:] == mark.shape and np.array_equal(held.reshape(mark.shape), mark)


def replace(graph: onnx.GraphProto, product: onnx.NodeProto, weights: list[np.ndarray]) -> None:
    """ONNX has time first, and a direction before the batch; its gates are in Keras's order."""
    kernel, recurrent, biases = weights
    x, y = product.input[0], product.output[0]
    constants = {"kernel": kernel.T[None], "recurrent": recurrent.T[None], "biases": biases.reshape(1, -1)}
    for name, values in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), f"{y}/{name}"))
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), f"{y}/direction"))
    gates = [f"{y}/sequence", *(f"{y}/{name}" for name in constants)]
    nodes = [
        helper.make_node("Transpose", [x], [gates[0]], perm=[1, 0, 2]),
        helper.make_node("GRU", gates, [f"{y}/outputs"], hidden_size=recurrent.shape[0], linear_before_reset=1),
        helper.make_node("Squeeze", [f"{y}/outputs", f"{y}/direction"], [f"{y}/by_time"]),
        helper.make_node("Transpose", [f"{y}/by_time"], [y], perm=[1, 0, 2]),
    ]
    place = list(graph.node).index(product)
    graph.node.remove(product)
    for offset, node in enumerate(nodes):
        graph.node.insert(place + offset, node)
