"""Heads fused onto the trunk and alone, from every backend, against NumPy on the file's own embeddings."""

import numpy as np
import onnxruntime
import pytest
from models_for_tests import metadata_of, statistics_embedder

from kerascola import Embedder, Head
from kerascola.errors import ExportError
from kerascola.evaluation.knn import knn
from kerascola.export import export
from kerascola.export.artefact import export_file
from kerascola.export.heads import check, named
from kerascola.models.embedder import save_embedder
from kerascola.models.heads import dense, nearest, save_head
from kerascola.runtime.metadata import Classes

RNG = np.random.default_rng(4)
WEIGHTS, BIAS = RNG.normal(0, 3, (4, 3)), RNG.normal(size=3)
KNOWN, LABELS = RNG.normal(size=(30, 4)).astype("float32"), RNG.integers(0, 2, 30)
ANIMALS = Classes(("dog", "frog", "crow"), multi_label=True)
ROOMS = Classes(("hall", "street"), average="scores")
WAVES = RNG.normal(0.1, 0.4, (5, 6000)).astype("float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    model = statistics_embedder()
    known = metadata_of(model)
    save_embedder(model, known, folder / "model.keras")
    save_head(dense(WEIGHTS, BIAS, np.zeros(4), np.ones(4)), ANIMALS, known, folder / "animals.keras")
    save_head(nearest(KNOWN, np.eye(2)[LABELS], 5, 0.1, False), ROOMS, known, folder / "rooms.keras")
    return folder


@pytest.fixture(scope="module")
def fused(folder):
    heads = {name: folder / f"{name}.keras" for name in ("animals", "rooms")}
    export_file(folder / "model.keras", folder / "fused.onnx", "onnx", lambda line: None, {}, heads=heads)
    return folder / "fused.onnx"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_onnxruntime_alone_gives_embedding_logits_and_scores(fused):
    session = onnxruntime.InferenceSession(str(fused), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == ["embedding", "animals.logits", "animals.scores", "rooms.logits", "rooms.scores"]
    found = dict(zip(names, session.run(None, {"waveform": WAVES}), strict=True))
    x = WAVES.astype("float64")
    expected = np.stack([x.mean(axis=1), np.abs(x).mean(axis=1), (x * x).mean(axis=1), x.max(axis=1)], axis=1)
    np.testing.assert_allclose(found["embedding"], expected, atol=1e-5)
    np.testing.assert_allclose(found["animals.logits"], expected @ WEIGHTS + BIAS, atol=1e-4)
    np.testing.assert_allclose(found["animals.scores"], sigmoid(expected @ WEIGHTS + BIAS), atol=1e-4)
    np.testing.assert_allclose(found["rooms.scores"], knn(KNOWN, LABELS, expected, 5, 0.1), atol=1e-3)
    np.testing.assert_allclose(found["rooms.scores"].sum(axis=1), 1, atol=1e-5)


def test_the_file_tells_of_its_heads(fused):
    metadata = Embedder(fused).metadata
    assert metadata.heads == {"animals": ANIMALS, "rooms": ROOMS}
    assert 0 <= metadata.verified["head_max_difference"] < 1e-4


def test_a_head_alone_takes_embeddings(folder):
    export_file(folder / "rooms.keras", folder / "rooms.onnx", "onnx", lambda line: None, {})
    labels, scores = Head(folder / "rooms.onnx")(KNOWN[:7] + 0.1)
    assert labels == ("hall", "street")
    np.testing.assert_allclose(scores, knn(KNOWN, LABELS, KNOWN[:7] + 0.1, 5, 0.1), atol=1e-5)


@pytest.mark.once("files are compared, not lowered")
def test_what_does_not_fit_is_refused(folder, tmp_path):
    other = metadata_of(statistics_embedder(), sample_rate=8000)
    save_head(dense(WEIGHTS, BIAS, np.zeros(4), np.ones(4)), ANIMALS, other, tmp_path / "other.keras")
    model, out = folder / "model.keras", tmp_path / "x.onnx"
    with pytest.raises(ExportError, match="head of another encoder: expected sample_rate 16000, received.* 8000"):
        export_file(model, out, "onnx", print, {}, heads={"": tmp_path / "other.keras"})
    with pytest.raises(ExportError, match="heads are for the formats onnx and openvino, received saved_model"):
        export_file(model, out, "saved_model", print, {}, heads={"": folder / "rooms.keras"})
    with pytest.raises(ExportError, match="rooms.keras is a head: export it to an .onnx file alone"):
        export_file(folder / "rooms.keras", tmp_path / "x", "saved_model", print, {})
    assert not list(tmp_path.glob("*.onnx*"))


@pytest.mark.once("names are parsed")
def test_names_of_heads():
    assert named([]) == {} and named(["head.keras"]) == {"": "head.keras"}
    assert named(["a=x=y.keras", "b=z.keras"]) == {"a": "x=y.keras", "b": "z.keras"}
    for wrong, told in {("x.keras", "y.keras"): "several without", ("a=x", "a=y"): "two by the name a"}.items():
        with pytest.raises(ExportError, match=told):
            named(wrong)
    with pytest.raises(ExportError, match="received x.keras without"):
        named(["x.keras", "a=y.keras"])
    with pytest.raises(ExportError, match="received '=x.keras'"):
        named(["=x.keras"])


@pytest.mark.once("names are compared")
@pytest.mark.parametrize(
    "heads, told",
    [
        ({"a b": "x"}, "letters, digits and _, with no digit first, received 'a b'"),
        ({"1x": "x"}, "with no digit first, received '1x'"),
        ({"a/b": "x"}, "received 'a/b'"),
        ({2: "x"}, "received 2"),
        ({"": "x", "b": "y"}, "received x without"),
        ("h.keras", "expected heads by name, .* received 'h.keras'"),
    ],
)
def test_names_that_outputs_cannot_have_are_refused(folder, tmp_path, heads, told):
    with pytest.raises(ExportError, match=told):
        export(folder / "model.keras", tmp_path / "x.onnx", heads=heads)
    if isinstance(heads, dict) and 2 not in heads and "" not in heads:
        with pytest.raises(ExportError, match=told):
            named([f"{name}={file}" for name, file in heads.items()])


@pytest.mark.once("numbers are compared")
@pytest.mark.parametrize("wrong", ["logits", "scores"])
def test_a_head_that_says_something_else_than_keras_is_refused(wrong):
    head = dense(WEIGHTS, BIAS, np.zeros(4), np.ones(4))
    logits = head.predict_on_batch(KNOWN)
    found = {"logits": logits, "scores": ANIMALS.scores(logits)}
    assert check(KNOWN, **found, head=head, of=ANIMALS, name="") < 1e-6
    found[wrong] = found[wrong] + np.float32(3e-3) * (np.arange(3) == 1)
    with pytest.raises(ExportError, match="the head given: expected Keras's logits within .* Nothing was kept"):
        check(KNOWN, **found, head=head, of=ANIMALS, name="")
