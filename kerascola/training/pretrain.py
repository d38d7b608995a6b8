"""From a recipe and recordings to `model.keras`."""

import contextlib
import warnings
from pathlib import Path

import numpy as np

from kerascola.data.draws import kept, unlabelled
from kerascola.data.pipeline import Batches, Stream
from kerascola.data.recordings import FAIL, Recordings
from kerascola.data.sets import to_pretrain, where_labels_are
from kerascola.data.synthesised import SYNTH, Synthesised
from kerascola.encoders.axes import lay_out
from kerascola.errors import DataError
from kerascola.evaluation.curves import draw_training
from kerascola.models.embedder import save_embedder
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives import build as objectives
from kerascola.recipes.schema import Recipe
from kerascola.training import logs
from kerascola.training.assembly import build, shipped, towers_shipped
from kerascola.training.determinism import deterministic
from kerascola.training.further import begin_from, note_origin
from kerascola.training.loop import train
from kerascola.training.optimizers import averaged
from kerascola.training.run import Run
from kerascola.training.step import give_weights, split
from kerascola.training.swap import faster


def pretrain(
    recipe: Recipe,
    data: str | Path,
    run: Run,
    resume: bool = False,
    log_to: tuple[str, ...] = (),
    *,
    start: str | None = None,
    on_bad_file: str = FAIL,
    workers: int = 0,
) -> Path:
    """Returns the path of the trained embedder. Killed and started again with `resume`, the losses are the same.

    `log_to` are of logs.OTHERS; `start` is a trained .keras to begin from; `workers` are processes that read, 0 for
    threads.
    """
    logs.check(log_to)
    run.open(recipe, resume)
    if recipe.train.deterministic:
        deterministic()
    warn_of_equal_views(recipe, rendered=data == SYNTH)
    sizes = (recipe.train.cached_batch or recipe.train.batch_size, recipe.clip_samples)
    views, seed = recipe.augmented_views(), recipe.train.seed
    batches: Stream
    if data == SYNTH:
        if Path(SYNTH).exists():
            warnings.warn(f"sounds are made; what is in the folder {SYNTH} here is meant by ./{SYNTH}", stacklevel=2)
        labels, classes = without_labels(recipe), 1
        batches = Synthesised(recipe.data.synth, *sizes, views, seed, labels, workers=workers)
    else:
        recordings = to_pretrain(recipe.data, str(data), recipe.frontend.sample_rate, on_bad_file)
        labels, classes = labels_of(recordings, recipe), max(len(recordings.classes), 1)
        batches = Batches(recordings, *sizes, views, seed, labels, workers=workers)
    steps = recipe.train.steps_per_epoch or batches.steps_per_pass
    pretrainer, metadata = build(recipe, steps, classes)
    give_weights(pretrainer, batches.few())
    if start is not None and run.step == 0:
        begin_from(start, recipe, pretrainer, metadata)
    note_origin(start, run)
    run.begin(recipe, len(batches))
    run.restore(pretrainer)
    with faster(pretrainer), logs.logs(run, recipe, log_to) as log:
        train(recipe.train, pretrainer, batches, steps, run, log=log)
    draw_training(run.report, f"{recipe.name}: {run.path.name}", run.history)
    with averaged(pretrainer):
        if recipe.axes:
            lay_out(pretrainer.encoder, heard(pretrainer, batches, run.step, recipe.axes, recipe.train.batch_size))
        for name, (model, about) in towers_shipped(recipe, pretrainer, metadata).items():
            save_embedder(model, about, run.path / f"{name}.keras")
        return save_embedder(*shipped(recipe, pretrainer, metadata), run.model)


def heard(pretrainer: Pretrainer, batches: Stream, step: int, count: int, size: int) -> np.ndarray:
    """[rows, d], the embeddings of all views in so many batches from `step` on, as they are without training.

    `size` clips at a time, where gradient caching has batches of more than fit into memory.
    """
    with contextlib.closing(batches.from_step(step)) as stream:
        pieces = (piece for _ in range(count) for piece in split(next(stream), size))
        made = [pretrainer.predict_on_batch(piece)["views"] for piece in pieces]
    return np.concatenate([views.reshape(-1, views.shape[-1]) for views in made])


def warn_of_equal_views(recipe: Recipe, rendered: bool) -> None:
    """Of one clip, whole and as it is, twice: there is nothing to learn from them but which clip it is."""
    views, two = recipe.views, recipe.second is not None
    changed = views.noise or views.waveform or views.spectrogram or (rendered and recipe.data.synth.delta)
    apart = recipe.clip_samples > recipe.crop_samples and views.kind != "same"
    if not (changed or two or apart):
        warnings.warn(
            f"{recipe.name} makes two views of a clip that are the same samples: data.clip_seconds is "
            f"{recipe.data.clip_seconds:g} and so is a crop, and nothing alters them. Take longer clips, as by "
            f"--set data.clip_seconds={2 * recipe.views.crop_seconds:g}, or augmentations",
            stacklevel=2,
        )


def without_labels(recipe: Recipe) -> np.ndarray | None:
    """Of sounds that are made: none for an objective that may know of some."""
    name, needs = recipe.objective.name, objectives.KINDS[recipe.objective.name].labelled
    if needs == "no":
        return None
    if needs == "all":
        raise DataError(
            f"the objective {name} needs labels, and what {SYNTH} makes has none: name recordings by --data"
        )
    warnings.warn(f"{SYNTH} has no labels. The objective {name} goes on without", stacklevel=2)
    return np.full(recipe.data.synth.sounds, -1, np.int32)


def labels_of(recordings: Recordings, recipe: Recipe) -> np.ndarray | None:
    """What the objective may know of the labels, None for one that needs none."""
    name, needs = recipe.objective.name, objectives.KINDS[recipe.objective.name].labelled
    if needs == "no":
        return None
    if recipe.data.multi_label and name != "classify":
        raise DataError(f"the objective {name} takes one label of a recording: data.multi_label=false, or classify")
    if not recordings.classes:
        said = f"{recordings.source} has no labels: {where_labels_are(recipe.data)}"
        if needs == "all":
            raise DataError(f"the objective {name} needs labels. {said}")
        warnings.warn(f"{said}. The objective {name} goes on without", stacklevel=2)
    labels = kept(recordings.labels, recipe.data.labelled, recipe.train.seed)
    missing = int(unlabelled(labels).sum())
    if needs == "all" and missing:
        raise DataError(
            f"the objective {name} needs all labels: {missing} of {len(labels)} recordings in {recordings.source} are "
            f"without (those that have none, and what data.labelled={recipe.data.labelled:g} leaves out). The "
            "objective clar takes any share"
        )
    return labels
