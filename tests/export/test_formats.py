"""The running backend's share of the matrix: its ONNX and its SavedModel, by what serves them and nothing of ours."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from models_for_tests import leaves, metadata_of, tiny_embedder
from onnx import numpy_helper

from kerascola import Embedder
from kerascola.dsp.log_mel import LogMel
from kerascola.export import export
from kerascola.export.cli import main
from kerascola.export.log_mel_graph import log_mel_graph
from kerascola.models.embedder import save_embedder

SHAPES = ((2, 2801), (5, 20011))  # that verification does not try
AFFINE = ("Add", "Sub", "Mul", "Div")

IN_PLAIN_TENSORFLOW = """
import sys
sys.modules.update(keras=None, kerascola=None)
import numpy as np, tensorflow as tf
served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
_, inputs = served.structured_input_signature
assert {k: (v.shape.as_list(), v.dtype) for k, v in inputs.items()} == {"waveform": ([None, None], tf.float32)}, inputs
assert list(served.structured_outputs) == ["embedding"], served.structured_outputs
with np.load(sys.argv[2]) as waves:
    out = {name: served(waveform=tf.constant(waves[name]))["embedding"].numpy() for name in waves}
np.savez(sys.argv[3], **out)
"""


@pytest.fixture(scope="module")
def model():
    return tiny_embedder()


@pytest.fixture(scope="module")
def keras_file(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return save_embedder(model, metadata_of(model, licence="CC0-1.0"), folder / "tiny.keras")


@pytest.fixture(scope="module")
def waves():
    """Chirps over noise of any level, unlike the sounds that verification makes."""
    rng = np.random.default_rng(5)
    made = {}
    for batch, samples in SHAPES:
        time = np.arange(samples) / 16000
        pitch = rng.uniform(100, 5000, (batch, 1))
        chirps = np.sin(2 * np.pi * pitch * time * (1 + time)) * rng.uniform(0.1, 1, (batch, 1))
        made[f"{batch} x {samples}"] = (
            chirps + 10 ** rng.uniform(-3, 0, (batch, 1)) * rng.standard_normal(chirps.shape)
        ).astype(np.float32)
    return made


@pytest.fixture(scope="module")
def expected(model, waves):
    return {name: keras.ops.convert_to_numpy(model.predict_on_batch(wave)) for name, wave in waves.items()}


def encoder_bytes(path: Path) -> int:
    """Of its constants: the front end's stay as they are, and are most of so small a file."""
    graph = onnx.load(path).graph
    front = {name for node in graph.node if node.name.startswith("frontend/") for name in node.input}
    return sum(numpy_helper.to_array(held).nbytes for held in graph.initializer if held.name not in front)


@pytest.mark.once("what it does to the graph is the same")
def test_half_the_space(keras_file, waves, expected, tmp_path):
    """Nearly the same embeddings, of a file that holds its encoder in half the space."""
    whole, half = (
        export(keras_file, tmp_path / f"{half}.onnx", say=lambda line: None, half=half) and tmp_path / f"{half}.onnx"
        for half in (False, True)
    )
    assert encoder_bytes(half) < 0.75 * encoder_bytes(whole)
    assert os.path.getsize(half) < os.path.getsize(whole)
    embed = onnxruntime.InferenceSession(str(half))
    for name, wave in waves.items():
        (found,) = embed.run(None, {"waveform": wave})
        scale = np.abs(expected[name]).max()
        assert 1e-6 * scale < np.abs(found - expected[name]).max() < 1e-2 * scale


@pytest.fixture(scope="module")
def onnx_file(keras_file):
    """As the command makes it, in this process."""
    out = keras_file.with_name("out.onnx")
    assert main([str(keras_file), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def saved_model(keras_file):
    """As the installed command makes it."""
    command = Path(sys.executable).with_name("kerascola-export")
    backend = keras.backend.backend()
    done = subprocess.run(
        [command, keras_file, "--format", "saved_model", "--backend", backend],
        env={k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    out = keras_file.with_name("tiny_saved_model")
    assert f"{out}: [batch, samples at 16000 Hz] -> [batch, 320]" in done.stdout
    return out


@pytest.fixture(scope="module")
def graph(onnx_file):
    return onnx.load(onnx_file).graph


def check_embeddings(received, expected):
    assert received.keys() == expected.keys()
    for name, embeddings in expected.items():
        assert embeddings.std() > 0.2 and np.ptp(embeddings, axis=0).max() > 0.05, "too dull a model to show a mistake"
        assert received[name].dtype == np.float32
        atol = 1e-4 * max(1.0, np.abs(embeddings).max())  # float32 has as many digits for large numbers
        np.testing.assert_allclose(received[name], embeddings, rtol=0, atol=atol, err_msg=name)


def check_metadata(found, model, expected):
    verified, versions = dict(found["verified"]), dict(found["versions"])
    assert found == dataclasses.asdict(
        metadata_of(model, licence="CC0-1.0", verified=found["verified"], versions=found["versions"])
    )
    assert versions["exported by"].startswith("kerascola ")
    assert set(verified) == {"max_difference", "min_cosine", "extreme_error", "extreme_error_of_keras"}
    largest = max(1.0, *(float(np.abs(embeddings).max()) for embeddings in expected.values()))
    assert 0 <= verified["max_difference"] <= 1e-4 * largest and 0.99999 <= verified["min_cosine"] <= 1 + 1e-9


def test_onnx_gives_keras_embeddings_at_any_shape(onnx_file, waves, expected):
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    check_embeddings({k: session.run(["embedding"], {"waveform": wave})[0] for k, wave in waves.items()}, expected)


def test_onnx_signature(onnx_file):
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    ends = [[(e.name, e.type, e.shape) for e in side] for side in (session.get_inputs(), session.get_outputs())]
    assert ends == [
        [("waveform", "tensor(float)", ["batch", "samples"])],
        [("embedding", "tensor(float)", ["batch", 320])],
    ]


def test_onnx_metadata(onnx_file, model, expected):
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    props = session.get_modelmeta().custom_metadata_map
    assert props["kerascola_format"] == "1" and props["recipe"] == "test"
    counts = {"sample_rate": 16000, "window_samples": 8000, "hop_samples": 4000, "min_samples": 2800, "dimension": 320}
    assert {k: int(props[k]) for k in counts} == counts
    check_metadata(dataclasses.asdict(Embedder(onnx_file).metadata), model, expected)
    assert Embedder(onnx_file).metadata.versions["exported by"].endswith(keras.backend.backend())


def test_onnx_through_the_embedder(onnx_file, model):
    """Two windows of a clip, and one that is too short and so padded."""
    clip = np.random.default_rng(0).standard_normal(12000).astype(np.float32)
    windows = np.stack([clip[:8000], clip[4000:]])
    embed = Embedder(onnx_file)
    np.testing.assert_allclose(embed(clip, 16000), model.predict_on_batch(windows).mean(axis=0), rtol=0, atol=1e-4)
    short = np.pad(clip[:100], (0, 2700))[None].repeat(2, 0)
    np.testing.assert_allclose(embed(clip[:100], 16000), model.predict_on_batch(short)[0], rtol=0, atol=1e-4)


def test_onnx_file_is_plain(onnx_file, graph):
    """One opset a domain, standard operators only, and weights that are no inputs."""
    proto = onnx.load(onnx_file)
    onnx.checker.check_model(proto, full_check=True)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 18)]
    assert {node.domain for node in graph.node} <= {"", "ai.onnx"}
    assert [i.name for i in graph.input] == ["waveform"]
    assert not proto.functions


def test_onnx_front_end_is_the_hand_written_one(graph):
    written = [node.op_type for node in log_mel_graph(LogMel()).graph.node]
    found = [node.op_type for node in graph.node if node.name.startswith("frontend/")]
    assert found == written
    producer = {name: node for node in graph.node for name in node.output}
    last = [node for node in graph.node if node.name.startswith("frontend/")][-1]
    ahead, waiting = {}, list(last.input)
    while waiting:
        node = producer.get(waiting.pop())
        if node is not None and node.output[0] not in ahead:
            ahead[node.output[0]] = node
            waiting += node.input
    assert all(node.name.startswith("frontend/") for node in ahead.values())
    readers = {node.name for node in graph.node if "waveform" in node.input}
    assert readers and all(name.startswith("frontend/") for name in readers)


def test_onnx_encoder_holds_its_convolutions_and_no_normalisation(graph, model):
    encoder = model.get_layer("encoder")
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("Conv") == sum(
        isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D) for layer in leaves(encoder)
    )
    assert "BatchNormalization" not in kinds
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    producer = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        behind = [producer[name].op_type for name in node.input if name in producer]
        fixed = [name for name in node.input if name in constants]
        assert not (node.op_type in AFFINE and fixed and "Conv" in behind), f"{node.name} is not folded"


def test_saved_model_in_plain_tensorflow(saved_model, waves, expected, tmp_path):
    np.savez(tmp_path / "waves.npz", **waves)
    command = [sys.executable, "-c", IN_PLAIN_TENSORFLOW, saved_model, tmp_path / "waves.npz", tmp_path / "out.npz"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as received:
        check_embeddings(dict(received), expected)


def test_saved_model_metadata(saved_model, model, expected):
    found = json.loads((saved_model / "assets.extra" / "kerascola.json").read_text())
    check_metadata(found, model, expected)


def test_nothing_else_is_left_beside_the_artefacts(onnx_file, saved_model, keras_file):
    assert sorted(path.name for path in keras_file.parent.iterdir()) == ["out.onnx", "tiny.keras", "tiny_saved_model"]
