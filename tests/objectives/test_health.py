import keras
import numpy as np
import objective_references
import pytest
from objective_contract import at_once, embeddings

from kerascola.objectives.health import alignment, deviation, effective_rank, uniformity

EYE = np.eye(4, dtype=np.float32)
SAME = np.tile(7 + embeddings(1, 1)[0], (8, 1))


@at_once
def all_of_them(a, b):
    return alignment(a, b), alignment(a, b, 1.0), uniformity(a), uniformity(a, 3.0), effective_rank(a), deviation(a)


def numbers_of(a, b):
    """NumPy arrays have no gradient, so that torch's functions take them as they are."""
    return [float(value) for value in all_of_them(a, b)]


@pytest.mark.parametrize("n", [2, 8, 17])
def test_they_are_the_references(n):
    a, b = embeddings(2, n)
    expected = [
        objective_references.alignment(a, b, 2.0),
        objective_references.alignment(a, b, 1.0),
        objective_references.uniformity(a, 2.0),
        objective_references.uniformity(a, 3.0),
        objective_references.effective_rank(a),
        objective_references.deviation(a),
    ]
    assert numbers_of(a, b) == pytest.approx(expected, rel=2e-5, abs=1e-6)


def test_closed_forms():
    expected = [2.0, np.sqrt(2), -4.0, -6.0, 3.0, np.sqrt(3) / 4]  # a rank of four corners, less their mean
    assert numbers_of(EYE, np.roll(EYE, 1, axis=0)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_the_rank_of_few_directions_among_many_is_no_larger(rank):
    rng = np.random.default_rng(0)
    few = (rng.normal(size=(64, rank)) @ rng.normal(size=(rank, 96)) + 3).astype(np.float32)
    received = float(at_once(effective_rank)(few))
    assert 0.7 * rank <= received <= rank + 1e-3
    assert received == pytest.approx(objective_references.effective_rank(few), rel=1e-3)


ROUNDED = SAME * (1 + 1e-7 * np.random.default_rng(0).normal(size=SAME.shape)).astype(np.float32)


@pytest.mark.parametrize("rows", [SAME, ROUNDED, 0 * SAME, SAME[:1]], ids=["same", "rounded", "zeros", "one"])
def test_a_collapsed_batch_has_rank_one_and_nothing_else(rows):
    agreement, _, spread, _, rank, variation = numbers_of(rows, rows)
    assert rank == 1.0
    assert [agreement, variation] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert len(rows) == 1 or spread == pytest.approx(0.0, abs=1e-5)


def test_what_is_no_number_has_no_rank():
    broken = embeddings(1, 8)[0]
    broken[2, 3] = np.nan
    assert np.isnan(float(at_once(effective_rank)(broken)))


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
        received = numbers_of(x, 2 * x)
        np.testing.assert_allclose(compiled, [received[0], received[2], *received[4:]], rtol=1e-4, atol=1e-5)
