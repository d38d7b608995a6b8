"""Every encoder and front end from the backend at hand: to ONNX and to what others write, for any batch and length."""

import functools

import numpy as np
import onnxruntime
import pytest
from models_for_tests import narrow_embedder

from kerascola.encoders.build import build
from kerascola.export import probes, rebuilt
from kerascola.export.formats import NotMade
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


@functools.cache  # all formats are made of the same model
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


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """By name, with the Keras files that the backend at hand saved."""
    root = tmp_path_factory.mktemp("matrix")
    found = {name: root / name for name in IDS}
    for name, folder in found.items():
        folder.mkdir()
        made(name)[0].save(folder / "model.keras")
    return found


def rebuild(formats, folders):
    jobs = [[str(folder), made(name)[1].min_samples] for name, folder in folders.items()]
    rebuilt.rebuild(formats, jobs)


def check_served(format, folders, tmp_path):
    """What runs in the format's own runtime, one process for all of them."""
    waves = {name: {str(n): wave for n, (wave, _) in enumerate(made(name)[2])} for name in folders}
    jobs = [(rebuilt.made(format, folder), waves[name]) for name, folder in folders.items()]
    _, outputs = rebuilt.serve_each(format, jobs, tmp_path)
    for (name, _), found in zip(folders.items(), outputs, strict=True):
        for n, (_, embeddings) in enumerate(made(name)[2]):
            check(found[str(n)]["embedding"], embeddings, EMBEDDERS[IDS.index(name)][1])


@pytest.mark.once("TensorFlow writes them, in a process of its own")
def test_what_tensorflow_writes(folders, tmp_path):
    """SavedModels of all; LiteRT of those whose operators it has."""
    rebuild(["saved_model", "litert"], folders)
    check_served("saved_model", folders, tmp_path)
    beyond = {"resnet-spectra": "no Atan", "crnn-log_mel": "no TensorListReserve .* a recurrent layer"}
    for name, why in beyond.items():
        with pytest.raises(NotMade, match=why):
            rebuilt.made("litert", folders[name])
    check_served("litert", {name: path for name, path in folders.items() if name not in beyond}, tmp_path)


@pytest.mark.once("torch writes them, in a process of its own")
def test_what_torch_writes(folders, tmp_path):
    rebuild(["torch"], folders)
    with pytest.raises(NotMade, match="writes the loop of a recurrent layer out"):
        rebuilt.made("torch", folders["crnn-log_mel"])
    check_served("torch", {name: path for name, path in folders.items() if name != "crnn-log_mel"}, tmp_path)
