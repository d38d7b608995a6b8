import contracts
import keras
import numpy as np
import pytest
import references

from kerascola.objectives.cola import Cola


def rows(n: int, dimension: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)


def randomised(objective: Cola, dimension: int) -> dict[str, np.ndarray]:
    """Built, with weights away from their initial zeros and ones; those weights in float64."""
    objective.build((None, dimension), (None, dimension))
    rng = np.random.default_rng(9)
    for weight in objective.weights:
        weight.assign(rng.normal(scale=0.3, size=weight.shape).astype(np.float32))
    return {weight.name: contracts.numbers(weight).astype(np.float64) for weight in objective.weights}


@pytest.mark.parametrize("n", [2, 3, 8, 17])
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_dot_is_the_reference(n, temperature):
    objective = Cola("dot", dimension=6, temperature=temperature)
    weights = randomised(objective, 10)
    anchors, positives = rows(n, 10, 1), rows(n, 10, 2)
    similarity = references.cola_dot(anchors, positives, weights["kernel"], weights["bias"], temperature)
    loss, accuracy = references.cross_entropy_of_the_diagonal(similarity)
    result = objective(anchors, positives)
    assert float(result["loss"]) == pytest.approx(loss, rel=1e-5)
    assert float(result["accuracy"]) == pytest.approx(accuracy)


@pytest.mark.parametrize("n", [2, 3, 8, 17])
def test_bilinear_is_the_reference(n):
    objective = Cola("bilinear", dimension=6)
    weights = randomised(objective, 10)
    anchors, positives = rows(n, 10, 1), rows(n, 10, 2)
    order = ("kernel", "bias", "gamma", "beta", "bilinear")
    similarity = references.cola_bilinear(anchors, positives, *(weights[name] for name in order))
    np.testing.assert_allclose(contracts.numbers(objective.similarities(anchors, positives)), similarity, atol=1e-4)
    loss, accuracy = references.cross_entropy_of_the_diagonal(similarity)
    result = objective(anchors, positives)
    assert float(result["loss"]) == pytest.approx(loss, rel=1e-4)
    assert float(result["accuracy"]) == pytest.approx(accuracy)


def test_equal_rows_are_chance():
    objective = Cola("dot", dimension=4)
    same = np.tile(rows(1, 5, 0), (8, 1))
    assert float(objective(same, same)["loss"]) == pytest.approx(np.log(8), rel=1e-5)


def test_orthogonal_rows_have_the_closed_form():
    objective = Cola("dot", dimension=4, temperature=0.5)
    objective.build((None, 4), (None, 4))
    objective.projection.set_weights([np.eye(4, dtype=np.float32), np.zeros(4, np.float32)])
    rows = np.eye(4, dtype=np.float32)
    expected = -np.log(np.exp(2) / (np.exp(2) + 3))
    assert float(objective(rows, rows)["loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(objective(rows, rows)["accuracy"]) == 1.0
    assert float(objective(rows, np.roll(rows, 1, axis=0))["accuracy"]) == 0.0


@pytest.mark.parametrize("similarity", ["dot", "bilinear"])
def test_bfloat16_comes_near_and_the_loss_stays_float32(similarity):
    exact = Cola(similarity, dimension=16)
    mixed = Cola(similarity, dimension=16, dtype="mixed_bfloat16")
    anchors, positives = rows(8, 12, 1), rows(8, 12, 2)
    expected = float(exact(anchors, positives)["loss"])
    mixed(anchors, positives)
    mixed.set_weights(exact.get_weights())
    loss = mixed(anchors, positives)["loss"]
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert float(loss) == pytest.approx(expected, rel=0.05)


def test_it_is_rebuilt_from_its_config():
    objective = Cola("dot", dimension=7, temperature=0.3, name="mine")
    again = Cola.from_config(objective.get_config())
    assert (again.similarity, again.dimension, again.temperature, again.name) == ("dot", 7, 0.3, "mine")


def test_an_unknown_similarity_is_refused():
    with pytest.raises(ValueError, match="'bilinear' or 'dot', received 'cosine'"):
        Cola("cosine")
