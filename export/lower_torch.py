"""A Keras model on torch -> ONNX, by torch's exporter."""

import logging
from contextlib import AbstractContextManager, nullcontext

import keras
import onnx
import torch
from torch.export import Dim

from kerascola.errors import ExportError


class Forward(torch.nn.Module):
    """Keras's own forward takes *args, to which no dynamic shapes can be given."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x, training=False)


def lower(model: keras.Model, minimum: int, opset: int) -> onnx.ModelProto:
    """Batch and the second axis become dynamic, the latter at least `minimum`."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not installed
    module = Forward(model).eval()
    gradients = {parameter: parameter.requires_grad for parameter in module.parameters()}
    module.requires_grad_(False)
    example = torch.randn(3, 2 * minimum + 1, *model.inputs[0].shape[2:])
    try:
        with torch.no_grad():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes={"x": {0: Dim("batch", min=1), 1: Dim("length", min=minimum)}},
                opset_version=opset,
                verbose=False,
            )
    finally:
        for parameter, needed in gradients.items():
            parameter.requires_grad_(needed)
    if program is None:  # never so with dynamo=True, by torch's types only
        raise ExportError("expected an ONNX program from torch, received none")
    return program.model_proto


def float64() -> AbstractContextManager:
    """torch computes in float64 what asks for it as it is."""
    return nullcontext()
