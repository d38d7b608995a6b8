"""A Keras model on torch -> ONNX, by torch's exporter."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import keras
import onnx
import torch
from keras.src import backend
from torch.export import Dim

from kerascola.errors import ExportError
from kerascola.export.spelling import spelt

# torch traces lengths for which no axis is down to one, as it may be after some halvings at the model's own minimum:
# there it asks for a condition on the length, to which a dynamic one cannot be held. The graph itself has none, and is
# verified from the true minimum on.
ROOM = 4


class Forward(torch.nn.Module):
    """Keras's own forward takes *args, to which no dynamic shapes can be given."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x, training=False)


def lower(model: keras.Model, minimum: int, opset: int) -> onnx.ModelProto:
    """Batch and an open second axis become dynamic."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not installed
    module = Forward(model).eval()
    gradients = {parameter: parameter.requires_grad for parameter in module.parameters()}
    module.requires_grad_(False)
    _, second, *others = model.inputs[0].shape
    example = torch.randn(3, 2 * ROOM * minimum + 1 if second is None else second, *others)
    dynamic = {0: Dim("batch", min=1)} | ({1: Dim("length", min=ROOM * minimum)} if second is None else {})
    try:
        with torch.no_grad(), gru_as_one_node(), spelt():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes={"x": dynamic},
                opset_version=opset,
                verbose=False,
            )
    finally:
        for parameter, needed in gradients.items():
            parameter.requires_grad_(needed)
    if program is None:  # never so with dynamo=True, by torch's types only
        raise ExportError("expected an ONNX program from torch, received none")
    return program.model_proto


@contextmanager
def gru_as_one_node() -> Iterator[None]:
    """Keras runs a GRU as a Python loop, which no dynamic length can be traced through; ONNX has an operator for it."""
    loop = backend.gru
    backend.gru = gru
    try:
        yield
    finally:
        backend.gru = loop


def gru(
    inputs, initial_state, mask, *, kernel, recurrent_kernel, bias, activation, recurrent_activation, **options
) -> tuple:
    """What Keras's layer asks of its backend: the last output, all outputs [batch, time, units], the last state."""
    plain = activation is keras.activations.tanh and recurrent_activation is keras.activations.sigmoid
    if mask is not None or options["go_backwards"] or not options["reset_after"] or bias is None or not plain:
        raise ExportError("expected a GRU with Keras's defaults, without mask: torch exports no other")
    weight, recurrent, biases = (backend.convert_to_tensor(w).detach() for w in (kernel, recurrent_kernel, bias))
    units = recurrent.shape[0]
    sequence = inputs.permute(1, 0, 2)  # ONNX has time first; its gates are in Keras's order
    outputs = torch.onnx.ops.symbolic(
        "GRU",
        (sequence, weight.T[None].contiguous(), recurrent.T[None].contiguous(), biases.reshape(1, -1)),
        {"hidden_size": units, "linear_before_reset": 1},
        dtype=torch.float32,
        shape=(sequence.shape[0], 1, sequence.shape[1], units),
    )
    outputs = outputs[:, 0].permute(1, 0, 2)
    last = outputs[:, -1]
    return last, outputs if options["return_sequences"] else last[:, None], [last]


def float64() -> AbstractContextManager:
    """torch computes in float64 what asks for it as it is."""
    return nullcontext()
