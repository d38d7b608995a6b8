"""Layers in int8: what is written, what it is held to, and when it is refused."""

import shutil
import warnings

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
from keras import layers, ops
from models_for_tests import metadata_of, narrow_embedder, randomise

from kerascola import Embedder
from kerascola.data.made import write_sounds
from kerascola.data.recordings import untracked
from kerascola.dsp.log_mel import LogMel
from kerascola.errors import ExportError
from kerascola.export import probes
from kerascola.export.calibration import Sounds, accuracy_on, sounds_for
from kerascola.export.cli import main
from kerascola.export.int8 import likeness
from kerascola.export.onnx_file import export_onnx
from kerascola.export.quantize import Quantize
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import embedder, save_embedder

KINDS = ("Conv", "MatMul", "Gemm")


def quiet(line: str) -> None: ...


def sounds_of(metadata, accuracy=None) -> Sounds:
    waves = probes.sounds(96, metadata.window_samples, metadata.sample_rate)
    return Sounds("sounds", waves[::2], waves[1::2], accuracy)


def chirps(metadata) -> np.ndarray:
    """Unlike the sounds that it was calibrated on and judged by."""
    rng = np.random.default_rng(3)
    time = np.arange(metadata.window_samples) / metadata.sample_rate
    pitch = rng.uniform(100, 4000, (20, 1))
    waves = np.sin(2 * np.pi * pitch * time * (1 + time)) + 0.1 * rng.standard_normal((20, len(time)))
    return waves.astype(np.float32)


def in_int8(path) -> tuple[list[str], list[str]]:
    """Names of the layers whose weights are int8, and of those whose are not."""
    graph = onnx.load(path).graph
    constants = {held.name: held.data_type for held in graph.initializer}
    sources = {node.output[0]: node for node in graph.node}
    found: tuple[list[str], list[str]] = ([], [])
    for node in graph.node:
        if node.op_type not in KINDS:
            continue
        made = sources.get(node.input[1])
        quantised = made is not None and made.op_type == "DequantizeLinear"
        assert not quantised or constants[made.input[0]] == onnx.TensorProto.INT8
        found[not quantised].append(node.name)
    return found


def cosines(reference: np.ndarray, received: np.ndarray) -> np.ndarray:
    a, b = reference - reference.mean(axis=0), received - reference.mean(axis=0)
    return np.einsum("nd,nd->n", a, b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_a_resnet_in_int8_gives_nearly_its_embeddings(tmp_path):
    model, metadata = narrow_embedder("resnet", "log_mel")
    told = export_onnx(model, metadata, tmp_path / "int8.onnx", quiet, int8=sounds_of(metadata))
    low, high = in_int8(tmp_path / "int8.onnx")
    assert len(low) >= 6 and all(name.startswith("encoder/") for name in low)
    assert high and not any(name.startswith("encoder/") for name in high)  # the front end's products
    assert told.verified["int8_share"] == 1 and told.verified["int8_least_cosine"] >= 0.95
    embed, waves = Embedder(tmp_path / "int8.onnx"), chirps(metadata)
    assert embed.metadata.verified == told.verified
    own = keras.ops.convert_to_numpy(model.predict_on_batch(waves))
    received = embed.run(list(waves))
    assert 0.97 < cosines(own, received).mean() < 0.999999  # near, and not the same


def apart(narrow: bool) -> keras.Model:
    """Its first layer gives one channel that is three thousand times louder than the others, of which 8 bits keep
    nothing; its second makes up for that. With `narrow` these two are most of the network."""
    spec = LogMel(mels=48)
    spectrogram = keras.Input((None, 48), name="spectrogram")
    x = layers.Conv2D(8, 3, padding="same", name="loud")(ops.expand_dims(spectrogram, -1))
    x = layers.Conv2D(8 if narrow else 12, 3, padding="same", activation="relu", name="even")(x)
    x = layers.Conv2D(2 if narrow else 24, 1 if narrow else 3, padding="same", activation="relu")(x)
    if not narrow:
        x = layers.Conv2D(24, 3, padding="same")(x)
    model = embedder(frontend(spec), keras.Model(spectrogram, ops.max(x, axis=(1, 2)), name="encoder"))
    randomise(model)
    encoder = model.get_layer("encoder")
    kernel, bias = (np.array(w) for w in encoder.get_layer("loud").get_weights())
    encoder.get_layer("loud").set_weights([kernel * [3000, *[1] * 7], bias])
    kernel, bias = (np.array(w) for w in encoder.get_layer("even").get_weights())
    encoder.get_layer("even").set_weights([kernel / np.array([3000, *[1] * 7])[:, None], bias])
    return model


@pytest.mark.once("what it does to the graph is the same")
def test_layers_that_cannot_bear_it_stay_in_float32(tmp_path):
    model, said = apart(narrow=False), []
    metadata = metadata_of(model)
    told = export_onnx(model, metadata, tmp_path / "int8.onnx", said.append, int8=sounds_of(metadata))
    low, high = in_int8(tmp_path / "int8.onnx")
    kept = [name for name in high if name.startswith("encoder/")]
    assert kept and low and len(kept) + len(low) == 4
    assert any("Looking for those that do the harm" in line for line in said)
    assert 0.5 <= told.verified["int8_share"] < 1
    own = keras.ops.convert_to_numpy(model.predict_on_batch(chirps(metadata)))
    assert cosines(own, Embedder(tmp_path / "int8.onnx").run(list(chirps(metadata)))).min() > 0.9


@pytest.mark.once("what it does to the graph is the same")
def test_what_cannot_be_saved_is_refused_with_the_numbers(tmp_path):
    model = apart(narrow=True)
    with pytest.raises(ExportError, match=r"expected a cosine of 0.9900.*received a cosine of .*--quantize fp16"):
        export_onnx(model, metadata_of(model), tmp_path / "m.onnx", quiet, int8=sounds_of(metadata_of(model)))
    assert not list(tmp_path.iterdir())


@pytest.mark.once("what it does to the graph is the same")
@pytest.mark.parametrize("lost", [0.004, 0.02])
def test_half_a_point_of_accuracy_may_be_lost(tmp_path, lost):
    model, metadata = narrow_embedder("resnet", "log_mel")

    def accuracy(path) -> float:
        low, _ = in_int8(path)
        return 0.9 - lost * bool(low)

    work = {"int8": sounds_of(metadata, accuracy)}
    if lost < 0.005:
        told = export_onnx(model, metadata, tmp_path / "m.onnx", quiet, **work)
        assert told.verified["int8_points_lost"] == pytest.approx(0.4)
        return
    with pytest.raises(ExportError, match=r"0.50 points of accuracy lost.*2.00 points of accuracy lost"):
        export_onnx(model, metadata, tmp_path / "m.onnx", quiet, **work)


def test_likeness_is_of_what_sets_embeddings_apart():
    rng = np.random.default_rng(0)
    common, apart = 100.0, rng.normal(size=(50, 8))
    mean, least = likeness(common + apart, common + rng.normal(size=(50, 8)))
    assert abs(mean) < 0.2 and least < 0  # plain cosines are all above 0.999
    assert likeness(common + apart, common + apart) == pytest.approx((1, 1))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled") / "sounds"
    list(write_sounds(folder, 60, 3, 0.3, 16000, 0.05, seed=1))
    return folder


@pytest.mark.once("reads and draws, with NumPy")
def test_windows_are_of_the_users_recordings(recordings, tmp_path):
    metadata = narrow_embedder("resnet", "log_mel")[1]
    with sounds_for(metadata, Quantize("int8", str(recordings))) as sounds:
        waves = np.concatenate([sounds.calibration, sounds.judged])
        assert waves.shape == (60, metadata.window_samples) and sounds.what == "recordings"
        known = {soundfile.read(path, dtype="float32")[0][:100].tobytes() for path in recordings.rglob("*.wav")}
        assert {wave[:100].tobytes() for wave in waves} == known  # each once, whole, and then again from its start
        np.testing.assert_array_equal(waves[:, 4800:4900], waves[:, :100])
    soundfile.write(tmp_path / "one.wav", np.zeros(20 * metadata.window_samples), 16000)
    with (
        pytest.raises(ExportError, match="at least 32 windows of 0.5 s .* received 20"),
        sounds_for(metadata, Quantize("int8", str(tmp_path))),
    ):
        pass


@pytest.mark.once("reads and draws, with NumPy")
def test_broken_recordings_are_left_out_and_told(recordings, tmp_path):
    metadata = narrow_embedder("resnet", "log_mel")[1]
    folder = shutil.copytree(recordings, tmp_path / "some")
    paths = sorted(folder.rglob("*.wav"))
    for path in paths[:5]:
        soundfile.write(path.with_suffix(".flac"), soundfile.read(path)[0], 16000)
        cut(path.with_suffix(".flac"))
        path.unlink()
    with (
        pytest.warns(UserWarning, match="left out, 5 of 60 windows: .*flac"),
        sounds_for(metadata, Quantize("int8", str(folder))) as sounds,
    ):
        assert len(sounds.calibration) + len(sounds.judged) == 55
    for path in paths[5:]:
        path.unlink()
    for number, path in enumerate(sorted(folder.rglob("*.flac")) * 8):
        shutil.copy(path, path.with_name(f"again-{number}.flac"))
    with (
        pytest.raises(ExportError, match="45 of 45 windows cannot be read: .*flac"),
        sounds_for(metadata, Quantize("int8", str(folder))),
    ):
        pass


def cut(path) -> None:
    """Its header says more than there is."""
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.once("made with NumPy")
def test_synthesised_windows_have_silence_in_both_halves():
    metadata = narrow_embedder("resnet", "log_mel")[1]
    with sounds_for(metadata, Quantize("int8")) as sounds:
        for waves in (sounds.calibration, sounds.judged):
            assert waves.shape == (128, metadata.window_samples) and np.isfinite(waves).all()
            assert 10 <= (waves[:, -10:] == 0).all(axis=1).sum() <= 50
        assert not np.isin(sounds.calibration[:, 5], sounds.judged[:, 5]).any()
    with sounds_for(metadata, Quantize()) as sounds:
        assert sounds is None


@pytest.mark.once("the probe is the same")
def test_a_probe_tells_what_was_lost(recordings, tmp_path):
    model, metadata = narrow_embedder("small", "log_mel")
    export_onnx(model, metadata, tmp_path / "good.onnx", quiet, compare=False)
    deaf = keras.models.clone_model(model)
    deaf.set_weights([0 * np.array(w) for w in model.get_weights()])
    export_onnx(deaf, metadata, tmp_path / "deaf.onnx", quiet, compare=False)
    with pytest.warns(UserWarning, match="measured on 12 clips, where one is 8.3 points: 200 or more"):
        accuracy, clips = accuracy_on(str(recordings), metadata, tmp_path / "cache", untracked)
    assert clips == 12  # a fifth of them
    assert accuracy(tmp_path / "good.onnx") > accuracy(tmp_path / "deaf.onnx") + 0.2


@pytest.mark.once("reads and draws, with NumPy")
def test_enough_clips_are_judged_by_without_a_warning(recordings, tmp_path):
    rows = [f"{path},{path.parent.name}" for path in sorted(recordings.rglob("*.wav"))] * 17
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    metadata = narrow_embedder("small", "log_mel")[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert accuracy_on(str(tmp_path / "list.csv"), metadata, tmp_path, untracked)[1] >= 200


@pytest.mark.once("reads and draws, with NumPy")
def test_labels_that_cannot_be_judged_by(recordings, tmp_path):
    """What is said names no option that the command has not."""
    metadata = narrow_embedder("small", "log_mel")[1]
    with pytest.raises(ExportError, match="low has no labels: expected --labels of a folder for each class") as told:
        flat = shutil.copytree(next(path for path in recordings.iterdir() if path.is_dir()), tmp_path / "low")
        accuracy_on(str(flat), metadata, tmp_path, untracked)
    assert "--label " not in str(told.value)
    some = shutil.copytree(recordings, tmp_path / "some")
    first, *others = sorted(some.rglob("*.wav"))
    soundfile.write(first.with_suffix(".flac"), soundfile.read(first)[0], 16000)
    cut(first.with_suffix(".flac"))
    first.write_text("no sound")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        accuracy, clips = accuracy_on(str(some), metadata, tmp_path, untracked)
    said = "\n".join(str(each.message) for each in warned)
    assert said.count(first.name) == 1 and said.count(first.with_suffix(".flac").name) == 1
    assert "--on-bad-file" not in said and clips == 12


@pytest.mark.once("it is the same command")
def test_the_command_says_what_was_held_and_refuses_what_it_cannot(recordings, tmp_path, capsys):
    model, metadata = narrow_embedder("resnet", "log_mel")
    file = str(save_embedder(model, metadata, tmp_path / "m.keras"))
    asked = ["--calibrate", str(recordings), "--labels", str(recordings)]
    assert main([file, *asked]) == 1
    assert "--calibrate and --labels are for --quantize int8" in capsys.readouterr().err
    assert main([file, "--quantize", "int8", "--format", "saved_model"]) == 1
    assert "int8 is for the format onnx" in capsys.readouterr().err
    assert main([file, "--quantize", "int8", *asked]) == 0
    told = capsys.readouterr().out
    assert "its graph in float32 verified against Keras" in told and "points of accuracy lost on 12 clips" in told
    assert onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).get_outputs()[0].name == "embedding"
