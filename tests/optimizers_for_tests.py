"""The optimiser that a recipe makes, for trainings of ten epochs of four steps."""

import keras

from kerascola import recipes
from kerascola.training.optimizers import optimizer

STEPS, EPOCHS = 4, 10


def made(text: str, schedule: str = "", steps: int = STEPS, epochs: int = EPOCHS) -> keras.optimizers.Optimizer:
    changes = [f"optimizer={text}", f"train.epochs={epochs}"] + ([f"schedule={schedule}"] if schedule else [])
    recipe = recipes.load("cola", changes)
    return optimizer(recipe.optimizer, recipe.schedule, steps, recipe.train.epochs)
