"""Contrastive audio encoders in Keras 3: train on unlabelled sound, ship one file that takes a waveform."""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kerascola.runtime.embedder import Embedder as Embedder

__all__ = ["Embedder", "__version__"]


def __getattr__(name: str):
    if name == "Embedder":  # imported on first use: `import kerascola` stays free of dependencies
        from kerascola.runtime.embedder import Embedder

        return Embedder
    raise AttributeError(f"module 'kerascola' has no attribute {name!r}")
