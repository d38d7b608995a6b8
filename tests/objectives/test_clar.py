import contracts
import numpy as np
import objective_contract
import objective_references
import pytest
from objective_contract import SIZES, check_numbers, clips_and_views, embeddings, randomised, rows, run

from kerascola.objectives.clar import Clar

LABELS = [0, 2, -1, 1, -1, 1, 2, 0]


def expected(objective: Clar, views: np.ndarray, labels: list[int], training: bool) -> dict[str, float]:
    count, n, _ = views.shape
    final = [weight.astype(np.float64) for weight in objective.class_head.get_weights()]
    paper = objective.variant == "paper"
    heads = (objective.head.get_weights(), 1 if paper else 2, paper)
    z = objective_references.head(rows(views), *heads, training)
    if paper:
        normed = objective_references.batch_norm(z, *final[:4], training)
        logits = np.maximum(normed, 0) @ final[4]
    else:
        z = np.maximum(z, 0)
        logits = z @ final[0] + final[1]
    none = [-1] * (count * n)
    contrast, accuracy = objective_references.contrast(z, *clips_and_views(count, n), none, objective.temperature)
    of_views = [objective_references.cross_entropy(part, labels) for part in np.split(logits, count)]
    entropies, hits = zip(*of_views, strict=True)
    entropy = sum(entropies) if paper else np.mean(entropies)
    return {
        "loss": contrast + entropy,
        "accuracy": accuracy,
        "contrast": contrast,
        "cross_entropy": float(entropy),
        "class_accuracy": float(np.mean(hits)),
    }


@pytest.mark.parametrize(("count", "n"), SIZES)
@pytest.mark.parametrize("variant", ["paper", "seed"])
def test_it_is_the_reference(count, n, variant):
    objective, views = randomised(Clar(3, variant, temperature=0.2)), embeddings(count, n)
    labels = (LABELS * 3)[:n]
    wanted = expected(objective, views, labels, training=True)
    check_numbers(run(objective, views, np.array(labels, np.int32), training=True), **wanted)


@pytest.mark.parametrize("variant", ["paper", "seed"])
def test_any_share_of_labels(variant):
    objective, views = randomised(Clar(3, variant)), embeddings(2, 8)
    for labels in (LABELS, [-1] * 8, [2] * 8, [1] + [-1] * 7):
        wanted = expected(objective, views, labels, training=False)
        check_numbers(run(objective, views, np.array(labels, np.int32)), **wanted)


def test_without_labels_there_is_no_cross_entropy_and_no_gradient_of_it():
    objective, none = randomised(Clar(3)), np.full(8, -1, np.int32)
    result = run(objective, embeddings(2, 8), none, training=True)
    assert contracts.numbers(result["cross_entropy"]) == contracts.numbers(result["class_accuracy"]) == 0.0
    classes = {weight.path for weight in objective.class_head.trainable_variables}
    for path, gradient in objective_contract.gradients(objective, embeddings(2, 8), none).items():
        assert np.isfinite(gradient).all()
        assert (np.abs(gradient).max() > 0) == (path not in classes), path


def test_the_heads_are_those_of_the_two_sources():
    paper, seed = (randomised(Clar(3, variant)) for variant in ("paper", "seed"))
    assert [w.shape for w in paper.head.trainable_variables] == [(10, 512), (512,), (512,), (512, 128), (128,)]
    assert [w.shape for w in paper.class_head.trainable_variables] == [(128,), (128,), (128, 3)]
    shapes = [w.shape for w in seed.trainable_variables]
    assert shapes == [(10, 256), (256,), (256, 256), (256,), (256, 128), (128,), (128, 3), (3,)]


@pytest.mark.parametrize("variant", ["paper", "seed"])
def test_it_keeps_the_contract(variant):
    objective_contract.check_objective(lambda: Clar(3, variant, 0.3), np.array(LABELS, np.int32))


def test_what_it_refuses():
    with pytest.raises(ValueError, match="'paper' or 'seed', received 'simclr'"):
        Clar(3, "simclr")
    with pytest.raises(ValueError, match=r"Clar: expected labels of shape \(8,\), received none"):
        Clar(3)(embeddings(2, 8))
    for wrong in (3, -2):
        with pytest.raises(ValueError, match=f"expected labels from 0 to 2, or -1 for none, received {wrong}"):
            Clar(3)(embeddings(2, 8), np.array([*LABELS[:-1], wrong], np.int32))
