import numpy as np
import pytest
from sklearn import metrics as oracle

from kerascola.evaluation.metrics import drawn, interval, judged, resampled

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")


def one_label(seed: int, clips: int = 60, classes: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are right more often than not, with ties, and a class that no clip is of."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes - 1, size=clips)
    return np.round(rng.normal(size=(clips, classes)) + 1.5 * np.eye(classes)[labels], 1), labels


def several_labels(seed: int, clips: int = 60, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random((clips, classes)) < 0.3).astype(np.float32)
    labels[:, 3] = 1  # of a class that all are of nothing can be told
    return np.round(rng.normal(size=labels.shape) + labels, 1), labels


@pytest.mark.parametrize("seed", range(5))
def test_measures_of_one_label_are_scikit_learns(seed):
    scores, labels = one_label(seed)
    found, said = judged(scores, labels), scores.argmax(axis=1)
    present = np.unique(labels)
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(labels, said))
    recall = oracle.recall_score(labels, said, labels=present, average="macro")
    assert found["balanced_accuracy"] == pytest.approx(recall)
    f1 = oracle.f1_score(labels, said, labels=present, average="macro", zero_division=0.0)
    assert found["macro_f1"] == pytest.approx(f1)
    apart = scores + 1e-6 * np.random.default_rng(0).normal(
        size=scores.shape
    )  # scikit-learn takes ties as it finds them
    top = oracle.top_k_accuracy_score(labels, apart, k=5, labels=np.arange(8))
    assert judged(apart, labels)["top_5_accuracy"] == pytest.approx(top)


@pytest.mark.parametrize("seed", range(5))
def test_measures_of_several_labels_are_scikit_learns_ties_and_all(seed):
    scores, labels = several_labels(seed)
    found, told = judged(scores, labels), [0, 1, 2, 4]
    precision = oracle.average_precision_score(labels[:, told], scores[:, told], average="macro")
    assert found["mean_average_precision"] == pytest.approx(precision)
    assert found["mean_auc"] == pytest.approx(oracle.roc_auc_score(labels[:, told], scores[:, told], average="macro"))


def test_five_of_five_say_nothing():
    assert "top_5_accuracy" not in judged(np.eye(5), np.arange(5))
    assert judged(np.zeros((6, 6)), np.arange(6))["top_5_accuracy"] == 0  # a tie counts against it


def test_d_prime_is_the_distance_that_was_put_between_the_scores():
    labels = np.repeat([[0.0], [1.0]], 40_000, axis=0)
    scores = np.random.default_rng(0).normal(size=labels.shape) + 1.7 * labels
    assert judged(scores, labels)["d_prime"] == pytest.approx(1.7, abs=0.03)


@pytest.mark.parametrize("make", [one_label, several_labels])
def test_a_draw_is_the_measure_of_the_clips_that_were_drawn(make):
    """A clip that is drawn twice counts twice, in the fold that it is of."""
    scores, labels = make(0)
    folds = [np.arange(20), np.arange(20, 60)]
    found = drawn(scores, labels, folds, 3, seed=7)
    weights = [list(resampled(len(rows), 3, 7 + n)) for n, rows in enumerate(folds)]
    for draw in range(4):
        parts = [np.repeat(rows, weights[n][draw].astype(int)) for n, rows in enumerate(folds)]
        assert [len(part) for part in parts] == [20, 40]
        each = [judged(scores[part], labels[part]) for part in parts]
        for name in found:
            assert found[name][draw] == pytest.approx(np.mean([one[name] for one in each])), name


def test_the_interval_is_the_binomials():
    rng = np.random.default_rng(0)
    labels = np.zeros(400, int)
    scores = np.eye(2)[(rng.random(400) < 0.3).astype(int)]
    found = drawn(scores, labels, [np.arange(400)], 2000, seed=0)["accuracy"]
    low, high = interval(found)
    width = 1.96 * np.sqrt(found[0] * (1 - found[0]) / 400)
    assert (low, high) == (pytest.approx(found[0] - width, abs=0.008), pytest.approx(found[0] + width, abs=0.008))


def test_two_encoders_are_drawn_the_same_clips():
    """So that what is hard for both is no difference."""
    scores, labels = one_label(1)
    worse = scores.copy()
    worse[:6] = -worse[:6]
    a, b = (drawn(one, labels, [np.arange(60)], 200, seed=0)["accuracy"] for one in (scores, worse))
    assert np.std(a - b) < 0.8 * np.std(a) and (a >= b).all()
