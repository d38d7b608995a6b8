"""What an artefact knows about itself: one record, in the Keras archive and in the ONNX file alike."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from kerascola.audio.resample import LOWEST
from kerascola.errors import ModelError, shown
from kerascola.runtime.archive import member
from kerascola.runtime.typed import parsed, read_json, wrong

FORMAT = "1"
FORMAT_KEY = "kerascola_format"
MEMBER = "kerascola.json"  # of a Keras archive
MOST_BYTES = 1 << 20  # of all that is said

# What a file may say: what is padded, cut or allocated by it stays small.
RANGES = {
    "sample_rate": (LOWEST, 1_000_000),
    "window_samples": (1, 1 << 25),
    "hop_samples": (1, 1 << 25),
    "min_samples": (1, 1 << 22),
    "dimension": (1, 1 << 16),
}
DENSEST = 1024  # windows that begin within one
LONGEST = 1000  # characters of a text
MOST_LABELS = 1 << 16  # of a head


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
                f"{FORMAT_KEY!r} = {FORMAT!r}, received {shown(props.get(FORMAT_KEY))}. "
                "Export the Keras model again: kerascola-export MODEL.keras"
            )
        texts = {f.name for f in fields(cls) if f.type in (str, "str")}
        known = {f.name for f in fields(cls)} & set(props)
        try:
            return of_tree({k: props[k] if k in texts else read_json(props[k], MOST_BYTES) for k in known})
        except ValueError as error:
            raise damaged(source, error) from error


def load_metadata(path: str | Path) -> Metadata | None:
    """Of a Keras archive; None where it was saved again by Keras, which drops it."""
    content = member(Path(path), MEMBER, MOST_BYTES)
    try:
        return None if content is None else of_tree(read_json(content, MOST_BYTES))
    except ValueError as error:
        raise damaged(str(path), error) from error


def of_tree(tree: Any) -> Metadata:
    """KerascolaError, a ValueError, where it is not what a file may say of itself."""
    found: Metadata = parsed(Metadata, tree, "metadata")
    for key, (least, most) in RANGES.items():
        if not least <= getattr(found, key) <= most:
            raise wrong(f"metadata.{key}", f"a whole number from {least} to {most}", getattr(found, key))
    if found.min_samples > found.window_samples:
        raise wrong("metadata.min_samples", f"no more than window_samples, {found.window_samples}", found.min_samples)
    if found.hop_samples * DENSEST < found.window_samples:
        raise wrong("metadata.hop_samples", f"{found.window_samples} / {DENSEST} or more", found.hop_samples)
    for name, head in found.heads.items():
        if head.average not in ("logits", "scores"):
            raise wrong(f"metadata.heads.{name}.average", "logits or scores", head.average)
        if not 1 <= len(head.labels) <= MOST_LABELS:
            raise wrong(f"metadata.heads.{name}.labels", f"1 to {MOST_LABELS} labels", len(head.labels))
    labels = [text for name, head in found.heads.items() for text in (name, *head.labels)]
    for text in (found.recipe, found.licence, *labels, *found.versions, *found.versions.values()):
        if len(text) > LONGEST:
            raise wrong("metadata", f"texts of at most {LONGEST} characters", text)
    return found


def damaged(source: str, error: ValueError) -> ModelError:
    return ModelError(
        f"{source}: expected complete kerascola metadata, received it damaged: {error}. Export the model again"
    )
