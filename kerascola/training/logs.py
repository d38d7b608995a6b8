"""Where the numbers of a run go besides its metrics.csv: to TensorBoard's files, and where else it is asked for."""

import importlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

from kerascola.errors import TrainingError
from kerascola.recipes.schema import Recipe
from kerascola.training.run import Row, Run

Log = Callable[[int, Row], None]  # steps done, and their numbers by name
PROJECT = "kerascola"


@contextmanager
def logs(run: Run, recipe: Recipe, names: tuple[str, ...] = ()) -> Iterator[Log]:
    """To TensorBoard always, and to those of OTHERS that are named."""
    with ExitStack() as stack:
        each = [stack.enter_context(start(run, recipe)) for start in (tensorboard, *(OTHERS[name] for name in names))]

        def log(step: int, row: Row) -> None:
            for one in each:
                one(step, row)

        yield log


@contextmanager
def tensorboard(run: Run, recipe: Recipe) -> Iterator[Log]:
    """Its own writers would import TensorFlow wherever that is installed."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder = run.path / "tensorboard"
    folder.mkdir(exist_ok=True)
    with (folder / f"events.out.tfevents.{time.time_ns()}").open("wb") as file:

        def write(**what: Any) -> None:
            RecordWriter(file).write(Event(wall_time=time.time(), **what).SerializeToString())
            file.flush()

        write(file_version="brain.Event:2")
        write(step=run.step, session_log=SessionLog(status=SessionLog.START))  # hides what a killed run wrote of later
        yield lambda step, row: write(
            step=step, summary=Summary(value=[Summary.Value(tag=k, simple_value=v) for k, v in row.items()])
        )


@contextmanager
def wandb(run: Run, recipe: Recipe) -> Iterator[Log]:
    client = imported("wandb")
    options = {"project": PROJECT, "name": run.path.name, "dir": str(run.path), "resume": "allow"}
    identity = kept(run.path / "wandb-id", lambda: secrets.token_hex(4))
    try:
        session = client.init(**options, id=identity, config=recipe.model_dump(mode="json"))
    except client.Error as error:
        raise TrainingError(f"--log wandb: {error} Or without its server: WANDB_MODE=offline") from error
    with session:
        yield lambda step, row: session.log(row, step=step)


@contextmanager
def mlflow(run: Run, recipe: Recipe) -> Iterator[Log]:
    client = imported("mlflow")
    client.set_experiment(PROJECT)

    def new() -> str:
        values = list(flat(recipe.model_dump(mode="json")))
        with client.start_run(run_name=run.path.name) as session:
            for at in range(0, len(values), 100):  # the most that it takes at a time
                client.log_params(dict(values[at : at + 100]))
        return session.info.run_id

    with client.start_run(run_id=kept(run.path / "mlflow-id", new)):
        yield lambda step, row: client.log_metrics(row, step=step)


OTHERS: dict[str, Callable[[Run, Recipe], AbstractContextManager[Log]]] = {"wandb": wandb, "mlflow": mlflow}


def check(names: tuple[str, ...]) -> None:
    """That those which are named are there, before anything is begun."""
    for name in names:
        imported(name)


def imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise TrainingError(f"--log {name} needs {name}, which is not installed: pip install {name}") from error


def kept(file: Path, make: Callable[[], str]) -> str:
    """The name that a run has elsewhere, so that it goes on under it."""
    if not file.exists():
        file.write_text(make())
    return file.read_text()


def flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """("section.key", value) of each leaf."""
    if isinstance(tree, dict):
        yield from chain.from_iterable(flat(value, f"{path}.{key}" if path else key) for key, value in tree.items())
    else:
        yield path, tree
