import numpy as np
import pytest

from kerascola.evaluation.retrieval import retrieve, similarities, unit

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")


def by_hand(similarity) -> tuple[float, float, float]:
    """Recall at 1 and 5, mean reciprocal rank: the right answer comes last among those it ties with."""
    first, five, reciprocal = 0, 0, 0.0
    for i, row in enumerate(similarity):
        rank = 1
        for j, value in enumerate(row):
            if j != i and not value < row[i]:
                rank += 1
        first, five, reciprocal = first + (rank == 1), five + (rank <= 5), reciprocal + 1 / rank
    return first / len(similarity), five / len(similarity), reciprocal / len(similarity)


@pytest.mark.parametrize("n", [1, 4, 6, 40])
@pytest.mark.parametrize("levels", [2, 5, 1000])  # few levels, many ties
def test_it_is_the_count_by_hand(n, levels):
    rng = np.random.default_rng(n)
    similarity = rng.integers(0, levels, (n, n)) / levels + 0.2 * np.eye(n) * rng.random(n)
    found = retrieve(similarity)
    assert (found.recall_at_1, found.recall_at_5, found.mean_reciprocal_rank) == pytest.approx(by_hand(similarity))


def test_extremes():
    assert retrieve(np.eye(9)).recall_at_1 == retrieve(np.eye(9)).mean_reciprocal_rank == 1
    assert retrieve(1 - np.eye(9)).recall_at_5 == 0
    assert retrieve(1 - np.eye(9)).mean_reciprocal_rank == pytest.approx(1 / 9)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_embeddings_that_are_all_alike_find_nothing(value):
    found = retrieve(np.full((9, 9), value))
    assert (found.recall_at_1, found.recall_at_5) == (0, 0)
    assert found.mean_reciprocal_rank == pytest.approx(1 / 9)


def test_similarities_are_cosines():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7)), 100 * rng.normal(size=(3, 7))
    for i, j in np.ndindex(5, 3):
        cosine = sum(a[i] * b[j]) / (sum(a[i] ** 2) * sum(b[j] ** 2)) ** 0.5
        assert similarities(a, b)[i, j] == pytest.approx(cosine)


def test_a_zero_vector_is_like_nothing():
    a = np.array([[0.0, 0.0], [1.0, 2.0]])
    np.testing.assert_allclose(similarities(a, a), [[0, 0], [0, 1]], atol=1e-12)
    assert unit(a)[0].tolist() == [0, 0]
