import contracts
import keras
import numpy as np
import objective_references
import pytest
from objective_contract import embeddings

from kerascola.objectives.health import alignment, deviation, effective_rank, uniformity

EYE = np.eye(4, dtype=np.float32)
SAME = np.tile(7 + embeddings(1, 1)[0], (8, 1))


@pytest.mark.parametrize(("n", "dimension"), [(2, 10), (8, 10), (17, 10)])
def test_they_are_the_references(n, dimension):
    a, b = embeddings(2, n, dimension=dimension)
    near = {"rel": 2e-5, "abs": 1e-6}
    assert float(alignment(a, b)) == pytest.approx(objective_references.alignment(a, b, 2.0), **near)
    assert float(alignment(a, b, 1.0)) == pytest.approx(objective_references.alignment(a, b, 1.0), **near)
    assert float(uniformity(a)) == pytest.approx(objective_references.uniformity(a, 2.0), **near)
    assert float(uniformity(a, 3.0)) == pytest.approx(objective_references.uniformity(a, 3.0), **near)
    assert float(effective_rank(a)) == pytest.approx(objective_references.effective_rank(a), rel=1e-3)
    assert float(deviation(a)) == pytest.approx(objective_references.deviation(a), **near)


def test_closed_forms():
    assert float(alignment(EYE, np.roll(EYE, 1, axis=0))) == pytest.approx(2.0)
    assert float(uniformity(EYE)) == pytest.approx(-4.0)
    assert float(effective_rank(EYE)) == pytest.approx(3.0, rel=1e-4)  # of four corners, less their mean
    assert float(deviation(EYE)) == pytest.approx(np.sqrt(3) / 4)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_the_rank_of_few_directions_among_many_is_no_larger(rank):
    rng = np.random.default_rng(0)
    few = (rng.normal(size=(64, rank)) @ rng.normal(size=(rank, 96)) + 3).astype(np.float32)
    assert 0.7 * rank <= float(effective_rank(few)) <= rank + 1e-3
    assert float(effective_rank(few)) == pytest.approx(objective_references.effective_rank(few), rel=1e-3)


@pytest.mark.parametrize("rows", [SAME, 0 * SAME, SAME[:1]], ids=["same", "zeros", "one"])
def test_a_collapsed_batch_has_rank_one_and_nothing_else(rows):
    assert float(effective_rank(rows)) == 1.0
    assert float(deviation(rows)) == pytest.approx(0.0, abs=1e-6)
    assert float(alignment(rows, rows)) == pytest.approx(0.0, abs=1e-6)
    if len(rows) > 1:
        assert float(uniformity(SAME)) == pytest.approx(0.0, abs=1e-5)


def test_what_is_no_number_has_no_rank():
    broken = embeddings(1, 8)[0]
    broken[2, 3] = np.nan
    assert np.isnan(float(effective_rank(broken)))


class Watch(keras.Model):
    """A model of no weights whose prediction is its batch's health."""

    def call(self, x):
        values = [alignment(x, 2 * x), uniformity(x), effective_rank(x), deviation(x)]
        return keras.ops.stack(values)[None]


def test_they_are_the_same_compiled_of_any_batch():
    watch = Watch()
    for n in (8, 17):
        x = embeddings(1, n)[0]
        compiled = watch.predict_on_batch(x)[0]
        np.testing.assert_allclose(compiled, contracts.numbers(watch(x))[0], rtol=1e-4, atol=1e-5)
