"""What a user may name as a model, and the file that it is.

What knows of addresses and zoos is imported where it is needed: it would be a tenth of the start of a model by path.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kerascola.errors import ModelError, nearest

if TYPE_CHECKING:
    from kerascola.runtime.address import Watch

PREFIX = "zoo:"
SUFFIXES = (".onnx", ".keras")
ACCEPTED = "a file NAME.onnx or NAME.keras, its address (https:// or hf://), or a name of the zoo"


def model_file(model: str | os.PathLike[str], kind: Literal["onnx", "keras"], watch: "Watch | None" = None) -> Path:
    """A path as it is; the file at an address; or of a name in the zoo the file of that kind."""
    if not isinstance(model, str | os.PathLike):
        raise ModelError(f"expected {ACCEPTED}, received a {type(model).__name__}")
    name = os.fspath(model)
    is_elsewhere = "://" in name or name.startswith(PREFIX)
    if not is_elsewhere and (isinstance(model, os.PathLike) or name.endswith(SUFFIXES) or Path(name).is_file()):
        return Path(name)
    return _found(name, kind, watch)


def _found(name: str, kind: Literal["onnx", "keras"], watch: "Watch | None") -> Path:
    from kerascola.runtime.address import is_address, kept, unwatched
    from kerascola.runtime.catalogue import file_of, holds, open_zoo, record_of

    watch = watch or unwatched
    if is_address(name):
        return kept(name, watch)
    if name.startswith(PREFIX):
        zoo = open_zoo()
        return file_of(zoo, record_of(zoo, name.removeprefix(PREFIX)), kind, watch)
    zoo = open_zoo()
    if name in zoo.records:
        return file_of(zoo, zoo.records[name], kind, watch)
    if Path(name).exists():
        return Path(name)
    raise ModelError(f"expected {ACCEPTED}, received {name!r}{nearest(name, zoo.records, 3)} {holds(zoo)}")


def is_named(model: str) -> bool:
    """Whether it is an address or a name of the zoo, and not a path."""
    from kerascola.runtime.address import is_address
    from kerascola.runtime.catalogue import open_zoo
    from kerascola.runtime.record import is_name

    if is_address(model) or model.startswith(PREFIX):
        return True
    return is_name(model) and not Path(model).is_file() and model in open_zoo().records


def title(model: str) -> str:
    """What to call it in a table."""
    from kerascola.runtime.address import file_name, is_address

    last = file_name(model) if is_address(model) else Path(model.removeprefix(PREFIX)).name
    return last.removesuffix(".onnx").removesuffix(".keras")
