import numpy as np
import pytest

from kerascola.errors import DataError
from kerascola.evaluation import mlp as module
from kerascola.evaluation.embedded import labelled
from kerascola.evaluation.linear import logistic
from kerascola.evaluation.mlp import loss, mlp

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")


def quadrants(n, seed=0):
    """Which no line tells apart."""
    x = np.random.default_rng(seed).uniform(-1, 1, (n, 2)) * [100, 1e-3] + [5, 2]  # on scales of their own
    return x, ((x[:, 0] > 5) ^ (x[:, 1] > 2)).astype(int)


def test_it_tells_what_no_line_does():
    (x, labels), (others, right) = quadrants(1000), quadrants(300, seed=1)
    found = mlp(x, labels, hidden=32, most=60)
    assert (found.logits(others).argmax(axis=1) == right).mean() > 0.9
    assert (logistic(x, labels, [1.0]).logits(others).argmax(axis=1) == right).mean() < 0.65
    np.testing.assert_allclose(np.exp(found.logits(others)).sum(axis=1), 1, atol=1e-5)


def test_a_seed_decides():
    x, labels = quadrants(100)
    first, again, other = (mlp(x, labels, hidden=8, most=3, seed=seed).logits(x) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("columns", [1, 3])
def test_several_labels(columns):
    x, first = quadrants(1000)
    labels = np.column_stack([first, x[:, 0] > 5, x[:, 1] > 2])[:, :columns]
    odds = mlp(x, labels, hidden=32, most=60).logits(x)
    assert odds.shape == labels.shape and ((odds > 0) == labels).mean() > 0.9


def test_classes_without_rows_and_with_one():
    x, labels = quadrants(60)
    labels = np.where(labels, 3, 0)
    labels[0] = 1
    found = mlp(x, labels, classes=6, hidden=64, most=60)
    assert found.logits(x).shape == (60, 6) and np.isfinite(found.logits(x)).all()
    assert set(found.logits(x).argmax(axis=1)) <= {0, 1, 3}


def test_it_is_as_it_was_when_best(monkeypatch):
    """Labels by chance: each epoch makes it worse, sooner or later."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(100, 8)), rng.integers(0, 2, 100)
    others, right = rng.normal(size=(50, 8)), rng.integers(0, 2, 50)
    losses = []

    def told(logits, labels):
        losses.append(loss(logits, labels))
        return losses[-1]

    monkeypatch.setattr(module, "loss", told)
    found = mlp(x, labels, (others, right), hidden=64)
    best = int(np.argmin(losses))
    assert found.epochs == best + 1 and len(losses) == best + 1 + 10
    p = np.exp(found.logits(others))
    assert -np.log(p[np.arange(50), right]).mean() == pytest.approx(losses[best])


def test_groups_are_held_out_whole(monkeypatch):
    x, labels = quadrants(100)
    x[:, 0] = np.arange(100) // 5
    seen = []
    monkeypatch.setattr(module, "labelled", lambda x, *rest: seen.append(set(x[:, 0])) or labelled(x, *rest))
    mlp(x, labels, groups=x[:, 0], hidden=4, most=1)
    (held,) = seen
    assert 0 < len(held) < 20 and all((x[:, 0] == group).sum() == 5 for group in held)


def test_one_row_of_each_class():
    x = np.random.default_rng(0).normal(size=(4, 8))
    assert mlp(x, np.arange(4), hidden=32, most=50).logits(x).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_what_cannot_be_learnt_is_said():
    with pytest.raises(DataError, match="alone"):
        mlp(np.ones((4, 2)), np.zeros(4, int))
    x, labels = quadrants(20)
    with pytest.raises(DataError, match="dimension 2"):
        mlp(x, labels, (x[:, :1], labels))
