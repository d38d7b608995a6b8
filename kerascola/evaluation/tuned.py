"""The same task by training: the encoder fine-tuned, or its network from random weights, in every fold."""

import csv
from pathlib import Path

import numpy as np

from kerascola.data.manifest import TRAIN
from kerascola.data.recordings import Recordings
from kerascola.data.sets import Sets
from kerascola.evaluation.folds import Fold
from kerascola.evaluation.trials import Amount, Task, Trial
from kerascola.recipes.schema import Recipe
from kerascola.training.finetune import finetune
from kerascola.training.run import Run

TUNED, SCRATCH = "fine-tuned", "from scratch"


def tuned(
    name: str, model: str, recipe: Recipe, task: Task, recordings: Recordings, folder: Path, workers: int = 0
) -> Trial:
    """`model` is a file or a recipe, as `finetune` takes it. A run a fold; those that are there are gone on with."""
    scores = []
    for number, fold in enumerate(task.folds, 1):
        run = Run(folder / f"{name.replace(' ', '-')}-{number}")
        finetune(
            model, recipe, sets_of(fold, recordings), run, resume=(run.path / "recipe.yaml").exists(), workers=workers
        )
        scores.append(predicted(run.path / "predictions-test.csv", task.classes))
    count = round(float(np.mean([len(fold.train) for fold in task.folds])))
    return Trial(name, Amount(), 0, np.concatenate(scores), count)


def sets_of(fold: Fold, recordings: Recordings) -> Sets:
    sets = {TRAIN: recordings.where(fold.train), "test": recordings.where(fold.test)}
    return sets | ({"valid": recordings.where(fold.valid)} if len(fold.valid) else {})


def predicted(file: Path, classes: tuple[str, ...]) -> np.ndarray:
    """[clips, classes] of what `finetune` wrote."""
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as lines:
        reader = csv.reader(lines)
        header = next(reader)
        first = len(header) - len(classes)
        return np.array([[float(cell) for cell in row[first:]] for row in reader])
