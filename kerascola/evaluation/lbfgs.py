"""L-BFGS (Nocedal 1980) on many convex problems at a time, each with steps and an end of its own."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

PAIRS = 8
Curvature = tuple[np.ndarray, ...]  # what is known of the Hessians, a row a problem
Objective = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, Curvature]]
Inverse = Callable[[np.ndarray, Curvature], np.ndarray]


@dataclass(frozen=True)
class Minima:
    x: np.ndarray  # [m, k, d]
    iterations: np.ndarray  # [m]
    converged: np.ndarray  # [m]


def minimise(
    objective: Objective, inverse: Inverse, x: np.ndarray, ceiling: np.ndarray, tol: float, most: int
) -> Minima:
    """`objective(x, which)` gives values, gradients and curvature of some problems, and needs but float32 digits of x;
    `inverse(q, curvature)` is about the inverse of every Hessian times q.

    A problem is solved when what a Newton step would gain is `tol` of what lies between its ceiling and its value.
    """
    m = len(x)
    x = single(x)
    value, gradient, curvature = objective(x, np.arange(m))
    direction = -inverse(gradient, curvature)
    slope, step, scale = dot(gradient, direction), np.ones(m), np.ones(m)
    pairs: deque = deque(maxlen=PAIRS)
    iterations, converged = np.zeros(m, int), np.zeros(m, bool)
    for _ in range(most):
        left = np.flatnonzero(~converged)
        if not len(left):
            break
        iterations[left] += 1
        trial, its_value, its_gradient = x.copy(), value.copy(), gradient.copy()
        trial[left] = single(x[left] + step[left, None, None] * direction[left])
        its_value[left], its_gradient[left], its_curvature = objective(trial[left], left)
        rise = dot(its_gradient, direction)
        good = ~converged & (rise <= -0.5 * slope) & (its_value <= value + 1e-6 * ceiling)
        taken = good[:, None, None]
        s, y = np.where(taken, trial - x, 0), np.where(taken, its_gradient - gradient, 0)
        x, gradient, value = x + s, gradient + y, np.where(good, its_value, value)
        for known, new in zip(curvature, its_curvature, strict=True):
            known[good] = new[good[left]]
        curved = dot(s, y)
        pairs.append((s, y, np.divide(1, curved, out=np.zeros(m), where=curved > 0)))
        expected = dot(y, inverse(y, curvature))
        scale = np.where(curved > 0, np.sqrt(scale * np.abs(curved) / np.where(expected > 0, expected, 1)), scale)
        to_gain = 0.5 * dot(gradient, inverse(gradient, curvature))
        converged = to_gain <= tol * (ceiling - value)
        new_direction = -two_loops(gradient, pairs, inverse, curvature, scale)
        shorter = step * np.clip(slope / np.minimum(slope - rise, -1e-300), 0.1, 0.7)  # to where the slope is nought
        step = np.where(good, 1.0, shorter)
        direction = np.where(taken, new_direction, direction)
        slope = np.where(good, dot(gradient, direction), slope)
    return Minima(x, iterations, converged)


def two_loops(q: np.ndarray, pairs: deque, inverse: Inverse, curvature: Curvature, scale: np.ndarray) -> np.ndarray:
    """The inverse of each Hessian, scaled and then corrected by what its last steps found, times q."""
    q, shares = q.copy(), []
    for s, y, weight in reversed(pairs):
        shares.append(weight * dot(s, q))
        q -= shares[-1][:, None, None] * y
    q = scale[:, None, None] * inverse(q, curvature)
    for s, y, weight in pairs:
        q += (shares.pop() - weight * dot(y, q))[:, None, None] * s
    return q


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("mkd,mkd->m", a, b)


def single(x: np.ndarray) -> np.ndarray:
    """Of float32 digits, so that a value and its gradient are of the same point."""
    return x.astype(np.float32).astype(np.float64)
