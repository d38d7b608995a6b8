"""What a recipe may say of optimisers and schedules."""

import pytest

from kerascola import recipes
from kerascola.errors import RecipeError

pytestmark = pytest.mark.once("texts are read, nothing is run")


@pytest.mark.parametrize(
    "changes, said",
    [
        (
            ["optimizer.name=adan"],
            "optimizer: unknown optimizer 'adan'; did you mean 'adam'? Expected one of: adam, adamw",
        ),
        (["schedule.name=cosin"], "schedule: unknown schedule 'cosin'; did you mean 'cosine'?"),
        (
            ["optimizer={name: adamw, momentum: 0.9}"],
            "optimizer.momentum: unknown key. Known: name, learning_rate, clip_norm, ema, beta_1, beta_2, epsilon",
        ),
        (["optimizer={name: lars, etta: 1}"], "optimizer.etta: unknown key; did you mean 'eta'?"),
        (["schedule={name: cosine, factor: 1}"], "schedule.factor: unknown key. Known: name, warmup_epochs"),
        (["schedule={name: multi_step}"], "schedule.milestones: Field required"),
        (["schedule={name: multi_step, milestones: [5, 5]}"], "expected milestones that increase, received [5, 5]"),
        (["schedule={name: multi_step, milestones: [0, 5]}"], "schedule.milestones.0: Input should be greater"),
        (["schedule={name: multi_step, milestones: []}"], "schedule.milestones: Tuple should have at least 1 item"),
        (
            ["schedule.warmup_epochs=5", "train.epochs=5"],
            "expected schedule.warmup_epochs < train.epochs, received 5 >=",
        ),
        (["optimizer={name: sgd, momentum: 1}"], "optimizer.momentum: Input should be less than 1"),
        (["optimizer={name: lars, momentum: -0.1}"], "optimizer.momentum: Input should be greater than or equal to 0"),
        (["optimizer={name: sgd, momentum: 0, nesterov: true}"], "optimizer: expected a momentum > 0 with `nesterov"),
        (["optimizer.ema=1"], "optimizer.ema: Input should be less than 1"),
        (["optimizer.clip_norm=0"], "optimizer.clip_norm: Input should be greater than 0"),
        (["optimizer.learning_rate=0"], "optimizer.learning_rate: Input should be greater than 0"),
    ],
)
def test_recipes_that_cannot_be_are_refused(changes, said):
    with pytest.raises(RecipeError) as error:
        recipes.load("cola", changes)
    assert said in str(error.value)


def test_recipes_choose_by_name():
    recipe = recipes.load("cola", ["optimizer.weight_decay=1e-6", "schedule.warmup_epochs=3"])
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate, recipe.optimizer.weight_decay) == (
        "adam",
        1e-3,
        1e-6,
    )
    assert (recipe.schedule.name, recipe.schedule.warmup_epochs) == ("constant", 3)
    recipe = recipes.load("cola", ["optimizer.name=sgd", "schedule={name: multi_step, milestones: [325, 425]}"])
    assert (recipe.optimizer.learning_rate, recipe.optimizer.momentum) == (0.03, 0.9)
    assert recipe.schedule.milestones == (325, 425)  # a milestone after the end never comes
