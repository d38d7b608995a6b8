"""What is read of a Keras archive without Keras, within bounds."""

import struct
import zipfile
import zlib
from pathlib import Path

from kerascola.errors import ModelError, shortened

DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA takes as much memory as a file tells it to
MOST_TIMES, MOST_SPARE = 10, 16 << 20  # its size, and bytes, that an archive unpacks to; of weights it is twice at most


def member(path: Path, name: str, most: int) -> bytes | None:
    """Its content, of at most so many bytes; None where there is none of that name."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file. Expected a Keras model, NAME.keras")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ModelError(f"{path} is not a Keras archive. Expected a file that `model.save('NAME.keras')` wrote")
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(set(names)) < len(names):
                raise ValueError("two members of one name")
            # Of the file, since what a member says of its own compressed size need not be true.
            unpacked, bound = sum(one.file_size for one in archive.infolist()), MOST_TIMES * size + MOST_SPARE
            if unpacked > bound:
                raise ValueError(f"its members are {unpacked} bytes, of at most {bound} for a file of {size}")
            if others := [one.filename for one in archive.infolist() if one.compress_type not in PACKED]:
                raise ValueError(f"{others[0]!r} is neither stored nor deflated")
            if name not in names:
                return None
            with archive.open(name) as file:
                content = file.read(most + 1)
    except DAMAGES as error:
        raise ModelError(
            f"{path} cannot be loaded: {shortened(str(error), 500)}. Get it again from where it comes from"
        ) from error
    if len(content) > most:
        raise ModelError(f"{path}: expected at most {most} bytes of {name}, received more. Get it again from its maker")
    return content
