"""Optimisers against loops of their papers' and torch's formulas, and their state in checkpoints."""

import math

import keras
import numpy as np
import pytest
from optimizers_for_tests import made

from kerascola.training.descent import Adam, AdamW, Lars, Sgd
from kerascola.training.optimizers import averaged


def adam(w, g, state, t, rate, *, b1=0.9, b2=0.999, epsilon=1e-7, l2=0.0, decay=0.0):
    """Kingma and Ba with epsilon hat; `decay` as Loshchilov and Hutter have it."""
    g = g + l2 * w
    w = w - rate * decay * w
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
    return w - rate * math.sqrt(1 - b2**t) / (1 - b1**t) * state["m"] / (np.sqrt(state["v"]) + epsilon)


def adamw(w, g, state, t, rate, *, decay=0.005, **options):
    return adam(w, g, state, t, rate, decay=decay if w.ndim > 1 else 0.0, **options)


def sgd(w, g, state, t, rate, *, momentum=0.9, nesterov=False, l2=0.0):
    g = g + l2 * w
    state["v"] = momentum * state.get("v", 0) + rate * g
    return w - (momentum * state["v"] + rate * g if nesterov else state["v"])


def lars(w, g, state, t, rate, *, momentum=0.9, l2=1e-6, eta=0.001):
    if w.ndim > 1:
        size, slope = np.linalg.norm(w), np.linalg.norm(g)
        trust = eta * size / (slope + l2 * size) if size > 0 and slope > 0 else 1.0
        g = trust * (g + l2 * w)
    state["v"] = momentum * state.get("v", 0) + rate * g
    return w - state["v"]


def clipped(gradients, norm):
    whole = math.sqrt(sum((g**2).sum() for g in gradients))
    return [g * min(1.0, norm / whole) for g in gradients]


CASES = [
    ("{name: adam}", adam, {}),
    ("{beta_1: 0.5, beta_2: 0.9, epsilon: 0.01}", adam, {"b1": 0.5, "b2": 0.9, "epsilon": 0.01}),
    ("{name: adam, weight_decay: 0.5}", adam, {"l2": 0.5}),
    ("{name: adamw}", adamw, {}),
    ("{name: adamw, weight_decay: 2.0, beta_2: 0.99}", adamw, {"decay": 2.0, "b2": 0.99}),
    ("{name: sgd}", sgd, {}),
    ("{name: sgd, weight_decay: 0.5, momentum: 0.7}", sgd, {"l2": 0.5, "momentum": 0.7}),
    ("{name: sgd, momentum: 0, weight_decay: 0.1}", sgd, {"l2": 0.1, "momentum": 0.0}),
    ("{name: sgd, nesterov: true, weight_decay: 0.1}", sgd, {"l2": 0.1, "nesterov": True}),
    ("{name: lars}", lars, {}),
    ("{name: lars, weight_decay: 0.5, eta: 0.3, momentum: 0.5}", lars, {"l2": 0.5, "eta": 0.3, "momentum": 0.5}),
    ("{name: lars, weight_decay: 0}", lars, {"l2": 0.0}),
]
RATE, DROP = 0.05, 3  # the rate falls to a tenth from the fourth step


def drawn(steps: int = 6) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """A matrix and a bias, and their gradients at each step."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 2), (2,))]
    return weights, [[rng.normal(size=w.shape).astype(np.float32) for w in weights] for _ in range(steps)]


def applied(descent, weights, gradients) -> list[list[np.ndarray]]:
    """The weights after each step."""
    variables = [keras.Variable(w) for w in weights]
    after = []
    for step in gradients:
        descent.apply([keras.ops.convert_to_tensor(g) for g in step], variables)
        after.append([keras.ops.convert_to_numpy(v).copy() for v in variables])
    return after


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("text, formula, options", CASES)
def test_each_is_its_formula(text, formula, options, clip):
    weights, gradients = drawn()
    text = f"{text[:-1]}, learning_rate: {RATE}, clip_norm: {clip or 'null'}}}"
    found = applied(made(text, f"{{name: multi_step, milestones: [{DROP}]}}", steps=1), weights, gradients)
    states: list[dict] = [{}, {}]
    weights = [w.astype(np.float64) for w in weights]
    for t, step in enumerate(gradients, start=1):
        step = clipped(step, clip) if clip else step
        rate = RATE if t <= DROP else 0.1 * RATE
        weights = [formula(w, g, s, t, rate, **options) for w, g, s in zip(weights, step, states, strict=True)]
        for w, expected in zip(found[t - 1], weights, strict=True):
            np.testing.assert_allclose(w, expected, rtol=2e-5, atol=1e-6, err_msg=f"step {t}")


@pytest.mark.parametrize(
    "text, kind, options",
    [
        ("{name: adam, weight_decay: 0.5}", "Adam", {"weight_decay": 0.5}),
        ("{name: adam, beta_1: 0.5}", "Adam", {"betas": (0.5, 0.999)}),
        ("{name: adamw, weight_decay: 0.5}", "AdamW", {"weight_decay": 0.5}),
        ("{name: sgd, weight_decay: 0.5}", "SGD", {"momentum": 0.9, "weight_decay": 0.5}),
        ("{name: sgd, nesterov: true, weight_decay: 0.5}", "SGD", {"momentum": 0.9, "weight_decay": 0.5, "n": 1}),
    ],
)
def test_each_is_torch_s(text, kind, options):
    if keras.backend.backend() != "torch":
        pytest.skip("torch's own optimisers are asked where torch is the backend")
    import torch

    weights, gradients = drawn()
    tiny = 1e-12
    epsilon = "" if kind == "SGD" else f", epsilon: {tiny}"
    found = applied(made(f"{text[:-1]}, learning_rate: {RATE}, clip_norm: 2{epsilon}}}"), weights, gradients)
    options = {"nesterov" if key == "n" else key: value for key, value in options.items()}
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in weights]
    groups = [{"params": parameters[:1]}, {"params": parameters[1:]}]
    if kind == "AdamW":
        groups[1]["weight_decay"] = 0.0
    if kind != "SGD":
        options["eps"] = tiny  # which stands elsewhere in the formula
    theirs = getattr(torch.optim, kind)(groups, lr=RATE, **options)
    for step, after in zip(gradients, found, strict=True):
        for parameter, g in zip(parameters, step, strict=True):
            parameter.grad = torch.tensor(g)
        torch.nn.utils.clip_grad_norm_(parameters, 2.0)
        theirs.step()
        for parameter, w in zip(parameters, after, strict=True):
            np.testing.assert_allclose(w, parameter.detach().numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("weight, gradient", [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_lars_adapts_nothing_that_has_no_size(weight, gradient):
    weights, gradients = [np.full((2, 2), weight, np.float32)], [[np.full((2, 2), gradient, np.float32)]]
    ((found,),) = applied(made("{name: lars, learning_rate: 0.5, weight_decay: 0.1}"), weights, gradients)
    np.testing.assert_allclose(found, weight - 0.5 * (gradient + 0.1 * weight), rtol=1e-6)


def test_what_has_one_axis_does_not_decay_whatever_its_name():
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(3, 2, name="gamma")(inputs)
    x = keras.layers.LayerNormalization(name="kernel")(keras.layers.BatchNormalization()(x))
    x = keras.layers.EinsumDense("bhwc,c->bhwc", (None, None, 3))(x)  # ConvNeXt's layer scale
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    descent = made("{name: adamw, learning_rate: 0.1, weight_decay: 0.5}")
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    for _ in range(2):
        descent.build(model.trainable_variables)  # again, as `fit` may
    descent.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    shrunk = {2: 0.95, 4: 0.95, 1: 1.0}
    assert {v.ndim for v in before} == set(shrunk)
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), shrunk[value.ndim] * value, rtol=1e-6)


def test_torch_updates_all_weights_at_once():
    if keras.backend.backend() != "torch":
        pytest.skip("the other backends compile the step")
    for kind in (Adam, AdamW, Sgd, Lars):
        assert any(base.__name__ == "TorchParallelOptimizer" for base in kind.__mro__)


@pytest.mark.parametrize("kind", [Adam, AdamW, Sgd, Lars])
def test_configurations_come_back(kind):
    options = {"learning_rate": 0.5, "weight_decay": 0.25, "use_ema": True, "ema_momentum": 0.5}
    config = kind(**options, **({"eta": 0.1} if kind is Lars else {})).get_config()
    assert options.items() <= config.items() and config.get("eta", 0.1) == 0.1
    assert kind.from_config(config).get_config() == config


def network(descent: keras.optimizers.Optimizer) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile(optimizer=descent, loss="mse")
    descent.build(model.trainable_variables)
    return model


def train(model: keras.Model, steps: range) -> None:
    for step in steps:
        rng = np.random.default_rng(step)
        model.train_on_batch(*(rng.normal(size=(8, n)).astype(np.float32) for n in (3, 2)))


def values(variables) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(v).copy() for v in variables]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "lars"])
def test_saved_and_restored_it_goes_on_as_if_nothing_had_been(name, tmp_path):
    text = f"{{name: {name}, weight_decay: 0.1, clip_norm: 1.0, ema: 0.7}}"
    schedule = "{name: cosine, warmup_epochs: 0.5}"
    straight, stopped, again = (network(made(text, schedule)) for _ in range(3))
    train(straight, range(6))
    train(stopped, range(3))
    stopped.save_weights(tmp_path / "x.weights.h5")
    train(again, range(9, 11))  # its state is not the beginning's either
    again.load_weights(tmp_path / "x.weights.h5")
    train(again, range(3, 6))
    for found, expected in zip(values(again.variables), values(straight.variables), strict=True):
        np.testing.assert_array_equal(found, expected)
    kept, expected = again.optimizer.variables, straight.optimizer.variables
    assert len(kept) == len(expected) > len(straight.trainable_variables)
    for found, value in zip(values(kept), values(expected), strict=True):
        np.testing.assert_array_equal(found, value)
    assert not all(
        np.array_equal(*pair) for pair in zip(values(stopped.weights), values(straight.weights), strict=True)
    )


def test_the_average_is_swapped_in_and_out():
    model = network(made("{learning_rate: 0.1, ema: 0.6}"))
    expected = None
    for step in range(4):
        train(model, range(step, step + 1))
        own = values(model.trainable_variables)
        expected = own if expected is None else [0.6 * e + 0.4 * w for e, w in zip(expected, own, strict=True)]
    with pytest.raises(KeyError), averaged(model):
        for found, value in zip(values(model.trainable_variables), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-7)
        raise KeyError
    for found, value in zip(values(model.trainable_variables), own, strict=True):
        np.testing.assert_array_equal(found, value)
    assert max(np.abs(e - w).max() for e, w in zip(expected, own, strict=True)) > 0.01


def test_training_goes_on_from_the_weights_not_from_their_average():
    plain, kept = network(made("{learning_rate: 0.1}")), network(made("{learning_rate: 0.1, ema: 0.6}"))
    for step in range(4):
        for model in (plain, kept):
            train(model, range(step, step + 1))
        with averaged(kept):
            pass
    for found, value in zip(values(kept.weights), values(plain.weights), strict=True):
        np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("text", ["{}", "{ema: 0.6}"])
def test_without_an_average_the_weights_stay(text):
    model = network(made(text))  # before the first step there is none yet
    own = values(model.trainable_variables)
    with averaged(model):
        for found, value in zip(values(model.trainable_variables), own, strict=True):
            np.testing.assert_array_equal(found, value)


def test_an_average_behind_scaled_losses():
    model = network(keras.optimizers.LossScaleOptimizer(made("{name: sgd, learning_rate: 0.1, ema: 0.5}")))
    train(model, range(3))
    own = values(model.trainable_variables)
    with averaged(model):
        inside = values(model.trainable_variables)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(own, inside, strict=True))
