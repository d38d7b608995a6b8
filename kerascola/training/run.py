"""A run directory: the recipe, the history, and a checkpoint that is always whole.

recipe.yaml                     what is being run, resolved
history.csv                     a row per epoch
state.json                      the epochs done, their history and which weights belong to them
weights-EPOCH.weights.h5        the pre-trainer, its optimiser and its noise generator
model.keras                     the embedder, when training is done
"""

import csv
import json
import os
from pathlib import Path

import keras

from kerascola.errors import RecipeError
from kerascola.recipes import Recipe


class Run:
    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.model = self.path / "model.keras"
        self.state = self.path / "state.json"
        self.history: list[dict[str, float]] = []

    def open(self, recipe: Recipe, resume: bool) -> None:
        """Start afresh, or go on where the same recipe stopped."""
        recipe_file = self.path / "recipe.yaml"
        if recipe_file.exists() and not resume:
            raise RecipeError(
                f"{self.path} holds a run already. Go on with it by --resume, or name another folder by --run"
            )
        if recipe_file.exists() and recipe_file.read_text() != recipe.to_yaml():
            raise RecipeError(
                f"{self.path} was started with another recipe. Compare {recipe_file} with `kerascola recipes "
                "show`; a changed recipe needs a folder of its own: --run"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        recipe_file.write_text(recipe.to_yaml())
        if self.state.exists():
            self.history = json.loads(self.state.read_text())["history"]

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def weights(self, epoch: int) -> Path:
        return self.path / f"weights-{epoch:05d}.weights.h5"

    def restore(self, model: keras.Model) -> None:
        """Needs a built model and optimiser."""
        if self.epoch:
            model.load_weights(self.weights(self.epoch))

    def save(self, model: keras.Model, logs: dict[str, float]) -> None:
        """After an epoch. The weights are complete before `state.json` names them, so a kill loses no epoch."""
        history = [*self.history, {"epoch": self.epoch + 1, **logs}]
        model.save_weights(self.weights(len(history)), overwrite=True)
        self.replace(self.state, json.dumps({"history": history}))
        self.history = history
        with (self.path / "history.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, fieldnames=list(history[0]))
            table.writeheader()
            table.writerows(history)
        for old in self.path.glob("weights-*.weights.h5"):
            if old != self.weights(self.epoch):
                old.unlink()

    def replace(self, path: Path, text: str) -> None:
        partial = path.with_name(f".partial-{path.name}")
        partial.write_text(text)
        os.replace(partial, path)
