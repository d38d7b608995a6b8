import numpy as np
import objective_contract
import objective_references
import pytest
from objective_contract import SIZES, check_numbers, embeddings, randomised, rows, run

from kerascola.objectives.alignment_uniformity import AlignmentUniformity


@pytest.mark.parametrize(("count", "n"), SIZES)
def test_it_is_the_reference(count, n):
    objective = randomised(AlignmentUniformity(6, alpha=1.5, t=3.0, weight=0.7))
    views = embeddings(count, n)
    z = objective_references.head(rows(views), objective.head.get_weights(), 0, False, True)
    z = z.reshape(count, n, -1)
    both = [(i, j) for i in range(count) for j in range(i + 1, count)]
    align = float(np.mean([objective_references.alignment(z[i], z[j], 1.5) for i, j in both]))
    uniform = float(np.mean([objective_references.uniformity(view, 3.0) for view in z]))
    check_numbers(
        run(objective, views),
        loss=align + 0.7 * uniform,
        accuracy=float(np.mean([objective_references.retrieved(z[i], z[j]) for i, j in both])),
        projected_alignment=align,
        projected_uniformity=uniform,
    )


@pytest.mark.parametrize("alpha", [1.0, 2.0])
@pytest.mark.parametrize("views", [0 * embeddings(2, 8), np.tile(embeddings(1, 1), (2, 8, 1))], ids=["zeros", "same"])
def test_gradients_are_finite_where_nothing_differs(alpha, views):
    found = objective_contract.gradients(AlignmentUniformity(6, alpha), views)
    assert all(np.isfinite(gradient).all() for gradient in found.values())


def test_it_keeps_the_contract():
    objective_contract.check_objective(lambda: AlignmentUniformity(6, alpha=1.0, t=3.0, weight=0.5))
