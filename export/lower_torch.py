"""A Keras model on torch -> ONNX, by torch's exporter."""

import logging
from contextlib import AbstractContextManager, nullcontext

import keras
import numpy as np
import onnx
import torch
from torch.export import Dim

from kerascola.errors import ExportError
from kerascola.export.recurrent import recurrences
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
        with torch.no_grad(), recurrences(model, product, loops=False) as gru, spelt():
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
    proto = program.model_proto
    gru.put_into(proto.graph)
    return proto


def product(x, mark: np.ndarray):
    return torch.matmul(x, torch.from_numpy(mark))


def float64() -> AbstractContextManager:
    """torch computes in float64 what asks for it as it is."""
    return nullcontext()
