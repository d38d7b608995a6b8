"""An export that fails leaves the folder as it was."""

import dataclasses
import json
import os
import signal
import zipfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import onnx
import pytest

from kerascola.errors import ExportError
from kerascola.export import formats as known_formats
from kerascola.export import onnx_file, openvino_folder, rebuilt
from kerascola.export.artefact import export_file
from kerascola.export.cli import main
from kerascola.export.formats import FORMATS

ALL = (*FORMATS, "all")
VERSIONS = {"saved_model": "tensorflow 1", "litert": "ai-edge-litert 1", "torch": "torch 1", "openvino": "openvino 1"}


def contents(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


@pytest.fixture(scope="module")
def lowered(small):
    return onnx_file.lower(small.model, small.metadata, lambda line: None)


@pytest.fixture
def served(monkeypatch, lowered, small):
    """The writers without their minutes; `change` is what the artefact `of` that format does to Keras's embeddings."""
    served = SimpleNamespace(change=lambda embeddings: embeddings, of=None)

    def lower(model, metadata, say, half):
        copy = onnx.ModelProto()
        copy.CopyFrom(lowered)
        return copy

    def answers(waves, format):
        change = served.change if served.of in (None, format) else lambda embeddings: embeddings
        return {name: change(small.model.predict_on_batch(wave)) for name, wave in waves.items()}

    def rebuild(formats, jobs):
        for format in formats:
            for folder, _ in jobs:
                keras.saving.load_model(Path(folder) / "model.keras")
                write(Path(folder) / f"model{FORMATS[format].ending}", format)

    def write(path, format):
        if FORMATS[format].within:
            path.mkdir(exist_ok=True)
            path = path / FORMATS[format].within
        path.write_text("new")

    def run(program, told, failed, more=None):
        Path(program[-1]).write_text("new")  # OpenVINO's

    def give(format, artefact, waves):
        return VERSIONS[format], {name: {"embedding": found} for name, found in answers(waves, format).items()}

    monkeypatch.setattr(onnx_file, "lower", lower)
    monkeypatch.setattr(onnx_file, "serve", lambda path, waves: answers(waves, "onnx"))
    monkeypatch.setattr(rebuilt, "rebuild", rebuild)
    monkeypatch.setattr(rebuilt, "served", give)
    monkeypatch.setattr(openvino_folder, "run", run)
    return served


@pytest.fixture
def export(small, tmp_path, served):
    return lambda format: export_file(small.path, tmp_path / "out", format, lambda line: None, {})


OLD = {"saved_model": "variables/variables.index", "openvino": "model.bin", "all": "odd [name].onnx"}
TELLS = json.dumps({"kerascola": "old", "artefacts": [{"files": [{"path": OLD["all"]}]}]})


def earlier(tmp_path, format):
    """A good artefact at the place."""
    within = known_formats.format_of(format).within
    if not within:
        (tmp_path / "out").write_text("old")
    else:
        (tmp_path / "out" / OLD[format]).parent.mkdir(parents=True)
        (tmp_path / "out" / within).write_text(TELLS if format == "all" else "old")
        (tmp_path / "out" / OLD[format]).write_text("old")


def terminated(embeddings):
    os.kill(os.getpid(), signal.SIGTERM)
    return embeddings


@pytest.mark.once("a signal ends each alike")
@pytest.mark.parametrize("format", ALL)
def test_a_command_that_is_terminated_changes_nothing(format, small, served, tmp_path):
    earlier(tmp_path, format)
    (tmp_path / "out").rename(out := tmp_path / f"out{known_formats.format_of(format).ending}")
    before = contents(tmp_path)
    served.change = terminated
    with pytest.raises(SystemExit) as ended:
        main([str(small.path), "--format", format, "--out", str(out), "--overwrite"])
    assert ended.value.code == 143 and contents(tmp_path) == before


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


@pytest.mark.once("the folder of all is written alike")
@pytest.mark.parametrize("wrong", FORMATS)
def test_one_of_all_that_fails_fails_all(wrong, export, served, tmp_path):
    earlier(tmp_path, "all")
    before = contents(tmp_path)
    served.change, served.of = off, wrong
    with pytest.raises(ExportError, match="Nothing was kept"):
        export("all")
    assert contents(tmp_path) == before


def test_an_onnx_file_that_does_not_open_is_not_kept(export, monkeypatch, tmp_path):
    def refuse(path):
        assert path.is_file()
        raise ExportError("not ours")

    monkeypatch.setattr(onnx_file, "Embedder", refuse)
    with pytest.raises(ExportError, match="not ours"):
        export("onnx")
    assert contents(tmp_path) == {}


def noted(out, format) -> dict:
    """What an artefact says of itself."""
    if out.is_dir():
        return json.loads((out / rebuilt.ROOM[format]).read_text())
    with zipfile.ZipFile(out) as archive:
        return json.loads(archive.read(rebuilt.ROOM[format]))


@pytest.mark.parametrize("there", [False, True], ids=["new", "again"])
@pytest.mark.parametrize("format", ALL)
def test_one_that_succeeds_takes_the_place(format, there, export, small, tmp_path):
    if there:
        earlier(tmp_path, format)
    metadata = export(format)
    found, out = contents(tmp_path), tmp_path / "out"
    if format == "onnx":
        assert list(found) == ["out"]
        onnx.checker.check_model(onnx.load(out))
    elif format == "all":
        names = {path.name for path in out.iterdir()}
        assert names == {"manifest.json", *(f"small{known.ending}" for known in FORMATS.values())}
    else:
        within = FORMATS[format].within
        whole = {"out", f"out/{within}", *(f"out/{p}" for p in (rebuilt.ROOM[format], "assets.extra"))}
        assert set(found) <= (whole if within else {"out"})
        assert found[f"out/{within}" if within else "out"].startswith(b"new")
        assert noted(out, format) == json.loads(json.dumps(dataclasses.asdict(metadata)))
    assert metadata.verified["max_difference"] == 0
    assert (metadata.sample_rate, metadata.recipe) == (16000, "test")


@pytest.mark.parametrize("format", ALL)
def test_what_is_no_artefact_is_not_replaced(format, export, tmp_path):
    """A slip of the command must not cost a folder."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years")
    before = contents(tmp_path)
    with pytest.raises(ExportError, match="is not a .*, so it is not replaced"):
        export(format)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("strange", ["notes.txt", "variables/deeper/variables.index", "link"])
@pytest.mark.parametrize("format", OLD)
def test_what_is_in_an_artefact_beside_it_is_not_lost(format, strange, export, tmp_path):
    earlier(tmp_path, format)
    (tmp_path / "out" / strange).parent.mkdir(parents=True, exist_ok=True)
    if strange == "link":
        (tmp_path / "out" / strange).symlink_to(tmp_path)
    else:
        (tmp_path / "out" / strange).write_text("years")
    before = contents(tmp_path)
    with pytest.raises(ExportError, match=f"out holds {strange}, which .* does not, so it is not replaced"):
        export(format)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("format", ["saved_model", "openvino", "all"])
def test_a_file_is_not_replaced_by_a_folder(format, export, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExportError, match="is not a .*, so it is not replaced"):
        export(format)
    assert contents(tmp_path) == {"out": b"mine"}


def lacks(monkeypatch, *modules):
    real = known_formats.find_spec
    monkeypatch.setattr(known_formats, "find_spec", lambda name: None if name in modules else real(name))


@pytest.mark.once("nothing is written")
@pytest.mark.parametrize(
    "format, module, extras",
    [
        ("saved_model", "tensorflow", "tensorflow,export"),
        ("openvino", "openvino", "openvino,export"),
        ("litert", "ai_edge_litert", "tensorflow,litert,export"),
        ("torch", "torch", "torch,export"),
    ],
)
def test_a_missing_package_comes_with_its_command(format, module, extras, export, monkeypatch, tmp_path):
    lacks(monkeypatch, module)
    with pytest.raises(ExportError, match=rf'needs {module}, not installed: pip install "kerascola\[{extras}\]"'):
        export(format)
    assert contents(tmp_path) == {}


@pytest.mark.once("the manifest is written alike")
def test_all_of_them_without_what_is_not_there(small, served, monkeypatch, tmp_path):
    """A missing package is told; so is a format that cannot hold the model."""
    lacks(monkeypatch, "openvino")
    real = rebuilt.rebuild

    def rebuild(formats, jobs):
        real(formats, jobs)
        if "litert" in formats:
            for folder, _ in jobs:
                (Path(folder) / "litert.txt").write_text("LiteRT cannot hold this model")

    monkeypatch.setattr(rebuilt, "rebuild", rebuild)
    said: list[str] = []
    export_file(small.path, tmp_path / "out", "all", said.append, {})
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [each["format"] for each in manifest["artefacts"]] == ["onnx", "saved_model", "torch"]
    reasons = {each["format"]: each["why"] for each in manifest["not_made"]}
    assert reasons["litert"] == "LiteRT cannot hold this model"
    assert 'pip install "kerascola[openvino,export]"' in reasons["openvino"] and len(reasons) == 2
    assert all(f"not made, {format}: {why}" in said for format, why in reasons.items())
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"manifest.json", "small.onnx", "small_saved_model", "small.pt2"}


@pytest.mark.once("another backend's process fails alike")
@pytest.mark.parametrize("code, told", [(1, "no such op"), (-9, "ended by signal 9")])
def test_a_backend_that_fails_is_said(small, tmp_path, monkeypatch, code, told):
    failed = SimpleNamespace(returncode=code, stderr="Traceback ...\nValueError: no such op", stdout="")
    monkeypatch.setattr(rebuilt.subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(ExportError, match=f"(?s)tensorflow could not write a SavedModel.*{told}"):
        export_file(small.path, tmp_path / "out", "saved_model", lambda line: None, {})
    assert contents(tmp_path) == {}
