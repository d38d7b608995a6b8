import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import contracts
import keras
import numpy as np
import pytest
from models_for_tests import few_blocks

from kerascola.dsp.log_mel import LogMel
from kerascola.encoders.efficientnet import efficientnet
from kerascola.errors import ModelError
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import embedder, load_embedder, save_embedder
from kerascola.runtime.metadata import Classes, Metadata

METADATA = Metadata(
    16000, 16000, 8000, 2800, 320, recipe="tiny", heads={"": Classes(("a", "b"))}, versions={"keras": "x"}
)

OTHER = {"tensorflow": "torch", "torch": "jax", "jax": "tensorflow"}

# Runs where kerascola cannot be imported: a user's own process.
ELSEWHERE = """
import sys, importlib.abc
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "kerascola":
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1], safe_mode=True)
waves = np.load(sys.argv[2])
np.save(sys.argv[3], model.predict_on_batch(waves))
assert "kerascola" not in sys.modules
"""


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    with few_blocks():
        return embedder(frontend(LogMel()), efficientnet(width=0.25))


@pytest.fixture(scope="module")
def waves() -> np.ndarray:
    return np.random.default_rng(0).normal(scale=0.1, size=(3, 5399)).astype(np.float32)


def test_it_is_plain_keras_with_two_named_parts(model):
    contracts.check_plain(model)
    assert [layer.name for layer in model.layers] == ["waveform", "frontend", "encoder", "embedding"]


def test_another_backend_loads_it_without_kerascola(model, waves, tmp_path):
    """In a ring: every backend saves for one of the others, and loads from one."""
    save_embedder(model, METADATA, tmp_path / "model.keras")
    np.save(tmp_path / "waves.npy", waves)
    arguments = [str(tmp_path / name) for name in ("model.keras", "waves.npy", "out.npy")]
    environment = {**os.environ, "KERAS_BACKEND": OTHER[keras.backend.backend()]}
    subprocess.run([sys.executable, "-c", ELSEWHERE, *arguments], env=environment, check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), model.predict_on_batch(waves), atol=1e-5)


def test_the_file_carries_its_metadata(model, waves, tmp_path):
    path = save_embedder(model, METADATA, tmp_path / "model.keras")
    loaded, metadata = load_embedder(path)
    assert metadata == METADATA
    np.testing.assert_allclose(loaded.predict_on_batch(waves), model.predict_on_batch(waves), atol=1e-6)
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("kerascola.json"))["sample_rate"] == 16000


def test_parts_survive_a_users_own_saving_and_metadata_does_not(model, tmp_path):
    path = save_embedder(model, METADATA, tmp_path / "model.keras")
    keras.saving.load_model(path).save(tmp_path / "again.keras")
    loaded, metadata = load_embedder(tmp_path / "again.keras")
    assert metadata is None
    assert {"frontend", "encoder"} <= {layer.name for layer in loaded.layers}


def test_a_save_that_fails_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = save_embedder(model, METADATA, tmp_path / "model.keras")
    kept = path.read_bytes()

    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail)
    with pytest.raises(OSError, match="disk full"):
        save_embedder(model, METADATA, path)
    assert path.read_bytes() == kept
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.keras"]


def test_what_is_not_a_model_is_said(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        load_embedder(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(ModelError, match="not a Keras archive"):
        load_embedder(tmp_path / "text.keras")


def rewritten(path, out, name: str, content: bytes):
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as other:
        for one in archive.namelist():
            other.writestr(one, content if one == name else archive.read(one))
    return out


def test_code_in_a_file_is_not_run(tmp_path):
    waveform = keras.Input((None,))
    keras.Model(waveform, keras.layers.Lambda(lambda x: x * 2)(waveform)).save(tmp_path / "code.keras")
    with pytest.raises(ModelError, match="code.keras: expected a model that Keras .* can load in safe mode, received"):
        load_embedder(tmp_path / "code.keras")


@pytest.mark.once("Keras reads the configuration before a backend does anything")
@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b"{}",
        b'{"module": "os", "class_name": "system", "config": "true"}',
        b'{"module": "builtins", "class_name": "exec", "config": {}, "registered_name": "exec"}',
        b'{"module": "keras.utils", "class_name": "get_file", "config": {"origin": "file:///etc/passwd"}}',
        b'{"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp"}}',
        b'{"module": "keras", "class_name": "Sequential", "config": {"layers": 3}}',
        b'{"module": "keras", "class_name": "Sequential", "config": ' + b"[" * 100_000,
    ],
)
def test_a_configuration_of_something_else_is_refused(tmp_path, config):
    waveform = keras.Input((None,))
    keras.Model(waveform, keras.layers.Identity()(waveform)).save(tmp_path / "good.keras")
    path = rewritten(tmp_path / "good.keras", tmp_path / "bad.keras", "config.json", config)
    with pytest.raises(ModelError, match="bad.keras: expected a model .*get the file again"):
        load_embedder(path)


@pytest.mark.once("Keras reads the weights the same way on each backend")
@pytest.mark.parametrize("weights", [b"", b"\x89HDF\r\n\x1a\n" + bytes(100), "outside"])
def test_weights_that_are_none_are_refused(tmp_path, weights):
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Dense(2)(x)).save(tmp_path / "good.keras")
    if weights == "outside":
        import h5py

        with zipfile.ZipFile(tmp_path / "good.keras") as archive:
            archive.extract("model.weights.h5", tmp_path)
        os.rename(tmp_path / "model.weights.h5", tmp_path / "other.h5")
        with h5py.File(tmp_path / "links.h5", "w") as file:
            file["layers"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/layers")
        weights = (tmp_path / "links.h5").read_bytes()
    path = rewritten(tmp_path / "good.keras", tmp_path / "bad.keras", "model.weights.h5", weights)
    with pytest.raises(ModelError, match="bad.keras: expected a model .*get the file again"):
        load_embedder(path)


def test_another_dimension_than_it_says_is_refused(tmp_path):
    x = keras.Input((None,))
    model = keras.Model(x, keras.layers.Identity()(keras.ops.stack([keras.ops.max(x, axis=1)] * 3, axis=1)))
    for said in (4, 1):  # numbers of one would be spread over three
        path = save_embedder(model, replace(METADATA, dimension=said, heads={}), tmp_path / "lying.keras")
        with pytest.raises(ModelError, match=rf"lying.keras: expected embeddings of {said} numbers.*received \[3\]"):
            load_embedder(path)
