import numpy as np
import objective_contract
import objective_references
import pytest
from objective_contract import SIZES, check_numbers, embeddings, randomised, rows, run

from kerascola.objectives.vicreg import Vicreg


@pytest.mark.parametrize(("count", "n"), SIZES)
def test_it_is_the_reference(count, n):
    objective = randomised(Vicreg((7,), 6, invariance=3.0, variance=2.0, covariance=0.5))
    views = embeddings(count, n)
    z = objective_references.head(rows(views), objective.head.get_weights(), 1, True, True)
    z = z.reshape(count, n, -1)
    invariance, variance, covariance = objective_references.vicreg(z)
    both = [(i, j) for i in range(count) for j in range(i + 1, count)]
    check_numbers(
        run(objective, views, training=True),
        loss=3.0 * invariance + 2.0 * variance + 0.5 * covariance,
        accuracy=float(np.mean([objective_references.retrieved(z[i], z[j]) for i, j in both])),
        invariance=invariance,
        variance=variance,
        covariance=covariance,
    )


def identity() -> Vicreg:
    objective = Vicreg((), 2)
    objective.build((2, None, 2))
    objective.head.set_weights([np.eye(2, dtype=np.float32), np.zeros(2, np.float32)])
    return objective


def test_closed_forms():
    wide = np.array([[3, 3], [3, -3], [-3, 3], [-3, -3]], np.float32)  # large and uncorrelated
    perfect = {"loss": 0.0, "accuracy": 1.0, "invariance": 0.0, "variance": 0.0, "covariance": 0.0}
    check_numbers(run(identity(), np.stack([wide, wide])), **perfect)
    same = np.ones((2, 4, 2), np.float32)
    check_numbers(run(identity(), same), loss=25 * 0.99, variance=0.99, covariance=0.0)
    line = np.array([[1, 1], [-1, -1]], np.float32)  # of variance 2 and covariance 2
    check_numbers(run(identity(), np.stack([line, line + 1])), invariance=1.0, variance=0.0, covariance=4.0, loss=29.0)


def test_it_keeps_the_contract():
    # a difference of views and what is centred do not change with the projection's bias
    objective_contract.check_objective(lambda: Vicreg((7,), 6), still=("head/projection/bias",))
