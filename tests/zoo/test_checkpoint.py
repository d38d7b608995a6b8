"""A trained model becomes a checkpoint, which is then found by its name, opened elsewhere and checked."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import results_for_tests
import yaml
from models_for_tests import metadata_of, small_embedder

import kerascola
from kerascola.errors import ZooError
from kerascola.models.embedder import load_embedder, save_embedder
from kerascola.runtime.catalogue import open_zoo
from kerascola.runtime.golden import sound
from kerascola.runtime.record import Trial, write_index
from kerascola.zoo import elsewhere, shipping
from kerascola.zoo.cards import stale
from kerascola.zoo.checkpoint import Facts, file, ship, source_of
from kerascola.zoo.checks import check
from kerascola.zoo.results import metrics_of

pytestmark = pytest.mark.once("files are made and read elsewhere; that each backend exports and loads is tested on all")

NAME, BACKEND = "small.test", keras.backend.backend()
FACTS = {
    "summary": "One convolution.",
    "encoder": "one convolution",
    "licence": "CC0-1.0",
    "data": "nothing",
    "hours": 2,
    "limits": ["It knows nothing."],
    "trials": [{"tried": "two", "gave": "no more", "cost": "a day"}],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run's folder, as far as it is looked into, and what a probe found of its model."""
    folder = tmp_path_factory.mktemp("runs") / "cola"
    folder.mkdir()
    model = small_embedder()
    save_embedder(model, metadata_of(model, versions={"trained on": "jax"}), folder / "model.keras")
    lines = [{"command": "/usr/bin/kerascola pretrain cola --data 'my sounds'"}, {"command": "kerascola again"}]
    (folder / "environment.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = results_for_tests.results(["a", "b"])
    for one in found["encoders"]:
        one["file"] = "runs/cola/model.keras"
    (folder / "results.json").write_text(json.dumps(found))
    (folder / "facts.yaml").write_text(yaml.safe_dump(FACTS))
    return folder


def here(files: list[tuple[Path, np.ndarray]], backend: str) -> list[np.ndarray]:
    assert backend == BACKEND
    return [load_embedder(path)[0].predict_on_batch(heard[None])[0] for path, heard in files]


@pytest.fixture(scope="module")
def shipped(run, tmp_path_factory) -> Path:
    """The zoo that the command made of it."""
    zoo = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipping, "BACKENDS", (BACKEND,))
        patch.setattr("kerascola.zoo.checkpoint.embeddings", here)  # elsewhere it is opened below
        facts, results = str(run / "facts.yaml"), str(run / "results.json")
        arguments = [str(run), "--name", NAME, "--facts", facts, "--results", results, "--zoo", str(zoo)]
        assert shipping.main(arguments) == 0
    return zoo


@pytest.fixture
def zoo(shipped, tmp_path, monkeypatch) -> Path:
    """A copy, which may be spoilt."""
    monkeypatch.setenv("KERASCOLA_ZOO", str(tmp_path / "zoo"))
    return Path(shutil.copytree(shipped, tmp_path / "zoo"))


def test_the_record(run, shipped):
    (record,) = open_zoo(str(shipped)).records.values()
    assert (record.name, record.recipe, record.backend, record.licence) == (NAME, "test", "jax", "CC0-1.0")
    assert record.command == "kerascola pretrain cola --data 'my sounds'"
    assert record.trials == (Trial("two", "no more", "a day"),) and record.hours == 2
    assert record.frontend == {} and record.dimension == 8
    assert record.parameters == 3 * 3 * 8 + 2 * 8
    for kind in ("keras", "onnx"):
        assert record.files[kind] == file(shipped / "checkpoints" / f"{NAME}.{kind}")
    found = json.loads((run / "results.json").read_text())
    given, random = found["encoders"][:2]
    first, beside = given["rows"][0], random["rows"][0]
    told = record.metrics[0]
    assert told.protocol == "list: linear on all labels, 3 folds by the column fold"
    assert (told.value, told.random, told.seeds) == (first["values"]["accuracy"], beside["values"]["accuracy"], 5)
    assert list(told.interval) == first["intervals"]["accuracy"] and told.spread == beside["spread"]["accuracy"]
    assert len(record.metrics) == len(given["rows"])
    assert sorted(path.name for path in shipped.iterdir()) == ["cards", "checkpoints", "index.json"]
    assert len(list((shipped / "checkpoints").iterdir())) == 2


def test_what_was_measured(run, shipped):
    """Against the model before it was rounded, opened here."""
    (record,) = open_zoo(str(shipped)).records.values()
    heard = sound(record.sample_rate, record.window_samples)
    whole = load_embedder(run / "model.keras")[0].predict_on_batch(heard[None])[0]
    golden = np.array(record.golden.embedding)
    assert 0 < np.abs(golden - whole).max() < 0.01 * np.abs(whole).max()
    largest = np.abs(golden).max()
    assert record.golden.tolerance == pytest.approx({"keras": 1e-4 * largest, "onnx": 2e-3 * largest}, rel=0.01)
    assert 1e-6 < record.parity["rounding_max_difference"] < 0.05 and record.parity["rounding_min_cosine"] > 0.999
    assert set(record.parity) >= {"onnx_max_difference", "golden_onnxruntime", f"golden_{BACKEND}"}
    smaller = shipped / "checkpoints" / f"{NAME}.keras"
    np.testing.assert_allclose(load_embedder(smaller)[0].predict_on_batch(heard[None])[0], golden, atol=1e-5)
    np.testing.assert_allclose(kerascola.Embedder(smaller.with_suffix(".onnx"))(heard, 16000), golden, atol=2e-3)


def test_by_its_name(zoo):
    heard = sound(16000, 8000)
    expected = kerascola.Embedder(NAME)(heard, 16000)
    np.testing.assert_allclose(kerascola.load(NAME).predict_on_batch(heard[None])[0], expected, atol=2e-3)


class Ours(keras.layers.Layer):
    def call(self, x):
        return x[:, :8]


def test_the_check_tells_good_files_from_others(zoo):
    """Beside the shipped one: weights a thousandth off, and a layer that is not Keras's; both with their checksums."""
    folder = zoo / "checkpoints"
    model, metadata = load_embedder(folder / f"{NAME}.keras")
    assert metadata is not None
    encoder = model.get_layer("encoder")
    encoder.set_weights([np.asarray(weight) * 1.001 for weight in encoder.get_weights()])
    waveform = keras.Input((None,))
    others = {"a.louder": model, "a.strange": keras.Model(waveform, Ours()(waveform))}
    (record,) = open_zoo(str(zoo)).records.values()
    records = [record]
    for name, other in others.items():
        save_embedder(other, metadata, folder / f"{name}.keras")
        shutil.copy(folder / f"{NAME}.onnx", folder / f"{name}.onnx")
        files = {**record.files, "keras": file(folder / f"{name}.keras")}
        records.append(dataclasses.replace(record, name=name, files=files))
    (zoo / "index.json").write_text(write_index(records))
    opened = open_zoo(str(zoo))
    found = list(check(opened, list(opened.records.values()), BACKEND))
    assert len(found) == 4 * 3
    wrong = {(name, what): str(said) for name, what, said in found if isinstance(said, ZooError)}
    assert list(wrong) == [("a.louder", f"Keras, {BACKEND}"), ("a.strange", f"Keras, {BACKEND}")]
    assert "received a difference of" in wrong["a.louder", f"Keras, {BACKEND}"]
    assert "a.strange.keras: expected Keras on" in wrong["a.strange", f"Keras, {BACKEND}"]
    assert stale(zoo) == ["a.louder.md", "a.strange.md"]


def test_elsewhere_there_is_no_kerascola(zoo, monkeypatch):
    monkeypatch.setattr(elsewhere, "PROGRAM", elsewhere.PROGRAM.replace("import keras,", "import kerascola, keras,"))
    with pytest.raises(ZooError, match="to start without kerascola, received: ImportError: kerascola"):
        elsewhere.embeddings([(zoo / "checkpoints" / f"{NAME}.keras", sound(16000, 8000))], BACKEND)


def test_a_second_one_joins_the_first_and_replaces_itself(run, zoo):
    facts = Facts("another", "none", "MIT", "nothing", 1.0, "made by hand")
    first = open_zoo(str(zoo)).records[NAME]
    (zoo / "index.json").write_text(write_index([first, dataclasses.replace(first, name="a.first")], "https://there"))
    ship(run / "model.keras", "a.first", facts, [], zoo, [])
    opened = open_zoo(str(zoo))
    assert list(opened.records) == ["a.first", NAME] and opened.address == "https://there" and not stale(zoo)
    assert opened.records["a.first"].licence == "MIT" and opened.records[NAME] == first
    assert kerascola.Embedder("a.first").metadata.licence == "MIT"


def test_a_failure_leaves_the_zoo_as_it_was(run, zoo, monkeypatch):
    before = {path: path.read_bytes() for path in zoo.rglob("*") if path.is_file()}

    def failing(*args, **options):
        raise ZooError("no")

    monkeypatch.setattr("kerascola.zoo.checkpoint.export_onnx", failing)
    with pytest.raises(ZooError):
        ship(run, NAME, Facts("s", "e", "MIT", "d", 1.0), [], zoo, [])
    assert before == {path: path.read_bytes() for path in zoo.rglob("*") if path.is_file()}


def test_the_command_that_made_it(run, tmp_path):
    facts = Facts("s", "e", "MIT", "d", 1.0)
    assert source_of(run, facts)[0] == run / "model.keras" == source_of(run / "model.keras", facts)[0]
    model = Path(shutil.copy(run / "model.keras", tmp_path))
    with pytest.raises(ZooError, match="expected a run's environment.jsonl beside it, received none. Say `command`"):
        source_of(model, facts)
    assert source_of(model, dataclasses.replace(facts, command="x"))[1] == "x"


def test_results_of_another_model_are_refused(run, tmp_path):
    found = json.loads((run / "results.json").read_text())
    for named, mine in [("runs/other/model.keras", 0), (f"zoo:{NAME}", 6), ("model.keras", 6)]:
        for one in found["encoders"]:
            one["file"] = named
        (tmp_path / "results.json").write_text(json.dumps(found))
        if mine:
            assert len(metrics_of(tmp_path / "results.json", run / "model.keras", NAME)) == mine
            continue
        with pytest.raises(ZooError, match="expected figures of .*model.keras .* received those of runs/other/model"):
            metrics_of(tmp_path / "results.json", run / "model.keras", NAME)
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(ZooError, match="expected what `kerascola probe` wrote"):
        metrics_of(tmp_path / "results.json", run / "model.keras", NAME)


@pytest.mark.parametrize(
    ("name", "facts", "said"),
    [
        ("Small", FACTS, "expected a name such as small.cola-synth, in small letters, received 'Small'"),
        (NAME, FACTS | {"hour": 3}, "unknown key 'hour'; did you mean 'hours'"),
        (NAME, {"summary": "x"}, "received no encoder, licence, data, hours"),
        (NAME, FACTS | {"hours": "2 h"}, "facts.yaml.hours: expected a number, received '2 h'"),
    ],
)
def test_what_the_command_refuses(run, tmp_path, capsys, name, facts, said):
    (tmp_path / "facts.yaml").write_text(yaml.safe_dump(facts))
    arguments = [str(run), "--name", name, "--facts", str(tmp_path / "facts.yaml"), "--zoo", str(tmp_path / "zoo")]
    assert shipping.main(arguments) == 1
    assert said in capsys.readouterr().err and not (tmp_path / "zoo").exists()


def test_the_cards_are_written_by_a_command(zoo):
    card = zoo / "cards" / f"{NAME}.md"
    expected = card.read_text()
    card.write_text("old")
    (zoo / "cards" / "gone.away.md").write_text("of a checkpoint that is not there any more")
    assert stale(zoo) == ["gone.away.md", f"{NAME}.md"]
    command = [sys.executable, "-m", "kerascola.zoo.cards", str(zoo)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    assert card.read_text() == expected and not stale(zoo)
    for line in (
        "| list: linear on all labels, 3 folds by the column fold | accuracy |",
        'Embedder("small.test")',
        "| two | no more | a day |",
        "- It knows nothing.",
        "kerascola pretrain cola --data 'my sounds'",
    ):
        assert line in expected
