"""Embed audio files with an exported model: embeddings, paths and the model's metadata in one .npz file."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerascola.errors import AudioError, KerascolaError

if TYPE_CHECKING:
    from kerascola.runtime.embedder import Embedder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="an .onnx file that kerascola-export wrote, its address, or a name of the zoo"
    )
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="files, folders or glob patterns")
    parser.add_argument("--out", required=True, metavar="FILE.npz", help="where the embeddings go")
    parser.add_argument("--frames", action="store_true", help="a row per window, with its time")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="windows a batch (default 32)")
    parser.add_argument("--threads", type=int, metavar="N", help="for onnxruntime (default: it chooses)")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE.npz if it exists")


def run(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import Report, track
    from kerascola.runtime.embedder import Embedder
    from kerascola.runtime.models import model_file

    out = checked_out(Path(args.out), args.overwrite)
    paths = find_audio(args.audio)
    embedder = Embedder(model_file(args.model, "onnx", Report), threads=args.threads, batch_size=args.batch_size)

    embedded = each_with_frames(embedder, paths) if args.frames else embedder.each(paths, on_error="return")
    done: dict[int, Any] = {}
    for index, result in track(embedded, len(paths), "files"):
        if isinstance(result, KerascolaError):
            named = result if isinstance(result, AudioError) else f"{paths[index]}: {result}"
            print(f"skipped {named}", file=sys.stderr)
        else:
            done[index] = result
    if not done:
        raise AudioError(f"none of {len(paths)} files could be read (see above); {out} was not written")

    order = sorted(done)
    table = frame_table if args.frames else clip_table
    arrays = table([paths[i] for i in order], [done[i] for i in order])
    save(out, arrays | {"metadata": json.dumps(asdict(embedder.metadata))})

    unread = len(paths) - len(done)
    rows, dimension = arrays["embedding"].shape
    print(f"{out}: {rows} embeddings of {dimension} numbers from {len(done)} files, {unread} files skipped")
    return 1 if unread else 0


def checked_out(out: Path, overwrite: bool) -> Path:
    """Everything that could stop the writing, before the work that it would lose."""
    if out.suffix != ".npz":
        raise KerascolaError(f"expected --out to end in .npz, received {out}. Try {out.with_suffix('.npz')}")
    if out.is_dir() or not out.parent.is_dir():
        what = "is a folder" if out.is_dir() else f"is in a folder that does not exist, {out.parent}"
        raise KerascolaError(f"expected --out to be a file to write, but {out} {what}. Make or change it")
    if out.exists() and not overwrite:
        raise KerascolaError(f"{out} exists. Choose another --out, or replace it: --overwrite")
    try:
        partial(out).touch()
        partial(out).unlink()
    except OSError as error:
        raise KerascolaError(f"cannot write in {out.parent}: {error.strerror}. Change --out") from error
    return out


def find_audio(names: Sequence[str]) -> list[str]:
    """Each file once. A named file is taken as it is, a folder gives the files with a suffix of sound."""
    from kerascola.audio.folder import matching, sounds

    found: list[str] = []
    for name in names:
        pattern = has_magic(name) and not os.path.exists(name)
        matches = [str(match) for match in matching(name)] if pattern else [name]
        files = [str(file) for match in matches for file in (sounds(Path(match)) if os.path.isdir(match) else [match])]
        if not files:
            what = "a pattern that matches none" if pattern else "a folder that holds none"
            raise AudioError(f"{name}: expected audio files, received {what}. Check the path")
        found += files
    return list(dict.fromkeys(found))


def each_with_frames(embedder: "Embedder", paths: Sequence[str]) -> Iterator[tuple[int, Any]]:
    for index, path in enumerate(paths):
        try:
            yield index, embedder.frames(path)
        except KerascolaError as error:
            yield index, error


def clip_table(paths: list[str], vectors: list) -> dict[str, Any]:
    import numpy as np

    return {"embedding": np.stack(vectors), "path": np.array(paths)}


def frame_table(paths: list[str], frames: list) -> dict[str, Any]:
    import numpy as np

    return {
        "embedding": np.concatenate([vectors for vectors, _ in frames]),
        "path": np.repeat(paths, [len(vectors) for vectors, _ in frames]),
        "seconds": np.concatenate([seconds for _, seconds in frames]),
    }


def save(out: Path, arrays: Mapping[str, Any]) -> None:
    """All or nothing: another file takes the name only once it is complete."""
    import numpy as np

    try:
        with partial(out).open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial(out), out)
    except OSError as error:
        raise KerascolaError(f"cannot write {out}: {error.strerror}") from error
    finally:
        partial(out).unlink(missing_ok=True)


def partial(out: Path) -> Path:
    return out.with_name(f".{out.name}.{os.getpid()}.partial")
