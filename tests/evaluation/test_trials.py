import numpy as np
import pytest

from kerascola.errors import DataError
from kerascola.evaluation.folds import Fold
from kerascola.evaluation.trials import UNHEARD, Amount, Settings, Task, check, inner_folds, trial

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")

ALL = Amount()


def task(labels, folds, **settings) -> Task:
    classes = tuple("abcdef"[: int(labels.max()) + 1 if labels.ndim == 1 else labels.shape[1]])
    groups = np.array([f"{n}.wav" for n in range(len(labels))])
    return Task(labels, groups, classes, tuple(folds), Settings(**settings))


def halves(count: int) -> list[Fold]:
    even, odd, none = np.arange(0, count, 2), np.arange(1, count, 2), np.array([], int)
    return [Fold("odd", even, none, odd), Fold("even", odd, none, even)]


def clusters(count: int = 120, classes: int = 3, spread: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=count)
    return (np.eye(8)[labels] + spread * rng.normal(size=(count, 8))).astype(np.float32), labels


@pytest.mark.parametrize("probe", ["linear", "ridge", "mlp", "knn"])
def test_a_probe_tells_classes_apart_and_knows_no_more_than_its_training(probe):
    vectors, labels = clusters()
    given = task(labels, halves(120))
    found = trial(vectors, given, probe, ALL, 0)
    assert found.scores.shape == (120, 3) and found.train_clips == 60
    right = found.scores.argmax(axis=1) == labels[given.tested]
    assert right.mean() > 0.97
    noise = np.random.default_rng(1).normal(size=vectors.shape).astype(np.float32)
    told = trial(noise, given, probe, ALL, 0).scores.argmax(axis=1) == labels[given.tested]
    assert told.mean() < 0.55  # by chance 0.33, as no clip that is tested was fitted on


@pytest.mark.parametrize("probe", ["linear", "ridge", "knn"])
def test_a_class_that_training_has_no_clip_of_is_never_said(probe):
    vectors, labels = clusters(classes=4)
    train = np.flatnonzero(labels != 1)[:50]
    fold = Fold("test", train, np.array([], int), np.setdiff1d(np.arange(120), train))
    scores = trial(vectors, task(labels, [fold]), probe, ALL, 0).scores
    assert scores.shape[1] == 4 and (scores[:, 1] == UNHEARD).all()
    known = labels[fold.test] != 1
    assert (scores.argmax(axis=1) == labels[fold.test])[known].mean() > 0.9


def test_few_labels_are_other_ones_each_time():
    vectors, labels = clusters()
    given = task(labels, halves(120))
    for amount, clips in ((Amount(shots=2), 6), (Amount(share=0.1), 6)):
        first, second = (trial(vectors, given, "knn", amount, repeat) for repeat in (0, 1))
        assert first.train_clips == clips and not np.array_equal(first.scores, second.scores)
        again = trial(vectors, given, "knn", amount, 0)
        np.testing.assert_array_equal(first.scores, again.scores)
    one = trial(vectors, given, "linear", Amount(shots=1), 0)
    assert one.chosen["C"] == [1.0, 1.0]  # too few to choose by
    assert str(Amount(shots=2)) == "2 per class" and str(Amount(share=0.01)) == "1 %" and str(ALL) == "all"


def test_what_is_chosen_is_chosen_on_validation_clips_where_there_are_such():
    """Here they say the contrary of what training says, which the weakest probe minds least."""
    vectors, labels = clusters(spread=1.0)
    thirds = np.array_split(np.arange(120), 3)
    contrary = labels.copy()
    contrary[thirds[1]] = (contrary[thirds[1]] + 1) % 3
    alone = trial(vectors, task(labels, [Fold("test", *thirds)], cs=(1e-4, 1.0)), "linear", ALL, 0)
    fooled = trial(vectors, task(contrary, [Fold("test", *thirds)], cs=(1e-4, 1.0)), "linear", ALL, 0)
    assert alone.chosen != fooled.chosen


def test_groups_are_not_parted_where_it_is_chosen():
    groups, labels = np.repeat(np.arange(12), 5).astype(str), np.arange(60) // 5 % 2
    parts = inner_folds(labels, groups, 0)
    assert sorted(set(parts)) == [0, 1, 2] and all(len(set(parts[groups == name])) == 1 for name in groups)
    assert inner_folds(labels, np.repeat(["a", "b"], 30), 0) is None
    assert inner_folds(np.arange(60) // 2, np.arange(60).astype(str), 0) is None


@pytest.mark.parametrize("probe", ["linear", "ridge", "mlp", "knn"])
def test_several_labels(probe):
    rng = np.random.default_rng(0)
    labels = (rng.random((160, 3)) < 0.4).astype(np.float32)
    vectors = (labels @ np.eye(3, 8) + 0.2 * rng.normal(size=(160, 8))).astype(np.float32)
    scores = trial(vectors, task(labels, halves(160)), probe, ALL, 0).scores
    tested = labels[task(labels, halves(160)).tested] > 0
    for n in range(3):
        assert scores[tested[:, n], n].mean() > scores[~tested[:, n], n].mean() + 0.3


def test_what_cannot_be_is_said():
    with pytest.raises(DataError, match="expected probes of linear, ridge, mlp, knn, received forest"):
        check(Settings(("linear", "forest")), multi=False)
    with pytest.raises(DataError, match="--shots"):
        check(Settings(amounts=(Amount(shots=1),)), multi=True)
