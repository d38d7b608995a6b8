import contracts
import numpy as np
import objective_contract
import objective_references
import pytest
from objective_contract import SIZES, check_numbers, clips_and_views, embeddings, randomised, rows, run

from kerascola.objectives.nt_xent import NtXent
from kerascola.objectives.supcon import SupCon

SOME = {  # labels of n clips
    2: [1, 1],
    3: [4, -1, 4],
    8: [0, 1, -1, 0, 2, -1, 1, 0],
    17: [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, -1, -1, -1, 0, 0, 0, 5],
}


@pytest.mark.parametrize(("count", "n"), SIZES)
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_it_is_the_reference(count, n, temperature):
    objective, views = randomised(SupCon(temperature, (), 6)), embeddings(count, n)
    z = objective_references.head(rows(views), objective.head.get_weights(), 0, False, True)
    loss, accuracy = objective_references.contrast(z, *clips_and_views(count, n), SOME[n] * count, temperature)
    check_numbers(run(objective, views, np.array(SOME[n], np.int32), training=True), loss=loss, accuracy=accuracy)


def test_without_labels_it_is_nt_xent():
    views = embeddings(2, 8)
    one, other = randomised(SupCon(0.2, (5,), 6)), randomised(NtXent(0.2, (5,), 6))
    expected = {name: float(contracts.numbers(value)) for name, value in run(other, views).items()}
    check_numbers(run(one, views, np.full(8, -1, np.int32)), **expected)


def test_of_one_class_every_candidate_is_right():
    objective = randomised(SupCon(0.2, (5,), 6))
    same = np.tile(embeddings(1, 1), (2, 8, 1))
    check_numbers(run(objective, same, np.zeros(8, np.int32)), loss=np.log(15), accuracy=1.0)


def test_it_keeps_the_contract():
    objective_contract.check_objective(lambda: SupCon(0.3, (5,), 6), np.array(SOME[8], np.int32))
    with pytest.raises(ValueError, match=r"SupCon: expected labels of shape \(8,\), received none"):
        SupCon()(embeddings(2, 8))
    with pytest.raises(ValueError, match=r"expected labels of shape \(8,\), received \(8, 3\)"):
        SupCon()(embeddings(2, 8), np.zeros((8, 3), np.float32))
