"""A Triton repository and a page for the browser, of an ONNX file that NumPy can compute, too."""

import dataclasses
import json
import re
import time
import zipfile

import numpy as np
import onnx_models
import pytest
import soundfile
from browser import Browser
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from kerascola import Embedder
from kerascola.errors import ExportError
from kerascola.export import triton, web
from kerascola.export.cli import main
from kerascola.runtime.metadata import Classes

pytestmark = pytest.mark.once("an ONNX file is copied")

# Triton's messages as its documentation has them, as far as they are used here: protobuf itself reads what was written.
STRING, INT32, INT64, ENUM, MESSAGE = 9, 5, 3, 14, 11
MESSAGES = {
    "Tensor": [("name", STRING, 1), ("data_type", ENUM, 1), ("dims", INT64, 3), ("label_filename", STRING, 1)],
    "Batching": [("max_queue_delay_microseconds", INT64, 1)],
    "Parameter": [("string_value", STRING, 1)],
    "Entry": [("key", STRING, 1), ("value", "Parameter", 1)],
    "ModelConfig": [
        *(("name", STRING, 1), ("backend", STRING, 1), ("max_batch_size", INT32, 1), ("input", "Tensor", 3)),
        *(("output", "Tensor", 3), ("dynamic_batching", "Batching", 1), ("parameters", "Entry", 3)),
    ],
}


def parsed(text: str):
    """The text as a message ModelConfig; what it does not have is an error."""
    file = descriptor_pb2.FileDescriptorProto(name="triton.proto", package="t")
    file.enum_type.add(name="DataType").value.add(name="TYPE_FP32", number=11)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, label) in enumerate(fields, 1):
            added = message.field.add(name=field, number=number, label=label)
            added.type = MESSAGE if isinstance(kind, str) else kind
            if kind == ENUM or isinstance(kind, str):
                added.type_name = ".t.DataType" if kind == ENUM else f".t.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.ModelConfig"))
    return text_format.Parse(text, found())


@pytest.fixture
def onnx(tmp_path):
    return onnx_models.write_statistics_model(tmp_path / "model.onnx")


def test_a_model_for_triton(onnx, tmp_path):
    made = triton.write_repository(onnx, tmp_path / "models", 'my "model"')
    assert made == tmp_path / "models" / 'my "model"'
    assert (made / "1" / "model.onnx").read_bytes() == onnx.read_bytes()
    config = parsed((made / "config.pbtxt").read_text())
    assert (config.name, config.backend) == ('my "model"', "onnxruntime")
    assert config.max_batch_size > 1 and config.dynamic_batching.max_queue_delay_microseconds > 0
    ends = [[(e.name, e.data_type, list(e.dims)) for e in side] for side in (config.input, config.output)]
    assert ends == [[("waveform", 11, [-1])], [("embedding", 11, [4])]]
    known = {entry.key: entry.value.string_value for entry in config.parameters}
    assert known["sample_rate"] == "16000" and set(known) == set(triton.TOLD)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ['my "model"']


def test_heads_for_triton(onnx):
    metadata = dataclasses.replace(onnx_models.METADATA, heads={"": Classes(("a", "b", "c"))})
    config = parsed("\n".join(triton.config(metadata, "m")))
    ends = [(e.name, list(e.dims), e.label_filename) for e in config.output]
    assert ends == [("embedding", [4], ""), ("logits", [3], ""), ("scores", [3], "head-labels.txt")]


@pytest.mark.parametrize("check, option", [(triton.check_repository, "triton"), (web.check_folder, "web")])
def test_what_is_there_is_kept(check, option, onnx, tmp_path):
    def look(folder, overwrite):
        return check(folder, *["model"] * (option == "triton"), overwrite)

    with pytest.raises(ExportError, match="no such folder|expected a folder"):
        look(tmp_path / "none" / "x", True)
    strange = tmp_path / "x" / "model" if option == "triton" else tmp_path / "x"
    strange.mkdir(parents=True)
    (strange / "thesis.tex").write_text("years")
    with pytest.raises(ExportError, match=rf"is there already: .* by --{option}"):
        look(tmp_path / "x", True)
    triton.write_repository(onnx, tmp_path / "y", "model") if option == "triton" else web.write_page(
        onnx, tmp_path / "y", "model"
    )
    look(tmp_path / "y", True)
    with pytest.raises(ExportError, match="replace it by --overwrite"):
        look(tmp_path / "y", False)


@pytest.mark.parametrize("write", [triton.write_repository, web.write_page])
def test_what_fails_leaves_nothing(write, tmp_path, onnx, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="No space") as told:
        write(onnx, tmp_path / "out", "model")
    assert told.value.filename == str(tmp_path / "out" / ("model" * (write is triton.write_repository)))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_another_version_of_a_model_is_not_lost(onnx, tmp_path):
    triton.write_repository(onnx, tmp_path / "models", "m")
    (tmp_path / "models/m/2").mkdir()
    (tmp_path / "models/m/2/model.onnx").write_text("precious")
    with pytest.raises(ExportError, match="m holds 2/model.onnx, which .* name another by --triton"):
        triton.check_repository(tmp_path / "models", "m", True)


def test_what_npm_installed_beside_a_page_stays(onnx, tmp_path):
    page = web.write_page(onnx, tmp_path / "page", "old")
    for name in ("package.json", "package-lock.json", "node_modules/onnxruntime-web/ort.js"):
        (tmp_path / "page" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "page" / name).write_text("npm's")
    web.check_folder(tmp_path / "page", True)
    web.write_page(onnx, tmp_path / "page", "new")
    assert "<h1>new</h1>" in page.read_text()
    assert (tmp_path / "page/node_modules/onnxruntime-web/ort.js").read_text() == "npm's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "page"]
    (tmp_path / "page" / "thesis.tex").write_text("years")
    with pytest.raises(ExportError, match="more than a page"):
        web.check_folder(tmp_path / "page", True)


@pytest.mark.parametrize("option", ["--triton", "--web"])
def test_a_head_alone_is_refused_before_it_is_exported(option, tmp_path, capsys):
    known = dataclasses.asdict(dataclasses.replace(onnx_models.METADATA, heads={"": Classes(("a", "b"))}))
    with zipfile.ZipFile(tmp_path / "head.keras", "w") as archive:
        archive.writestr("kerascola.json", json.dumps(known))
    assert main([str(tmp_path / "head.keras"), option, str(tmp_path / "there")]) == 1
    assert "head.keras, which is a head" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["head.keras"]


def test_other_formats_are_refused(tmp_path, capsys):
    (tmp_path / "m.keras").write_text("not looked at")
    assert main([str(tmp_path / "m.keras"), "--format", "litert", "--web", str(tmp_path / "page")]) == 1
    assert "--triton and --web are for the format onnx or all, received litert" in capsys.readouterr().err


RUNTIME = """
window.ort = {
  env: { wasm: {} },
  Tensor: class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } },
  InferenceSession: { create: async (path) => ({ run: async ({ waveform: { data, dims } }) => {
    if (path !== "model.onnx" || dims[0] !== 1 || dims[1] !== data.length) throw new Error("other ends");
    const mean = (f) => data.reduce((sum, x) => sum + f(x), 0) / data.length;
    return { embedding: { data: [mean((x) => x), mean(Math.abs), mean((x) => x * x), Math.max(...data)] } };
  } }) },
};
"""


def test_the_page_cuts_and_averages_as_the_embedder_does(onnx, tmp_path):
    """Its runtime is played by the same statistics in JavaScript; the browser reads the sounds."""
    page = web.write_page(onnx, tmp_path / "page", "<b>&model")
    assert "<h1>&lt;b&gt;&amp;model</h1>" in page.read_text()
    embed, rng = Embedder(onnx), np.random.default_rng(0)
    rate, window = embed.sample_rate, embed.metadata.window_samples
    sounds = {"long.wav": (3 * window + 77, 2), "window.flac": (window, 1), "short.wav": (40, 1)}
    browser = Browser(tmp_path / "profile")
    try:
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=RUNTIME)
        browser.open(page, 800)
        root = browser.call("DOM.getDocument")["root"]["nodeId"]
        chooser = browser.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        for name, shape in sounds.items():
            soundfile.write(tmp_path / name, rng.uniform(-0.5, 0.5, shape), rate, subtype="PCM_16")
            browser.call("DOM.setFileInputFiles", nodeId=chooser, files=[str(tmp_path / name)])
            until = time.monotonic() + 30
            while not re.search(r" ms$|: (?!.* ms$)", said := browser.run("said.textContent")):
                assert time.monotonic() < until, said
            assert re.fullmatch(rf"{name}: [\d.]+ s of sound in \d+ ms", said)
            found = json.loads(browser.run("shown.textContent"))
            # Chromium divides 16 bits by 32767, libsndfile by 32768.
            np.testing.assert_allclose(found, embed(tmp_path / name), atol=2e-5)
    finally:
        browser.close()
