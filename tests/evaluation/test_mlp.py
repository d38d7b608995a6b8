import numpy as np
import pytest

from kerascola.errors import DataError
from kerascola.evaluation.linear import logistic
from kerascola.evaluation.mlp import mlp

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")


def quadrants(n, seed=0):
    """Which no line tells apart."""
    x = np.random.default_rng(seed).uniform(-1, 1, (n, 2)) * [100, 1e-3] + [5, 2]  # on scales of their own
    return x, ((x[:, 0] > 5) ^ (x[:, 1] > 2)).astype(int)


def test_it_tells_what_no_line_does():
    (x, labels), (others, right) = quadrants(600), quadrants(300, seed=1)
    found = mlp(x, labels, hidden=32)
    assert (found.logits(others).argmax(axis=1) == right).mean() > 0.9
    assert (logistic(x, labels, [1.0]).logits(others).argmax(axis=1) == right).mean() < 0.65
    np.testing.assert_allclose(np.exp(found.logits(others)).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(mlp(x, labels, hidden=32).logits(others), found.logits(others))
    assert (mlp(x, labels, hidden=32, seed=1).logits(others) != found.logits(others)).any()


@pytest.mark.parametrize("columns", [1, 3])
def test_several_labels(columns):
    x, first = quadrants(400)
    labels = np.column_stack([first, x[:, 0] > 5, x[:, 1] > 2])[:, :columns]
    odds = mlp(x, labels, hidden=32).logits(x)
    assert odds.shape == labels.shape and ((odds > 0) == labels).mean() > 0.9


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_classes_without_rows_and_with_one():
    x, labels = quadrants(60)
    labels = np.where(labels, 3, 0)
    labels[0] = 1
    found = mlp(x, labels, classes=6, hidden=8, most=20)
    probabilities = np.exp(found.logits(x))
    assert probabilities.shape == (60, 6) and np.isfinite(found.logits(x)).all()
    assert probabilities[:, [2, 4, 5]].max() < 1e-9 and probabilities[:, 1].max() > 1e-9


def test_what_cannot_be_learnt_is_said():
    with pytest.raises(DataError, match="alone"):
        mlp(np.ones((4, 2)), np.zeros(4, int))
