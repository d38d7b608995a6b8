"""A run directory: the recipe, the history, and a checkpoint that is always whole.

recipe.yaml                     what is being run, resolved
history.csv                     a row per epoch
state.json                      the epochs done, how many clips they drew on, where the generators of noise stand
weights-EPOCH.weights.h5        the pre-trainer and its optimiser
model.keras                     the embedder, when training is done
"""

import csv
import json
import os
import warnings
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
        self.clips: int | None = None
        self.generators: list[list[int]] = []

    def open(self, recipe: Recipe, resume: bool) -> None:
        """Read how far it is. Nothing is written before `begin`, so a run that cannot start leaves nothing behind."""
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
        if self.state.exists():
            state = json.loads(self.state.read_text())
            self.history, self.clips, self.generators = state["history"], state["clips"], state["generators"]

    def begin(self, recipe: Recipe, clips: int) -> None:
        """From a folder of `clips` recordings; which ones a step holds depends on how many there are."""
        if self.clips not in (None, clips):
            warnings.warn(
                f"{self.path} was started with {self.clips} recordings and goes on with {clips}: its losses will not "
                "be those of a run that was never stopped",
                stacklevel=2,
            )
        self.clips = clips
        self.path.mkdir(parents=True, exist_ok=True)
        self.replace(self.path / "recipe.yaml", recipe.to_yaml())

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
            for generator, state in zip(generators(model), self.generators, strict=True):
                generator.assign(state)

    def save(self, model: keras.Model, logs: dict[str, float]) -> None:
        """After an epoch. All else is complete before `state.json` counts it, so a kill loses no epoch."""
        history = [*self.history, {"epoch": self.epoch + 1, **logs}]
        model.save_weights(self.weights(len(history)), overwrite=True)
        with (self.path / "history.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, fieldnames=list(history[0]))
            table.writeheader()
            table.writerows(history)
        states = [keras.ops.convert_to_numpy(generator).tolist() for generator in generators(model)]
        self.replace(self.state, json.dumps({"clips": self.clips, "generators": states, "history": history}))
        self.history = history
        for old in self.path.glob("weights-*.weights.h5"):
            if old != self.weights(self.epoch):
                old.unlink()

    def replace(self, path: Path, text: str) -> None:
        partial = path.with_name(f".partial-{path.name}")
        partial.write_text(text)
        os.replace(partial, path)


def generators(model: keras.Model) -> list[keras.Variable]:
    """The states of the noise's and the dropouts' generators, which Keras leaves out of a file of weights."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]
