"""Contrastive audio encoders in Keras 3: train on unlabelled sound, ship one file that takes a waveform."""

import os
from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kerascola.models.embedder import load as load
    from kerascola.runtime.embedder import Embedder as Embedder
    from kerascola.runtime.head import Head as Head

__all__ = ["Embedder", "Head", "load", "__version__"]

# From 1.29 on onnxruntime would send its maker what it runs. It reads this as it is imported, and without the thread
# that sends a forked process can end.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

PLACES = {
    "Embedder": "kerascola.runtime.embedder",
    "Head": "kerascola.runtime.head",
    "load": "kerascola.models.embedder",
}


def __getattr__(name: str):
    if name in PLACES:  # imported on first use: `import kerascola` stays free of dependencies
        return getattr(import_module(PLACES[name]), name)
    raise AttributeError(f"module 'kerascola' has no attribute {name!r}")
