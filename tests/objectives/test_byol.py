import contracts
import numpy as np
import objective_contract
import objective_references
import pytest
from objective_contract import SIZES, check_numbers, embeddings, randomised, rows, run

from kerascola.objectives.byol import Byol


def through(head, views: np.ndarray, training: bool) -> np.ndarray:
    z = objective_references.head(rows(views), head.get_weights(), 1, True, training)
    return z.reshape(*views.shape[:2], -1)


@pytest.mark.parametrize(("count", "n", "training"), [(*size, True) for size in SIZES] + [(2, 8, False)])
def test_it_is_the_reference(count, n, training):
    objective = randomised(Byol((7,), 6))
    views, targets = embeddings(count, n, 1), embeddings(count, n, 2)
    predictions = through(objective.predictor, through(objective.head, views, training), training)
    loss, accuracy = objective_references.byol(predictions, through(objective.target_head, targets, training))
    check_numbers(run(objective, views, training=training, targets=targets), loss=loss, accuracy=accuracy)


def test_the_target_begins_as_the_online_head_and_is_not_trained():
    objective = Byol((7,), 6)
    views = embeddings(2, 8)
    objective(views, targets=views)
    for online, target in zip(objective.head.get_weights(), objective.target_head.get_weights(), strict=True):
        np.testing.assert_array_equal(online, target)
    assert (objective.head.get_weights()[-2] != objective.predictor.get_weights()[-2]).any()
    assert len(objective.trainable_variables) == 2 * len(objective.momentum_pairs()) == 2 * 5
    pairs = objective.momentum_pairs()
    before = [contracts.numbers(target).copy() for _, target in pairs]
    objective_contract.gradients(objective, views)
    for (online, target), old in zip(pairs, before, strict=True):
        assert online.trainable and online.shape == target.shape and online.name == target.name
        np.testing.assert_array_equal(contracts.numbers(target), old)


def test_the_targets_batch_norm_sees_the_batch():
    objective = randomised(Byol((7,), 6))
    mean = objective.target_head.layers[1].moving_mean
    before = contracts.numbers(mean).copy()
    objective(embeddings(2, 8), training=True, targets=embeddings(2, 8, 2))
    assert (contracts.numbers(mean) != before).all()


def test_no_gradient_passes_through_the_targets():
    views = embeddings(2, 8)
    one, other = (randomised(Byol((7,), 6)) for _ in range(2))
    through_encoder = objective_contract.gradients(one, views, through=True)["kernel"]
    np.testing.assert_allclose(through_encoder, objective_contract.gradients(other, views)["kernel"], atol=1e-6)


def test_it_keeps_the_contract():
    # the predictor's batch norm takes away what the projection's bias adds
    objective_contract.check_objective(lambda: Byol((7,), 6), still=("head/projection/bias",))
    views = embeddings(2, 8)
    with pytest.raises(ValueError, match=r"Byol: expected targets \(2, 8, 10\), .*received None"):
        Byol()(views)
    with pytest.raises(ValueError, match=r"Byol: expected targets \(2, 8, 10\), .*received \(2, 7, 10\)"):
        Byol()(views, targets=views[:, 1:])
