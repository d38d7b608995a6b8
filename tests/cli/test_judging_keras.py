"""A Keras file judged by the command: beside random weights of its network, a spectrogram, and what training gives."""

import json

import numpy as np
import pytest
import soundfile
from recipes_for_tests import SMALL

from kerascola import recipes
from kerascola.cli import main
from kerascola.models.embedder import load_embedder, save_embedder
from kerascola.runtime.metadata import load_metadata
from kerascola.training.assembly import build, shipped

pytestmark = pytest.mark.once("it trains and exports, which is tested on all")

RATE = 16000


@pytest.fixture
def place(tmp_path, monkeypatch):
    """model.keras and its recipe, and sounds of two pitches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERASCOLA_HOME", str(tmp_path / "home"))
    (tmp_path / "recipe.yaml").write_text(SMALL)
    recipe, rng = recipes.load("recipe.yaml"), np.random.default_rng(0)
    save_embedder(*shipped(recipe, *build(recipe, 1)), tmp_path / "model.keras")
    for n in range(24):
        pitch = rng.uniform(1500, 4000) if n % 2 else rng.uniform(150, 600)
        (tmp_path / f"sounds/{n % 2}").mkdir(parents=True, exist_ok=True)
        soundfile.write(f"sounds/{n % 2}/{n}.wav", 0.3 * np.sin(2 * np.pi * pitch * np.arange(6400) / RATE), RATE)
    return tmp_path


def test_what_pre_training_is_worth_is_one_table(place, capsys):
    command = ["compare", "model.keras", "log-mel", "--data", "sounds", "--folds", "2", "--by", "linear"]
    assert main([*command, "--random", "2", "--finetune", "--out", "judged"]) == 0
    found = json.loads((place / "judged/results.json").read_text())
    rows = {(one["name"], row["probe"]): row for one in found["encoders"] for row in one["rows"]}
    assert list(rows) == [
        ("model", "linear"),
        ("model", "fine-tuned"),
        ("model", "from scratch"),
        ("random weights of model", "linear"),
        ("log-mel", "linear"),
    ]
    assert rows["random weights of model", "linear"]["repeats"] == 2
    assert rows["log-mel", "linear"]["values"]["accuracy"] > 0.9
    assert rows["model", "fine-tuned"]["values"]["accuracy"] > 0.8  # pitches that a probe is not needed for
    runs = {path.name for path in (place / "judged/training/model").iterdir()}
    assert runs == {"fine-tuned-1", "fine-tuned-2", "from-scratch-1", "from-scratch-2"}
    exported = {path: path.stat().st_mtime_ns for path in (place / "home/exports").iterdir()}
    assert len(exported) == 4  # the model, two of its network, the spectrogram

    capsys.readouterr()
    assert (
        main([*command, "--random", "2", "--finetune", "--out", "judged"]) == 0
    )  # nothing is trained or exported again
    assert "epoch" not in capsys.readouterr().err
    again = json.loads((place / "judged/results.json").read_text())
    assert again["encoders"] == found["encoders"]
    assert exported == {path: path.stat().st_mtime_ns for path in (place / "home/exports").iterdir()}


def test_random_weights_are_other_ones_of_the_same_network(place):
    from kerascola.evaluation.references import randomise

    waves = np.random.default_rng(0).normal(size=(2, 4000)).astype(np.float32)
    model, _ = load_embedder("model.keras")
    before = model.predict_on_batch(waves)
    seen = []
    for seed in (0, 1, 0):
        randomise(model, seed)
        seen.append(model.predict_on_batch(waves))
    np.testing.assert_array_equal(seen[0], seen[2])
    assert not np.allclose(seen[0], seen[1]) and not np.allclose(seen[0], before)
    assert load_metadata("model.keras").dimension == seen[0].shape[1]
