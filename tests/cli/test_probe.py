import json

import numpy as np
import pytest
import soundfile
from onnx_models import METADATA, write_statistics_model

from kerascola import Embedder
from kerascola.cli import main
from kerascola.models.heads import load_head

pytestmark = pytest.mark.once("exported models are judged")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Loud and quiet recordings, which statistics of a waveform tell apart, of three speakers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERASCOLA_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    lines = ["path,label,speaker,tags"]
    for n in range(36):
        name = f"sounds/{n}.wav"
        (tmp_path / "sounds").mkdir(exist_ok=True)
        soundfile.write(name, (0.3 if n % 2 else 0.1) * rng.uniform(-1, 1, 4000 + 100 * n), METADATA.sample_rate)
        lines.append(
            f"{name},{'loud' if n % 2 else 'quiet'},s{n // 12},{'loud;any' if n % 2 else 'any' if n % 4 else ''}"
        )
    (tmp_path / "list.csv").write_text("\n".join(lines))
    write_statistics_model(tmp_path / "model.onnx")
    return tmp_path


def results(folder: str) -> dict:
    with open(f"{folder}/results.json") as file:
        return json.load(file)


def test_a_table_and_a_page(place, capsys):
    command = ["probe", "model.onnx", "--data", "list.csv", "--folds", "speaker", "--by", "linear", "knn", "ridge"]
    assert main([*command, "--shots", "1", "2", "--repeats", "2", "--random", "0", "--out", "judged"]) == 0
    out, err = capsys.readouterr()
    found = results("judged")
    assert [fold["name"] for fold in found["protocol"]["folds"]] == ["s0", "s1", "s2"]
    assert found["data"]["recordings"] == 36 and found["data"]["classes"] == ["loud", "quiet"]
    (encoder,) = found["encoders"]
    assert encoder["name"] == "model" and encoder["dimension"] == 4 and len(encoder["sha256"]) == 64
    rows = {(row["probe"], row["labels"]): row for row in encoder["rows"]}
    assert len(rows) == 9 and rows["linear", "1 per class"]["repeats"] == 2
    assert rows["linear", "all"]["values"]["accuracy"] == 1 and rows["knn", "all"]["train_clips"] == 24
    assert encoder["health"]["recall_at_1"] > 0.9
    assert "model, linear" in out and "1.000 (1.000 to 1.000)" in out and "chance" in out
    for name in ("report.html", "figures.json", "confusion.png", "curves.png", "map.png", "per-class.png"):
        assert (place / "judged" / name).stat().st_size > 500, name
    assert "model" in (place / "judged/report.html").read_text()


def test_two_are_compared_and_what_is_told_of_them_is_kept(place, capsys):
    write_statistics_model(place / "other.onnx", input_name="waveform")
    with pytest.warns(UserWarning, match=r"no random weights beside model.onnx: model.keras: no such file"):
        assert main(["compare", "model.onnx", "other.onnx", "--data", "list.csv", "--out", "both", "--by", "knn"]) == 0
    found = results("both")
    assert [one["name"] for one in found["encoders"]] == ["model", "other"]
    (difference,) = found["comparisons"]
    assert (difference["a"], difference["b"], difference["difference"], difference["p"]) == ("model", "other", 0, 1)
    assert any("no random weights beside model.onnx" in text for text in found["warnings"])


def test_several_labels(place):
    command = ["probe", "model.onnx", "--data", "list.csv", "--label", "tags", "--multi-label", "--folds", "3"]
    assert main([*command, "--random", "0", "--out", "tags", "--fractions", "0.5", "--repeats", "2"]) == 0
    found = results("tags")
    assert found["headline"] == "mean_average_precision" and found["data"]["recordings"] == 36
    assert sum(fold["test"] for fold in found["protocol"]["folds"]) == 27  # the others have no label
    assert "confusion" not in found["figures"]


def test_what_the_clips_cannot_meet_is_said(place):
    for n in range(36):
        sound, _ = soundfile.read(f"sounds/{n}.wav")
        soundfile.write(f"sounds/{n}.wav", sound[:100] if n < 4 else sound, 8000)
    with pytest.warns(UserWarning, match="expected|takes 16,000 Hz, and 36 of 36 recordings are at 8,000 Hz"):
        assert main(["probe", "model.onnx", "--data", "list.csv", "--random", "0", "--out", "low", "--by", "knn"]) == 0
    told = results("low")["warnings"]
    assert any("36 of 36 recordings are at 8,000 Hz" in text for text in told)
    assert any("model takes 0.025 s or more, and 4 of 36 recordings are shorter" in text for text in told)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--by", "forest"], "expected probes of linear, ridge, mlp, knn, received forest"),
        (["--fractions", "1.5"], "expected --fractions between 0 and 1"),
        (["--shots", "0"], "--shots from 1"),
        (["--k", "0"], "expected --k above 0, received 0"),
        (["--folds", "speakers"], "no column 'speakers'; did you mean 'speaker'"),
        (["--label", "kind"], "no column 'kind'"),
        (["--folds", "99"], "expected --folds of 2 to 36"),
        (["--random", "-1"], "expected --random from 0"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(place, capsys, options, reason):
    assert main(["probe", "model.onnx", "--data", "list.csv", "--random", "0", "--out", "x", *options]) == 1
    assert reason in capsys.readouterr().err
    assert not (place / "home/embeddings").exists() and not (place / "x").exists()


def test_models_that_are_none(place, capsys):
    assert main(["probe", "none.onnx", "--data", "list.csv", "--out", "x"]) == 1
    assert "expected a file MODEL.onnx or MODEL.keras, or log-mel" in capsys.readouterr().err
    assert main(["probe", "logmel", "--data", "list.csv", "--out", "x"]) == 1
    assert "received 'logmel'. The zoo that comes with kerascola has" in (said := capsys.readouterr().err)
    assert said.endswith("Or log-mel, which is judged by that name\n")
    assert main(["compare", "model.onnx", "model.onnx", "--data", "list.csv"]) == 1
    assert "expected encoders that differ, received model.onnx twice" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["linear", "knn"])
def test_a_head_is_fitted_to_all_recordings(place, kind, capsys):
    command = ["probe", "model.onnx", "--data", "list.csv", "--folds", "speaker", "--by", "linear", "--random", "0"]
    assert main([*command, "--head", kind, "--out", "judged"]) == 0
    assert "a head on all recordings: judged/head.keras" in capsys.readouterr().err
    head, classes, of = load_head("judged/head.keras")
    assert classes.labels == ("loud", "quiet") and of.recipe == METADATA.recipe
    vectors = Embedder("model.onnx").embed([f"sounds/{n}.wav" for n in range(36)])
    scores = classes.scores(head.predict_on_batch(vectors))
    assert (scores.argmax(axis=1) == np.arange(36) % 2 ^ 1).all()  # of all three speakers
