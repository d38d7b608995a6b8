"""`kerascola zoo` on a small zoo whose Keras files nobody opens."""

import io
import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onnx_models import METADATA
from zoos_for_tests import NAME, Server, a_zoo

from kerascola.cli import encoders, main
from kerascola.errors import KerascolaError
from kerascola.runtime.models import model_file
from kerascola.runtime.record import write_index
from kerascola.zoo import checks

pytestmark = pytest.mark.once("what an exported file, its record and the command line say of each other")

FIRST = "digits: linear on all labels, 6 folds"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERASCOLA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERASCOLA_ZOO", raising=False)
    return a_zoo(tmp_path / "zoo")


def say(capsys, *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_list_and_show(capsys, monkeypatch):
    head, line = say(capsys, "zoo", "list", "--zoo", "zoo").splitlines()
    assert head.split() == ["name", "encoder", "numbers", "MB", "Hz", "figure"]
    assert line.split(maxsplit=5) == [NAME, "none", "4", "0.0", "16000", f"accuracy 0.751 ({FIRST})"]
    monkeypatch.setenv("KERASCOLA_ZOO", "zoo")
    assert say(capsys, "zoo", "show", NAME).startswith(f"# {NAME}\n\nMean, level, power and peak.\n")
    assert f"did you mean '{NAME}'" in say(capsys, "zoo", "show", "statistics", code=1)


def test_an_empty_zoo(tmp_path, capsys):
    (tmp_path / "index.json").write_text(write_index([]))
    for action in ("list", "verify"):
        assert main(["zoo", action, "--zoo", str(tmp_path)]) == 0
        assert capsys.readouterr().err.strip().endswith("has no checkpoints yet")


def test_get(place, capsys):
    server = Server(place)
    try:
        (path,) = say(capsys, "zoo", "get", NAME, "--zoo", server.url).split()
        assert Path(path).is_relative_to(Path("home").resolve()) and path.endswith(".onnx")
        paths = say(capsys, "zoo", "get", NAME, "--zoo", server.url, "--format", "both", "--to", "there").split()
        assert paths == [f"there/{NAME}.keras", f"there/{NAME}.onnx"]
        assert [Path(p).read_bytes() for p in paths] == [
            (place / "checkpoints" / Path(p).name).read_bytes() for p in paths
        ]
        assert server.paths().count(f"/checkpoints/{NAME}.onnx") == 1
    finally:
        server.close()


def test_progress_of_what_is_fetched(place, capsys):
    server = Server(place)
    try:
        assert main(["zoo", "get", NAME, "--zoo", server.url]) == 0
    finally:
        server.close()
    assert f"{NAME}.onnx: 0.0 of 0.0 MB" in capsys.readouterr().err


@pytest.fixture
def plain_keras(monkeypatch):
    """What the Keras file would say and give; that of a real one is looked at in tests/zoo."""
    monkeypatch.setattr(checks, "load_metadata", lambda path: METADATA)
    given: dict = {}
    monkeypatch.setattr(checks, "embeddings", lambda files, backend: [given["embedding"]])
    return given


def test_verify(place, capsys, plain_keras):
    from kerascola.runtime.catalogue import open_zoo

    golden = np.array(open_zoo("zoo").records[NAME].golden.embedding)
    plain_keras["embedding"] = golden + 5e-6
    lines = say(capsys, "zoo", "verify", "--zoo", "zoo").splitlines()
    assert len(lines) == 4 and lines[2].startswith(f"{NAME}  onnxruntime: golden embedding within ")
    assert lines[3].endswith("golden embedding within 5.0e-06")
    plain_keras["embedding"] = golden + 5e-5
    assert main(["zoo", "verify", NAME, "--zoo", "zoo"]) == 1
    said = capsys.readouterr()
    assert "received a difference of 5e-05" in said.err and "1 of these checkpoints' files are not" in said.err
    assert len(said.out.splitlines()) == 3
    (place / "checkpoints" / f"{NAME}.onnx").write_bytes(b"spoilt")
    said = say(capsys, "zoo", "verify", "--zoo", "zoo", code=1)
    assert "expected a file with the sha256 checksum" in said and "2 of these" in said


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"licence": "MIT"}, "expected licence 'MIT', as its record has it, received ''"),
        ({"window_samples": 9000}, "expected window_samples 9000, as its record has it, received 8000"),
    ],
)
def test_a_record_that_is_of_another_file(tmp_path, capsys, plain_keras, changes, reason):
    a_zoo(tmp_path / "wrong", **changes)
    assert reason in say(capsys, "zoo", "verify", "--zoo", "wrong", code=1)


def test_embedding_by_a_name(place, capsys, monkeypatch):
    monkeypatch.setenv("KERASCOLA_ZOO", "zoo")
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    soundfile.write("a.wav", sound, 16000)
    assert main(["embed", NAME, "a.wav", "--out", "a.npz"]) == 0
    with np.load("a.npz") as named:
        assert main(["embed", str(model_file(NAME, "onnx")), "a.wav", "--out", "b.npz"]) == 0
        with np.load("b.npz") as path:
            np.testing.assert_array_equal(named["embedding"], path["embedding"])


def test_an_encoder_of_the_zoo_is_judged(place, monkeypatch):
    monkeypatch.setenv("KERASCOLA_ZOO", "zoo")
    for n in range(12):
        Path(f"sounds/{n % 2}").mkdir(parents=True, exist_ok=True)
        soundfile.write(f"sounds/{n % 2}/{n}.wav", (0.1 + 0.2 * (n % 2)) * np.ones(8000), 16000)
    command = ["compare", f"zoo:{NAME}", f"zoo/checkpoints/{NAME}.onnx", "--data", "sounds", "--folds", "2"]
    assert main([*command, "--by", "knn", "--random", "0", "--out", "judged"]) == 0
    first, second = json.loads(Path("judged/results.json").read_text())["encoders"]
    assert first["name"] == f"zoo:{NAME}" and first["sha256"] == second["sha256"]
    assert first["rows"] == second["rows"]


def test_random_weights_and_training_are_of_its_keras_file(place, monkeypatch, capsys):
    archive, metadata = io.BytesIO(), replace(METADATA, frontend={"name": "waveform"})
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("config.json", "{}")
        file.writestr("kerascola.json", json.dumps(asdict(metadata)))
    a_zoo(place, keras=archive.getvalue())
    monkeypatch.setenv("KERASCOLA_ZOO", "zoo")
    monkeypatch.setattr(encoders, "exported", lambda key, make, say, what, compare: (make.args, compare))
    path = Path("zoo/checkpoints") / f"{NAME}.keras"
    assert encoders.keras_file(f"zoo:{NAME}") == encoders.keras_file(NAME) == path
    assert encoders.keras_file("model.onnx") is None
    assert encoders.at_random(NAME, 2, print) == [((path, 0), False), ((path, 1), False)]

    def refuse(model: str, *others) -> None:
        raise KerascolaError(f"asked for {model}")

    monkeypatch.setattr("kerascola.training.start.recipe_for", refuse)
    for named, meant in [(NAME, path), (f"zoo:{NAME}", path), ("cola", "cola"), ("mine.keras", "mine.keras")]:
        assert f"error: asked for {meant}\n" in say(capsys, "finetune", named, "--data", "sounds", code=1)
    said = say(capsys, "finetune", "zoo:statistics", "--data", "sounds", code=1)
    assert f"the zoo has no 'statistics'; did you mean '{NAME}'? The zoo zoo has {NAME}" in said
