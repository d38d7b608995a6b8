import numpy as np
import objective_contract
import objective_references
import pytest
from objective_contract import SIZES, check_numbers, clips_and_views, embeddings, randomised, rows, run

from kerascola.objectives.nt_xent import NtXent


def expected(objective: NtXent, views: np.ndarray, training: bool) -> tuple[float, float]:
    count, n, _ = views.shape
    heads = (objective.head.get_weights(), len(objective.hidden), objective.batch_norm)
    z = objective_references.head(rows(views), *heads, training)
    none = [-1] * (count * n)
    return objective_references.contrast(z, *clips_and_views(count, n), none, objective.temperature, objective.within)


@pytest.mark.parametrize(("count", "n"), SIZES)
@pytest.mark.parametrize(("temperature", "within"), [(0.05, True), (0.2, False), (1.0, True)])
def test_it_is_the_reference(count, n, temperature, within):
    objective, views = randomised(NtXent(temperature, (), 6, within=within)), embeddings(count, n)
    loss, accuracy = expected(objective, views, training=True)
    check_numbers(run(objective, views, training=True), loss=loss, accuracy=accuracy)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("hidden", "batch_norm"), [((5,), True), ((7, 5), True), ((7, 5), False)])
def test_behind_every_head(hidden, batch_norm, training):
    objective = randomised(NtXent(0.2, hidden, 6, batch_norm))
    views = embeddings(2, 8)
    loss, accuracy = expected(objective, views, training)
    check_numbers(run(objective, views, training=training), loss=loss, accuracy=accuracy)


def test_the_head_is_the_papers():
    objective = randomised(NtXent())
    shapes = [weight.shape for weight in objective.head.get_weights()]
    assert shapes == [(10, 512), (512,), (512,), (512,), (512,), (512, 128), (128,)]


def identity(temperature: float, **options) -> NtXent:
    objective = NtXent(temperature, (), 4, **options)
    objective.build((2, None, 4))
    objective.head.set_weights([np.eye(4, dtype=np.float32), np.zeros(4, np.float32)])
    return objective


def test_closed_forms():
    eye = np.eye(4, dtype=np.float32)
    views = np.stack([eye, 3 * eye])  # two identical views of four orthogonal clips, of any length
    among = np.exp(2)
    check_numbers(run(identity(0.5), views), loss=-np.log(among / (among + 6)), accuracy=1.0)
    check_numbers(run(identity(0.5, within=False), views), loss=-np.log(among / (among + 3)), accuracy=1.0)
    shifted = np.stack([eye, np.roll(eye, 1, axis=0)])
    check_numbers(run(identity(0.5), shifted), loss=np.log(among + 6), accuracy=0.0)
    same = np.tile(eye[:1], (2, 4, 1))
    check_numbers(run(identity(0.5), same), loss=np.log(7))
    check_numbers(run(identity(0.5, within=False), same), loss=np.log(4))


def test_a_clip_alone_has_no_negatives():
    check_numbers(run(identity(0.5), embeddings(2, 1, dimension=4)), loss=0.0, accuracy=1.0)


@pytest.mark.parametrize("views", [0 * embeddings(2, 8), np.tile(embeddings(1, 1), (2, 8, 1))], ids=["zeros", "same"])
def test_gradients_are_finite_where_nothing_differs(views):
    found = objective_contract.gradients(NtXent(0.05, (), 6), views)
    assert all(np.isfinite(gradient).all() for gradient in found.values())


def test_it_keeps_the_contract():
    objective_contract.check_objective(lambda: NtXent(0.3, (7, 5), 6, within=False))
    with pytest.raises(ValueError, match=r"NtXent: expected views \[2 or more, n, d\], received shape \(1, 8, 10\)"):
        NtXent()(embeddings(1, 8))
