"""TensorBoard's files read by their format; W&B and MLflow in place of which something notes what they are asked."""

import struct
import sys
import types
from contextlib import contextmanager

import pytest
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from kerascola import recipes
from kerascola.errors import TrainingError
from kerascola.training.logs import logs
from kerascola.training.run import Run

pytestmark = pytest.mark.once("numbers are written, whatever they were computed on")

RECIPE = recipes.load("cola")


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path)


def events(file) -> list[Event]:
    """Records: a length, its checksum, so many bytes, their checksum."""
    data, found, at = file.read_bytes(), [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(Event.FromString(data[at + 12 : at + 12 + length]))
        at += 12 + length + 4
    return found


def test_tensorboard_s_files_hold_the_numbers_as_they_come(run):
    with logs(run, RECIPE) as log:
        log(5, {"step/loss": 2.5, "step/accuracy": 0.25})
        (file,) = (run.path / "tensorboard").iterdir()
        assert "tfevents" in file.name and len(events(file)) == 3, "not before it is closed"
        log(10, {"epoch/loss": 1.5})
    version, begun, first, second = events(file)
    assert version.file_version == "brain.Event:2" and begun.session_log.status == SessionLog.START
    assert {v.tag: v.simple_value for v in first.summary.value} == {"step/loss": 2.5, "step/accuracy": 0.25}
    assert (first.step, second.step) == (5, 10) and second.wall_time >= first.wall_time > 1e9


def test_gone_on_with_a_file_of_its_own_hides_later_steps(run):
    with logs(run, RECIPE) as log:
        log(50, {"step/loss": 1.0})
    run.step = 30
    with logs(run, RECIPE):
        pass
    last = max((run.path / "tensorboard").iterdir())
    assert [event.step for event in events(last)] == [0, 30]
    assert len(list((run.path / "tensorboard").iterdir())) == 2


@pytest.fixture
def noted(monkeypatch) -> list:
    """What the two libraries are asked, in their order."""
    calls: list = []
    wandb, mlflow = types.ModuleType("wandb"), types.ModuleType("mlflow")

    class Session:
        def log(self, row, step):
            calls.append(("log", step, row))

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            calls.append(("finish", exception[0]))

    def init(**options):
        calls.append(("init", options))
        return Session()

    @contextmanager
    def start_run(**options):
        calls.append(("start", options))
        yield types.SimpleNamespace(info=types.SimpleNamespace(run_id="abc"))

    wandb.init, wandb.Error = init, RuntimeError
    mlflow.start_run = start_run
    mlflow.set_experiment = lambda name: calls.append(("experiment", name))
    mlflow.log_params = lambda values: calls.append(("params", values))
    mlflow.log_metrics = lambda row, step: calls.append(("metrics", step, row))
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    return calls


def test_wandb_is_told_and_goes_on_under_the_same_name(run, noted):
    with logs(run, RECIPE, ("wandb",)) as log:
        log(5, {"step/loss": 2.5})
    with pytest.raises(KeyError), logs(run, RECIPE, ("wandb",)):
        raise KeyError
    (_, options), told, finished, (_, again), failed = noted
    assert told == ("log", 5, {"step/loss": 2.5})
    assert finished == ("finish", None) and failed == ("finish", KeyError)
    assert options["config"]["optimizer"]["learning_rate"] == 0.001
    assert options["name"] == run.path.name and options["resume"] == "allow"
    assert options["id"] == again["id"] and len(options["id"]) == 8


def test_mlflow_is_told_and_goes_on_under_the_same_name(run, noted):
    for _ in range(2):
        with logs(run, RECIPE, ("mlflow",)) as log:
            log(5, {"step/loss": 2.5})
    kinds = [call[0] for call in noted]
    said = [call[1] for call in noted if call[0] == "params"]
    first = ["experiment", "start", *["params"] * len(said), "start", "metrics"]
    assert kinds == [*first, "experiment", "start", "metrics"]
    values = {key: value for some in said for key, value in some.items()}
    assert all(len(some) <= 100 for some in said) and values["finetune.train.epochs"] == 100
    assert noted[-2] == ("start", {"run_id": "abc"}) and noted[-1] == ("metrics", 5, {"step/loss": 2.5})


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_one_that_is_not_there_is_named(run, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TrainingError, match=f"--log {name} needs {name}, which is not installed: pip install {name}"):
        with logs(run, RECIPE, (name,)):
            pass


def test_what_wandb_refuses_is_said_in_a_line(run, noted, monkeypatch):
    def refuse(**options):
        raise RuntimeError("No API key configured.")

    monkeypatch.setattr(sys.modules["wandb"], "init", refuse)
    with pytest.raises(TrainingError, match="--log wandb: No API key configured. Or .*WANDB_MODE=offline"):
        with logs(run, RECIPE, ("wandb",)):
            pass
