"""Runs that were killed are gone on with by what is drawn here, so it may never change."""

import itertools

import numpy as np
import pytest

from kerascola.data.draws import generator, held_out, kept, order


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


LABELS = np.array([0, 1, 2, -1] * 10 + [3], np.int32)


@pytest.mark.parametrize("share, counts", [(1, [10, 10, 10, 1]), (0.5, [5, 5, 5, 1]), (0.01, [1] * 4), (0, [0] * 4)])
def test_a_share_of_each_class_keeps_its_labels(share, counts):
    left = kept(LABELS, share, seed=3)
    assert left.dtype == np.int32
    assert [(left == value).sum() for value in range(4)] == counts
    assert set(left[left != LABELS].tolist()) <= {-1}
    np.testing.assert_array_equal(kept(LABELS, share, seed=3), left)


def test_golden_labels():
    assert np.flatnonzero(kept(LABELS, 0.2, seed=7) >= 0).tolist() == [1, 2, 4, 9, 18, 24, 40]


def test_which_labels_are_kept_differs_by_seed_and_class_and_grows_with_the_share():
    left = [kept(LABELS, 0.5, seed) for seed in range(5)]
    assert len({tuple(labels) for labels in left}) == 5
    places = [tuple(np.flatnonzero(left[0][LABELS == value] >= 0)) for value in range(3)]
    assert len(set(places)) > 1  # or else of each class the same speaker's recordings
    assert set(np.flatnonzero(kept(LABELS, 0.2, 0) >= 0)) <= set(np.flatnonzero(left[0] >= 0))


def test_of_several_labels_a_share_of_the_rows_keeps_theirs():
    labels = np.float32([[1, 0], [0, 1], [-1, -1], [1, 1], [0, 0], [1, 0]])
    left = kept(labels, 0.4, seed=0)
    rows = np.flatnonzero(left.min(axis=1) >= 0)
    assert len(rows) == 2 and 2 not in rows and (left[rows] == labels[rows]).all()


def test_what_is_held_out_is_a_share_of_each_class():
    labels = np.array([0] * 40 + [1] * 10 + [2] * 2 + [3])
    none = np.arange(len(labels)).astype(str)
    chosen = held_out(labels, none, 0.2, seed=0)
    assert [int(chosen[labels == value].sum()) for value in range(4)] == [8, 2, 1, 0]
    assert held_out(labels, none, 0.99, seed=0).sum() == 39 + 9 + 1
    assert (held_out(labels, none, 0.2, seed=0) == chosen).all() and (held_out(labels, none, 0.2, 1) != chosen).any()


def test_groups_are_held_out_whole_and_never_all():
    groups = np.array(["a"] * 10 + ["b"] * 10 + ["c"] * 10)
    for seed in range(6):
        chosen = held_out(np.zeros(30, int), groups, 0.3, seed)
        assert {bool(chosen[groups == name].all()) for name in "abc"} == {True, False}
        assert all(chosen[groups == name].std() == 0 for name in "abc") and chosen.sum() == 10
    assert held_out(np.zeros(30, int), groups, 0.99, 0).sum() == 20


@pytest.mark.parametrize("sizes, count", [((90, 10), 10), ((90, 5, 5), 10), ((50, 50), 50), ((70, 30), 30)])
def test_groups_come_as_near_to_the_share_as_they_can(sizes, count):
    groups = np.repeat(np.arange(len(sizes)), sizes).astype(str)
    for seed in range(6):
        assert held_out(np.zeros(100, int), groups, 0.2, seed).sum() == count
