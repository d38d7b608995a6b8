"""Killed again and again at any moment, also while a checkpoint is written, a run ends with the very same numbers."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile

KILLS = 2 if keras.backend.backend() == "torch" else 1  # where a process is soon at its first step, or is not
ENDS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 128 + signal.SIGTERM}
EPOCHS, STEPS = 4, 4
RECIPE = f"""
frontend: {{mels: 16, floor: 1.0e-5}}
encoder: {{name: small, filters: 4, dimension: 8}}
views:
  crop_seconds: 0.2
  noise: 0.01
  waveform: [{{name: noise, probability: 0.5}}]
objective: {{name: nt_xent, hidden: [8], dimension: 8}}
optimizer: {{learning_rate: 3.0e-3, ema: 0.9}}
data: {{clip_seconds: 0.3}}
train: {{epochs: {EPOCHS}, steps_per_epoch: {STEPS}, deterministic: true, checkpoint_minutes: 0, cached_batch: 16,
  batch_size: 8}}
"""

COMMAND = [sys.executable, "-m", "kerascola.cli", "pretrain"]


@pytest.fixture
def place(tmp_path) -> Path:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    (tmp_path / "sounds").mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        soundfile.write(tmp_path / "sounds" / f"{number:02}.wav", 0.1 * rng.normal(size=4000 + 200 * number), 16000)
    return tmp_path


def start(place: Path, run: str) -> subprocess.Popen:
    arguments = [str(place / "tiny.yaml"), "--data", str(place / "sounds"), "--run", str(place / run), "--resume"]
    return subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def steps_done(place: Path) -> int:
    state = place / "killed" / "state.json"
    return json.loads(state.read_text())["step"] if state.exists() else 0


def test_killed_again_and_again_the_numbers_are_the_same_to_the_last_bit(place):
    rng, killed_after = random.Random(), []
    with start(place, "straight") as straight:
        for _ in range(KILLS):
            with start(place, "killed") as process:
                aim = steps_done(place) + rng.randint(1, 3)
                deadline = time.monotonic() + 120
                while steps_done(place) < aim and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.002)
                time.sleep(rng.uniform(0, 0.1))
                process.send_signal(rng.choice(list(ENDS)))
                said = process.stderr.read()
            assert process.returncode in (0, *ENDS.values()), said
            if process.returncode:
                killed_after.append(steps_done(place))
        with start(place, "killed") as process:
            said = process.communicate(timeout=120)[1]
        assert process.returncode == 0, said
        said = straight.communicate(timeout=120)[1]
        assert straight.returncode == 0, said
    assert killed_after, "the kills came too late to show anything"

    straight, killed = (place / name for name in ("straight", "killed"))
    for name in ("state.json", "metrics.csv"):
        assert (killed / name).read_text() == (straight / name).read_text(), killed_after
    assert len(json.loads((killed / "state.json").read_text())["history"]) == EPOCHS
    models = [keras.saving.load_model(folder / "model.keras") for folder in (straight, killed)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    assert names(killed) == names(straight)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
