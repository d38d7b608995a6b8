"""MTEB's encoder, for its tasks of sound alone:

import mteb
from kerascola.evaluation.mteb import KerascolaEncoder

mteb.evaluate(KerascolaEncoder("model.onnx"), mteb.get_tasks(modalities=["audio"]))
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kerascola.errors import AudioError
from kerascola.evaluation.encoder import open_encoder
from kerascola.evaluation.retrieval import similarities, unit


class KerascolaEncoder:
    """An .onnx or a .keras file. A clip's vector is what `Embedder` serves, resampled as it does."""

    def __init__(self, model: str | os.PathLike[str], name: str | None = None) -> None:
        """`name` is "organisation/model"."""
        self.embed = open_encoder(model)
        self.name = f"kerascola/{Path(model).stem}" if name is None else name

    def encode(self, inputs: Iterable[Mapping[str, Any]], **task: Any) -> np.ndarray:
        """Batches of {"audio": [{"array", "sampling_rate"}, ...]} -> float32 [n, dimension]; no task is special."""
        vectors = dict(self.embed.each(clips(inputs)))
        return np.array([vectors[i] for i in range(len(vectors))], np.float32).reshape(-1, self.embed.dimension)

    def similarity(self, one: Any, other: Any) -> np.ndarray:
        """[n, dimension], [m, dimension] -> cosines [n, m]"""
        return similarities(rows(one), rows(other))

    def similarity_pairwise(self, one: Any, other: Any) -> np.ndarray:
        """[n, dimension] twice -> cosines [n]"""
        return np.sum(unit(rows(one)) * unit(rows(other)), axis=1)

    @cached_property
    def mteb_model_meta(self) -> Any:
        """The file's checksum is its revision: MTEB keeps results by name and revision."""
        from mteb.models.model_meta import ModelMeta, ScoringFunction

        with open(self.embed.path, "rb") as file:
            revision = hashlib.file_digest(file, "sha256").hexdigest()
        return ModelMeta.create_empty(
            {
                "name": self.name,
                "revision": revision,
                "embed_dim": self.embed.dimension,
                "modalities": ["audio"],
                "similarity_fn_name": ScoringFunction.COSINE,
            }
        )


def clips(inputs: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """MTEB's arrays of several channels are [channels, samples], ours [samples, channels]."""
    for batch in inputs:
        if "audio" not in batch:
            raise AudioError(f"expected batches with 'audio', received {', '.join(batch)}. Choose tasks of sound alone")
        for item in batch["audio"]:
            yield {"array": np.asarray(item["array"]).T, "sampling_rate": item["sampling_rate"]}


def rows(vectors: Any) -> np.ndarray:
    """One vector or several, of any framework."""
    return np.atleast_2d(np.asarray(vectors, np.float32))
