import math

import numpy as np
import pytest

from kerascola.errors import DataError
from kerascola.evaluation import knn as module
from kerascola.evaluation.knn import knn

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")


def by_hand(train_x, train_labels, x, k, temperature, classes):
    scores = []
    for row in x:
        cosines = [sum(row * other) / math.sqrt(sum(row**2) * sum(other**2)) for other in train_x]
        near = sorted(range(len(train_x)), key=lambda i: (-round(cosines[i], 9), i))[:k]
        weights = {i: math.exp(cosines[i] / temperature) for i in near}
        total = sum(weights.values())
        shares = [0.0] * classes
        for i, weight in weights.items():
            for j in range(classes):
                of_it = train_labels[i] == j if np.ndim(train_labels[i]) == 0 else train_labels[i][j]
                shares[j] += weight / total * of_it
        scores.append(shares)
    return scores


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (7, 0.07), (20, 0.5), (99, 0.1)])
def test_it_is_the_vote_by_hand(monkeypatch, several, k, temperature):
    monkeypatch.setattr(module, "SIMILARITIES", 100)  # three rows at a time
    rng = np.random.default_rng(k)
    train_x, x = rng.normal(size=(30, 6)), rng.normal(size=(11, 6))
    labels = rng.random((30, 4)) < 0.4 if several else rng.integers(0, 4, 30)
    found = knn(train_x, labels, x, k, temperature)
    np.testing.assert_allclose(found, by_hand(train_x, labels, x, min(k, 30), temperature, 4), atol=1e-9)


def test_of_the_equally_near_the_first_vote():
    train_x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [4.0, 0.0], [8.0, 0.0], [0.0, 1.0]])
    labels = np.array([0, 1, 2, 3, 4, 0])
    found = knn(train_x, labels, np.array([[1.0, 0.0], [3.0, 0.0]]), k=2)
    np.testing.assert_allclose(found, [[0, 0.5, 0.5, 0, 0]] * 2)


def test_a_temperature_near_nought_and_a_silent_row():
    train_x, labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), np.array([0, 1, 2])
    found = knn(train_x, labels, np.array([[1.0, 0.1], [0.0, 0.0]]), k=2, temperature=1e-4, classes=5)
    assert found.shape == (2, 5) and np.isfinite(found).all()
    np.testing.assert_allclose(found, [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0]], atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.ones((2, 3))}, "dimension 4, as in training, received 3"),
        ({"x": np.full((2, 4), np.nan)}, "in 2 of 2 rows"),
        ({"k": 0}, "at least one neighbour"),
        ({"temperature": 0.0}, "temperature above 0"),
        ({"train_labels": np.zeros(5, int)}, "of class 0 alone"),
        ({"train_labels": np.arange(4)}, "one row for each embedding"),
    ],
)
def test_what_cannot_be_voted_on_is_said(change, message):
    train_x = np.random.default_rng(0).normal(size=(5, 4))
    with pytest.raises(DataError, match=message):
        knn(**{"train_x": train_x, "train_labels": np.arange(5), "x": train_x} | change)
