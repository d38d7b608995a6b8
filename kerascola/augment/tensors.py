"""keras.ops, imported when first used: a recipe names augmentations, and is read without Keras."""

from typing import Any


def __getattr__(name: str) -> Any:
    from keras import ops

    return getattr(ops, name)
