"""What every objective takes, gives and refuses."""

from typing import ClassVar, Literal

import numpy as np
from keras import layers


class Objective(layers.Layer):
    """Embeddings of k views [k, n, d] -> a dict of float32 scalars, with a "loss" and an "accuracy".

    Labels are int32 [n], -1 where there is none. Where they are `shares`, they are float32 [n, classes] from 0 to 1, of
    -1 all along a row without any.
    """

    labelled: ClassVar[Literal["no", "some", "all"]] = "no"  # the clips whose labels it needs
    needs_target: ClassVar[bool] = False  # `targets` [k, n, d], which a momentum encoder makes of the same views
    least_views: ClassVar[int] = 2
    most_views: ClassVar[int | None] = None
    classes: int | None = None
    shares: bool = False

    def __call__(self, views, labels=None, **kwargs):
        self.check_views(views)
        if self.labelled != "no" or labels is not None:
            self.check_labels(views, labels)
        if self.needs_target:
            self.check_targets(views, kwargs.get("targets"))
        return super().__call__(views, labels, **kwargs)

    def check_views(self, views) -> None:
        shape, least, most = tuple(views.shape), self.least_views, self.most_views
        if len(shape) != 3 or shape[0] is None or shape[0] < least or (most is not None and shape[0] > most):
            expected = f"{least} or more" if most is None else least
            raise ValueError(f"{type(self).__name__}: expected views [{expected}, n, d], received shape {shape}")

    def check_labels(self, views, labels) -> None:
        n = views.shape[1]
        expected = (n, self.classes) if self.shares else (n,)
        if labels is None:
            raise ValueError(f"{type(self).__name__}: expected labels of shape {expected}, received none")
        shape = tuple(labels.shape)
        fits = all(None in pair or pair[0] == pair[1] for pair in zip(shape, expected, strict=False))
        if len(shape) != len(expected) or not fits:
            raise ValueError(f"{type(self).__name__}: expected labels of shape {expected}, received {shape}")
        if isinstance(labels, np.ndarray) and self.classes is not None and not self.shares:
            low, high = labels.min(), labels.max()
            if low < -1 or high >= self.classes:
                raise ValueError(
                    f"{type(self).__name__}: expected labels from 0 to {self.classes - 1}, or -1 for none, received "
                    f"{low if low < -1 else high}"
                )

    def check_targets(self, views, targets) -> None:
        shape, received = tuple(views.shape), None if targets is None else tuple(targets.shape)
        if shape != received:
            raise ValueError(
                f"{type(self).__name__}: expected targets {shape}, a momentum encoder's embeddings, received {received}"
            )
