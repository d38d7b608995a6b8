"""A corpus from where it is published into a folder."""

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from kerascola.data.corpora import corpus
from kerascola.data.corpora.layout import Archive
from kerascola.errors import DataError, FetchError
from kerascola.runtime.fetch import Progress, fetch


def fetch_corpus(name: str, folder: str | Path, progress: Callable[[Archive], Progress]) -> None:
    """Each archive is fetched, unpacked and removed; what is done is not done again."""
    module, folder = corpus(name), Path(folder)
    if not module.ARCHIVES:
        raise DataError(
            f"{name} is not for a program to fetch (licence: {module.LICENCE}). See {module.SOURCE}; once it is there: "
            f"kerascola data manifest {name} FOLDER"
        )
    for archive in module.ARCHIVES:
        done = folder / f".{archive.name}.done"
        if done.exists():
            continue
        path = fetch(archive.url, folder / archive.name, archive.checksum, progress(archive))
        unpack(path, folder)
        done.touch()
        path.unlink()


def unpack(archive: Path, folder: Path) -> None:
    """Nothing lands outside of the folder, whatever the archive's names are."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(folder)
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise FetchError(
            f"{archive}: expected an archive that can be unpacked, received: {error}. Remove it"
        ) from error
