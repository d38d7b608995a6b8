"""A training step on JAX, whose state is here while it trains: the model's variables have it after `sync`."""

import jax
import keras
from jax import numpy as jnp

State = tuple[list, list, list]  # what is trained, what else moves, and the optimiser's


class Core:
    def __init__(self, model) -> None:
        self.model = model
        self.held: State | None = None
        # Nothing is donated: an interrupt comes as a compiled call returns, before what it gives is held.
        self.run_step = jax.jit(self.plain)
        self.run_embed = jax.jit(self.embedded)
        self.run_judge = jax.jit(self.judged)
        self.run_pull = jax.jit(self.pulled)
        self.run_apply = jax.jit(self.applied)

    def groups(self):
        """The variables of a `State`."""
        model = self.model
        return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables

    def values(self) -> State:
        if self.held is None:
            trained, state, descent = ([variable.value for variable in group] for group in self.groups())
            self.held = trained, state, descent
        return self.held

    def sync(self) -> None:
        """The next step begins with what the variables hold then, and takes it from them."""
        if self.held is not None:
            for group, values in zip(self.groups(), self.held, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
        self.held = None

    def state(self):
        return self.values()[1]

    def set_state(self, state) -> None:
        trained, _, descent = self.values()
        self.held = trained, state, descent

    def step(self, batch):
        logs, *self.held = self.run_step(*self.values(), batch)
        return logs

    def embed(self, batch):
        trained, state, _ = self.values()
        views, state = self.run_embed(trained, state, batch)
        self.set_state(state)
        return views

    def judge(self, views, labels):
        logs, state, slopes, gradients = self.run_judge(*self.values(), views, labels)
        self.set_state(state)
        return logs, slopes, gradients

    def pull(self, batch, slope):
        trained, state, _ = self.values()
        return self.run_pull(trained, state, batch, slope)

    def apply(self, gradients) -> None:
        trained, state, descent = self.values()
        trained, descent = self.run_apply(trained, descent, gradients)
        self.held = trained, state, descent

    # ---- what is compiled: functions of all that they use ----

    def plain(self, trained, state, descent, batch):
        def loss(trained):
            logs, after = self.inside(trained, state, lambda: self.model(batch, training=True))
            return self.scaled(logs["loss"], descent), (logs, after)

        gradients, (logs, state) = jax.grad(loss, has_aux=True)(trained)
        trained, descent = self.applied(trained, descent, gradients)
        return logs, trained, state, descent

    def embedded(self, trained, state, batch):
        return self.inside(trained, state, lambda: self.model.embed(batch, training=True))

    def judged(self, trained, state, descent, views, labels):
        def loss(views, trained):
            logs, after = self.inside(trained, state, lambda: self.model.judge(views, labels, training=True))
            return self.scaled(logs["loss"], descent), (logs, after)

        (slopes, gradients), (logs, state) = jax.grad(loss, argnums=(0, 1), has_aux=True)(views, trained)
        return logs, state, slopes, gradients

    def pulled(self, trained, state, batch, slope):
        _, pull = jax.vjp(lambda trained: self.embedded(trained, state, batch)[0], trained)
        return pull(slope)[0]

    def applied(self, trained, descent, gradients):
        return self.model.optimizer.stateless_apply(descent, gradients, trained)

    def inside(self, trained, state, function):
        """What the function gives with these values in the variables, and what it leaves in those that move."""
        model = self.model
        pairs = [*zip(model.trainable_variables, trained, strict=True)]
        pairs += zip(model.non_trainable_variables, state, strict=True)
        with keras.StatelessScope(state_mapping=pairs) as scope:
            outcome = function()
        moved = []
        for variable, old in zip(model.non_trainable_variables, state, strict=True):
            new = scope.get_current_value(variable)
            moved.append(old if new is None else jnp.asarray(new, old.dtype))
        return outcome, moved

    def scaled(self, loss, descent):
        with keras.StatelessScope(state_mapping=list(zip(self.model.optimizer.variables, descent, strict=True))):
            return self.model.optimizer.scale_loss(loss)
