"""What serves each format, in a process that has neither Keras nor kerascola: sounds through an artefact, reopened.

python serving.py FORMAT < [[ARTEFACT, WAVES.npz, OUTPUTS.npz], ...] in JSON. Prints the runtime and its version.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Opened = Callable[[np.ndarray], dict[str, np.ndarray]]  # waveform [batch, samples] -> outputs by name


def saved_model(path: str) -> Opened:
    import tensorflow as tf

    served = tf.saved_model.load(path).signatures["serving_default"]
    return lambda waveform: {name: out.numpy() for name, out in served(waveform=tf.constant(waveform)).items()}


def litert(path: str) -> Opened:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    # A second runner would resize what the first one holds.
    served = interpreter.get_signature_runner("serving_default")
    return lambda waveform: served(waveform=waveform)


def openvino(path: str) -> Opened:
    """Computed in float32, of which OpenVINO otherwise makes bfloat16 where the processor has it."""
    import openvino as ov

    compiled = ov.Core().compile_model(f"{path}/model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [output.any_name for output in compiled.outputs]
    return lambda waveform: {name: compiled([waveform])[name] for name in names}


def torch(path: str) -> Opened:
    import torch

    told = {"kerascola.json": ""}
    program = torch.export.load(path, extra_files=told).module()

    def serve(waveform: np.ndarray) -> dict[str, np.ndarray]:
        with torch.no_grad():
            return {"embedding": program(torch.from_numpy(waveform)).numpy()}

    return serve


# By format: who opens it, and the distribution whose version is told.
OPENERS: dict[str, tuple[Callable[[str], Opened], str]] = {
    "saved_model": (saved_model, "tensorflow"),
    "litert": (litert, "ai-edge-litert"),
    "openvino": (openvino, "openvino"),
    "torch": (torch, "torch"),
}


def main(format: str, jobs: list[list[str]]) -> None:
    blocked: Any = None
    sys.modules.update(keras=blocked, kerascola=blocked)
    from importlib.metadata import version

    opener, distribution = OPENERS[format]
    for artefact, waves, outputs in jobs:
        serve = opener(artefact)
        with np.load(waves) as held:
            found = {f"{out}/{name}": array for name in held for out, array in serve(held[name]).items()}
        np.savez(outputs, **found)  # type: ignore[arg-type]  # NumPy's stub takes every keyword for `allow_pickle`
    print(f"{distribution} {version(distribution)}")


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
