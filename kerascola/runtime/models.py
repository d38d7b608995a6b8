"""What a user may name as a model, and the file that it is."""

import os
from pathlib import Path
from typing import Literal

from kerascola.errors import ModelError, nearest
from kerascola.runtime.address import Watch, file_name, is_address, kept, unwatched
from kerascola.runtime.catalogue import file_of, holds, open_zoo, record_of
from kerascola.runtime.record import is_name

PREFIX = "zoo:"
SUFFIXES = (".onnx", ".keras")
ACCEPTED = "a file NAME.onnx or NAME.keras, its address (https:// or hf://), or a name of the zoo"


def model_file(model: str | os.PathLike[str], kind: Literal["onnx", "keras"], watch: Watch = unwatched) -> Path:
    """A path as it is; the file at an address; or of a name in the zoo the file of that kind."""
    if not isinstance(model, str | os.PathLike):
        raise ModelError(f"expected {ACCEPTED}, received a {type(model).__name__}")
    name = os.fspath(model)
    if is_address(name):
        return kept(name, watch)
    if name.startswith(PREFIX):
        zoo = open_zoo()
        return file_of(zoo, record_of(zoo, name.removeprefix(PREFIX)), kind, watch)
    if isinstance(model, os.PathLike) or name.endswith(SUFFIXES) or Path(name).is_file():
        return Path(name)
    zoo = open_zoo()
    if name in zoo.records:
        return file_of(zoo, zoo.records[name], kind, watch)
    if Path(name).exists():
        return Path(name)
    raise ModelError(f"expected {ACCEPTED}, received {name!r}{nearest(name, zoo.records, 3)} {holds(zoo)}")


def is_named(model: str) -> bool:
    """Whether it is an address or a name of the zoo, and not a path."""
    if is_address(model) or model.startswith(PREFIX):
        return True
    return is_name(model) and not Path(model).is_file() and model in open_zoo().records


def title(model: str) -> str:
    """What to call it in a table."""
    last = file_name(model) if is_address(model) else Path(model.removeprefix(PREFIX)).name
    return last.removesuffix(".onnx").removesuffix(".keras")
