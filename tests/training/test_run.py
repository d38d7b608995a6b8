import itertools
import json

import keras
import numpy as np
import pytest

from kerascola import recipes
from kerascola.training.callbacks import Checkpoint
from kerascola.training.run import Run


class Noisy(keras.Model):
    """What is random in a pre-trainer: dropped branches of a functional model, noise of its own."""

    def __init__(self) -> None:
        super().__init__()
        inputs = keras.Input((4,))
        x = keras.layers.BatchNormalization()(keras.layers.Dense(8)(inputs))
        self.part = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dropout(0.5, noise_shape=(None, 1))(x)))
        self.noise_seed = keras.random.SeedGenerator(3)

    def call(self, inputs, training: bool = False):
        return self.part(inputs, training=training) + keras.random.normal((4, 1), seed=self.noise_seed)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(y_pred * y_pred)


def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    made = Noisy()
    made.compile(optimizer=keras.optimizers.Adam(0.05))
    made(np.zeros((4, 4), np.float32))
    made.optimizer.build(made.trainable_variables)
    return made


def fit(made: keras.Model, run: Run, epochs: int) -> None:
    data = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    batches = ((data,) for _ in itertools.count())
    options = {"initial_epoch": run.epoch, "steps_per_epoch": 3, "shuffle": False, "verbose": 0}
    made.fit(batches, epochs=epochs, callbacks=[Checkpoint(run)], **options)


@pytest.fixture
def begun(tmp_path):
    def begin(name: str, resume: bool = False) -> Run:
        run = Run(tmp_path / name)
        run.open(recipes.load("cola"), resume)
        run.begin(recipes.load("cola"), clips=4)
        return run

    return begin


def test_a_checkpoint_holds_weights_optimiser_and_every_generator(begun):
    straight = begun("straight")
    fit(model(), straight, epochs=4)
    fit(model(), begun("stopped"), epochs=2)

    run = begun("stopped", resume=True)
    assert run.epoch == 2
    again = model()
    for _ in range(3):
        again(np.zeros((4, 4), np.float32), training=True)  # its generators stand elsewhere
    run.restore(again)
    fit(again, run, epochs=4)
    for row, expected in zip(run.history, straight.history, strict=True):
        assert row == pytest.approx(expected, rel=1e-6)
    assert len({row["loss"] for row in run.history}) == 4


def test_a_kill_at_any_moment_leaves_the_last_epoch_whole(begun, monkeypatch):
    """State is written last: whatever is torn before that belongs to an epoch that does not count yet."""
    fit(model(), begun("run"), epochs=1)
    for torn in ("weights", "history.csv", "state.json"):
        run = begun("run", resume=True)
        made = model()
        run.restore(made)

        def torn_weights(path, overwrite):
            path.write_bytes(b"half of it")
            raise KeyboardInterrupt

        def torn_text(path, text):
            path.with_name(f".partial-{path.name}").write_text(text[:5])
            raise KeyboardInterrupt

        def torn_table(table, rows):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            if torn == "weights":
                patch.setattr(made, "save_weights", torn_weights)
            elif torn == "state.json":
                patch.setattr(run, "replace", torn_text)
            else:
                patch.setattr("csv.DictWriter.writerows", torn_table)
            with pytest.raises(KeyboardInterrupt):
                run.save(made, {"loss": 1.0})
        resumed = begun("run", resume=True)
        assert resumed.epoch == 1, torn
        resumed.restore(model())

    fit(model(), resumed, epochs=2)
    weights = [p.name for p in resumed.path.glob("weights-*")]
    assert weights == ["weights-00002.weights.h5"]
    assert (resumed.path / "history.csv").read_text().count("\n") == 3
    assert len(json.loads(resumed.state.read_text())["history"]) == 2


def test_opening_writes_nothing(tmp_path):
    Run(tmp_path / "run").open(recipes.load("cola"), resume=False)
    Run(tmp_path / "run").open(recipes.load("cola"), resume=True)
    assert not list(tmp_path.iterdir())
