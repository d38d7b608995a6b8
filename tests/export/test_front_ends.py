"""When the hand-written front end is taken, and what is lowered by the backend instead."""

import dataclasses

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import ops
from models_for_tests import metadata_of, randomise, small_embedder, small_encoder

from kerascola.dsp.log_mel import LogMel
from kerascola.errors import ExportError
from kerascola.export.cli import main
from kerascola.export.log_mel_graph import log_mel_graph
from kerascola.export.onnx_file import hand_written, lower
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import split


def with_altered_weights() -> keras.Model:
    model = frontend(LogMel())
    mel = model.get_layer("features").get_layer("mel")
    mel.set_weights([1.02 * np.asarray(mel.get_weights()[0])])
    return model


def in_front_of(front: keras.Model, encoder: keras.Model, last=lambda x: x) -> keras.Model:
    waveform = keras.Input((None,), dtype="float32")
    return keras.Model(waveform, last(encoder(front(waveform))))


def check_embeddings(proto: onnx.ModelProto, model: keras.Model) -> None:
    waves = np.random.default_rng(0).standard_normal((2, 4001)).astype(np.float32)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = model.predict_on_batch(waves)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(session.run(["embedding"], {"waveform": waves})[0], expected, rtol=0, atol=1e-4)


def test_the_preset_gets_the_hand_written_graph(small):
    said: list[str] = []
    proto = lower(small.model, small.metadata, said.append)
    assert said == [f"lowering the encoder from {keras.backend.backend()}"]
    ahead = [node.op_type for node in proto.graph.node if node.name.startswith("frontend/")]
    assert ahead == [node.op_type for node in log_mel_graph(LogMel()).graph.node]
    assert sum(node.op_type == "Conv" for node in proto.graph.node) == 1
    check_embeddings(proto, small.model)


@pytest.mark.parametrize(
    "front",
    [
        lambda: frontend(LogMel(low_hz=61.0)),
        lambda: frontend(LogMel(high_hz=7799.0)),
        lambda: frontend(LogMel(level_samples=15000)),
        lambda: frontend(LogMel(floor=2e-5)),
        lambda: frontend(LogMel(hop=80)),
        lambda: frontend(LogMel(mels=40)),
        with_altered_weights,
    ],
    ids=["low", "high", "level", "floor", "hop", "mels", "weights"],
)
def test_any_other_does_not(small, front):
    assert hand_written(front(), small.metadata) is None


def test_the_models_own_specification_gets_a_graph(small):
    """No preset: the metadata says what it is."""
    spec = LogMel(low_hz=61.0, hop=80)
    known = metadata_of(small.model, frontend=dataclasses.asdict(spec))
    assert hand_written(frontend(spec), known) is not None
    assert hand_written(frontend(LogMel(low_hz=62.0, hop=80)), known) is None, "what the metadata says is not true"
    assert hand_written(frontend(LogMel()), known) is not None, "a preset still is"


def test_a_specification_that_cannot_be(small):
    known = metadata_of(small.model, frontend={"name": "log_mel", "hop": 0})
    with pytest.raises(ExportError, match="log-mel front end that cannot be: expected 0 < hop <= window"):
        hand_written(frontend(LogMel()), known)


def test_another_front_end_is_lowered_and_said_and_right(tmp_path, capsys):
    """Saved by Keras itself, so that its metadata comes from the options."""
    model = small_embedder(LogMel(low_hz=61.0))
    model.save(tmp_path / "other.keras")
    options = ["--sample-rate", "16000", "--window-samples", "8000", "--min-samples", "2800"]
    assert main([str(tmp_path / "other.keras"), *options]) == 0
    said = capsys.readouterr()
    assert f"no hand-written graph matches this front end: lowering it from {keras.backend.backend()}" in said.err
    assert "verified against Keras" in said.out and "[batch, samples at 16000 Hz] -> [batch, 8]" in said.out
    proto = onnx.load(tmp_path / "other.onnx")
    assert sum(node.op_type == "Conv" for node in proto.graph.node) == 2
    props = {p.key: p.value for p in proto.metadata_props}
    assert (props["sample_rate"], props["hop_samples"], props["min_samples"]) == ("16000", "8000", "2800")
    check_embeddings(proto, model)


def test_what_does_not_fall_into_front_end_and_encoder_is_lowered_whole():
    """Here an operation follows the encoder: to drop it would be wrong."""
    model = in_front_of(frontend(LogMel()), small_encoder(), last=lambda x: ops.tanh(0.1 * x))
    randomise(model)
    said: list[str] = []
    proto = lower(model, metadata_of(model), said.append)
    assert said == [f"no sub-models `frontend` and `encoder`: lowering the whole model from {keras.backend.backend()}"]
    check_embeddings(proto, model)


def test_split():
    front, encoder = frontend(LogMel()), small_encoder()
    assert split(in_front_of(front, encoder)) == (front, encoder)
    assert split(in_front_of(front, encoder, last=keras.layers.Identity())) == (front, encoder)
    assert split(in_front_of(front, encoder, last=ops.tanh)) is None
    assert split(in_front_of(front, encoder, last=keras.layers.UnitNormalization())) is None
    assert split(encoder) is None
    other = keras.Model(encoder.inputs, encoder.outputs, name="tower")
    assert split(in_front_of(front, other)) is None
