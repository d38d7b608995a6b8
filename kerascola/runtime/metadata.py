"""What an artefact knows about itself: one record, in the Keras archive and in the ONNX file alike."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from kerascola.errors import ModelError

FORMAT = "1"
FORMAT_KEY = "kerascola_format"
MEMBER = "kerascola.json"  # of a Keras archive


@dataclass(frozen=True)
class Classes:
    """What a head tells apart."""

    labels: tuple[str, ...]
    multi_label: bool = False  # a sigmoid each, in place of a softmax
    average: str = "logits"  # or "scores": what of a clip's windows is averaged

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """[n, classes], from 0 to 1: each by itself, or all of a row adding up to 1."""
        logits = np.asarray(logits, np.float64)
        if self.multi_label:
            powers = np.exp(-np.abs(logits))
            return (np.where(logits < 0, powers, 1) / (1 + powers)).astype(np.float32)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Metadata:
    sample_rate: int
    window_samples: int  # what the encoder was trained on; longer clips are cut into windows of this length
    hop_samples: int  # from the start of one window to the next
    min_samples: int  # below this the model is undefined; `Embedder` pads with silence up to it
    dimension: int
    recipe: str = ""
    licence: str = ""
    heads: Mapping[str, Classes] = field(default_factory=dict)  # by name; one alone has the name ""
    versions: Mapping[str, str] = field(default_factory=dict)  # of what trained and exported it
    verified: Mapping[str, Any] = field(default_factory=dict)  # the errors measured after writing
    frontend: Mapping[str, Any] = field(default_factory=dict)  # what the features inside are computed from

    def to_props(self) -> dict[str, str]:
        """As ONNX metadata: one readable key per field, JSON where it is not a plain number or text."""
        values = asdict(self).items()
        return {FORMAT_KEY: FORMAT} | {k: v if isinstance(v, str) else json.dumps(v) for k, v in values}

    @classmethod
    def from_props(cls, props: Mapping[str, str], source: str) -> "Metadata":
        if props.get(FORMAT_KEY) != FORMAT:
            raise ModelError(
                f"{source} was not made by this version of kerascola-export: expected the metadata key "
                f"{FORMAT_KEY!r} = {FORMAT!r}, received {props.get(FORMAT_KEY)!r}. "
                "Export the Keras model again: kerascola-export MODEL.keras"
            )
        texts = {f.name for f in fields(cls) if f.type in (str, "str")}
        counts = [f.name for f in fields(cls) if f.type in (int, "int")]
        known = {f.name for f in fields(cls)} & set(props)
        try:
            values: dict[str, Any] = {k: props[k] if k in texts else json.loads(props[k]) for k in known}
            values["heads"] = heads_of(values.get("heads", {}))
            for name in counts:
                if type(values[name]) is not int or values[name] < 1:
                    raise ValueError(f"{name} is {values[name]!r}, not a count")
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{source}: expected complete kerascola metadata, received it damaged ({error!r}). "
                "Export the model again"
            ) from error


def heads_of(found: Mapping[str, Any]) -> dict[str, Classes]:
    heads = {name: Classes(**{**one, "labels": tuple(one["labels"])}) for name, one in found.items()}
    for name, one in heads.items():
        if one.average not in ("logits", "scores") or not one.labels:
            raise ValueError(f"the head {name!r} has {len(one.labels)} labels and averages {one.average!r}")
    return heads


def load_metadata(path: str | Path) -> Metadata | None:
    """Of a Keras archive; None where it was saved again by Keras, which drops it."""
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file. Expected a Keras model, NAME.keras")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path} is not a Keras archive. Expected a file that `model.save('NAME.keras')` wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            member = json.loads(archive.read(MEMBER)) if MEMBER in archive.namelist() else None
        return Metadata(**{**member, "heads": heads_of(member["heads"])}) if member else None
    except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be loaded: {error}") from error
