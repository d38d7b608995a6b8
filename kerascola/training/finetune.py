"""From an encoder and recordings with labels to a classifier, and to how good it is on recordings it has not seen.

What pre-training is worth is seen by what it starts from: a pre-trained file or a recipe's random weights, each frozen
under a linear layer or trained with it (DS and RND, DS and SUP in the papers' tables).
"""

import csv
import dataclasses
import io
import json
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerascola.data.manifest import PACKED_FROM, TRAIN
from kerascola.data.pipeline import Batches
from kerascola.data.recordings import Recordings
from kerascola.data.sets import VALID, Sets, labelled, of_known_labels
from kerascola.data.shards import SUFFIX
from kerascola.errors import DataError, RecipeError
from kerascola.evaluation.curves import draw_training
from kerascola.evaluation.metrics import judged, loss_and_accuracy
from kerascola.evaluation.scores import scores
from kerascola.models.classifier import Classifier
from kerascola.models.embedder import parts, save_embedder
from kerascola.models.heads import save_head
from kerascola.objectives.classify import Classify
from kerascola.recipes.schema import Recipe
from kerascola.runtime.metadata import Classes
from kerascola.training import logs
from kerascola.training.determinism import deterministic
from kerascola.training.loop import train
from kerascola.training.optimizers import averaged, optimizer
from kerascola.training.run import Row, Run
from kerascola.training.start import Start, is_file, start_from, views_of
from kerascola.training.step import give_weights
from kerascola.training.swap import faster

ORIGIN = "start.json"


def finetune(
    model: str,
    recipe: Recipe,
    sets: Sets,
    run: Run,
    resume: bool = False,
    log_to: tuple[str, ...] = (),
    *,
    workers: int = 0,
) -> dict[str, Row]:
    """How good it is on each of `sets` but that which it is trained on."""
    section, model = recipe.finetune, str(model)
    logs.check(log_to)
    run.open(recipe, resume)
    origin = origin_of(model, sets, run)
    if section.train.deterministic:
        deterministic()
    keras.utils.set_random_seed(section.train.seed)
    training = of_known_labels(sets[TRAIN], recipe.data.labelled, section.train.seed)
    start = start_from(model, recipe)
    classifier = assembled(start, recipe, len(training.classes))
    batches = batches_of(training, classifier, recipe, workers)
    steps = section.train.steps_per_epoch or batches.steps_per_pass
    classifier.compile(optimizer(section.optimizer, section.schedule, steps, section.train.epochs))
    validate = validation(classifier, sets, recipe)
    run.begin(recipe, len(training))
    run.replace(run.path / ORIGIN, json.dumps(origin, indent=1).encode())
    give_weights(classifier, batches.few())
    run.restore(classifier)
    with faster(classifier), logs.logs(run, recipe, log_to) as log:
        train(
            section.train,
            classifier,
            batches,
            steps,
            run,
            log=log,
            place="finetune.",
            watched=False,
            validate=validate,
        )
    draw_training(run.report, f"{recipe.name}: {run.path.name}", run.history)
    with averaged(classifier):
        whole = save(start, classifier, training.classes, recipe, run)
        return outcome(whole, sets, classifier.views.crop_samples, recipe, run)


def assembled(start: Start, recipe: Recipe, classes: int) -> Classifier:
    section, multi = recipe.finetune, recipe.data.multi_label
    return Classifier(
        start.features,
        start.encoder,
        Classify(classes, multi, mixed=bool(section.mixup) and not multi),
        views_of(recipe, start.metadata),
        section.train.seed,
        frozen=section.frozen,
        standardise=start.standardise,
        name="classifier",
    )


def batches_of(training: Recordings, classifier: Classifier, recipe: Recipe, workers: int) -> Batches:
    section, views = recipe.finetune.train, classifier.views
    size = min(section.batch_size, len(training))
    if size < section.batch_size:
        warnings.warn(f"batches of {size}: there are no more recordings. See finetune.train.batch_size", stacklevel=3)
    of = section.seed, training.labels
    return Batches(training, size, views.crop_samples, views, *of, centred=False, workers=workers)


def validation(classifier: Classifier, sets: Sets, recipe: Recipe) -> Callable[[], Row]:
    """What is measured after each epoch, if there are recordings for it."""
    section = recipe.finetune
    part = next((labelled(sets[name]) for name in VALID if name in sets), None)
    stopping = section.train.early_stopping
    if part is None:
        if stopping and stopping.monitor.startswith("valid"):
            monitor = f"finetune.train.early_stopping.monitor={stopping.monitor}"
            raise RecipeError(f"{monitor} needs recordings of the split valid, received {', '.join(sets)}")
        return dict
    model, window = Logits(classifier), classifier.views.crop_samples

    def validate() -> Row:
        found = scores(model.predict_on_batch, part, window, recipe.data.multi_label, section.average)
        return dict(zip(("valid_loss", "valid_accuracy"), loss_and_accuracy(found, part.labels), strict=True))

    return validate


class Logits(keras.Model):
    """The classifier as a function of windows, at the weights that it has then."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def call(self, waveforms):
        return self.classifier.logits(waveforms)


def save(start: Start, classifier: Classifier, classes: tuple[str, ...], recipe: Recipe, run: Run) -> keras.Model:
    """The encoder and its linear layer, each a plain Keras file; returns them as one."""
    embedder, metadata = start.ship(classifier)
    crop = classifier.views.crop_samples
    metadata = dataclasses.replace(  # a shorter clip ends in silence, in what follows as where it serves
        metadata, window_samples=crop, hop_samples=crop, min_samples=crop
    )
    logits = keras.layers.Dense(len(classes), name="logits")
    head = keras.Sequential([keras.Input((metadata.dimension,), name="embedding"), logits], name="head")
    head.set_weights(classifier.objective.logits.get_weights())
    thaw(embedder)
    save_embedder(embedder, metadata, run.model)
    average = "scores" if recipe.finetune.average == "probabilities" else "logits"
    save_head(head, Classes(classes, recipe.data.multi_label, average), metadata, run.path / "head.keras")
    return keras.Sequential([embedder, head])


def thaw(embedder: keras.Model) -> None:
    """Or else its file would say that the encoder, or each of two side by side, is not to be trained any more."""
    for _, encoder in parts(embedder):
        encoder.trainable = True


def outcome(whole: keras.Model, sets: Sets, window: int, recipe: Recipe, run: Run) -> dict[str, Row]:
    told = {}
    for name in sorted(sets.keys() - {TRAIN}):
        part = labelled(sets[name])
        found = scores(whole.predict_on_batch, part, window, recipe.data.multi_label, recipe.finetune.average)
        run.replace(run.path / f"predictions-{name}.csv", predictions(part, found).encode("utf-8", "backslashreplace"))
        told[name] = judged(found, part.labels)
    run.replace(run.path / "results.json", json.dumps(told, indent=1).encode())
    return told


def predictions(recordings: Recordings, probabilities: np.ndarray) -> str:
    """A row a recording: what it is, what is said, and how sure of each class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    packed = [PACKED_FROM] * any(path.suffix == SUFFIX for path in recordings.paths)
    writer.writerow(["path", "start", *packed, "label", "predicted", *recordings.classes])
    names = np.array(recordings.classes, object)
    for n, (label, row) in enumerate(zip(recordings.labels, probabilities, strict=True)):
        several = np.ndim(label) > 0
        true, said = (names[label > 0], names[row > 0.5]) if several else ([names[label]], [names[row.argmax()]])
        clip = [recordings.paths[n], f"{recordings.starts[n]:.10g}", *[recordings.origins[n]] * len(packed)]
        writer.writerow([*clip, ";".join(true), ";".join(said), *(f"{value:.6f}" for value in row)])
    return text.getvalue()


def origin_of(model: str, sets: Sets, run: Run) -> dict[str, Any]:
    """What the run is of; gone on with from other weights or other recordings it would test on what it has seen."""
    origin = {
        "model": model,
        "sha256": sha256(Path(model).read_bytes()).hexdigest() if is_file(model) else None,
        "classes": list(sets[TRAIN].classes),
        "recordings": {name: digest(part) for name, part in sets.items()},
    }
    file = run.path / ORIGIN
    if run.step and not file.exists():
        raise RecipeError(f"{run.path} holds a run of another kind: name another folder by --run")
    if not file.exists():
        return origin
    before = json.loads(file.read_text())
    if before["sha256"] != origin["sha256"]:
        raise RecipeError(
            f"{run.path} was started from {before['model']}, and {model} is another. Name another folder by --run"
        )
    if before != {**origin, "model": before["model"]}:
        raise DataError(
            f"{run.path} was started with other recordings, labels or splits: what was trained on might be tested on. "
            "Name another folder by --run"
        )
    return origin


def digest(recordings: Recordings) -> str:
    """Of which they are, and of what classes."""
    rows = zip(recordings.paths, recordings.starts, recordings.labels, strict=True)
    return sha256("\n".join(f"{path} {start:.10g} {label}" for path, start, label in rows).encode()).hexdigest()
