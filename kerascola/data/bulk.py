"""The embeddings of a corpus as Parquet: a folder of shards that are whole or not there.

Nothing but NAME.parquet/part-00000.parquet and so on is in that folder, so that any reader takes it for one table.
Beside it NAME.run holds the settings and, for each shard, a table of what could not be embedded. A shard ends with the
file that brings it to so many windows, and says where the next one begins. So what was killed goes on behind the last
whole shard, and ends with the same bytes.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnxruntime
import pyarrow

import kerascola
from kerascola.data.embedded import Watch, decoded, kept, too_large
from kerascola.data.embedding_table import About, Failed, about, table, write_errors
from kerascola.data.files import alone, becoming, partial, strange_in
from kerascola.data.inputs import Inputs
from kerascola.errors import DataError, listing, shown
from kerascola.runtime.clip import Pieces
from kerascola.runtime.corpus import in_order
from kerascola.runtime.embedder import Embedder

SETTINGS, ERRORS, LOCK = "settings.json", "errors.parquet", ".lock"  # in the folder beside
PARTS = "part-*.parquet"
PARTIAL, PARTIAL_ERRORS = ".partial", ".partial-errors"
FORMAT = 1  # another where the same settings would give other bytes
SAID = {"dtype": "--dtype", "batch_size": "--batch-size", "threads": "--threads", "shard_windows": "--shard-windows"}


@dataclass(frozen=True)
class Options:
    frames: bool  # a row for each window
    dtype: str
    shard_windows: int  # that a shard has at least, unless it is the last


@dataclass(frozen=True)
class Job:
    embedder: Embedder
    found: Inputs
    out: Path
    options: Options
    watch: Watch

    @property
    def beside(self) -> Path:
        return run_folder(self.out)


def embed_corpus(job: Job, overwrite: bool = False) -> list[About]:
    """Of each shard; those that an earlier call for the same left there stay."""
    if job.options.shard_windows < 1:
        raise DataError(f"expected shards of 1 window or more, received {job.options.shard_windows}")
    out = job.out
    if not (job.beside / SETTINGS).is_file():
        check_ours(out, job.beside, overwrite)
    job.beside.mkdir(exist_ok=True)
    with alone(job.beside / LOCK, f"another process is writing {out}: wait for it, or choose another --out"):
        if overwrite:
            remove(out)
        begin(out, settings(job))
        whole = whole_shards(out)
        following = whole[-1].following if whole else 0
        job.watch.begins(following)
        with closing(decoded(job.found, following, job.embedder.sample_rate, job.watch)) as sounds:
            while following < len(job.found):
                whole.append(write_shard(job, sounds, following, len(whole)))
                following = whole[-1].following
    return whole


def check_ours(out: Path, beside: Path, overwrite: bool) -> None:
    """What was not begun here is left alone."""
    if out.exists() and not (overwrite and out.is_file()):
        raise DataError(f"{out} exists, and this command did not write it. Choose another --out, or remove it")
    there = {path.name for path in beside.iterdir()} if beside.is_dir() else set()
    if strange := there - {ERRORS, LOCK, f".partial-{SETTINGS}"}:
        names = ", ".join(sorted(strange)[:3])
        raise DataError(f"expected {beside}, for the settings of {out}, to be new, but it has {names}. Change --out")


def run_folder(out: Path) -> Path:
    return out.with_suffix(".run")


def settings(job: Job) -> dict[str, Any]:
    """All that the bytes follow from. Of files the sizes, and not the dates, which are others where a corpus was
    fetched again by the machine that goes on."""
    with open(job.embedder.path, "rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "format": FORMAT,
        "model": job.embedder.path,
        "model_sha256": model,
        **asdict(job.options),
        "batch_size": job.embedder.batch_size,
        "threads": job.embedder.session.get_session_options().intra_op_num_threads,
        "files": len(job.found),
        "paths": job.found.digest(),
        "sizes": hashlib.blake2b(job.found.sizes.tobytes(), digest_size=16).hexdigest(),
        "made_by": {
            "kerascola": kerascola.__version__,
            "onnxruntime": onnxruntime.__version__,
            "pyarrow": pyarrow.__version__,
        },
    }


def begin(out: Path, asked: dict[str, Any]) -> None:
    """The folder is new, or was begun with the same settings."""
    beside = run_folder(out)
    told = beside / SETTINGS
    if out.is_dir() and told.is_file():
        if wrong := differences(read_settings(told), asked):
            raise DataError(
                f"{out} was begun with other settings:\n{listing(wrong)}\n"
                "Go on with those, choose another --out, or begin anew: --overwrite"
            )
        return
    shutil.rmtree(beside / ERRORS, ignore_errors=True)
    (beside / ERRORS).mkdir()
    with becoming(told, partial(told)) as file:
        file.write(json.dumps(asked, indent=1).encode())
    out.mkdir()


def read_settings(told: Path) -> dict[str, Any]:
    """Others may have written there, or a disk have lost what it said it had."""
    try:
        found = json.loads(told.read_bytes())
    except ValueError as error:
        found = error
    if not isinstance(found, dict):
        raise DataError(
            f"{told}: expected the settings that the shards were begun with, received {shown(found)}. Choose another "
            "--out, or begin anew: --overwrite"
        )
    return found


def differences(told: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    wrong = [
        f"expected {option} {told.get(key)}, received {asked[key]}"
        for key, option in SAID.items()
        if told.get(key) != asked[key]
    ]
    if told.get("frames") != asked["frames"]:
        wrong.append(f"expected {'' if told.get('frames') else 'no '}--frames, received the opposite")
    if told.get("model_sha256") != asked["model_sha256"]:
        wrong.append(f"expected the model {told.get('model')} as it was, received another in {asked['model']}")
    if told.get("paths") != asked["paths"]:
        wrong.append(
            f"expected the same {told.get('files')} files, received {asked['files']}, others or in other order"
        )
    elif told.get("sizes") != asked["sizes"]:
        wrong.append("expected the files as they were, received some of another size")
    if told.get("format") != FORMAT or told.get("made_by") != asked["made_by"]:
        wrong.append(f"expected the versions {told.get('made_by')}, received {asked['made_by']}")
    return wrong


def remove(out: Path) -> None:
    """What was written; a folder that holds other things stays as it is."""
    if out.is_file():
        return out.unlink()
    if out.is_dir():
        if strange := strange_in(out, [PARTS]):
            raise DataError(
                f"{out} holds {', '.join(strange[:3])}, which this command did not write, so it is not replaced. "
                "Move that away, or choose another --out"
            )
        for path in out.glob(PARTS):
            path.unlink()
        out.rmdir()


def part_name(number: int) -> str:
    return f"part-{number:05}.parquet"


def whole_shards(out: Path) -> list[About]:
    found: list[About] = []
    while (path := out / part_name(len(found))).exists():
        found.append(about(path))
    return found


def write_shard(job: Job, sounds: Iterator[Pieces], first: int, number: int) -> About:
    """The errors first: where the shard is, they are too."""
    name, metadata, options = part_name(number), job.embedder.metadata, job.options
    following, failed = first, list[Failed]()
    make = kept(job.embedder, options.frames, job.beside)
    with table(job.out / name, job.beside / PARTIAL, metadata, options.dtype) as rows:
        for clip in in_order(job.embedder, sounds, make, options.shard_windows):
            with closing(clip.rows):
                error = clip.error or too_large(clip, options.dtype)
                if error is None:
                    rows.add(job.found[following], clip)
                else:
                    failed.append(Failed(job.found[following], str(error)))
            job.watch.finished(following, error)
            following += 1
        write_errors(job.beside / ERRORS / name, job.beside / PARTIAL_ERRORS, failed)
        rows.flush()
        written = About(first, following, rows.rows, len(failed), rows.seconds)
        rows.tell(written)
    return written
