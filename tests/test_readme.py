"""The README's Python and commands, run as they stand there, on small sounds and with a small encoder."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_models
import pytest
import soundfile

from kerascola import cli
from kerascola.export import cli as export_cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SMALL = [
    f"--set={change}"
    for change in (
        "encoder={name: small, filters: 4, dimension: 16}",
        "data.clip_seconds=0.6",
        "views.crop_seconds=0.3",
        "train.batch_size=4",
        "train.epochs=1",
    )
]


PROGRAMS = {"kerascola": cli.main, "kerascola-export": export_cli.main}
LABELLED = [f"labelled/{name}/{n}.wav" for n in range(10) for name in ("low", "high")]


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A user's folder: two sounds, some recordings, and what the demo leaves."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "recordings").mkdir()
    (folder / "runs" / "demo").mkdir(parents=True)
    for name in ("low", "high"):
        (folder / "labelled" / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.flac", *(f"recordings/{n}.wav" for n in range(8)), *LABELLED):
        soundfile.write(folder / name, rng.normal(scale=0.1, size=16000), 16000)
    onnx_models.write_statistics_model(folder / "runs" / "demo" / "model.onnx")
    return folder


def test_the_python_runs(folder):
    (code,) = blocks("python")
    check = "\nassert vectors.shape == (2, embed.dimension) and len(frames) == len(seconds) > 0"
    subprocess.run([sys.executable, "-c", code + check], cwd=folder, check=True)


def test_the_two_commands_are_in_the_makefile():
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in targets)


@pytest.mark.once("the README's commands are the same on all")
def test_the_commands_run(folder, monkeypatch):
    """In one process, as to start Python and Keras for each takes longer than what most of them do."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KERASCOLA_HOME", str(folder / "home"))
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("kerascola")]
    commands = [shlex.split(line) for line in lines]
    assert len(commands) >= 7
    for program, *arguments in commands:
        small = SMALL if arguments[0] == "pretrain" else []
        if arguments[0] == "finetune":
            small = [*(SMALL if arguments[1] == "cola" else []), "--set=finetune.train.epochs=1"]
        if arguments[0] == "compare":
            small = ["--random=1"]
        assert (Path(sys.executable).parent / program).is_file()
        assert PROGRAMS[program]([*arguments, *small]) == 0, (program, arguments)
    with np.load(folder / "embeddings.npz") as saved:
        assert len(saved["embedding"]) == 8
    assert (folder / "mine.onnx").is_file() and (folder / "mine_saved_model").is_dir()
    assert (folder / "mine_all" / "manifest.json").is_file() and (folder / "page" / "index.html").is_file()
    assert (folder / "models" / "served" / "config.pbtxt").is_file()
