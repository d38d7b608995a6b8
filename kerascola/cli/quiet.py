"""Keras, on a backend that is installed and without its chatter on the terminal."""

import logging
import os
import sys
import tempfile
import warnings
from importlib import import_module
from importlib.util import find_spec

from kerascola.cli.doctor import CONVERTERS, chosen_backend
from kerascola.errors import KerascolaError


def import_keras() -> None:
    """TensorFlow writes to the process's stderr while it is imported, before any setting of it is heeded.

    It is held back meanwhile, and shown where the import fails. Keras imports TensorFlow sooner or later on every
    backend, where it is installed.
    """
    backend, said_by = chosen_backend()
    if backend not in CONVERTERS:
        raise KerascolaError(f"expected the Keras backend {' or '.join(CONVERTERS)}, {said_by} says {backend!r}")
    if said_by.startswith("what is installed"):
        print(f"Keras backend: {backend} ({said_by})", file=sys.stderr)
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # says that probes of several shapes retrace
    warnings.filterwarnings("ignore", category=FutureWarning)
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            import_module("keras")
            if find_spec("tensorflow"):
                import_module("tensorflow")
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
