"""Every recipe of the zoo trains and ships, with its parts made small and everything else as it is."""

import functools

import keras
import numpy as np
import pytest
from models_for_tests import few_blocks

from kerascola import recipes
from kerascola.data.draws import collate, generator
from kerascola.data.pipeline import example
from kerascola.training.assembly import build, shipped, towers_shipped
from kerascola.training.step import Step, give_weights

SMALL = {
    "efficientnet": ["encoder.width=0.25", "encoder.depth=1"],
    "convnext": ["encoder.depths=[1, 1, 1, 1]", "encoder.widths=[8, 8, 16, 16]"],
    "resnet": ["encoder.width=8"],
    "resnet1d": ["encoder.width=8"],
    "vgg": ["encoder.width=0.125", "encoder.dimension=16"],
    "crnn": ["encoder.filters=8", "encoder.units=8"],
    "small": ["encoder.filters=8", "encoder.dimension=16"],
}
# Learnt front ends stand before a quick one: theirs is trained in `cola`.
LEARNT = ["encoder={name: small, filters: 4, dimension: 16}"]
COMMON = ["train.batch_size=4", "train.cached_batch=null", "schedule.warmup_epochs=0"]
COMMON += ["data.clip_seconds=1.2", "views.crop_seconds=0.6"]
# Their parts and steps are compiled in others: both towers in `clar`, all but numbers of the front end in `cola`,
# encoder and objective where these are tested.
ONCE = pytest.mark.once("its parts are compiled on every backend, here or in tests/frontends")
AGAIN = ("clar-1d", "clar-2d", "cola-fma", "synth-effnetb0")
# What one of these does, another does too: no step of its own has to be compiled for it.
LIKE = {"cola-dot": "cola", "demo": "cola", "cola-convnext-large": "cola-convnext-tiny", "cola-resnet18": "cola"}
LIKE |= {"cola-effnetb0": "cola-convnext-tiny", "clar-2d-fade-mask": "clar-2d"}
LIKE |= {"synth-resnet18": "synth-small"}


def small(name: str) -> recipes.Recipe:
    recipe = recipes.load(name)
    changes = [
        *(LEARNT if recipe.frontend.name in ("leaf", "sincnet") else SMALL[recipe.encoder.name]),
        *COMMON,
        *(["frontend.filters=16"] if recipe.frontend.name in ("leaf", "sincnet") else []),
        *(["frontend.memory=32"] if name == "cola-leaf" else []),
    ]
    if recipe.second:
        changes += [f"second.{change}" for change in SMALL[recipe.second.encoder.name]]
    return recipes.load(name, changes)


def batch(recipe: recipes.Recipe) -> dict[str, np.ndarray]:
    rng, views = np.random.default_rng(0), recipe.augmented_views()
    made = []
    for index in range(4):
        sound = rng.normal(size=recipe.clip_samples).astype(np.float32) * np.float32(0.1 * (index + 1))
        streams = functools.partial(generator, 0, 0, index)
        made.append(example(sound, recipe.clip_samples, views, generator(0, 0, index), streams))
    return {**collate(made), "labels": np.array([0, 1, -1, 1], np.int32)}


def cases() -> list:
    names = [name for name in recipes.names() if name not in LIKE]
    return [pytest.param(name, marks=ONCE if name in AGAIN else ()) for name in names]


@pytest.mark.parametrize("name", cases())
def test_it_trains_and_ships(name):
    recipe = small(name)
    with few_blocks():
        pretrainer, metadata = build(recipe, steps_per_epoch=2, classes=2)
    data = batch(recipe)
    give_weights(pretrainer, data)
    before = [np.copy(keras.ops.convert_to_numpy(variable)) for variable in pretrainer.trainable_variables]
    step = Step(pretrainer)
    losses = [float(step(data)["loss"]) for _ in range(2)]
    step.sync()
    assert np.isfinite(losses).all() and losses[0] != losses[1]
    after = [keras.ops.convert_to_numpy(variable) for variable in pretrainer.trainable_variables]
    still = sum(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    assert still <= 0.1 * len(after), f"{still} of {len(after)} weights did not move"

    window = data["clips"][:2, : metadata.window_samples]
    for model, about in (shipped(recipe, pretrainer, metadata), *towers_shipped(recipe, pretrainer, metadata).values()):
        embedding = model.predict_on_batch(window)
        assert embedding.shape == (2, about.dimension) and np.isfinite(embedding).all()


def test_what_is_left_out_is_like_another():
    """The same parts by name: what differs are numbers."""
    for name, other in LIKE.items():
        mine, its = recipes.load(name), recipes.load(other)
        parts = ("frontend", "objective", "schedule") if name != "cola-resnet18" else ("objective",)
        assert [getattr(mine, part).name for part in parts] == [getattr(its, part).name for part in parts]
