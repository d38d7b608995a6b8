"""Where an artefact goes: over what was there, whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kerascola.data.files import strange_in
from kerascola.errors import ExportError


def check_new(out: Path, overwrite: bool) -> None:
    if out.exists() and not overwrite:
        raise ExportError(
            f"{out} is there already: replace it by --overwrite (overwrite=True), or name another by --out"
        )


def check_only(folder: Path, ours: Iterable[str], what: str, option: str) -> None:
    """What holds anything else than `ours`, patterns of paths in it, is not replaced, as that would be lost."""
    if strange := strange_in(folder, ours):
        raise ExportError(
            f"{folder} holds {', '.join(strange[:3])}, which {what} does not, so it is not replaced. Move that away, "
            f"or name another by {option}"
        )


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A folder on the same disk to make `out` in. What fails there, as on a full disk, is said of `out`."""
    try:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=out.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error


def put(made: Path, out: Path) -> None:
    """`made`, on the same disk, takes the place of `out`; what was there goes back where that fails."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=out.parent) as folder:
        replaced = Path(folder) / "replaced"
        try:
            if out.is_dir():
                os.replace(out, replaced)
            os.replace(made, out)
        except BaseException:  # which may come between the two
            if os.path.lexists(replaced) and not out.exists():
                os.replace(replaced, out)
            raise
