"""What every objective must keep, so that an objective's own test is its formula."""

import functools
import inspect
import json

import contracts
import keras
import numpy as np
import pytest
from keras import ops

from kerascola.objectives.objective import Objective

SIZES = [(2, 2), (2, 3), (2, 17), (3, 8)]  # views and clips


def embeddings(count: int, n: int, seed: int = 1, dimension: int = 10) -> np.ndarray:
    """[count, n, dimension]: views of a clip have half of what they are in common."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(size=(n, dimension)), rng.normal(size=(count, n, dimension))
    return (common + own).astype(np.float32)


def randomised(objective: Objective, dimension: int = 10, count: int = 2) -> Objective:
    """Built, with weights away from their initial zeros and ones, of the size that keeps a layer's scale."""
    objective.build((count, None, dimension))
    rng = np.random.default_rng(9)
    for weight in objective.weights:
        values = rng.normal(scale=weight.shape[0] ** -0.5 if len(weight.shape) > 1 else 0.3, size=weight.shape)
        if weight.name in ("gamma", "moving_variance"):
            values = 0.5 + np.abs(values)
        weight.assign(values.astype(np.float32))
    return objective


def run(objective: Objective, views, labels=None, training: bool = False, **others) -> dict:
    """What the built objective gives."""
    if keras.backend.backend() != "jax":
        return objective(views, labels, training=training, **others)
    return stateless(objective, training)([v.value for v in objective.variables], views, labels, others)


@functools.cache
def stateless(objective: Objective, training: bool):
    def call(values, views, labels, others):
        with keras.StatelessScope(zip(objective.variables, values, strict=True)):
            return objective(views, labels, training=training, **others)

    return at_once(call)


def at_once(function):
    """JAX would compile each operation for each shape, which takes longer than to compile them all together."""
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function)


def rows(views: np.ndarray) -> np.ndarray:
    """[k, n, d] -> [k * n, d]"""
    return views.reshape(-1, views.shape[-1])


def clips_and_views(count: int, n: int) -> tuple[list[int], list[int]]:
    return [i for _ in range(count) for i in range(n)], [view for view in range(count) for _ in range(n)]


def check_numbers(result: dict, **expected: float) -> None:
    """Float32 scalars, as near the float64 ones as they come."""
    for value in result.values():
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert tuple(value.shape) == ()
    received = {name: float(contracts.numbers(result[name])) for name in expected}
    assert received == pytest.approx(expected, rel=2e-5, abs=2e-6)


class Trained(keras.Model):
    """Trains an objective behind an encoder of one product, which starts as the identity."""

    def __init__(self, objective: Objective, through: bool = False) -> None:
        super().__init__()
        self.objective, self.through = objective, through
        self.encoder = keras.layers.Dense(10, use_bias=False, kernel_initializer="identity")

    def call(self, batch, training: bool = False):
        views = ops.transpose(batch["views"], (1, 0, 2))
        others = {}
        if self.objective.needs_target:
            others["targets"] = self.encoder(views) if self.through else views
        return self.objective(self.encoder(views), batch.get("labels"), training=training, **others)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return y_pred["loss"]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {}


def gradients(objective: Objective, views: np.ndarray, labels=None, **options) -> dict[str, np.ndarray]:
    """Of the loss in a compiled step, by the weight's path; the encoder's kernel is "kernel".

    A step of plain descent is as long as the gradient.
    """
    model = Trained(objective, **options)
    if not objective.built:
        objective.build(views.shape)
    model.encoder.build((None, 10))
    model.built = True
    batch = {"views": np.moveaxis(views, 0, 1)} | ({} if labels is None else {"labels": labels})
    before = [contracts.numbers(weight).copy() for weight in model.trainable_variables]
    model.compile(optimizer=keras.optimizers.SGD(1.0))
    model.train_on_batch(batch)
    names = [weight.path for weight in objective.trainable_variables]
    after = {weight.path: contracts.numbers(weight) for weight in model.trainable_variables}
    assert len(after) == len(before) == len(names) + 1
    moved = {path: old - new for (path, new), old in zip(after.items(), before, strict=True)}
    return {path if path in names else "kernel": gradient for path, gradient in moved.items()}


def check_objective(build, labels: np.ndarray | None = None, still: tuple[str, ...] = ()) -> None:
    """Config, batches of unknown size, bfloat16, gradients in a compiled step; `labels` are of eight clips.

    A gradient reaches every weight but those that end in `still`.
    """
    check_config(build)
    views = embeddings(2, 8)
    others = {"targets": embeddings(2, 8, 5)} if build().needs_target else {}
    exact = randomised(build())
    result = run(exact, views, labels, training=True, **others)
    assert {"loss", "accuracy"} <= set(result)
    check_numbers(result)

    any_size = keras.KerasTensor((2, None, 10))
    of_labels = None if labels is None else keras.KerasTensor((None, *labels.shape[1:]), labels.dtype.name)
    symbolic = exact(any_size, of_labels, training=True, **({"targets": any_size} if others else {}))
    assert {value.shape for value in symbolic.values()} == {()}

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = randomised(build())
    finally:
        keras.config.set_dtype_policy("float32")
    low = run(mixed, views, labels, training=True, **others)
    check_numbers(low)
    exactly, nearly = (float(contracts.numbers(of["loss"])) for of in (result, low))
    assert nearly == pytest.approx(exactly, rel=0.05)
    assert nearly != exactly, "computed in float32"

    found = gradients(randomised(build()), views, labels)
    assert all(np.isfinite(gradient).all() for gradient in found.values())
    unmoved = [path for path, gradient in found.items() if np.abs(gradient).max() < 1e-5]
    assert [path.split("/", 1)[1] for path in unmoved] == list(still), "weights without a gradient"

    with pytest.raises(ValueError, match=r"expected views .*received shape \(8, 10\)"):
        build()(views[0])


def check_config(build) -> None:
    """All that the constructor takes is in the config, which survives JSON."""
    objective = build()
    config = json.loads(json.dumps(objective.get_config()))
    taken = set(inspect.signature(type(objective).__init__).parameters) - {"self", "kwargs"}
    assert taken <= set(config)
    again = type(objective).from_config(config)
    assert again.get_config() == objective.get_config()
    assert again.name == objective.name
