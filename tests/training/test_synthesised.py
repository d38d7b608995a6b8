import json

import numpy as np
import pytest
import soundfile
from keras import ops

from kerascola import recipes
from kerascola.augment.views import Views
from kerascola.cli import main
from kerascola.data.made import write_sounds
from kerascola.data.synthesised import SYNTH, Synthesised, rendered
from kerascola.errors import DataError, RecipeError
from kerascola.models.embedder import load_embedder
from kerascola.models.pretrainer import Pretrainer
from kerascola.recipes.schema import Synth
from kerascola.training.pretrain import pretrain
from kerascola.training.run import Run

once = pytest.mark.once("NumPy, whatever Keras runs on")
RATE, CLIP, CROP = 16000, 2048, 1024


def batches(delta=0.2, sounds=8, batch_size=4, seed=0):
    views = Views(crop_samples=CROP, sound=(CROP, RATE))
    return Synthesised(Synth(delta=delta, sounds=sounds), batch_size, CLIP, views, seed)


@once
def test_a_batch_follows_from_seed_and_step():
    first = [batches().read(step)[0] for step in range(4)]
    again = batches()
    stream = again.from_step(1)
    for expected in first[1:]:
        found = next(stream)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)
    stream.close()
    scenes = np.concatenate([batch["synth.scene"][:, 0] for batch in [*first, batches(seed=1).read(0)[0]]])
    assert len(np.unique(scenes, axis=0)) == 20, "no sound comes again"
    assert again.steps_per_pass == 2 and len(again) == 8


@once
def test_views_have_sounds_of_their_own_that_are_alike_or_one_together():
    apart, together = (batches(delta).read(0)[0] for delta in (0.2, 0))
    assert apart["synth.voices"].shape[1] == 2 and together["synth.voices"].shape[1] == 1
    gap = np.abs(np.diff(apart["synth.voices"], axis=1))
    assert 0.05 < gap.mean() < 0.3
    np.testing.assert_array_equal(*np.swapaxes(apart["synth.does"], 0, 1))
    assert apart["starts"].shape == (4, 2) and apart["starts"].max() <= CLIP - CROP


@once
def test_a_pass_has_a_batch_at_least():
    with pytest.raises(DataError, match="from 4, a batch, received 3"):
        batches(sounds=3)


@pytest.mark.once("a training step on each backend is below, which JAX compiles as a whole")
@pytest.mark.parametrize("delta", [0.2, 0])
def test_crops_are_of_each_view_s_own_sound(delta):
    batch = {name: ops.convert_to_tensor(value) for name, value in batches(delta).read(0)[0].items()}
    still = np.random.default_rng(0).standard_normal((8, 2 * CLIP)).astype(np.float32)

    def normal(shape):
        return ops.convert_to_tensor(still[: int(shape[0])])

    clips, apart = rendered(batch, normal, CLIP, RATE)
    crops = ops.convert_to_numpy(Views(crop_samples=CROP).crops(clips, batch["starts"], apart))
    clips, starts = ops.convert_to_numpy(clips), ops.convert_to_numpy(batch["starts"])
    assert apart == bool(delta) and len(clips) == (8 if delta else 4) and len(crops) == 8
    for view in range(2):
        for n in range(4):
            own = clips[4 * view * apart + n]
            np.testing.assert_array_equal(crops[4 * view + n], own[starts[n, view] :][:CROP])


RECIPE = """
base: cola-dot
frontend: {mels: 32}
encoder: {name: small, filters: 8, dimension: 32}
views: {crop_seconds: 0.128}
objective: {dimension: 32}
data: {clip_seconds: 0.128, synth: {delta: 0.05, sounds: 1000}}
train: {batch_size: 8, epochs: 3, steps_per_epoch: 12}
optimizer: {learning_rate: 3.0e-3}
"""


def test_pre_training_on_them(tmp_path):
    (tmp_path / "made.yaml").write_text(RECIPE)
    recipe = recipes.load(str(tmp_path / "made.yaml"))
    run = Run(tmp_path / "run")
    assert pretrain(recipe, SYNTH, run) == run.model
    losses = [row["loss"] for row in run.history]
    assert losses[-1] < 0.85 * np.log(8) and losses[-1] < losses[0]


def test_a_sketch_is_learnt_beside_and_what_is_shipped_lies_along_its_axes(tmp_path):
    (tmp_path / "made.yaml").write_text(RECIPE)
    changes = ["sketch.frames=2", "axes=5"]
    recipe, run = recipes.load(str(tmp_path / "made.yaml"), changes), Run(tmp_path / "run")
    model, _ = load_embedder(pretrain(recipe, SYNTH, run))
    untold = [row["sketch"] for row in run.history]
    assert untold[-1] < 0.9 * untold[0]
    kernel, bias = model.get_layer("encoder").get_layer("axes").get_weights()
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(32), atol=1e-4)
    assert np.abs(kernel - np.eye(32)).max() > 0.1 and np.abs(bias).max() > 0
    again = Run(run.path)
    pretrain(recipe, SYNTH, again, resume=True)
    turned, _ = load_embedder(again.model)
    sound = np.random.default_rng(0).normal(size=(3, 2048)).astype(np.float32)
    found, expected = (np.abs(each.predict_on_batch(sound)) for each in (turned, model))  # an axis has no sign
    np.testing.assert_allclose(found, expected, atol=1e-2 * expected.max())
    further = Run(tmp_path / "further")
    pretrain(recipe, SYNTH, further, start=str(run.model))
    assert further.model.exists()


@once
def test_axes_hear_the_batches_of_gradient_caching_a_chunk_at_a_time(tmp_path, monkeypatch):
    (tmp_path / "made.yaml").write_text(RECIPE)
    changes = ["train.cached_batch=16", "train.epochs=1", "train.steps_per_epoch=2", "axes=3"]
    sizes, predict = list[int](), Pretrainer.predict_on_batch

    def counted(self, batch):
        sizes.append(len(batch["starts"]))
        return predict(self, batch)

    monkeypatch.setattr(Pretrainer, "predict_on_batch", counted)
    assert pretrain(recipes.load(str(tmp_path / "made.yaml"), changes), SYNTH, Run(tmp_path / "run")).exists()
    assert sizes == [8] * 6


@once
def test_axes_need_more_embeddings_than_these_have_numbers(tmp_path):
    (tmp_path / "made.yaml").write_text(RECIPE)
    with pytest.raises(RecipeError, match="batches of more than 32 embeddings, the numbers of one; 2 give 32"):
        pretrain(recipes.load(str(tmp_path / "made.yaml"), ["axes=2"]), SYNTH, Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@once
def test_objectives_that_take_labels_know_of_none(tmp_path):
    (tmp_path / "made.yaml").write_text(RECIPE.replace("objective: {dimension: 32}", "objective: {name: clar}"))
    changes = ["train.epochs=1", "train.steps_per_epoch=2"]
    run = Run(tmp_path / "run")
    with pytest.warns(UserWarning, match="no labels. The objective clar goes on without"):
        pretrain(recipes.load(str(tmp_path / "made.yaml"), changes), SYNTH, run)
    assert run.history[0]["cross_entropy"] == 0 and run.history[0]["contrast"] > 0
    (tmp_path / "made.yaml").write_text(RECIPE.replace("objective: {dimension: 32}", "objective: {name: classify}"))
    with pytest.raises(DataError, match="classify needs labels"):
        pretrain(recipes.load(str(tmp_path / "made.yaml")), SYNTH, Run(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


@once
def test_files_of_classes(tmp_path):
    """A sound stays as it is when there are more of them, and those of a class are nearer to each other."""
    few, many = (list(write_sounds(tmp_path / str(n), n, 4, 0.5, 8000, 0.05, seed=1)) for n in (6, 32))
    assert [path.relative_to(tmp_path / "6").as_posix() for path in few] == [f"{n % 4}/{n}.wav" for n in range(6)]
    for n, path in enumerate(few):
        np.testing.assert_array_equal(soundfile.read(path)[0], soundfile.read(many[n])[0])
    spectra = []
    for path in many:
        sound, rate = soundfile.read(path)
        assert rate == 8000 and len(sound) == 4000 and 0.001 < np.abs(sound).max() < 0.995
        power = np.log(np.abs(np.fft.rfft(sound))[:2000].reshape(40, 50).mean(axis=1))
        spectra.append(power - power.mean())
    gaps = np.linalg.norm(np.array(spectra)[:, None] - spectra, axis=2)
    same = np.arange(32)[:, None] % 4 == np.arange(32) % 4
    assert gaps[same & ~np.eye(32, dtype=bool)].mean() < 0.6 * gaps[~same].mean()


@once
def test_what_was_stopped_goes_on(tmp_path):
    """The sounds that were whole are left alone, and in the end all are what they would have been."""
    asked = 40, 4, 0.2, 8000, 0.05, 1
    whole = {path.name: path.read_bytes() for path in write_sounds(tmp_path / "whole", *asked)}
    made = write_sounds(tmp_path / "stopped", *asked)
    first = [next(made) for _ in range(20)]
    made.close()
    assert len(list((tmp_path / "stopped").rglob("*.wav"))) == 20
    dates = [path.stat().st_mtime_ns for path in first[:16]]
    assert {path.name: path.read_bytes() for path in write_sounds(tmp_path / "stopped", *asked)} == whole
    assert [path.stat().st_mtime_ns for path in first[:16]] == dates
    with pytest.raises(DataError, match=r"stopped was begun with --seconds 0.2, --seed 1: say that again, or name"):
        next(write_sounds(tmp_path / "stopped", 40, 4, 0.3, 8000, 0.05, 2))


@once
def test_the_command_says_what_it_takes(tmp_path, capsys):
    out = str(tmp_path / "sounds")
    for _ in range(2):
        assert main(["synth", out, "--n", "4", "--classes", "2", "--seconds", "0.2"]) == 0
        assert "4 sounds of 2 classes" in capsys.readouterr().out
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    assert main(["synth", str(tmp_path / "other")]) == 1
    assert "new or empty" in capsys.readouterr().err
    for arguments, said in (
        ((), "was begun with --n 4, --classes 2, --seconds 0.2"),
        (("--classes", "9", "--n", "8"), "--n from 9 to"),
        (("--seconds", "0"), "--seconds from 0.1 to 600, received 0"),
    ):
        assert main(["synth", out, *arguments]) == 1
        assert said in capsys.readouterr().err


@once
def test_what_a_stopped_call_left_is_gone_on_with_or_named(tmp_path):
    asked = 4, 2, 0.1, 8000, 0.05, 0
    killed = tmp_path / "killed"
    killed.mkdir()
    (killed / ".partial-synth.json").write_text("{")  # while its first file was written
    assert len(list(write_sounds(killed, *asked))) == 4
    told = killed / "synth.json"
    said = json.loads(told.read_text())
    told.write_text(json.dumps(said | {"kerascola": "0.0.1"}))
    with pytest.raises(DataError, match="begun by kerascola 0.0.1, .* whose sounds may be others"):
        next(write_sounds(killed, *asked))
    for damaged in ("{", "[1]"):
        told.write_text(damaged)
        with pytest.raises(DataError, match="received it damaged. Remove it"):
            next(write_sounds(killed, *asked))
