"""Models of which every embedding can be computed by hand, as both files."""

from dataclasses import replace

import pytest
from models_for_tests import statistics_embedder
from onnx_models import METADATA, write_statistics_model

from kerascola.models.embedder import save_embedder


@pytest.fixture
def model(tmp_path):
    """`model("keras", window_samples=...)`: the path of one."""

    def write(suffix: str = "onnx", **known):
        path, metadata = tmp_path / f"model.{suffix}", replace(METADATA, **known)
        if suffix == "onnx":
            return write_statistics_model(path, metadata)
        return save_embedder(statistics_embedder(), metadata, path)

    return write
