"""One model a session that takes little time to lower, and its file."""

from dataclasses import dataclass
from pathlib import Path

import keras
import pytest
from models_for_tests import metadata_of, small_embedder

from kerascola.models.embedder import save_embedder
from kerascola.runtime.metadata import Metadata


@dataclass(frozen=True)
class Exported:
    model: keras.Model
    metadata: Metadata
    path: Path  # the Keras file


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory):
    """JAX compiles a program once for this process and those that it starts, not for each export of one model."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name.upper(), str(value))
            jax.config.update(name, value)
        compilation_cache.reset_cache()  # it settles at the first compilation whether it is used
        yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Exported:
    model = small_embedder()
    metadata = metadata_of(model)
    return Exported(model, metadata, save_embedder(model, metadata, tmp_path_factory.mktemp("small") / "small.keras"))
