"""Weights in half the space: `--quantize fp16`."""

import os
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from models_for_tests import metadata_of, tiny_embedder
from onnx import numpy_helper

from kerascola.export import export
from kerascola.models.embedder import save_embedder

pytestmark = pytest.mark.once("what it does to the graph is the same")


def encoder_bytes(path: Path) -> int:
    """Of its constants: the front end's stay as they are, and are most of so small a file."""
    graph = onnx.load(path).graph
    front = {name for node in graph.node if node.name.startswith("frontend/") for name in node.input}
    return sum(numpy_helper.to_array(held).nbytes for held in graph.initializer if held.name not in front)


def test_nearly_the_same_embeddings_of_half_the_weights(tmp_path):
    model = tiny_embedder()
    path = save_embedder(model, metadata_of(model), tmp_path / "tiny.keras")
    whole, half = (tmp_path / f"{name}.onnx" for name in ("whole", "half"))
    export(path, whole, say=lambda line: None)
    export(path, half, say=lambda line: None, quantize="fp16")
    assert encoder_bytes(half) < 0.75 * encoder_bytes(whole)
    assert os.path.getsize(half) < os.path.getsize(whole)
    waves = np.random.default_rng(5).standard_normal((5, 20011)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model.predict_on_batch(waves))
    (found,) = onnxruntime.InferenceSession(str(half)).run(None, {"waveform": waves})
    scale = np.abs(expected).max()
    assert 1e-6 * scale < np.abs(found - expected).max() < 1e-2 * scale
