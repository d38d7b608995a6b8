"""What `pretrain` says and refuses; that it trains is shown in tests/training/test_pretrain.py."""

import os
import re
import subprocess
import sys

import keras
import pytest

from kerascola.cli import main
from kerascola.cli.quiet import XLA_FLAGS, import_keras
from kerascola.errors import KerascolaError
from kerascola.training import pretrain


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trained(monkeypatch, tmp_path) -> list:
    """What training was asked for, in place of doing it."""
    calls = []

    def record(*args, **options):
        calls.append((*args, options))
        return args[2].model

    monkeypatch.setattr(pretrain, "pretrain", record)
    return calls


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["colla", "--data", "x"], "error: unknown recipe 'colla'; did you mean 'cola'?"),
        (["cola", "--data", "x", "--set", "train.epoch=1"], "train.epoch: unknown key; did you mean 'epochs'?"),
        (["cola", "--data", "x", "--set", "train.epochs"], "error: expected section.key=value"),
        (["cola", "--data", "x", "--resume"], "error: --resume needs the run to go on with: --run DIR"),
        (["cola", "--data", "gone"], "error: gone: no such folder"),
        (["cola", "--data", "."], "error: . holds no audio file"),
    ],
)
def test_mistakes_are_said_in_a_line(tmp_path, capsys, arguments, message):
    assert main(["pretrain", *arguments]) == 1
    written = capsys.readouterr()
    assert message in written.err and "Traceback" not in written.err
    assert not written.out and not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["cola"], ["cola", "--data"]])
def test_missing_arguments(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["pretrain", *arguments])
    assert stopped.value.code == 2 and "usage: kerascola pretrain" in capsys.readouterr().err


def test_the_run_directory_is_named_for_the_recipe_the_time_and_the_process(trained, capsys):
    assert main(["pretrain", "cola-dot", "--data", "x", "--set", "train.epochs=3"]) == 0
    ((recipe, data, run, resume, log_to, _),) = trained
    assert (recipe.train.epochs, data, resume, log_to) == (3, "x", False, ())
    assert re.fullmatch(rf"runs/cola-dot-\d{{8}}-\d{{6}}-{os.getpid()}", str(run.path))
    written = capsys.readouterr()
    assert written.err == f"run directory: {run.path}\n"
    export = f"kerascola-export {run.path}/model.keras --format onnx --out {run.path}/model.onnx"
    assert written.out == f"{run.path}/model.keras\nnext: {export}\n"


def test_resuming_what_has_not_begun_begins_and_says_so(trained, capsys):
    assert main(["pretrain", "cola", "--data", "x", "--run", "new", "--resume"]) == 0
    assert "it has no checkpoint yet: starting from the beginning" in capsys.readouterr().err
    assert trained[0][3] is True


@pytest.mark.parametrize(
    "error, said",
    [
        (OSError(28, "No space left on device", "runs/x/state.json"), "runs/x/state.json: No space left on device"),
        (OSError("Can't synchronously write data"), "Can't synchronously write data"),  # as h5py puts it
    ],
)
def test_a_full_disk_is_said_in_a_line(monkeypatch, capsys, error, said):
    def fail(*_, **options):
        raise error

    monkeypatch.setattr(pretrain, "pretrain", fail)
    assert main(["pretrain", "cola", "--data", "x"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {said}"


def test_an_unknown_backend_is_said(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(KerascolaError, match="expected the Keras backend .*KERAS_BACKEND says 'theano'"):
        import_keras()


def test_keras_is_imported_in_silence_and_asks_more_of_xla_and_the_user_has_the_last_word(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_use_onednn=false")
    program = "from kerascola.cli.quiet import import_keras; import_keras(training=True); from keras import ops; "
    program += "import os; print(float(ops.sum(ops.ones((4, 4)) @ ops.ones((4, 4)))), os.environ['XLA_FLAGS'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    total, _, flags = done.stdout.strip().partition(" ")
    assert (done.returncode, total) == (0, "64.0"), done.stderr  # XLA ends a process whose flags it does not know
    assert not done.stderr
    asked = keras.backend.backend() == "jax"
    assert flags == f"{XLA_FLAGS} " * asked + "--xla_cpu_use_onednn=false"


def test_who_reads_and_what_becomes_of_bad_files(trained, monkeypatch, capsys):
    for cores, workers in ((2, 0), (4, 0), (8, 4), (64, 8)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert main(["pretrain", "cola", "--data", "x"]) == 0
        assert trained[-1][-1] == {"start": None, "on_bad_file": "fail", "workers": workers}
    assert main(["pretrain", "cola", "--data", "x", "--workers", "3", "--on-bad-file", "skip"]) == 0
    assert trained[-1][-1] == {"start": None, "on_bad_file": "skip", "workers": 3}
    assert main(["pretrain", "cola", "--data", "x", "--from", "mine.keras"]) == 0
    assert trained[-1][-1]["start"] == "mine.keras"
    assert main(["pretrain", "cola", "--data", "x", "--workers", "-1"]) == 1
    assert "--workers: expected 0 or more, received -1" in capsys.readouterr().err
