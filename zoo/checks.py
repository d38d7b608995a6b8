"""Checkpoints against their records: the files' checksums, and what they make of the golden sound."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kerascola.errors import KerascolaError, ZooError
from kerascola.runtime.address import Watch, unwatched
from kerascola.runtime.catalogue import Zoo, file_of
from kerascola.runtime.embedder import Embedder
from kerascola.runtime.golden import SOUND, difference, sound
from kerascola.runtime.metadata import Metadata, load_metadata
from kerascola.runtime.record import KINDS, Record
from kerascola.zoo.elsewhere import embeddings

Found = tuple[str, str, str | KerascolaError]  # name, what was looked at, what was found


def check(zoo: Zoo, records: Sequence[Record], backend: str | None, watch: Watch = unwatched) -> Iterator[Found]:
    """Every file of the records; those for Keras are opened on a backend, if there is one."""
    plain: list[tuple[Record, Path]] = []
    for record in records:
        for kind in KINDS:
            try:
                path = file_of(zoo, record, kind, watch)
                embedder = Embedder(path) if kind == "onnx" else None
                same(embedder.metadata if embedder else load_metadata(path), record, path)
                yield record.name, f"{kind} file", f"{record.files[kind].bytes / 1e6:.1f} MB, as recorded"
            except KerascolaError as error:
                yield record.name, f"{kind} file", error
                continue
            if embedder:
                yield record.name, "onnxruntime", known(embedder.run([heard(record)])[0], record, "onnx", path)
            else:
                plain.append((record, path))
    if backend and plain:
        found = embeddings([(path, heard(record)) for record, path in plain], backend)
        for (record, path), embedding in zip(plain, found, strict=True):
            yield record.name, f"Keras, {backend}", known(embedding, record, "keras", path)


def heard(record: Record) -> np.ndarray:
    return sound(record.sample_rate, record.golden.samples)


def known(embedding: np.ndarray | ZooError, record: Record, kind: str, path: Path) -> str | ZooError:
    """Whether it is that of the golden sound."""
    if isinstance(embedding, ZooError):
        return embedding
    if record.golden.sound != SOUND:
        return ZooError(f"{path}: its golden sound is one of another version of kerascola: {record.golden.sound}")
    try:
        return f"golden embedding within {difference(embedding, record.golden, kind, str(path)):.1e}"
    except ZooError as error:
        return error


def same(says: Metadata | None, record: Record, path: Path) -> None:
    """What a file says of itself and what its record does."""
    for key in ("sample_rate", "window_samples", "min_samples", "dimension", "recipe", "licence"):
        if says is None or getattr(says, key) != getattr(record, key):
            raise ZooError(
                f"{path}: expected {key} {getattr(record, key)!r}, as its record has it, received "
                f"{getattr(says, key, None)!r}"
            )
