"""Heads against what they say in NumPy."""

import keras
import numpy as np
import pytest
from models_for_tests import metadata_of, statistics_embedder

from kerascola.errors import ModelError
from kerascola.evaluation.knn import knn
from kerascola.models.embedder import save_embedder
from kerascola.models.heads import dense, hidden, load_head, nearest, save_head
from kerascola.runtime.metadata import Classes

RNG = np.random.default_rng(3)
VECTORS = RNG.normal(2.0, 3.0, (11, 4)).astype("float32")
MEAN, SCALE = RNG.normal(2.0, 1.0, 4), RNG.uniform(0.5, 4.0, 4)
CLASSES = Classes(("dog", "wind", "bell"), average="scores")


@pytest.fixture(scope="module")
def known():
    return metadata_of(statistics_embedder())


def test_a_linear_head_standardises():
    weights, bias = RNG.normal(size=(4, 3)), RNG.normal(size=3)
    expected = (VECTORS - MEAN) / SCALE @ weights + bias
    found = dense(weights, bias, MEAN, SCALE).predict_on_batch(VECTORS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_head_with_a_hidden_layer_standardises():
    (first, second), (bias, end) = (RNG.normal(size=(4, 6)), RNG.normal(size=(6, 2))), (RNG.normal(size=6), [0.5, -1])
    expected = np.maximum((VECTORS - MEAN) / SCALE @ first + bias, 0) @ second + end
    found = hidden([first, second], [bias, np.array(end)], MEAN, SCALE).predict_on_batch(VECTORS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("k", [5, 100])
def test_neighbours_vote_as_the_probe_has_it(several, k):
    others = RNG.normal(size=(40, 4)).astype("float32")
    labels = RNG.integers(0, 2, (40, 3)) if several else RNG.integers(0, 3, 40)
    votes = labels if several else np.eye(3)[labels]
    head = nearest(others, votes, k, 0.1, several)
    scores = Classes(("a", "b", "c"), several).scores(head.predict_on_batch(VECTORS))
    expected = knn(others, labels, VECTORS, min(k, 40), 0.1, 3)
    np.testing.assert_allclose(scores, expected, atol=2e-5)


def test_its_file_says_what_it_tells_apart(known, tmp_path):
    head = dense(RNG.normal(size=(4, 3)), np.zeros(3), MEAN, SCALE)
    path = save_head(head, CLASSES, known, tmp_path / "head.keras")
    loaded, classes, of = load_head(path)
    assert classes == CLASSES and (of.sample_rate, of.recipe) == (known.sample_rate, known.recipe)
    np.testing.assert_array_equal(loaded.predict_on_batch(VECTORS), head.predict_on_batch(VECTORS))
    plain = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(plain.predict_on_batch(VECTORS), head.predict_on_batch(VECTORS))


def test_what_is_no_head_is_refused(known, tmp_path):
    head = dense(RNG.normal(size=(4, 3)), np.zeros(3), MEAN, SCALE)
    with pytest.raises(ModelError, match=r"\[batch, 2\].*\(None, 3\)"):
        save_head(head, Classes(("dog", "wind")), known, tmp_path / "x.keras")
    wide = dense(RNG.normal(size=(5, 3)), np.zeros(3), np.zeros(5), np.ones(5))
    with pytest.raises(ModelError, match="embeddings of 4 numbers, received one of 5"):
        save_head(wide, CLASSES, known, tmp_path / "x.keras")
    assert not (tmp_path / "x.keras").exists()
    save_embedder(statistics_embedder(), known, tmp_path / "model.keras")
    with pytest.raises(ModelError, match="expected a head, received an embedder.*finetune"):
        load_head(tmp_path / "model.keras")
    head.save(tmp_path / "bare.keras")
    with pytest.raises(ModelError, match="does not say what it tells apart.*save_head"):
        load_head(tmp_path / "bare.keras")
