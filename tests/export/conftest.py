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


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Exported:
    model = small_embedder()
    metadata = metadata_of(model)
    return Exported(model, metadata, save_embedder(model, metadata, tmp_path_factory.mktemp("small") / "small.keras"))
