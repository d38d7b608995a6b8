"""An export that fails leaves the folder as it was."""

import dataclasses
import json
from types import SimpleNamespace

import keras
import numpy as np
import onnx
import pytest

from kerascola.errors import ExportError
from kerascola.export import onnx_file, saved_model
from kerascola.export.artefact import export_file

FORMATS = ("onnx", "saved_model")


def contents(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


@pytest.fixture(scope="module")
def lowered(small):
    return onnx_file.lower(small.model, small.metadata, lambda line: None)


@pytest.fixture
def served(monkeypatch, lowered):
    """Both writers without their minutes; `served.change` is what the artefact does to Keras's embeddings."""
    served = SimpleNamespace(change=lambda embeddings: embeddings)

    def lower(model, metadata, say, half):
        served.model = model
        copy = onnx.ModelProto()
        copy.CopyFrom(lowered)
        return copy

    def answers(waves):
        return {name: served.change(served.model.predict_on_batch(wave)) for name, wave in waves.items()}

    def in_tensorflow(work):
        (work / "saved_model").mkdir()
        (work / "saved_model" / "saved_model.pb").write_text("new")
        served.model = keras.saving.load_model(work / "model.keras")
        with np.load(work / "waves.npz") as waves:
            np.savez(work / "embeddings.npz", **answers(waves))

    monkeypatch.setattr(onnx_file, "lower", lower)
    monkeypatch.setattr(onnx_file, "serve", lambda path, waves: answers(waves))
    monkeypatch.setattr(saved_model, "in_tensorflow", in_tensorflow)
    return served


@pytest.fixture
def export(small, tmp_path, served):
    return lambda format: export_file(small.path, tmp_path / "out", format, lambda line: None, {})


def earlier(tmp_path, format):
    """A good artefact at the place."""
    if format == "onnx":
        (tmp_path / "out").write_text("old")
    else:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "saved_model.pb").write_text("old")
        (tmp_path / "out" / "old").write_text("old")


def off(embeddings):
    return embeddings + np.float32(1e-3)


def interrupted(embeddings):
    raise KeyboardInterrupt


@pytest.mark.parametrize("there", [False, True], ids=["new", "again"])
@pytest.mark.parametrize("change, error", [(off, ExportError), (interrupted, KeyboardInterrupt)])
@pytest.mark.parametrize("format", FORMATS)
def test_a_failed_export_changes_nothing(format, change, error, there, export, served, tmp_path):
    if there:
        earlier(tmp_path, format)
    before = contents(tmp_path)
    served.change = change
    with pytest.raises(error):
        export(format)
    assert contents(tmp_path) == before


def test_an_onnx_file_that_does_not_open_is_not_kept(export, monkeypatch, tmp_path):
    def refuse(path):
        assert path.is_file()
        raise ExportError("not ours")

    monkeypatch.setattr(onnx_file, "Embedder", refuse)
    with pytest.raises(ExportError, match="not ours"):
        export("onnx")
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("there", [False, True], ids=["new", "again"])
@pytest.mark.parametrize("format", FORMATS)
def test_one_that_succeeds_takes_the_place(format, there, export, small, tmp_path):
    if there:
        earlier(tmp_path, format)
    metadata = export(format)
    found = contents(tmp_path)
    if format == "onnx":
        assert list(found) == ["out"]
        onnx.checker.check_model(onnx.load(tmp_path / "out"))
    else:
        assert set(found) == {"out", "out/saved_model.pb", "out/assets.extra", "out/assets.extra/kerascola.json"}
        assert found["out/saved_model.pb"] == b"new"
        assert json.loads(found["out/assets.extra/kerascola.json"]) == json.loads(
            json.dumps(dataclasses.asdict(metadata))
        )
    assert metadata.verified["max_difference"] == 0
    assert (metadata.sample_rate, metadata.recipe) == (16000, "test")


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_artefact_is_not_replaced(format, export, tmp_path):
    """A slip of the command must not cost a folder."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years")
    before = contents(tmp_path)
    with pytest.raises(ExportError, match="is not a .*, so it is not replaced"):
        export(format)
    assert contents(tmp_path) == before


def test_a_file_is_not_replaced_by_a_folder(export, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExportError, match="is not a SavedModel, so it is not replaced"):
        export("saved_model")
    assert contents(tmp_path) == {"out": b"mine"}


@pytest.mark.parametrize(
    "errors, message",
    [
        ("ModuleNotFoundError: No module named 'tensorflow'", r'pip install "kerascola\[tensorflow,export\]"'),
        ("Traceback ...\nValueError: no such op", "TensorFlow could not write the SavedModel:\n.*no such op"),
    ],
)
def test_tensorflow_that_fails_is_said(small, tmp_path, monkeypatch, errors, message):
    failed = SimpleNamespace(returncode=1, stderr=errors, stdout="")
    monkeypatch.setattr(saved_model.subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(ExportError, match="(?s)" + message):
        export_file(small.path, tmp_path / "out", "saved_model", lambda line: None, {})
    assert contents(tmp_path) == {}
