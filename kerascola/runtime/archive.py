"""What is read of a Keras archive without Keras, within bounds."""

import lzma
import struct
import zipfile
import zlib
from pathlib import Path

from kerascola.errors import ModelError

# Of an archive that is damaged, encrypted or compressed in a way that this Python cannot undo.
DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError)


def member(path: Path, name: str, most: int) -> bytes | None:
    """Its content, of at most so many bytes; None where there is none of that name."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file. Expected a Keras model, NAME.keras")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ModelError(f"{path} is not a Keras archive. Expected a file that `model.save('NAME.keras')` wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(set(names)) < len(names):
                raise ValueError("two members of one name")
            if name not in names:
                return None
            with archive.open(name) as file:
                content = file.read(most + 1)
    except DAMAGES as error:
        raise ModelError(f"{path} cannot be loaded: {error}. Get it again from where it comes from") from error
    if len(content) > most:
        raise ModelError(f"{path}: expected at most {most} bytes of {name}, received more. Get it again from its maker")
    return content
