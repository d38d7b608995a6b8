import contracts
import numpy as np
import objective_contract
import objective_references
import pytest
from keras import ops
from objective_contract import check_numbers, embeddings, randomised, rows, run

from kerascola.objectives.classify import Classify

LABELS = np.array([0, 2, -1, 1, -1, 1, 2, 0], np.int32)
MULTI = np.array(
    [[1, 0, 1], [0, 0, 0], [-1, -1, -1], [1, 1, 1], [0, 1, 0], [-1, -1, -1], [0, 0, 1], [1, 0, 0]], "float32"
)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("multi", [False, True])
def test_it_is_the_reference(count, multi):
    objective = randomised(Classify(3, multi))
    kernel, bias = (weight.astype(np.float64) for weight in objective.get_weights())
    oracle = objective_references.binary_cross_entropy if multi else objective_references.cross_entropy
    for n in (2, 7):
        views, labels = embeddings(count, n), (MULTI if multi else LABELS)[1 : n + 1]
        loss, accuracy = oracle(rows(views) @ kernel + bias, np.concatenate([labels] * count))
        check_numbers(run(objective, views, labels), loss=loss, accuracy=accuracy)


@pytest.mark.parametrize(("multi", "none"), [(False, LABELS * 0 - 1), (True, MULTI * 0 - 1)])
def test_without_labels_there_is_nothing_to_learn(multi, none):
    objective = randomised(Classify(3, multi))
    check_numbers(run(objective, embeddings(2, 8), none), loss=0.0, accuracy=0.0)
    assert all(
        not gradient.any() for gradient in objective_contract.gradients(objective, embeddings(2, 8), none).values()
    )


@pytest.mark.parametrize(("multi", "labels", "loss"), [(False, LABELS, np.log(3)), (True, MULTI, np.log(2))])
def test_of_nothing_it_is_chance_and_sure_guesses_stay_finite(multi, labels, loss):
    objective = Classify(3, multi)
    objective.build((2, None, 10))
    check_numbers(run(objective, 0 * embeddings(2, 8), labels), loss=loss)
    assert np.isfinite(contracts.numbers(run(objective, 1e6 * embeddings(2, 8), labels)["loss"]))


@pytest.mark.parametrize(("multi", "labels"), [(False, LABELS), (True, MULTI)])
def test_it_keeps_the_contract(multi, labels):
    objective_contract.check_objective(lambda: Classify(3, multi), labels)


def test_what_it_refuses():
    views = embeddings(2, 8)
    with pytest.raises(ValueError, match=r"Classify: expected labels of shape \(8, 3\), received none"):
        Classify(3, multi=True)(views)
    with pytest.raises(ValueError, match=r"expected labels of shape \(8, 4\), received \(8, 3\)"):
        Classify(4, multi=True)(views, MULTI)
    with pytest.raises(ValueError, match=r"expected labels of shape \(8,\), received \(7,\)"):
        Classify(3)(views, LABELS[:7])
    with pytest.raises(ValueError, match="expected labels from 0 to 1, or -1 for none, received 2"):
        Classify(2)(views, LABELS)


def test_a_label_beyond_the_classes_that_no_one_could_see_is_no_number():
    result = Classify(2)(embeddings(2, 8), ops.convert_to_tensor(LABELS))
    assert np.isnan(contracts.numbers(result["loss"]))


def test_of_mixed_clips_labels_are_shares():
    objective = randomised(Classify(3, mixed=True))
    plain = Classify(3)
    plain.build((1, None, 10))
    plain.set_weights(objective.get_weights())
    views, labels = embeddings(2, 6), np.array([0, 2, 1, 1, 0, 2], np.int32)
    sure = run(plain, views, labels)
    check_numbers(
        run(objective, views, np.eye(3, dtype=np.float32)[labels]),
        **{k: float(contracts.numbers(v)) for k, v in sure.items()},
    )
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 6).astype(np.float32)
    shares[4] = -1
    kernel, bias = (weight.astype(np.float64) for weight in objective.get_weights())
    logits = rows(views) @ kernel + bias
    losses, hits = [], []
    for row, share in zip(logits, np.concatenate([shares] * 2), strict=True):
        if share[0] >= 0:
            losses.append(-sum(share[k] * (row[k] - np.log(np.exp(row).sum())) for k in range(3)))
            hits.append(row.argmax() == share.argmax())
    check_numbers(run(objective, views, shares), loss=np.mean(losses), accuracy=np.mean(hits))
