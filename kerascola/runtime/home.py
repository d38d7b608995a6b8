"""Where files are kept that can be had again: made anew or fetched, should somebody delete them."""

import os
from pathlib import Path


def home() -> Path:
    """KERASCOLA_HOME, or the place that the system has for caches."""
    if place := os.environ.get("KERASCOLA_HOME"):
        return Path(place)
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kerascola"
