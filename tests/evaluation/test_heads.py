"""A probe as a head gives what the probe does, fitted to the same recordings."""

import numpy as np
import pytest

from kerascola.errors import DataError
from kerascola.evaluation.folds import Fold
from kerascola.evaluation.heads import head_of
from kerascola.evaluation.knn import knn
from kerascola.evaluation.linear import logistic
from kerascola.evaluation.mlp import mlp
from kerascola.evaluation.trials import Settings, Task

RNG = np.random.default_rng(1)
NAMES = ("dog", "wind", "bell")


def task_of(labels, classes):
    everything = np.arange(len(labels))
    return Task(
        labels, everything, classes, (Fold("all", everything, everything[:0], everything),), Settings(cs=(0.1,))
    )


def clouds(classes):
    labels = np.arange(60) % classes
    return RNG.normal(3 * np.eye(6)[labels], 1.5).astype("float32"), labels


def shares(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", ["linear", "mlp", "knn"])
def test_of_one_label_a_recording(kind, classes):
    x, labels = clouds(classes)
    others = RNG.normal(1, 2, (20, 6)).astype("float32")
    head, told = head_of(x, task_of(labels, NAMES[:classes]), kind)
    assert told.labels == NAMES[:classes] and not told.multi_label
    assert told.average == ("logits" if kind == "linear" else "scores")
    expected = {
        "linear": lambda: shares(logistic(x, labels, (0.1,)).logits(others)),
        "mlp": lambda: shares(mlp(x, labels, groups=np.arange(60)).logits(others)),
        "knn": lambda: knn(x, labels, others),
    }[kind]()
    np.testing.assert_allclose(told.scores(head.predict_on_batch(others)), expected, atol=2e-5)
    assert np.ptp(expected, axis=0).min() > 0.1, "too alike to show a mistake"


@pytest.mark.parametrize("kind", ["linear", "mlp", "knn"])
def test_of_several_labels_a_recording(kind):
    x, labels = clouds(3)
    both = np.eye(3)[labels] + np.eye(3)[(labels + (np.arange(60) % 2)) % 3] > 0
    head, told = head_of(x, task_of(both.astype("float32"), NAMES), kind)
    assert told.multi_label
    found = told.scores(head.predict_on_batch(x))
    assert ((found > 0.5) == both).mean() > 0.75 and ((found >= 0) & (found <= 1)).all()
    assert np.ptp(found.sum(axis=1)) > 0.2  # not made to add up


def test_a_head_of_no_known_kind_is_refused():
    x, labels = clouds(2)
    with pytest.raises(DataError, match="linear, mlp, knn, received 'ridge'"):
        head_of(x, task_of(labels, NAMES[:2]), "ridge")
