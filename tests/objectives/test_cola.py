import contracts
import numpy as np
import objective_contract
import pytest
import references
from objective_contract import embeddings, randomised, run

from kerascola.objectives.cola import Cola


def weights(objective: Cola) -> dict[str, np.ndarray]:
    return {weight.name: contracts.numbers(weight).astype(np.float64) for weight in objective.weights}


@pytest.mark.parametrize("n", [2, 3, 8, 17])
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_dot_is_the_reference(n, temperature):
    objective = randomised(Cola("dot", dimension=6, temperature=temperature))
    views, of = embeddings(2, n), weights(objective)
    similarity = references.cola_dot(*views, of["kernel"], of["bias"], temperature)
    loss, accuracy = references.cross_entropy_of_the_diagonal(similarity)
    objective_contract.check_numbers(run(objective, views), loss=loss, accuracy=accuracy)


@pytest.mark.parametrize("n", [2, 3, 8, 17])
def test_bilinear_is_the_reference(n):
    objective = randomised(Cola("bilinear", dimension=6))
    views, of = embeddings(2, n), weights(objective)
    order = ("kernel", "bias", "gamma", "beta", "bilinear")
    similarity = references.cola_bilinear(*views, *(of[name] for name in order))
    np.testing.assert_allclose(contracts.numbers(objective.similarities(*views)), similarity, atol=1e-4)
    loss, accuracy = references.cross_entropy_of_the_diagonal(similarity)
    objective_contract.check_numbers(run(objective, views), loss=loss, accuracy=accuracy)


def test_equal_rows_are_chance():
    same = np.tile(embeddings(1, 1), (2, 8, 1))
    objective_contract.check_numbers(Cola("dot", dimension=4)(same), loss=np.log(8))


def test_orthogonal_rows_have_the_closed_form():
    objective = Cola("dot", dimension=4, temperature=0.5)
    objective.build((2, None, 4))
    objective.projection.set_weights([np.eye(4, dtype=np.float32), np.zeros(4, np.float32)])
    rows = np.eye(4, dtype=np.float32)
    expected = -np.log(np.exp(2) / (np.exp(2) + 3))
    objective_contract.check_numbers(objective(np.stack([rows, rows])), loss=expected, accuracy=1.0)
    objective_contract.check_numbers(objective(np.stack([rows, np.roll(rows, 1, axis=0)])), accuracy=0.0)


@pytest.mark.parametrize("similarity", ["dot", "bilinear"])
def test_it_keeps_the_contract(similarity):
    objective_contract.check_objective(lambda: Cola(similarity, dimension=16, temperature=0.3))


def test_rows_of_zeros_leave_the_gradients_finite():
    found = objective_contract.gradients(Cola("dot", dimension=6), 0 * embeddings(2, 8))
    assert all(np.isfinite(gradient).all() for gradient in found.values())


def test_what_it_refuses():
    with pytest.raises(ValueError, match="'bilinear' or 'dot', received 'cosine'"):
        Cola("cosine")
    with pytest.raises(ValueError, match=r"Cola: expected views \[2, n, d\], received shape \(3, 8, 10\)"):
        Cola()(embeddings(3, 8))
