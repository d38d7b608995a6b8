import numpy as np
import pytest
from keras import ops

from kerascola.training.watch import PATIENCE, Watch

RNG = np.random.default_rng(0)
VIEWS, CLIPS, DIMENSION = 2, 16, 12
KINDS = {
    "constant": np.broadcast_to(RNG.normal(size=DIMENSION), (VIEWS, CLIPS, DIMENSION)),
    "nearly constant": 1.0 + 1e-3 * RNG.normal(size=(VIEWS, CLIPS, DIMENSION)),
    "on a line": RNG.normal(size=(VIEWS, CLIPS, 1)) * RNG.normal(size=DIMENSION) + RNG.normal(size=DIMENSION),
    "spread": RNG.normal(size=(VIEWS, CLIPS, DIMENSION)),
    "in a plane": RNG.normal(size=(VIEWS, CLIPS, 2)) @ RNG.normal(size=(2, DIMENSION)),
}


def watched(*kinds: str) -> list[str]:
    """What is said of so many looks."""
    said: list[str] = []
    watch = Watch(said.append)
    for number, kind in enumerate(kinds):
        watch(ops.convert_to_tensor(KINDS[kind].astype(np.float32)), 50 * (number + 1))
    return said


@pytest.mark.parametrize("kind", ["constant", "nearly constant", "on a line"])
def test_a_collapse_is_said_once(kind):
    (said,) = watched(*[kind] * 10)
    assert f"collapsed, at step {50 * PATIENCE}:" in said and "optimizer.learning_rate" in said


@pytest.mark.parametrize("kind", ["spread", "in a plane"])
def test_of_embeddings_that_differ_nothing_is_said(kind):
    assert not watched(*[kind] * 10)


def test_only_looks_in_a_row_count():
    assert not watched(*(["constant"] * (PATIENCE - 1) + ["spread"]) * 4)
    assert len(watched("constant", "on a line", "nearly constant")) == 1


def test_few_clips_lie_on_a_line_by_chance():
    said: list[str] = []
    watch = Watch(said.append)
    for _ in range(10):
        watch(ops.convert_to_tensor(KINDS["spread"][:, :2].astype(np.float32)), 1)
    assert not said


def test_what_is_measured():
    found = Watch(print)(ops.convert_to_tensor(KINDS["spread"].astype(np.float32)), 1)
    first, second = (k / np.linalg.norm(k, axis=-1, keepdims=True) for k in KINDS["spread"])
    assert set(found) == {"alignment", "uniformity", "effective_rank", "deviation"}
    assert all(type(value) is float for value in found.values())
    assert found["alignment"] == pytest.approx(np.mean(np.sum((first - second) ** 2, axis=-1)), rel=1e-5)
    assert found["deviation"] == pytest.approx(first.std(axis=0).mean(), rel=1e-5)
    single = Watch(print)(ops.convert_to_tensor(KINDS["spread"][:1].astype(np.float32)), 1)
    assert set(single) == {"uniformity", "effective_rank", "deviation"}
