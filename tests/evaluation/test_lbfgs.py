import numpy as np
import pytest

from kerascola.evaluation.lbfgs import minimise

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")

SIZE = 12


def bowls(stiffness):
    """sum of cosh(a (x - b)) / a^2, least at b: steeper than a parabola, and the more so the larger the first a is."""
    rng = np.random.default_rng(0)
    m = len(stiffness)
    bottoms = rng.normal(size=(m, 1, SIZE))
    widths = np.ones((m, 1, SIZE))
    widths[:, 0, 0] = stiffness
    calls = []

    def objective(x, which):
        calls.append(len(which))
        u = np.clip(widths[which] * (x - bottoms[which]), -300, 300)
        value = (np.cosh(u) / widths[which] ** 2).sum(axis=(1, 2))
        return value, np.sinh(u) / widths[which], (np.ones(len(which)),)

    return objective, bottoms, calls


def ceiling(objective, x):
    return objective(x, np.arange(len(x)))[0]


def plain(q, curvature):
    return q.copy()


@pytest.mark.parametrize("start", [0.0, 3.0])
def test_each_goes_to_its_own_bottom(start):
    objective, bottoms, calls = bowls([1.0, 2.0, 5.0])
    x = np.full_like(bottoms, start)
    found = minimise(objective, plain, x, ceiling(objective, x), 1e-12, 200)
    assert found.converged.all() and found.iterations.min() > 1
    np.testing.assert_allclose(found.x, bottoms, atol=1e-4)
    assert calls[-1] < 3  # the last were asked for alone


def test_company_makes_no_difference():
    objective, bottoms, _ = bowls([1.0, 2.0, 5.0])
    x = np.zeros_like(bottoms)
    together = minimise(objective, plain, x, ceiling(objective, x), 1e-12, 200)
    for one in range(3):

        def its(y, which, one=one):
            return objective(y, np.full(len(which), one))

        alone = minimise(its, plain, x[:1], ceiling(its, x[:1]), 1e-12, 200)
        np.testing.assert_allclose(alone.x[0], together.x[one], atol=1e-9)
        assert alone.iterations[0] == together.iterations[one]


def test_what_ends_early_says_so():
    objective, bottoms, _ = bowls([1.0, 30.0])
    found = minimise(objective, plain, bottoms + [[[0.0]], [[2.0]]], np.full(2, 1e6), 1e-16, 3)
    assert found.converged.tolist() == [True, False] and found.iterations.tolist() == [1, 3]
