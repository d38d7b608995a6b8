import contracts
import keras
import numpy as np
import pytest
from keras import ops

from kerascola.augment.chain import others
from kerascola.augment.mixup import Mixup
from kerascola.errors import RecipeError


def drawn(mixup: Mixup, batch: int) -> dict:
    rows = [mixup.draw(np.random.default_rng(k)) for k in range(batch)]
    return {name: ops.convert_to_tensor(np.stack([row[name] for row in rows])) for name in rows[0]}


@pytest.mark.parametrize("shape", [(50,), (7, 5, 3)])
def test_sounds_and_labels_are_mixed_alike(shape):
    x = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    labels = np.eye(6, dtype=np.float32)
    p = drawn(Mixup(alpha=1.0), 6)
    mixture, shares = (
        contracts.numbers(v) for v in Mixup()(ops.convert_to_tensor(x), ops.convert_to_tensor(labels), p)
    )
    rows = contracts.numbers(others(p["partner"], 1)).astype(int)
    for k, share in enumerate(contracts.numbers(p["share"]).astype(np.float64)):
        np.testing.assert_allclose(mixture[k], share * x[k] + (1 - share) * x[rows[k]], atol=1e-6)
        np.testing.assert_allclose(shares[k], share * labels[k] + (1 - share) * labels[rows[k]], atol=1e-6)
        assert rows[k] != k
    half, _ = Mixup()(ops.cast(ops.convert_to_tensor(x), "bfloat16"), ops.convert_to_tensor(labels), p)
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    _, of_whole = Mixup()(ops.convert_to_tensor(x), ops.convert_to_tensor(np.eye(6, dtype=np.int32)), p)
    np.testing.assert_allclose(contracts.numbers(of_whole), shares, atol=1e-6)


def test_shares_are_of_the_beta_distribution():
    for alpha in (0.2, 2.0):
        shares = np.array([Mixup(alpha=alpha).draw(np.random.default_rng(k))["share"] for k in range(2000)])
        assert shares.mean() == pytest.approx(0.5, abs=0.03)
        assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.07)


def test_what_is_out_of_range():
    with pytest.raises(RecipeError, match="alpha from 0.001 to 1000, received 0"):
        Mixup(alpha=0)
