"""Runs that were killed are gone on with by what is drawn here, so it may never change."""

import itertools

import numpy as np
import pytest

from kerascola.data.draws import generator, order


@pytest.mark.parametrize(
    "key, uniform, integers",
    [
        ((0, 0, 0), [0.01154675, 0.2415492], None),
        ((7, 2, 5), [0.01569498, 0.92487268, 0.87364411], [889, 15, 77]),
    ],
)
def test_golden_draws(key, uniform, integers):
    np.testing.assert_allclose(generator(*key).random(len(uniform)), uniform, atol=1e-8)
    if integers:
        assert generator(*key).integers(0, 1000, size=3).tolist() == integers


def test_golden_order():
    assert order(7, 2, 10).tolist() == [0, 4, 9, 1, 7, 6, 2, 8, 3, 5]


def test_draws_follow_from_the_key_alone():
    keys = list(itertools.product((0, 1, 2**40), (0, 1, 9), (0, 1, 9)))
    draws = {key: tuple(generator(*key).random(4)) for key in keys}
    assert len(set(draws.values())) == len(keys)
    np.random.seed(1)
    for key in reversed(keys):
        assert tuple(generator(*key).random(4)) == draws[key]


def test_an_order_is_a_permutation_of_its_own_for_each_seed_and_epoch():
    orders = [tuple(order(seed, epoch, 50)) for seed in (0, 1) for epoch in (0, 1, 2)]
    assert all(sorted(o) == list(range(50)) for o in orders)
    assert len(set(orders)) == len(orders)


def test_an_order_is_not_the_draws_of_the_first_clip():
    bits = np.random.Generator(np.random.Philox(key=3, counter=[0, 0, 4, 0]))
    assert order(3, 4, 50).tolist() != bits.permutation(50).tolist()
