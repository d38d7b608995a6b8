"""HEAR's API of 2021 (hearbenchmark.com/hear-api.html):

    hear-validator kerascola.evaluation.hear --model model.onnx
    python -m heareval.embeddings.runner kerascola.evaluation.hear --model model.keras --tasks-dir tasks

Any file goes with any framework of the caller's: tensors are brought here as arrays, and taken back.
"""

import os
from importlib.util import find_spec
from typing import Any

import numpy as np

from kerascola.errors import AudioError, KerascolaError
from kerascola.evaluation.encoder import open_encoder, timed

FRAMEWORKS = ("torch", "tensorflow")


def load_model(model_file_path: str = "", framework: str | None = None) -> Any:
    """An .onnx or a .keras file as a torch.nn.Module or a tf.Module, which tells HEAR what tensors to bring.

    Where `framework` does not say which, KERAS_BACKEND does; where that is not one of the two either, it is torch if
    that is installed.
    """
    embed = open_encoder(model_file_path)
    model = empty_module(chosen() if framework is None else framework)
    model.embed, model.sample_rate = embed, embed.sample_rate
    model.scene_embedding_size = model.timestamp_embedding_size = embed.dimension
    return model


def get_scene_embeddings(audio: Any, model: Any) -> Any:
    """[n, samples] -> float32 [n, dimension]: what `Embedder` serves."""
    return like(audio, model.embed.embed(list(sounds(audio)), model.sample_rate))


def get_timestamp_embeddings(audio: Any, model: Any) -> tuple[Any, Any]:
    """[n, samples] -> float32 [n, t, dimension], and the centres of their windows in milliseconds, [n, t]."""
    vectors, times = timed(model.embed, sounds(audio))
    return like(audio, vectors), like(audio, np.tile(times, (len(vectors), 1)))


def chosen() -> str:
    backend = os.environ.get("KERAS_BACKEND", "")
    if backend in FRAMEWORKS:
        return backend
    for framework in FRAMEWORKS:
        if find_spec(framework):
            return framework
    raise KerascolaError("expected torch or tensorflow for HEAR's tensors, received neither. Install one of them")


def empty_module(framework: str) -> Any:
    if framework == "torch":
        import torch

        return torch.nn.Module()
    if framework == "tensorflow":
        import tensorflow

        return tensorflow.Module()
    raise KerascolaError(f"expected the framework {' or '.join(FRAMEWORKS)}, received {framework!r}")


def sounds(audio: Any) -> np.ndarray:
    """The caller's tensor -> float32 [n, samples]"""
    array = audio.detach().float().cpu().numpy() if hasattr(audio, "detach") else np.asarray(audio, np.float32)
    if array.ndim != 2 or not array.size:
        raise AudioError(f"expected audio of the shape [sounds, samples], received {list(array.shape)}")
    return array


def like(audio: Any, values: np.ndarray) -> Any:
    """A tensor of the caller's framework, on its device."""
    if hasattr(audio, "detach"):
        import torch

        return torch.from_numpy(values).to(audio.device)
    import tensorflow

    with tensorflow.device(audio.device):
        return tensorflow.constant(values)
