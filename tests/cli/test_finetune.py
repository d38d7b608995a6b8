"""What `finetune` says and refuses; that it trains is shown in tests/training/test_finetune.py."""

import numpy as np
import pytest
import soundfile

from kerascola.cli import main

SMALL = ["--set", "encoder={name: small, filters: 4, dimension: 8}", "--set", "finetune.train.epochs=1"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(10):
        (tmp_path / f"sounds/{'ab'[number % 2]}").mkdir(parents=True, exist_ok=True)
        sound = np.random.default_rng(number).normal(0, 0.1, 2000)
        soundfile.write(tmp_path / f"sounds/{'ab'[number % 2]}/{number}.wav", sound, 16000)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["colla", "--data", "sounds"], "error: unknown recipe 'colla'; did you mean 'cola'?"),
        (["gone.keras", "--data", "sounds"], "error: gone.keras: no such file"),
        (["cola", "--data", "gone"], "error: gone: no such folder"),
        (["cola", "--data", "sounds/a"], "error: sounds/a has no labels"),
        (["cola", "--data", "sounds", "--resume"], "error: --resume needs the run to go on with: --run DIR"),
        (["cola", "--data", "sounds", "--fraction", "1.5"], "data.labelled: Input should be less than or equal to 1"),
    ],
)
def test_mistakes_are_said_in_a_line(tmp_path, capsys, arguments, message):
    assert main(["finetune", *arguments]) == 1
    written = capsys.readouterr()
    assert message in written.err and "Traceback" not in written.err
    assert not written.out and [path.name for path in tmp_path.iterdir()] == ["sounds"]


def test_it_says_what_it_does_and_what_came_out(capsys):
    with pytest.warns(UserWarning, match="batches of 4"):
        assert (
            main(["finetune", "cola", "--data", "sounds", "--frozen", "--fraction", "0.5", "--run", "r", *SMALL]) == 0
        )
    written = capsys.readouterr()
    assert "run directory: r\nrandom, frozen encoder, 2 classes; 8 of train, 2 of test; as cola says" in written.err
    assert "test: 2 clips  accuracy " in written.out and "balanced accuracy" in written.out
    assert written.out.endswith("r/model.keras, head.keras, results.json\n")
