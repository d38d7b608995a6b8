"""A Keras file at half its size: weights outside the front end in float16, which Keras casts back as it loads them."""

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

from kerascola.errors import ZooError
from kerascola.export.graph import HALF_MOST
from kerascola.runtime.metadata import MEMBER, Metadata

WEIGHTS = "model.weights.h5"
FRONT = "frontend"  # whose filters are a transform, not what was learnt from sounds by small steps
DATE = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same model gives the same file


def rounded(model: Path, out: Path, metadata: Metadata) -> Path:
    """The same archive but for its weights and what it says of itself; refused where a weight is beyond float16."""
    with zipfile.ZipFile(model) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as smaller:
        for name in archive.namelist():
            content = archive.read(name)
            if name == MEMBER:
                content = json.dumps(asdict(metadata), indent=1).encode()
            told = zipfile.ZipInfo(name, DATE)
            told.compress_type = zipfile.ZIP_DEFLATED
            smaller.writestr(told, in_float16(content, str(model)) if name == WEIGHTS else content)
    return out


def in_float16(weights: bytes, source: str) -> bytes:
    made = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as found, h5py.File(made, "w") as smaller:
        if not copied(found, smaller, False, source):
            raise ZooError(
                f"{source}: expected a sub-model `{FRONT}`, whose weights stay float32, received none. Ship what "
                "`kerascola pretrain` wrote"
            )
    return made.getvalue()


def copied(found: h5py.Group, smaller: h5py.Group, exact: bool, source: str) -> bool:
    """Whether there was a front end among it."""
    smaller.attrs.update(found.attrs)
    front = named(found) == FRONT
    seen = front
    for key, item in found.items():
        if isinstance(item, h5py.Group):
            seen |= copied(item, smaller.create_group(key), exact or front, source)
            continue
        values = item[()]
        half = values.dtype == np.float32 and not (exact or front)
        if half and not (np.abs(values) <= HALF_MOST).all():
            raise ZooError(
                f"{source}: expected weights of at most {HALF_MOST:g}, which float16 can hold, received "
                f"{np.abs(values).max():g} in {item.name}. Train it on, with weight decay, or from another seed"
            )
        kept = smaller.create_dataset(key, data=values.astype(np.float16) if half else values)
        kept.attrs.update(item.attrs)
    return seen


def named(group: h5py.Group) -> str:
    """The layer that Keras keeps in this group."""
    return str(group["vars"].attrs.get("name", "")) if "vars" in group else ""
