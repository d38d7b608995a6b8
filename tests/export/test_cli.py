"""What the command refuses, and what it says."""

import dataclasses
import sys
from pathlib import Path

import keras
import pytest
from keras import layers, ops
from zoos_for_tests import NAME, a_zoo

import kerascola
from kerascola.errors import ExportError, ModelError
from kerascola.export import artefact, export
from kerascola.export.cli import main

CONVERTERS = {"tensorflow": "tf2onnx", "jax": "jax2onnx", "torch": "onnxscript"}
OPTIONS = ["--sample-rate", "8000", "--window-samples", "4000", "--min-samples", "900"]


def refused(capsys, *arguments) -> str:
    """The one line that it ends with."""
    assert main([str(a) for a in arguments]) == 1
    said = capsys.readouterr()
    assert "Traceback" not in said.err and not said.out
    return said.err


@pytest.fixture
def writer(monkeypatch):
    """Takes the place of the ONNX writer; gives the metadata that it was called with."""
    calls: list = []

    def write(model, metadata, out, say, half, heads, int8):
        calls.append((metadata, out, *["half"] * half, *["int8"] * bool(int8)))
        verified = {"max_difference": 2.5e-7, "min_cosine": 0.9999995}
        return dataclasses.replace(metadata, verified=verified)

    monkeypatch.setattr(artefact, "export_onnx", write)
    return calls


@pytest.fixture(scope="module")
def saved_again(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("again") / "again.keras"
    keras.saving.load_model(small.path).save(path)
    return path


def test_metadata_and_place_by_default(small, writer, capsys):
    assert main([str(small.path)]) == 0
    assert writer == [(small.metadata, small.path.with_name("small.onnx"))]
    said = capsys.readouterr().out
    assert f"{small.path.with_name('small.onnx')}: [batch, samples at 16000 Hz] -> [batch, 8]" in said
    assert "largest difference 2.5e-07, least cosine 0.9999995" in said


def test_a_name_of_the_zoo_is_exported_to_here(small, writer, tmp_path, monkeypatch):
    a_zoo(tmp_path / "zoo", keras=small.path.read_bytes())
    monkeypatch.setenv("KERASCOLA_ZOO", str(tmp_path / "zoo"))
    monkeypatch.chdir(tmp_path)
    assert main([NAME]) == 0 and main([f"zoo:{NAME}", "--out", "mine.onnx"]) == 0
    assert [out for _, out in writer] == [Path(f"{NAME}.onnx"), Path("mine.onnx")]
    export(NAME, "from_python.onnx", say=lambda line: None)
    assert writer[2] == (small.metadata, Path("from_python.onnx"))


def test_options_replace_single_fields(small, writer):
    assert main([str(small.path), "--window-samples", "5000"]) == 0
    ((metadata, _),) = writer
    assert metadata == dataclasses.replace(small.metadata, window_samples=5000)


def test_half_the_space(small, writer, capsys):
    assert main([str(small.path), "--quantize", "fp16"]) == 0
    export(small.path, small.path.with_name("out.onnx"), say=lambda line: None, quantize="fp16")
    assert [half for *_, half in writer] == ["half", "half"]
    capsys.readouterr()
    assert "fp16 is for the formats onnx and openvino" in refused(
        capsys, small.path, "--format", "saved_model", "--quantize", "fp16"
    )


def test_lost_metadata_names_the_options(saved_again, tmp_path, capsys):
    said = refused(capsys, saved_again, "--out", tmp_path / "x.onnx")
    assert "--sample-rate, --window-samples, --min-samples" in said
    said = refused(capsys, saved_again, "--out", tmp_path / "x.onnx", *OPTIONS[:2])
    assert "--window-samples, --min-samples" in said and "--sample-rate" not in said
    assert not list(tmp_path.iterdir())


def test_lost_metadata_given_again(saved_again, writer):
    assert main([str(saved_again), *OPTIONS]) == 0
    ((metadata, _),) = writer
    counts = (metadata.sample_rate, metadata.window_samples, metadata.hop_samples, metadata.min_samples)
    assert counts == (8000, 4000, 4000, 900) and metadata.dimension == 8


def test_no_such_file(tmp_path, capsys):
    assert "none.keras: no such file" in refused(capsys, tmp_path / "none.keras")


def test_not_a_keras_file(tmp_path, capsys):
    (tmp_path / "text.keras").write_text("hello")
    assert "text.keras is not a Keras archive" in refused(capsys, tmp_path / "text.keras")


def test_unknown_format(small, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(small.path), "--format", "tflite"])
    assert stopped.value.code == 2 and "'tflite'" in capsys.readouterr().err
    with pytest.raises(
        ExportError, match="expected a format of onnx, saved_model, openvino, litert, torch or all, received 'tflite'"
    ):
        export(small.path, tmp_path / "x", "tflite")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_counts_are_whole_and_positive(small, text, capsys):
    with pytest.raises(SystemExit):
        main([str(small.path), f"--sample-rate={text}"])
    assert f"expected a whole number from 1, received '{text}'" in capsys.readouterr().err


def test_what_is_there_is_replaced_only_when_asked(small, tmp_path, writer, capsys):
    out = tmp_path / "x.onnx"
    out.write_text("mine")
    assert "is there already: replace it by --overwrite" in refused(capsys, small.path, "--out", out)
    assert not writer and out.read_text() == "mine"
    assert main([str(small.path), "--out", str(out), "--overwrite"]) == 0
    assert len(writer) == 1


def test_python_replaces_what_is_there_only_when_asked(small, tmp_path, writer):
    out = tmp_path / "x.onnx"
    out.write_text("mine")
    with pytest.raises(ExportError, match=r"x.onnx is there already: .*overwrite=True"):
        export(small.path, out, say=lambda line: None)
    assert not writer and out.read_text() == "mine"
    export(small.path, out, say=lambda line: None, overwrite=True)
    assert len(writer) == 1


def test_python_is_told_of_a_slip(small, tmp_path, writer):
    with pytest.raises(TypeError, match="quantise"):
        export(small.path, tmp_path / "x.onnx", quantise="int8")
    with pytest.raises(ExportError, match="sample_rate: expected a whole number, received 'x'"):
        export(small.path, tmp_path / "x.onnx", sample_rate="x")
    assert not writer


@pytest.mark.parametrize("format, name", [("onnx", "c.keras"), ("onnx", "c.tflite"), ("all", "c.pt2")])
def test_a_name_for_another_format_is_refused_before_the_work(format, name, small, tmp_path, writer, capsys):
    said = refused(capsys, small.path, "--format", format, "--out", tmp_path / name)
    assert f"received {name}, which is one for another. Change --out" in said and ".partial" not in said
    assert not writer and not list(tmp_path.iterdir())


def test_what_a_file_may_not_say_is_refused_before_the_work(small, tmp_path, writer, capsys):
    said = refused(capsys, small.path, "--sample-rate", "7", "--out", tmp_path / "x.onnx")
    assert "sample_rate: expected a whole number from 100 to 1000000, received 7" in said and not writer


def test_no_folder_to_write_into(small, tmp_path, capsys):
    said = refused(capsys, small.path, "--out", tmp_path / "none" / "x.onnx")
    assert f"{tmp_path / 'none'}: no such folder to write x.onnx into" in said


def test_anothers_manifest_is_not_replaced(small, tmp_path, capsys):
    out = tmp_path / "site"
    out.mkdir()
    for content in ('{"name": "my page"}', "not json", '["kerascola"]'):
        (out / "manifest.json").write_text(content)
        said = refused(capsys, small.path, "--format", "all", "--out", out, "--overwrite")
        assert f"{out} is there and is not a folder of all formats" in said
        assert (out / "manifest.json").read_text() == content


def two_inputs():
    a, b = keras.Input((None,)), keras.Input((None,))
    return keras.Model([a, b], layers.Dense(2)(ops.mean(a + b, axis=-1, keepdims=True)))


def fixed_length():
    x = keras.Input((800,))
    return keras.Model(x, layers.Dense(2)(x))


def frames_out():
    x = keras.Input((None,))
    return keras.Model(x, layers.Dense(2)(ops.expand_dims(x, -1)))


def two_outputs():
    x = keras.Input((None,))
    mean = ops.mean(x, axis=-1, keepdims=True)
    return keras.Model(x, [layers.Dense(2)(mean), layers.Dense(2)(mean)])


def spectrogram_in():
    x = keras.Input((None, 64))
    return keras.Model(x, ops.mean(x, axis=1))


@pytest.mark.parametrize("build", [two_inputs, fixed_length, frames_out, two_outputs, spectrogram_in])
def test_a_model_with_other_ends(build, tmp_path, capsys):
    build().save(tmp_path / "other.keras")
    said = refused(capsys, tmp_path / "other.keras", *OPTIONS)
    assert "expected one input [batch, samples] of any length and one output [batch, dimension]" in said
    assert [path.name for path in tmp_path.iterdir()] == ["other.keras"]


class Blocker:
    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_missing_converter_comes_with_its_command(small, tmp_path, monkeypatch, capsys):
    backend = keras.backend.backend()
    monkeypatch.setenv("KERAS_BACKEND", backend)
    converter, module = CONVERTERS[backend], f"lower_{backend}"
    found = [name for name in sys.modules if name.partition(".")[0] == converter]
    for name in [*found, *(n for n in sys.modules if n.startswith("torch.onnx._internal.exporter"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Blocker(converter), *sys.meta_path])
    monkeypatch.delitem(sys.modules, f"kerascola.export.{module}", raising=False)
    monkeypatch.delattr(kerascola.export, module, raising=False)
    said = refused(capsys, small.path, "--out", tmp_path / "x.onnx")
    assert f"kerascola-export needs {converter}, which is not installed" in said
    assert f'pip install "kerascola[export,{backend}]"' in said
    assert not list(tmp_path.iterdir())


def test_from_python(small, tmp_path, writer):
    export(small.path, str(tmp_path / "x.onnx"), say=lambda line: None)
    ((metadata, out),) = writer
    assert metadata == small.metadata and out == tmp_path / "x.onnx"
    with pytest.raises(ModelError, match="no such file"):
        export(tmp_path / "none.keras", tmp_path / "x.onnx")


def test_a_least_length_that_the_model_cannot_take_is_refused(small, capsys, tmp_path):
    said = refused(capsys, small.path, "--min-samples", "100", "--out", tmp_path / "x.onnx")
    assert "--min-samples, 100" in said
    assert not list(tmp_path.iterdir())


def test_a_window_below_the_least_length_is_refused(small, capsys, tmp_path):
    said = refused(
        capsys, small.path, "--window-samples", "1000", "--min-samples", "2000", "--out", tmp_path / "x.onnx"
    )
    assert "min_samples: expected no more than window_samples, 1000, received 2000" in said


def test_the_model_itself_is_not_overwritten(small, capsys):
    kept = small.path.read_bytes()
    assert "is the model itself" in refused(capsys, small.path, "--out", small.path, "--overwrite")
    assert small.path.read_bytes() == kept
