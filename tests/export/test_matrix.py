"""Every encoder and every front end from the backend at hand: to ONNX and to a SavedModel, for any batch and length."""

import functools

import numpy as np
import onnxruntime
import pytest
from models_for_tests import narrow_embedder

from kerascola.encoders.build import build
from kerascola.export import probes, saved_model
from kerascola.export.graph import tidy
from kerascola.export.log_mel_graph import OPSET
from kerascola.export.onnx_file import lower, lowering

# Each encoder once, each front end once.
EMBEDDERS = [
    ("efficientnet", "cola-fma", {"variant": "lite0"}),
    ("convnext", "leaf", {}),
    ("resnet", "spectra", {}),
    ("vgg", "uclser20", {}),
    ("crnn", "log_mel", {}),
    ("small", "sincnet", {}),
    ("resnet1d", "waveform", {}),
]
HAND_WRITTEN = ("log_mel", "cola-fma", "uclser20")


IDS = [f"{encoder}-{front}" for encoder, front, _ in EMBEDDERS]


@functools.cache  # both formats are made of the same model
def made(name: str):
    """The model, its metadata, and waveforms with what Keras gives for them."""
    encoder, front, options = EMBEDDERS[IDS.index(name)]
    model, metadata = narrow_embedder(encoder, front, **options)
    shapes = [(1, metadata.min_samples), (3, metadata.sample_rate + 313)]
    waves = [probes.sounds(*shape, metadata.sample_rate) for shape in shapes]
    waves.append(np.zeros_like(waves[-1]))
    return model, metadata, [(wave, model.predict_on_batch(wave)) for wave in waves]


def check(received: np.ndarray, expected: np.ndarray, front: str) -> None:
    assert received.shape == expected.shape and np.isfinite(expected).all()
    largest = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(received, expected, rtol=0, atol=(1e-4 if front != "spectra" else 1e-3) * largest)


@pytest.mark.parametrize("name", IDS)
def test_onnx(name):
    _, front, _ = EMBEDDERS[IDS.index(name)]
    model, metadata, expected = made(name)
    said: list[str] = []
    proto = lower(model, metadata, said.append)
    assert any(line.startswith("no hand-written graph") for line in said) == (front not in HAND_WRITTEN)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for waves, embeddings in expected:
        check(session.run(["embedding"], {"waveform": waves})[0], embeddings, front)
    assert np.abs(expected[1][1]).max() > 0.01 and np.ptp(expected[1][1], axis=0).max() > 1e-3, "too dull a model"


def test_a_scale_of_the_last_axis_is_no_matrix_product():
    """ConvNeXt's, as an Einsum to tf2onnx: spelt as matrix products, some sizes no longer ran in onnxruntime."""
    encoder, frames = build("convnext", (80,), depths=(1, 1, 1, 1), widths=(32, 4, 4, 4))
    proto = tidy(lowering().lower(encoder, frames, OPSET))
    assert sum(node.op_type in ("MatMul", "Gemm", "Einsum") for node in proto.graph.node) == 8  # two a branch
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    spectrograms = np.random.default_rng(0).normal(size=(17, 49, 80)).astype(np.float32)
    (received,) = session.run(None, {session.get_inputs()[0].name: spectrograms})
    check(received, encoder.predict_on_batch(spectrograms), "log_mel")


def test_saved_models(tmp_path):
    """TensorFlow writes them in a process of its own, one for all, from files that the backend at hand saved."""
    expected = {}
    for name in IDS:
        model, _, expected[name] = made(name)
        (tmp_path / name).mkdir()
        model.save(tmp_path / name / "model.keras")
        waves = {str(n): wave for n, (wave, _) in enumerate(expected[name])}
        saved_model.save_arrays(tmp_path / name / "waves.npz", waves)
    saved_model.in_tensorflow(*(tmp_path / name for name in IDS))
    for (_, front, _), name in zip(EMBEDDERS, IDS, strict=True):
        with np.load(tmp_path / name / "embeddings.npz") as received:
            for n, (_, embeddings) in enumerate(expected[name]):
                check(received[str(n)], embeddings, front)
