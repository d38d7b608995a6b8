import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from kerascola.errors import DataError
from kerascola.evaluation import regressions, rows
from kerascola.evaluation.linear import logistic, ridge

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")

rng = np.random.default_rng


def blobs(n, d, classes, gap=1.0, seed=0):
    """Classes that overlap, in dimensions that depend on each other."""
    draw = rng(seed)
    labels = draw.integers(0, classes, n)
    x = draw.normal(size=(n, d)) @ draw.normal(size=(d, d)) + gap * draw.normal(size=(classes, d))[labels] * d**0.5 / 3
    return x.astype(np.float32), labels


def rare():
    x, labels = blobs(2500, 10, 3)
    labels[labels > 0] = 0
    labels[:8], labels[8:20] = 1, 2
    return x, labels


def missing():
    x, labels = blobs(300, 10, 4)
    return x, np.where(labels == 2, 3, labels)


def several():
    x, labels = blobs(600, 20, 5)
    return x, (rng(1).random((600, 3)) < 0.2) | (labels[:, None] == np.arange(3))


def constant():
    x, labels = blobs(300, 10, 3)
    x[:, 4] = 7.3
    return x, labels


def collinear():
    x, labels = blobs(300, 10, 3)
    return np.hstack([x, x, x[:, :3] + x[:, 3:6]]), labels


CASES = {
    "classes": lambda: blobs(600, 20, 4),
    "two classes": lambda: blobs(600, 20, 2),
    "several labels": several,
    "collinear": collinear,
    "more dimensions than rows": lambda: blobs(40, 150, 3),
    "a constant dimension": constant,
    "far apart": lambda: blobs(300, 10, 3, gap=30),
    "further apart": lambda: blobs(300, 10, 3, gap=3000),
    "rare classes": rare,
    "a class without rows": missing,
    "an offset of many deviations": lambda: (blobs(300, 10, 3)[0] + 1e3, blobs(300, 10, 3)[1]),
}


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def standardised(x):
    x = x.astype(np.float64)
    deviation = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(deviation > 1e-6, deviation, 1)


def peer(z, labels, c):
    return LogisticRegression(C=c, tol=1e-9, max_iter=20_000).fit(z, labels)


@pytest.mark.parametrize("c", [1e-3, 1.0])
@pytest.mark.parametrize("case", CASES)
def test_it_is_where_scikit_learn_converges_to(case, c):
    x, labels = CASES[case]()
    z = standardised(x)
    found = logistic(x, labels, cs=[c], tol=1e-9)
    assert found.converged and found.c == c and found.curve == {}
    if labels.ndim == 2:
        peers = [peer(z, column, c) for column in labels.T]
        weights = np.column_stack([each.coef_[0] for each in peers])
        expected = np.column_stack([each.predict_proba(z)[:, 1] for each in peers])
        probabilities = 1 / (1 + np.exp(-found.logits(x)))
        its_weights = found.weights
    else:
        fitted = peer(z, labels, c)
        weights, expected, there = fitted.coef_.T, fitted.predict_proba(z), fitted.classes_
        probabilities, its_weights = softmax(found.logits(x)), found.weights[:, there]
        if len(there) == 2:
            its_weights = its_weights[:, 1:] - its_weights[:, :1]
        np.testing.assert_allclose(np.delete(probabilities, there, axis=1), 0, atol=1e-6)
        probabilities = probabilities[:, there]
    np.testing.assert_allclose(its_weights, weights, atol=2e-3 * np.abs(weights).max())
    np.testing.assert_allclose(probabilities, expected, atol=2e-4)


def by_hand(z, labels, c, train, test):
    """Accuracy, or the mean of average precisions, each of them a sum over ranks."""
    if labels.ndim == 1:
        return (peer(z[train], labels[train], c).predict(z[test]) == labels[test]).mean()
    found = []
    for column in labels.T:
        order = np.argsort(-peer(z[train], column[train], c).decision_function(z[test]))
        hits = column[test][order]
        found.append(np.mean([hits[: rank + 1].mean() for rank in np.flatnonzero(hits)]))
    return np.mean(found)


@pytest.mark.parametrize("case", ["classes", "two classes", "several labels"])
def test_c_is_chosen_by_folds(case):
    x, labels = CASES[case]()
    x = x + 3 * rng(2).normal(size=x.shape).astype(np.float32)
    folds = np.array([3, 5, 9])[rng(3).integers(0, 3, len(x))]
    cs = (1.0, 1e-4, 1e-2)
    found = logistic(x, labels, cs, folds, tol=1e-9)
    z = standardised(x)
    curve = {c: np.mean([by_hand(z, labels, c, folds != fold, folds == fold) for fold in np.unique(folds)]) for c in cs}
    assert found.curve == pytest.approx(curve, abs=2e-3) and list(found.curve) == sorted(cs)
    assert found.c == max(found.curve, key=found.curve.get) and max(curve, key=curve.get) == found.c
    alone = logistic(x, labels, [found.c], tol=1e-9)
    np.testing.assert_allclose(found.logits(x), alone.logits(x), atol=2e-3)


@pytest.mark.parametrize("fit", [logistic, ridge])
def test_held_out_rows_choose_before_folds(fit):
    x, labels = blobs(400, 20, 4)
    others, right = blobs(300, 20, 4, seed=5)
    found = fit(x, labels, folds=np.arange(400) % 2, valid=(others, right))
    for strength, score in found.curve.items():
        assert score == pytest.approx((fit(x, labels, [strength]).logits(others).argmax(axis=1) == right).mean())
    assert found.curve[found.c] == max(found.curve.values())


def test_of_equals_the_most_restrained_is_chosen():
    x, labels = blobs(90, 5, 3, gap=100)
    found = logistic(x, labels, [1.0, 1e-1, 1e-2], folds=np.arange(90) % 3)
    assert set(found.curve.values()) == {1.0} and found.c == 1e-2
    found = ridge(x, labels, [1e-3, 1e-2, 1e-1], folds=np.arange(90) % 3)
    assert set(found.curve.values()) == {1.0} and found.c == 1e-1


@pytest.mark.parametrize("case", ["classes", "two classes", "several labels", "collinear", "more dimensions than rows"])
def test_ridge_is_scikit_learn_s(case):
    x, labels = CASES[case]()
    z, targets = standardised(x), labels if labels.ndim == 2 else np.eye(labels.max() + 1)[labels]
    for alpha in (1.0, 300.0):
        expected = Ridge(alpha=alpha).fit(z, targets)
        found = ridge(x, labels, [alpha])
        np.testing.assert_allclose(found.weights, expected.coef_.T, atol=1e-5)
        np.testing.assert_allclose(found.logits(x), expected.predict(z), atol=1e-5)
    folds = rng(0).integers(0, 3, len(x))
    if labels.ndim == 1:
        parts = [(folds != fold, folds == fold) for fold in range(3)]
        found = ridge(x, labels, [1.0, 300.0], folds)
        for alpha, score in found.curve.items():
            fits = [(Ridge(alpha=alpha).fit(z[train], targets[train]), test) for train, test in parts]
            right = [(each.predict(z[test]).argmax(axis=1) == labels[test]).mean() for each, test in fits]
            assert score == pytest.approx(np.mean(right), abs=1e-6)


def test_folds_that_lack_a_class():
    x, labels = blobs(120, 6, 3)
    folds = np.where(labels == 2, 0, np.arange(120) % 3)
    found = logistic(x, labels, folds=folds)
    assert found.converged and all(0 < score < 1 for score in found.curve.values())


def test_several_labels_that_a_fold_cannot_tell():
    x, labels = several()
    labels = np.column_stack([labels, np.zeros(len(x), bool), np.ones(len(x), bool)])
    folds = np.where(labels[:, :3].any(axis=1), np.arange(len(x)) % 2, 2)  # the last without any
    found = logistic(x, labels, folds=folds)
    assert found.converged and np.isfinite(list(found.curve.values())).all()
    assert (found.logits(x)[:, 3] < -9).all() and (found.logits(x)[:, 4] > 9).all()
    with pytest.raises(DataError, match="to choose by"):
        logistic(x, labels, valid=(x, np.zeros_like(labels)))


def test_parts_and_blocks_make_no_difference(monkeypatch):
    x, labels = several()
    expected = logistic(x, labels, cs=[1e-2, 1.0], folds=np.arange(600) % 2, tol=1e-9)
    monkeypatch.setattr(regressions, "COLUMNS", 2)
    monkeypatch.setattr(rows, "BLOCK", 37)
    found = logistic(x, labels, cs=[1e-2, 1.0], folds=np.arange(600) % 2, tol=1e-9)
    np.testing.assert_allclose(found.logits(x), expected.logits(x), atol=1e-3)
    assert found.curve == pytest.approx(expected.curve, abs=1e-4)


def test_it_is_the_same_on_any_number_of_cores(monkeypatch):
    x, labels = rare()
    found = []
    for cores in (1, 3):
        monkeypatch.setattr(rows, "cpu_count", lambda cores=cores: cores)
        found.append(logistic(x, labels, [1e-2, 1.0], folds=np.arange(2500) % 3))
    np.testing.assert_array_equal(found[0].weights, found[1].weights)
    assert found[0].curve == found[1].curve


def test_it_says_when_it_has_not_converged():
    x, labels = blobs(300, 10, 3)
    found = logistic(x, labels, [1.0], most=2)
    assert (found.converged, found.iterations) == (False, 2)
    assert 2 < logistic(x, labels, [1.0]).iterations < 30


def test_embeddings_that_are_all_alike_say_how_frequent_classes_are():
    labels = np.array([0, 0, 0, 1, 2, 2])
    found = logistic(np.full((6, 4), 0.1, np.float32), labels, [1.0])
    assert found.converged
    np.testing.assert_allclose(softmax(found.logits(np.ones((1, 4)))), [[1 / 2, 1 / 6, 1 / 3]], atol=1e-4)


def test_a_class_beyond_those_that_are_there():
    x, labels = blobs(100, 5, 3)
    assert logistic(x, labels, [1.0], classes=6).logits(x).shape == (100, 6)
    assert ridge(x, labels, [1.0], classes=6).logits(x).shape == (100, 6)


def spoilt(value):
    x, labels = blobs(10, 3, 2)
    x[[4, 7], 1] = value
    return x, labels


X, LABELS = blobs(10, 3, 2)
BAD = {
    "2 of 10 rows, the first of them row 4": lambda: logistic(*spoilt(np.nan), [1.0]),
    "in 2 of 10 rows": lambda: ridge(*spoilt(np.inf), [1.0]),
    r"\[rows, dimension\], received the shape \(10,\)": lambda: logistic(X[:, 0], LABELS, [1.0]),
    r"\[10\] or \[10, classes\].*\(9,\)": lambda: logistic(X, LABELS[:9], [1.0]),
    "10 of class 1 alone": lambda: logistic(X, np.ones(10, int), [1.0]),
    "others not, received none": lambda: logistic(X, np.ones((10, 2)), [1.0]),
    "0 and up, received -1: rows without a label": lambda: logistic(X, np.where(LABELS, LABELS, -1), [1.0]),
    "0 or 1 for each class, received -1": lambda: logistic(X, -np.ones((10, 2)), [1.0]),
    "2 classes, counted from 0, received 2": lambda: logistic(X, LABELS + 1, [1.0], classes=2),
    "number the classes' names": lambda: logistic(X, np.where(LABELS, "a", "b"), [1.0]),
    "folds or held-out rows to choose one of 4": lambda: logistic(X, LABELS),
    "received 1 for 10 rows": lambda: logistic(X, LABELS, folds=np.zeros(10)),
    "received 3 for 3 rows": lambda: ridge(X, LABELS, folds=np.arange(3)),
    "above 0, received 0, 1": lambda: logistic(X, LABELS, cs=[0, 1]),
    "as those to learn from": lambda: logistic(X, LABELS, valid=(X, np.eye(2)[LABELS])),
    "embeddings of dimension 3": lambda: logistic(X, LABELS, valid=(X[:, :2], LABELS)),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_fitted_is_said(message):
    with pytest.raises(DataError, match=message):
        BAD[message]()
