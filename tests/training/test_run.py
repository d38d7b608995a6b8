import errno
import itertools
import json
import re
from pathlib import Path

import pytest
from pretrainers_for_tests import CLIPS, batch, state, tiny_pretrainer

from kerascola import recipes
from kerascola.models.pretrainer import Pretrainer
from kerascola.recipes.schema import Train
from kerascola.training.loop import train
from kerascola.training.run import Run

STEPS = 3
FILES = pytest.mark.once("files only: what goes into them and comes out is tested on every backend, after any step")
RANDOM = {"noise": 0.2, "dropped": 0.4, "batch_norm": True}  # what a checkpoint has to hold beside the weights


class Batches:
    """Number `step` of a stream without end; `stop` of them are given, then comes an interrupt."""

    batch_size = CLIPS

    def __init__(self, stop: int | None = None) -> None:
        self.stop = stop

    def from_step(self, step: int):
        for number in itertools.count(step):
            if number == self.stop:
                raise KeyboardInterrupt
            yield batch(number)


def go_on(run: Run, epochs: int, stop: int | None = None, minutes: float = 0.0) -> Pretrainer:
    """A new process's training: a model of its own, which takes over what the run has."""
    model = tiny_pretrainer(**RANDOM)
    for _ in range(run.step % 2):
        model(batch(0), training=True)  # its generators stand elsewhere
    run.restore(model)
    section = Train(batch_size=CLIPS, epochs=epochs, checkpoint_minutes=minutes)
    train(section, model, Batches(stop), STEPS, run, log=lambda step, row: None)
    return model


@pytest.fixture
def begun(tmp_path):
    def begin(name: str, resume: bool = False, clips: int = 4) -> Run:
        run = Run(tmp_path / name)
        run.open(recipes.load("cola"), resume)
        run.begin(recipes.load("cola"), clips)
        return run

    return begin


def test_stopped_after_any_step_it_goes_on_as_if_nothing_had_been(begun):
    straight = begun("straight")
    expected = state(go_on(straight, epochs=3))
    assert len({row["loss"] for row in straight.history}) == 3
    for stop in (4, 5, 6, 7):
        with pytest.raises(KeyboardInterrupt):
            go_on(begun("stopped", resume=True), epochs=3, stop=stop)
        run = begun("stopped", resume=True)
        assert (run.step, len(run.history), len(run.begun)) == (stop, *divmod(stop, STEPS))
    found = state(go_on(run, epochs=3))
    assert run.history == straight.history  # to the last bit
    for received, value in zip(found.values(), expected.values(), strict=True):
        assert (received == value).all()
    for name in ("metrics.csv", "state.json"):
        assert (run.path / name).read_text() == (straight.path / name).read_text()


def test_checkpoints_within_an_epoch_come_by_the_clock(begun):
    with pytest.raises(KeyboardInterrupt):
        go_on(begun("run"), epochs=3, stop=5, minutes=10)
    assert begun("run", resume=True).step == 3  # after each epoch there is one anyway


def test_an_interrupt_leaves_the_model_where_training_was(begun):
    model = tiny_pretrainer(**RANDOM)
    with pytest.raises(KeyboardInterrupt):
        section = Train(epochs=2, checkpoint_minutes=10)
        train(section, model, Batches(stop=2), STEPS, begun("run"), log=lambda step, row: None)
    run = begun("other")
    with pytest.raises(KeyboardInterrupt):
        go_on(run, epochs=2, stop=2)
    saved = tiny_pretrainer(**RANDOM)
    run.restore(saved)
    for received, value in zip(state(model).values(), state(saved).values(), strict=True):
        assert (received == value).all()


@FILES
@pytest.mark.parametrize("within", [False, True])
def test_a_kill_at_any_moment_leaves_the_last_checkpoint_whole(begun, monkeypatch, within):
    """State is written last: whatever is torn before that belongs to a checkpoint that does not count yet."""
    done = STEPS + 1 if within else STEPS
    with pytest.raises(KeyboardInterrupt):
        go_on(begun("run"), epochs=2, stop=done)
    for torn in ("weights-", "metrics.csv", "state.json"):
        run = begun("run", resume=True)

        def torn_file(path, content, torn=torn, own=run.replace):
            if not path.name.startswith(torn):
                return own(path, content)
            path.with_name(f".partial-{path.name}").write_bytes(content[:5])
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(run, "replace", torn_file)
            with pytest.raises(KeyboardInterrupt):
                go_on(run, epochs=2)
        resumed = begun("run", resume=True)
        assert (resumed.step, len(resumed.begun)) == (done, done - STEPS), torn
        resumed.restore(tiny_pretrainer(**RANDOM))

    go_on(resumed, epochs=2)
    weights = [p.name for p in resumed.path.glob("weights-*")]
    assert weights == [f"weights-{2 * STEPS:08}.weights.h5"]
    assert (resumed.path / "metrics.csv").read_text().count("\n") == 3
    assert len(json.loads(resumed.state.read_text())["history"]) == 2
    straight = begun("straight")
    go_on(straight, epochs=2)
    assert resumed.history == straight.history


@FILES
@pytest.mark.parametrize("torn", ["weights-", "metrics.csv", "state.json"])
def test_a_full_disk_spares_the_last_checkpoint_and_holds_no_remains(begun, monkeypatch, torn):
    with pytest.raises(KeyboardInterrupt):
        go_on(begun("run"), epochs=2, stop=2 * STEPS - 1)
    before = begun("run", resume=True)
    own = Path.write_bytes

    def full(path, content):
        if not path.name.startswith(f".partial-{torn}"):
            return own(path, content)
        own(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")  # as `write` has it, without the file's name

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match=f"No space left on device: .*/{torn}"):
            go_on(begun("run", resume=True), epochs=2)
    assert not list(before.path.glob(".partial-*"))
    resumed = begun("run", resume=True)
    assert (resumed.step, resumed.begun) == (before.step, before.begun)
    go_on(resumed, epochs=2)
    assert len(resumed.history) == 2


@FILES
def test_what_the_system_does_not_let_write_is_an_error_with_the_files_name(begun):
    """By the limit on a file's size, which is met as a full disk is: HDF5 would crash."""
    resource = pytest.importorskip("resource", reason="limits of a process are Unix's")
    run = begun("run")
    go_on(run, epochs=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*weights-00000004\.weights\.h5"):
            go_on(begun("run", resume=True), epochs=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in run.path.glob("*weights-*")] == ["weights-00000003.weights.h5"]
    go_on(begun("run", resume=True), epochs=2)


@FILES
def test_with_other_recordings_the_epoch_begins_again(begun):
    """It may have fewer steps than were done of it."""
    with pytest.raises(KeyboardInterrupt):
        go_on(begun("run"), epochs=2, stop=STEPS + 2)
    with pytest.warns(UserWarning, match="started with 4 recordings and goes on with 5: its losses will not"):
        run = begun("run", resume=True, clips=5)
    assert (run.step, len(run.history), run.begun) == (STEPS + 2, 1, [])
    go_on(run, epochs=2)
    assert run.step == 2 * STEPS + 2 and [row["epoch"] for row in run.history] == [1, 2]
    assert [path.name for path in run.path.glob("weights-*")] == [run.weights(run.step).name]


def test_finished_it_stays_as_it_is(begun):
    run = begun("run")
    expected = state(go_on(run, epochs=2))
    before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.name != "environment.jsonl"}
    found = state(go_on(begun("run", resume=True), epochs=2))
    for received, value in zip(found.values(), expected.values(), strict=True):
        assert (received == value).all()
    after = {path.name: path.read_bytes() for path in run.path.iterdir() if path.name != "environment.jsonl"}
    assert after == before


def test_every_start_is_noted(begun):
    for resume in (False, True):
        run = begun("run", resume)
    lines = [json.loads(line) for line in (run.path / "environment.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    assert {"started", "command", "kerascola", "keras", "backend", "python", "machine", "cores"} <= set(lines[1])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", lines[1]["started"])


def test_opening_writes_nothing(tmp_path):
    Run(tmp_path / "run").open(recipes.load("cola"), resume=False)
    Run(tmp_path / "run").open(recipes.load("cola"), resume=True)
    assert not list(tmp_path.iterdir())
