"""A training step against gradients by finite differences; gradient caching against the step without."""

import contracts
import keras
import numpy as np
import pytest
from keras import ops
from objective_contract import at_once
from pretrainers_for_tests import CLIPS, batch, scalars, state, tiny_pretrainer, values

from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives.byol import Byol
from kerascola.objectives.classify import Classify
from kerascola.objectives.cola import Cola
from kerascola.objectives.nt_xent import NtXent
from kerascola.objectives.supcon import SupCon
from kerascola.training import step as step_module
from kerascola.training.step import Step, split
from kerascola.training.swap import faster

BACKEND = keras.backend.backend()
RANDOM = {"noise": 0.2, "dropped": 0.4, "batch_norm": True}
OBJECTIVES = {
    "nt_xent": lambda: NtXent(hidden=(5,), dimension=4, batch_norm=False),
    "cola": lambda: Cola(dimension=4),
}


def slope_along(model: Pretrainer, loss, at: int, direction: np.ndarray, width: float = 1e-2) -> float:
    """Of `loss()`, by a central difference along a direction in trainable weight `at`; leaves all as it was."""
    before = values(model.variables)
    found = []
    for sign in (1, -1):
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value.astype(keras.backend.standardize_dtype(variable.dtype)))
        weight = model.trainable_variables[at]
        weight.assign(contracts.numbers(weight) + sign * width * direction.astype(np.float32))
        found.append(float(contracts.numbers(loss())))
    for variable, value in zip(model.variables, before, strict=True):
        variable.assign(value.astype(keras.backend.standardize_dtype(variable.dtype)))
    return (found[0] - found[1]) / (2 * width)


def check_gradients(model: Pretrainer, chunk: int | None, loss) -> None:
    """After a step of plain descent at rate 1 a weight has moved by minus its gradient."""
    rng = np.random.default_rng(4)
    directions = [rng.normal(size=variable.shape) for variable in model.trainable_variables]
    directions = [direction / np.linalg.norm(direction) for direction in directions]
    expected = [slope_along(model, loss, at, direction) for at, direction in enumerate(directions)]
    before = values(model.trainable_variables)
    with Step(model, chunk) as step:
        received = scalars(step(batch(0)))
    moved = [old - new for old, new in zip(before, values(model.trainable_variables), strict=True)]
    slopes = [float(np.sum(m * d)) for m, d in zip(moved, directions, strict=True)]
    np.testing.assert_allclose(slopes, expected, atol=2e-3)
    assert np.abs(expected).max() > 0.05 and np.isfinite(received["loss"])


def evaluated(model: Pretrainer, function):
    """`function(model)` in training, compiled at once on JAX; what it leaves in the variables is dropped there."""
    if BACKEND != "jax":
        return lambda: function(model)

    @at_once
    def call(present):
        with keras.StatelessScope(zip(model.variables, present, strict=True)):
            return function(model)

    return lambda: call([variable.value for variable in model.variables])


def by_pieces(model: Pretrainer, chunk: int):
    """The loss of embeddings that were made a chunk after the other."""
    views = [model.embed(as_tensors(piece), training=True) for piece in split(batch(0), chunk)]
    return model.judge(ops.concatenate(views, axis=1), as_tensors(batch(0)), training=True)["loss"]


def as_tensors(data):
    return {name: ops.convert_to_tensor(value) for name, value in data.items()}


@pytest.mark.parametrize("chunk", [None, 2])
def test_a_step_goes_down_the_finite_difference(chunk):
    """With noise, dropped branches and batch statistics, which both passes must have the same."""
    model = tiny_pretrainer(OBJECTIVES["cola"], keras.optimizers.SGD(1.0), **RANDOM)
    if chunk is None:
        loss = evaluated(model, lambda model: model(as_tensors(batch(0)), training=True)["loss"])
    else:
        loss = evaluated(model, lambda model: by_pieces(model, chunk))
    check_gradients(model, chunk, loss)


def played(chunk: int | None, steps: int = 3, **options) -> tuple[list[dict], dict[str, np.ndarray]]:
    model = tiny_pretrainer(**options)
    with Step(model, chunk) as step:
        rows = [scalars(step(batch(number))) for number in range(steps)]
        step.sync()
    return rows, list(state(model).values())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_in_chunks_the_step_is_the_plain_one(name):
    plain, weights = played(None, objective=OBJECTIVES[name])
    assert abs(plain[0]["loss"] - plain[2]["loss"]) > 1e-3
    for chunk in (2, 4):
        rows, found = played(chunk, objective=OBJECTIVES[name])
        for row, expected in zip(rows, plain, strict=True):
            assert row["loss"] == pytest.approx(expected["loss"], abs=1e-5)
        for received, value in zip(found, weights, strict=True):
            np.testing.assert_allclose(received, value, atol=1e-5)


def test_one_chunk_of_all_has_the_noise_and_the_statistics_of_the_plain_step():
    """The objective's batch norm, which sees the batch once, among them."""
    options = {**RANDOM, "objective": lambda: NtXent(hidden=(5,), dimension=4)}
    plain, weights = played(None, **options)
    rows, found = played(CLIPS, **options)
    for row, expected in zip(rows, plain, strict=True):
        assert row == pytest.approx(expected, abs=1e-6)
    for received, value in zip(found, weights, strict=True):  # the generators' states and the optimiser's too
        np.testing.assert_allclose(received, value, rtol=2e-5, atol=1e-5)


def test_a_step_in_chunks_advances_what_moves_once():
    model, once = tiny_pretrainer(**RANDOM), tiny_pretrainer(**RANDOM)
    before = values(model.non_trainable_variables)
    for piece in split(batch(0), 2):
        once.embed(as_tensors(piece), training=True)
    with Step(model, 2) as step:
        step(batch(0))
    found, expected = values(model.non_trainable_variables), values(once.non_trainable_variables)
    assert len(found) == 4  # two generators, and batch norm's mean and variance
    for received, value, old in zip(found, expected, before, strict=True):
        np.testing.assert_allclose(received, value, rtol=1e-6, atol=1e-6)
        assert not np.array_equal(value, old)


def test_what_a_step_gives():
    for chunk in (None, 4):
        with Step(tiny_pretrainer(), chunk) as step:
            logs = step(batch(0))
        assert set(logs) == {"loss", "accuracy", "views"}
        expected = contracts.numbers(tiny_pretrainer().embed(as_tensors(batch(0)), training=True))
        np.testing.assert_allclose(contracts.numbers(logs["views"]), expected, atol=1e-5)  # clips in their order
        assert not getattr(logs["loss"], "requires_grad", False), "holds on to the step's graph"
        assert not getattr(logs["views"], "requires_grad", False), "holds on to the step's graph"


def test_synced_in_between_training_goes_on_as_if_it_had_not_been():
    straight, expected = played(None, 4, **RANDOM)
    model = tiny_pretrainer(**RANDOM)
    step = Step(model)
    rows = [scalars(step(batch(number))) for number in range(2)]
    step.sync()
    middle = state(model)
    assert any(not np.array_equal(a, b) for a, b in zip(middle.values(), expected, strict=True))
    rows += [scalars(step(batch(number))) for number in range(2, 4)]
    step.sync()
    step.sync()
    assert rows == straight
    for received, value in zip(state(model).values(), expected, strict=True):
        np.testing.assert_array_equal(received, value)


def test_what_is_assigned_after_a_sync_is_trained_on_from():
    model = tiny_pretrainer()
    step = Step(model)
    expected = scalars(step(batch(0)))
    step.sync()
    for variable, value in zip(model.weights, values(tiny_pretrainer().weights), strict=True):
        variable.assign(value.astype("float32"))
    assert scalars(step(batch(0))) == expected


@pytest.mark.parametrize("chunk", [None, 4])
def test_an_interrupt_leaves_the_model_where_training_was(chunk, tmp_path):
    _, expected = played(chunk, 2, **RANDOM)
    model = tiny_pretrainer(**RANDOM)
    with pytest.raises(KeyboardInterrupt), Step(model, chunk) as step:
        step(batch(0))
        step(batch(1))
        raise KeyboardInterrupt
    for received, value in zip(state(model).values(), expected, strict=True):
        np.testing.assert_array_equal(received, value)
    model.save_weights(tmp_path / "x.weights.h5")


def test_an_interrupt_inside_a_step_leaves_the_variables_readable(monkeypatch):
    """It comes as a compiled call returns, before what that gave is held."""
    _, expected = played(None, 1)
    model = tiny_pretrainer()
    with pytest.raises(KeyboardInterrupt), Step(model) as step:
        step(batch(0))
        if BACKEND == "jax":
            compiled = step.core.run_step

            def interrupted(*arguments):
                compiled(*arguments)
                raise KeyboardInterrupt

            monkeypatch.setattr(step.core, "run_step", interrupted)
            step(batch(1))
        raise KeyboardInterrupt
    for received, value in zip(state(model).values(), expected, strict=True):
        np.testing.assert_array_equal(received, value)


@pytest.mark.parametrize("chunk", [None, 4])
@pytest.mark.parametrize(
    "build", [lambda: SupCon(hidden=(5,), dimension=4, batch_norm=False), lambda: Classify(classes=3)]
)
def test_labels_reach_the_objective(build, chunk):
    data = batch(0)
    losses = []
    for labels in (data["labels"], data["labels"] // 2):
        model = tiny_pretrainer(build)
        expected = model.judge(model.embed(as_tensors(data)), {"labels": ops.convert_to_tensor(labels)})["loss"]
        with Step(model, chunk) as step:
            losses.append(scalars(step({**data, "labels": labels}))["loss"])
        assert losses[-1] == pytest.approx(float(contracts.numbers(expected)), abs=1e-5)
    assert abs(losses[0] - losses[1]) > 1e-3


def test_byols_target_begins_as_the_encoder_and_follows_by_momentum_alone():
    momentum = 0.75
    model = tiny_pretrainer(lambda: Byol(hidden=(5,), dimension=4, momentum=momentum), batch_norm=True)
    ours = [weight for weight in model.encoder.weights if weight.trainable]
    theirs = [t for t, o in zip(model.target.weights, model.encoder.weights, strict=True) if o.trainable]
    pairs = [*zip(ours, theirs, strict=True), *model.objective.momentum_pairs()]
    assert len(pairs) == len(ours) + 5  # of the heads: a kernel, gamma, beta; a kernel, a bias and no more
    for online, target in pairs:
        np.testing.assert_array_equal(*values([online, target]))
        assert not target.trainable
    trained = {id(variable) for variable in model.trainable_variables}
    assert not trained & {id(target) for _, target in pairs}
    with Step(model) as step:
        for number in range(3):
            before = [values(pair) for pair in pairs]
            step(batch(number))
            step.sync()
            for (online, target), (_, now) in zip(before, map(values, pairs), strict=True):
                np.testing.assert_allclose(now, momentum * target + (1 - momentum) * online, atol=1e-7)
    apart = [np.abs(np.subtract(*values(pair))).max() > 1e-6 for pair in pairs]
    assert sum(apart) == len(pairs) - 3  # biases before a batch norm stay where they are


@pytest.mark.parametrize("chunk", [None, 4])
def test_it_is_compiled_once(chunk):
    if BACKEND == "torch":
        pytest.skip("torch compiles nothing")
    with Step(tiny_pretrainer(**RANDOM), chunk) as step:
        for number in range(3):
            step(batch(number))
        step.sync()
        step(batch(3))
        names = ["run_step"] if chunk is None else ["run_embed", "run_judge", "run_pull"]
        for name in names:
            compiled = getattr(step.core, name)
            count = compiled._cache_size() if BACKEND == "jax" else compiled.experimental_get_tracing_count()
            assert count == 1, name


@pytest.mark.parametrize("chunk", [None, 4])
def test_it_computes_by_the_faster_ways(monkeypatch, chunk):
    ways = __import__(f"kerascola.training.fast_{BACKEND}", fromlist=["x"])
    name = "out_size" if BACKEND == "jax" else "normalise"  # JAX's has no batch norm: of its depthwise convolution
    own, calls = getattr(ways, name), []
    monkeypatch.setattr(ways, name, lambda *arguments: calls.append(1) or own(*arguments))
    model = tiny_pretrainer(batch_norm=True)
    with faster(model.encoder), Step(model, chunk) as step:
        step(batch(0))
    assert calls


def test_batches_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="expected a batch of a multiple of 3 clips, received 8"):
        Step(tiny_pretrainer(), 3)(batch(0))
    assert step_module.added(None, None) is None and step_module.added(None, 2) == step_module.added(2, None) == 2
