"""Schedules against their closed forms, and at which step a compiled training changes its rate."""

import itertools

import keras
import numpy as np
import pytest
from optimizers_for_tests import EPOCHS, STEPS, made

from kerascola.training.optimizers import Rate


def rates(schedule: str, steps: int = STEPS, epochs: int = EPOCHS, peak: float = 0.5) -> np.ndarray:
    """At each step of the training and at one more."""
    descent = made(f"{{learning_rate: {peak}}}", schedule, steps, epochs)
    found = []
    for step in range(steps * epochs + 1):
        descent.iterations.assign(step)
        found.append(float(keras.ops.convert_to_numpy(descent.learning_rate)))
    return np.array(found)


def test_constant_is_a_plain_number():
    for schedule in ("", "{name: constant}", "{}"):
        assert not isinstance(made("{}", schedule)._learning_rate, Rate)
        np.testing.assert_array_equal(rates(schedule), 0.5)


def test_steps_come_after_their_epochs():
    found = rates("{name: multi_step, milestones: [3, 7], factor: 0.2}")
    np.testing.assert_allclose(found[:12], 0.5, rtol=1e-6)
    np.testing.assert_allclose(found[12:28], 0.1, rtol=1e-6)
    np.testing.assert_allclose(found[28:], 0.02, rtol=1e-6)


def test_decay_is_per_epoch():
    np.testing.assert_allclose(rates("{name: decay, factor: 0.9}"), 0.5 * 0.9 ** (np.arange(41) // 4), rtol=1e-5)


def test_cosine_is_per_step():
    expected = 0.5 * (0.1 + 0.9 * (1 + np.cos(np.pi * np.arange(41) / 40)) / 2)
    np.testing.assert_allclose(rates("{name: cosine, final: 0.1}"), expected, rtol=1e-5)
    assert rates("{name: cosine}")[-1] == pytest.approx(0, abs=1e-7)


def test_warm_up_is_per_step_and_for_all():
    warm = "warmup_epochs: 2.5"
    ramp = 0.5 * np.arange(10) / 10
    shapes = {
        "constant": np.ones(31),
        "multi_step, milestones: [5]": np.where(np.arange(10, 41) < 20, 1, 0.1),  # epochs from the training's start
        "decay, factor: 0.5": 0.5 ** (np.arange(31) // 4),
        "cosine": (1 + np.cos(np.pi * np.arange(31) / 30)) / 2,
    }
    for name, shape in shapes.items():
        found = rates(f"{{name: {name}, {warm}}}")
        np.testing.assert_allclose(found[:10], ramp, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(found[10:], 0.5 * shape, rtol=1e-5, atol=1e-7, err_msg=name)
    found = rates(f"{{{warm}, warmup_start: 0.2}}")
    np.testing.assert_allclose(found[:10], 0.1 + 0.4 * np.arange(10) / 10, rtol=1e-5)


def test_a_warm_up_of_all_steps_but_none():
    assert np.isfinite(rates("{name: cosine, warmup_epochs: 0.9}", steps=1, epochs=1)).all()


class Slope(keras.Model):
    """Whose gradient is 1 everywhere, so that plain descent adds up the rates."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = self.add_weight((2,), initializer="zeros")

    def call(self, inputs):
        return keras.ops.sum(self.weight) + 0 * keras.ops.sum(inputs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return y_pred


@pytest.mark.parametrize("steps", [41, 47])  # whose reciprocals, times themselves, round to less than 1 in float32
def test_compiled_steps_change_at_the_very_step(steps):
    model, data = Slope(), np.zeros((1, 1), np.float32)
    model.compile(made("{name: sgd, momentum: 0, learning_rate: 1.0}", "{name: decay, factor: 0.5}", steps))
    model.fit(((data,) for _ in itertools.count()), steps_per_epoch=2 * steps, shuffle=False, verbose=0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.weight), -1.5 * steps, rtol=1e-6)
