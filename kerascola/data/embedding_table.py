"""Embeddings in a Parquet file, a row group at a time, and a table of those that could not be had."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
from pyarrow import parquet

from kerascola.data.embedded import spans
from kerascola.data.files import becoming
from kerascola.data.inputs import Part
from kerascola.data.manifest import readable
from kerascola.errors import DataError
from kerascola.runtime.corpus import Clip
from kerascola.runtime.metadata import Metadata

GROUP, MOST_ROWS = 1 << 24, 1 << 13  # bytes of embeddings, and rows, that are held until they make a row group
MODEL, SHARD = "kerascola.model", "kerascola.shard"  # keys of a file's own metadata
PLACE = [("path", pyarrow.string()), ("start", pyarrow.float64()), ("end", pyarrow.float64())]
WRITTEN: dict[str, Any] = {"compression": "zstd", "use_dictionary": ["path"]}


@dataclass(frozen=True)
class About:
    """What a shard holds."""

    first: int  # of the inputs
    following: int  # behind the last of them
    rows: int
    failed: int
    seconds: float  # of sound


class Failed(NamedTuple):
    part: Part
    error: str


class Block(NamedTuple):
    """Rows of one file."""

    path: str
    starts: np.ndarray
    ends: np.ndarray
    vectors: np.ndarray


class Table:
    """path, start and end in seconds, embedding: of clips one after another."""

    def __init__(self, writer: parquet.ParquetWriter, schema: pyarrow.Schema, metadata: Metadata) -> None:
        self.writer, self.schema, self.metadata = writer, schema, metadata
        self.embedding = schema.field("embedding").type
        self.dtype = np.dtype(self.embedding.value_type.to_pandas_dtype())
        self.group = max(1, min(MOST_ROWS, GROUP // (metadata.dimension * self.dtype.itemsize)))
        self.held: list[Block] = []
        self.waiting, self.rows, self.seconds = 0, 0, 0.0

    def add(self, part: Part, clip: Clip) -> None:
        starts, ends = spans(part, clip, self.metadata)
        path, at = readable(part.path), 0
        for vectors in clip.rows.blocks(self.group):
            here = slice(at, at + len(vectors))
            self.held.append(Block(path, starts[here], ends[here], vectors.astype(self.dtype)))
            at += len(vectors)
            self.waiting += len(vectors)
            if self.waiting >= self.group:
                self.flush()
        self.seconds += clip.samples / self.metadata.sample_rate

    def flush(self) -> None:
        if not self.held:
            return
        paths = [block.path for block in self.held for _ in block.starts]
        starts, ends, vectors = (np.concatenate(columns) for columns in list(zip(*self.held, strict=True))[1:])
        numbers = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.reshape(-1)), type=self.embedding)
        self.writer.write_table(pyarrow.table([paths, starts, ends, numbers], self.schema), row_group_size=len(paths))
        self.rows += len(paths)
        self.held, self.waiting = [], 0

    def tell(self, about: About) -> None:
        """Of the whole file, in its footer."""
        self.writer.add_key_value_metadata({SHARD: json.dumps(asdict(about))})


@contextmanager
def table(path: Path, partial: Path, metadata: Metadata, dtype: str) -> Iterator[Table]:
    """It takes its name at the end."""
    embedding = pyarrow.list_(pyarrow.from_numpy_dtype(np.dtype(dtype)), metadata.dimension)
    model = json.dumps(asdict(metadata))
    schema = pyarrow.schema([*PLACE, ("embedding", embedding)], metadata={MODEL: model})
    with becoming(path, partial) as file, parquet.ParquetWriter(file, schema, **WRITTEN) as writer:
        rows = Table(writer, schema, metadata)
        yield rows


def about(path: Path) -> About:
    try:
        return About(**json.loads(parquet.read_metadata(path).metadata[SHARD.encode()]))
    except (pyarrow.ArrowInvalid, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected a whole shard, received: {error}. Remove it, and start again") from error


def write_errors(path: Path, partial: Path, failed: list[Failed]) -> None:
    """Also where there are none, so that whoever looks finds a table."""
    schema = pyarrow.schema([*PLACE, ("error", pyarrow.string())])
    rows = [
        {"path": readable(part.path), "start": part.start, "end": part.end, "error": readable(error)}
        for part, error in failed
    ]
    with becoming(path, partial) as file:
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema), file, **WRITTEN)
