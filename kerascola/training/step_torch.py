"""A training step on torch."""

import torch
from keras import ops

from kerascola.training.step import InPlace


class Core(InPlace):
    def step(self, batch):
        logs = self.model(tensors(batch), training=True)
        self.apply(self.gradients(self.model.optimizer.scale_loss(logs["loss"])))
        return detached(logs)

    def embed(self, batch):
        with torch.no_grad():
            return self.model.embed(tensors(batch), training=True)

    def judge(self, views, labels):
        views = views.detach().requires_grad_()
        logs = self.model.judge(views, tensors(labels), training=True)
        slope, *gradients = self.gradients(self.model.optimizer.scale_loss(logs["loss"]), views)
        return detached(logs), slope, gradients

    def pull(self, batch, slope):
        return self.gradients(self.model.embed(tensors(batch), training=True), slope=slope)

    def gradients(self, outcome, *more, slope=None):
        weights = [variable.value for variable in self.model.trainable_variables]
        return torch.autograd.grad(outcome, [*more, *weights], slope, allow_unused=True)

    def apply(self, gradients) -> None:
        with torch.no_grad():
            self.model.optimizer.apply(list(gradients), self.model.trainable_variables)


def tensors(batch):
    return {name: ops.convert_to_tensor(values) for name, values in batch.items()}


def detached(logs):
    return {name: value.detach() for name, value in logs.items()}
