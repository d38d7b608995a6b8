"""Twenty sounds that are told apart by their pitch, and a recipe that learns to in seconds."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recipes_for_tests import CLIPS, RECIPE

from kerascola import recipes


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """recipe.yaml and sounds/, some longer than a clip."""
    folder = tmp_path_factory.mktemp("pretraining")
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "sounds").mkdir()
    rng = np.random.default_rng(0)
    for number, pitch in enumerate(np.geomspace(150, 6000, CLIPS)):
        at = np.arange(8000 + 1000 * (number % 4)) / 16000
        sound = np.sin(2 * np.pi * pitch * at) + 0.1 * rng.normal(size=len(at))
        soundfile.write(folder / "sounds" / f"{number:02}.wav", 0.3 * sound, 16000)
    return folder


@pytest.fixture(scope="module")
def recipe(place) -> recipes.Recipe:
    return recipes.load(str(place / "tiny.yaml"))


@pytest.fixture(scope="module")
def labelled(place) -> Path:
    """Two classes, and two recordings outside."""
    folder = place / "labelled"
    for number, path in enumerate(sorted((place / "sounds").iterdir())):
        target = folder / ("low" if number < 9 else "high" if number < 18 else "") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder
