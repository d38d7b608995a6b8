"""The running backend's share of the matrix: every format, by what serves it and nothing of ours."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from models_for_tests import leaves, metadata_of, small_embedder, tiny_embedder
from onnx import numpy_helper

from kerascola import Embedder
from kerascola.dsp.log_mel import LogMel
from kerascola.export import export
from kerascola.export.cli import main
from kerascola.export.log_mel_graph import log_mel_graph
from kerascola.models.embedder import save_embedder
from kerascola.models.heads import dense, save_head
from kerascola.runtime.metadata import Classes

SHAPES = ((2, 2801), (5, 20011))  # that verification does not try
AFFINE = ("Add", "Sub", "Mul", "Div")

# What a user would write, with nothing of Keras or of ours.
PROGRAMS = {
    "saved_model": """
import tensorflow as tf
served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
_, inputs = served.structured_input_signature
assert {k: (v.shape.as_list(), v.dtype) for k, v in inputs.items()} == {"waveform": ([None, None], tf.float32)}, inputs
assert list(served.structured_outputs) == ["embedding"], served.structured_outputs
with np.load(sys.argv[2]) as waves:
    out = {name: served(waveform=tf.constant(waves[name]))["embedding"].numpy() for name in waves}
np.savez(sys.argv[3], **out)
""",
    "openvino": """
import openvino
model = openvino.Core().read_model(sys.argv[1] + "/model.xml")
assert [i.any_name for i in model.inputs] == ["waveform"] and model.inputs[0].partial_shape.rank.get_length() == 2
assert all(size.is_dynamic for size in model.inputs[0].partial_shape), model.inputs
request = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
with np.load(sys.argv[2]) as waves:
    out = {name: request.infer({"waveform": waves[name]})["embedding"].copy() for name in waves}
np.savez(sys.argv[3], **out)
""",
    "litert": """
from ai_edge_litert.interpreter import Interpreter
out = {}
with np.load(sys.argv[2]) as waves:
    for name in waves:
        interpreter = Interpreter(sys.argv[1])
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        assert taken["shape_signature"].tolist() == [-1, -1], taken
        interpreter.resize_tensor_input(taken["index"], waves[name].shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], waves[name])
        interpreter.invoke()
        out[name] = interpreter.get_tensor(given["index"]).copy()
np.savez(sys.argv[3], **out)
""",
    "torch": """
import json, torch
told = {"kerascola.json": ""}
program = torch.export.load(sys.argv[1], extra_files=told).module()
assert json.loads(told["kerascola.json"])["sample_rate"] == 16000
with np.load(sys.argv[2]) as waves, torch.no_grad():
    out = {name: program(torch.from_numpy(waves[name])).numpy() for name in waves}
np.savez(sys.argv[3], **out)
""",
}
ENDINGS = {"saved_model": "_saved_model", "openvino": "_openvino", "litert": ".tflite", "torch": ".pt2"}
DISTRIBUTIONS = {"onnx": "onnxruntime", "saved_model": "tensorflow", "litert": "ai-edge-litert"}
DISTRIBUTIONS |= {"openvino": "openvino", "torch": "torch"}


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


@pytest.fixture(scope="module")
def everything(keras_file):
    """All formats, as the installed command makes them; what it said is beside them."""
    command = Path(sys.executable).with_name("kerascola-export")
    backend = keras.backend.backend()
    done = subprocess.run(
        [command, keras_file, "--format", "all", "--backend", backend],
        env={k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    out = keras_file.with_name("tiny_all")
    assert f"{out}: [batch, samples at 16000 Hz] -> [batch, 320]" in done.stdout
    assert "not made" not in done.stderr
    return out


@pytest.fixture(scope="module")
def onnx_file(everything):
    return everything / "tiny.onnx"


@pytest.fixture(scope="module")
def saved_model(everything):
    return everything / "tiny_saved_model"


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


def answers(program: str, artefact: Path, waves, folder: Path) -> dict[str, np.ndarray]:
    """What a process that cannot import Keras or kerascola gets of an artefact."""
    np.savez(folder / "waves.npz", **waves)
    blocked = "import sys; sys.modules.update(keras=None, kerascola=None); import numpy as np\n"
    command = [sys.executable, "-c", blocked + program, artefact, folder / "waves.npz", folder / "out.npz"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert done.returncode == 0, done.stderr
    with np.load(folder / "out.npz") as received:
        return dict(received)


@pytest.mark.parametrize("format", PROGRAMS)
def test_in_its_own_runtime(format, everything, waves, expected, tmp_path):
    (artefact,) = (everything / name for name in os.listdir(everything) if name.endswith(ENDINGS[format]))
    check_embeddings(answers(PROGRAMS[format], artefact, waves, tmp_path), expected)


def test_metadata_in_each(everything, model, expected):
    within = {"_saved_model": "assets.extra/kerascola.json", "_openvino": "kerascola.json"}
    for ending, member in within.items():
        check_metadata(json.loads((everything / f"tiny{ending}" / member).read_text()), model, expected)
    for name, member in {"tiny.tflite": "kerascola.json", "tiny.pt2": "model/extra/kerascola.json"}.items():
        with zipfile.ZipFile(everything / name) as archive:
            check_metadata(json.loads(archive.read(member)), model, expected)


def test_the_manifest_is_true(everything):
    manifest = json.loads((everything / "manifest.json").read_text())
    here = keras.backend.backend()
    made = {each["format"]: each for each in manifest["artefacts"]}
    assert list(made) == ["onnx", "saved_model", "openvino", "litert", "torch"] and manifest["not_made"] == []
    told = {file["path"]: (file["sha256"], file["size"]) for each in made.values() for file in each["files"]}
    files = {path: path.relative_to(everything).as_posix() for path in everything.rglob("*") if path.is_file()}
    found = {name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size) for path, name in files.items()}
    found.pop("manifest.json")
    assert told == found and len(told) == sum(len(each["files"]) for each in made.values())
    for format, each in made.items():
        assert (everything / each["path"]).exists()
        assert all(file["path"].split("/")[0] == each["path"] for file in each["files"])
        by = {"saved_model": "tensorflow", "litert": "tensorflow", "torch": "torch"}.get(format, here)
        made_by = each["made_by"].partition(" from ")[2]
        assert made_by == (here if by == here else f"{here}, rebuilt under {by}")
        runtime = each["verified_by"].split()
        assert runtime == [DISTRIBUTIONS[format], version(DISTRIBUTIONS[format])]
        assert each["found"]["min_cosine"] >= each["bounds"]["min_cosine"] == 0.99999
        assert each["bounds"]["max_difference_of_largest"] == 1e-4
    assert manifest["metadata"]["sample_rate"] == 16000 and manifest["metadata"]["licence"] == "CC0-1.0"


def test_nothing_of_this_machine_is_in_the_artefacts(everything):
    """Neither where it was written nor by whom."""
    strange = [str(Path(keras.__file__).parents[1]), str(everything.parent)]
    for path in everything.rglob("*"):
        content = path.read_bytes() if path.is_file() and path.suffix != ".pb" else b""
        assert not [place for place in strange if place.encode() in content], path


def test_nothing_else_is_left_beside_the_artefacts(everything, keras_file):
    assert sorted(path.name for path in keras_file.parent.iterdir()) == ["tiny.keras", "tiny_all"]


@pytest.mark.once("OpenVINO reads the graph of any of them alike")
def test_heads_and_half_the_space_in_openvino(tmp_path, waves):
    """Fused as in the ONNX file; other formats refuse them, and of `all` they are left out."""
    small = small_embedder()
    about = metadata_of(small)
    save_embedder(small, about, tmp_path / "small.keras")
    weights = np.random.default_rng(1).normal(size=(8, 3))
    save_head(
        dense(weights, np.ones(3), np.zeros(8), np.ones(8)), Classes(("a", "b", "c")), about, tmp_path / "h.keras"
    )
    out = tmp_path / "all"
    assert main([str(tmp_path / "small.keras"), "--format=all", f"--head={tmp_path / 'h.keras'}", f"--out={out}"]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert [each["format"] for each in manifest["artefacts"]] == ["onnx", "openvino"]
    assert {each["why"] for each in manifest["not_made"]} == {"heads and fp16 are for onnx and openvino"}
    assert manifest["artefacts"][1]["found"]["head_max_difference"] < 1e-4
    logits = answers(PROGRAMS["openvino"].replace("embedding", "logits"), out / "small_openvino", waves, tmp_path)
    for name, wave in waves.items():
        np.testing.assert_allclose(logits[name], small.predict_on_batch(wave) @ weights + 1, rtol=0, atol=1e-3)

    export(tmp_path / "small.keras", tmp_path / "half", "openvino", say=lambda line: None, quantize="fp16")
    assert os.path.getsize(tmp_path / "half" / "model.bin") < os.path.getsize(out / "small_openvino" / "model.bin")
    found = answers(PROGRAMS["openvino"], tmp_path / "half", waves, tmp_path)
    for name, wave in waves.items():
        own = small.predict_on_batch(wave)
        assert 1e-6 < np.abs(found[name] - own).max() < 1e-2 * max(1, np.abs(own).max())
