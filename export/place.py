"""Where an artefact goes: over what was there, whole or not at all."""

import os
import tempfile
from pathlib import Path


def put(made: Path, out: Path) -> None:
    """`made`, on the same disk, takes the place of `out`; what was there goes back where that fails."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=out.parent) as folder:
        replaced = Path(folder) / "replaced"
        if out.is_dir():
            os.replace(out, replaced)
        try:
            os.replace(made, out)
        except OSError:
            if replaced.exists():
                os.replace(replaced, out)
            raise
