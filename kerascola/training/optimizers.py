"""A recipe's optimiser with its schedule, and the average of the weights that it may keep."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import ops

from kerascola.recipes.sections import Constant, Cosine, Decay, MultiStep, Optimizer, Schedule
from kerascola.training.descent import Adam, AdamW, Lars, Sgd

KINDS = {"adam": Adam, "adamw": AdamW, "sgd": Sgd, "lars": Lars}


def optimizer(section: Optimizer, schedule: Schedule, steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    changing = schedule.warmup_epochs > 0 or not isinstance(schedule, Constant)
    rate = Rate(section.learning_rate, schedule, steps_per_epoch, epochs) if changing else section.learning_rate
    average = {"use_ema": True, "ema_momentum": section.ema} if section.ema else {}
    options = section.model_dump(exclude={"name", "learning_rate", "clip_norm", "ema"})
    return KINDS[section.name](learning_rate=rate, global_clipnorm=section.clip_norm, **average, **options)


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate at each step from 0: `peak` times the schedule's share, times the warm-up's."""

    def __init__(self, peak: float, schedule: Schedule, steps_per_epoch: int, epochs: int) -> None:
        self.peak, self.schedule = peak, schedule
        self.steps_per_epoch, self.total = steps_per_epoch, epochs * steps_per_epoch
        self.warmup = round(schedule.warmup_epochs * steps_per_epoch)

    def __call__(self, step):
        step = ops.cast(step, "int32")
        rate = self.peak * self.share(step, ops.maximum(step - self.warmup, 0))
        if self.warmup == 0:
            return rate
        start = self.schedule.warmup_start
        return rate * ops.minimum(start + (1 - start) * ops.cast(step, "float32") / self.warmup, 1.0)

    def share(self, step, warm):
        """Of the peak; `warm` counts from the warm-up's end."""
        match self.schedule:
            case MultiStep(milestones=milestones, factor=factor):
                passed = sum(ops.cast(step >= epoch * self.steps_per_epoch, "float32") for epoch in milestones)
                return ops.power(factor, passed)
            case Decay(factor=factor):
                # In whole numbers: XLA divides by a product, and Keras's ExponentialDecay then drops a step late.
                return ops.power(factor, ops.cast(warm // self.steps_per_epoch, "float32"))
            case Cosine(final=final):
                done = ops.cast(warm, "float32") / max(self.total - self.warmup, 1)
                return final + (1 - final) * 0.5 * (1 + ops.cos(math.pi * ops.minimum(done, 1.0)))
        return 1.0


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Inside, the model has the weights' moving average, where its optimiser keeps one; then its own again."""
    descent = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # Keras wraps it to scale losses
    if not descent.use_ema or not ops.convert_to_numpy(descent.iterations):  # before the first step it is all zeros
        yield
        return
    variables = model.trainable_variables
    own = [ops.convert_to_numpy(variable).copy() for variable in variables]
    descent.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            variable.assign(value)
