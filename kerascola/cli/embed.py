"""Embed audio files with an exported model.

NAME.npz, for what fits in memory: embeddings, paths, times and the model's metadata in one file. NAME.parquet, for any
number of files of any length: a folder of shards, rows of path, start, end (seconds) and embedding, which any reader of
Parquet takes for one table. What could not be read stands in NAME.run/errors.parquet. The same command, given again
after it was stopped, goes on.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerascola.cli.progress import Listening
from kerascola.errors import AudioError, KerascolaError

if TYPE_CHECKING:
    from kerascola.data.inputs import Inputs
    from kerascola.runtime.embedder import Embedder

KINDS = (".npz", ".parquet")
MOST_SAID = 20  # files that are skipped: further ones stand in a table
SHARD = 20_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="an .onnx file that kerascola-export wrote, its address, or a name of the zoo"
    )
    parser.add_argument(
        "audio", nargs="+", metavar="AUDIO", help="files, folders, glob patterns, or lists (.csv, .jsonl, .parquet)"
    )
    parser.add_argument("--out", required=True, metavar="NAME.npz|NAME.parquet", help="where the embeddings go")
    parser.add_argument("--frames", action="store_true", help="a row per window, with its times")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="windows a batch (default %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="for onnxruntime (default: it chooses)")
    text = "a shard of Parquet ends with the file that brings it to so many windows (default %(default)s)"
    parser.add_argument("--shard-windows", type=int, default=SHARD, metavar="N", help=text)
    parser.add_argument("--overwrite", action="store_true", help="replace what is there, rather than go on with it")


def run(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import Report
    from kerascola.data.inputs import inputs
    from kerascola.runtime.embedder import Embedder
    from kerascola.runtime.models import model_file

    out = checked_out(Path(args.out), args.overwrite)
    write = to_npz if out.suffix == ".npz" else to_parquet
    found = inputs(args.audio)
    embedder = Embedder(model_file(args.model, "onnx", Report), threads=args.threads, batch_size=args.batch_size)
    with Shown(found, math.inf if out.suffix == ".npz" else MOST_SAID) as watch:
        return write(embedder, found, out, args, watch)


def to_parquet(embedder: "Embedder", found: "Inputs", out: Path, args: argparse.Namespace, watch: "Shown") -> int:
    from kerascola.data.bulk import ERRORS, Job, Options, embed_corpus, run_folder

    options = Options(args.frames, args.dtype, args.shard_windows)
    shards = embed_corpus(Job(embedder, found, out, options, watch), args.overwrite)
    rows, failed, seconds = (sum(getattr(shard, name) for shard in shards) for name in ("rows", "failed", "seconds"))
    print(
        f"{out}: {rows} embeddings of {embedder.dimension} numbers from {len(found) - failed} files, "
        f"{seconds / 3600:.3g} hours, in {len(shards)} shards; {failed} files skipped, see {run_folder(out) / ERRORS}"
    )
    return 1 if failed else 0


def to_npz(embedder: "Embedder", found: "Inputs", out: Path, args: argparse.Namespace, watch: "Shown") -> int:
    import numpy as np

    from kerascola.data.embedded import decoded, kept, spans, too_large
    from kerascola.runtime.corpus import in_order

    paths, starts, ends, vectors = list[str](), [], [], []
    metadata, readable = embedder.metadata, 0
    with closing(decoded(found, 0, metadata.sample_rate, watch)) as sounds:
        for number, clip in enumerate(in_order(embedder, sounds, kept(embedder, args.frames, out.parent))):
            with closing(clip.rows):
                error = clip.error or too_large(clip, args.dtype)
                if error is None:
                    begin, end = spans(found[number], clip, metadata)
                    vectors += [block.astype(args.dtype) for block in clip.rows.blocks(len(begin))]
                    paths += [found.paths[number]] * len(begin)
                    starts.append(begin)
                    ends.append(end)
                    readable += 1
            watch.finished(number, error)
    if not readable:
        raise AudioError(f"none of {len(found)} files could be read (see above); {out} was not written")
    arrays: dict[str, Any] = {
        "embedding": np.concatenate(vectors),
        "path": np.array(paths),
        "start": np.concatenate(starts),
        "end": np.concatenate(ends),
    }
    if args.frames:
        arrays["seconds"] = (arrays["start"] + arrays["end"]) / 2
    save(out, arrays | {"metadata": json.dumps(asdict(metadata))})
    unread = len(found) - readable
    rows, dimension = arrays["embedding"].shape
    print(f"{out}: {rows} embeddings of {dimension} numbers from {readable} files, {unread} files skipped")
    return 1 if unread else 0


class Shown(Listening):
    """On stderr: how far it is, and what is skipped."""

    def __init__(self, found: "Inputs", most: float = math.inf) -> None:
        from kerascola.data import shards

        def length(number: int) -> float:
            part = found[number]
            try:
                return (part.end or shards.header(Path(part.path)).seconds) - part.start
            except AudioError:  # which is said when it is read
                return math.inf

        self.found, self.most, self.skipped = found, most, 0
        parts = all(map(math.isfinite, found.ends))
        lengths = (end - start for start, end in zip(found.starts, found.ends, strict=True))
        super().__init__(lengths if parts else map(float, found.sizes), length)

    def finished(self, number: int, error: KerascolaError | None) -> None:
        if error is not None:
            self.skipped += 1
            if self.skipped <= self.most:
                named = error if isinstance(error, AudioError) else f"{self.found.paths[number]}: {error}"
                print(f"skipped {named}", file=sys.stderr)
            elif self.skipped == self.most + 1:
                print("skipped more, which the table of errors names", file=sys.stderr)
        self.passed(number)


def checked_out(out: Path, overwrite: bool) -> Path:
    """Everything that could stop the writing, before the work that it would lose."""
    if out.suffix not in KINDS:
        raise KerascolaError(
            f"expected --out to end in {' or '.join(KINDS)}, received {out}. Try {out.with_suffix(KINDS[0])}"
        )
    if not out.parent.is_dir():
        raise KerascolaError(
            f"expected --out in a folder that exists, but {out} is in {out.parent}, which does not. Make or change it"
        )
    if out.suffix == ".npz":
        if out.is_dir():
            raise KerascolaError(f"expected --out to be a file to write, but {out} is a folder. Change it")
        if out.exists() and not overwrite:
            raise KerascolaError(f"{out} exists. Choose another --out, or replace it: --overwrite")
    try:
        partial(out).touch()
        partial(out).unlink()
    except OSError as error:
        raise KerascolaError(f"cannot write in {out.parent}: {error.strerror}. Change --out") from error
    return out


def save(out: Path, arrays: Mapping[str, Any]) -> None:
    """All or nothing: another file takes the name only once it is complete."""
    import numpy as np

    from kerascola.data.files import becoming

    try:
        with becoming(out, partial(out)) as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise KerascolaError(f"cannot write {out}: {error.strerror}") from error


def partial(out: Path) -> Path:
    return out.with_name(f".{out.name}.{os.getpid()}.partial")
