"""From a recipe and a folder of recordings to `model.keras`."""

from pathlib import Path

import keras

import kerascola
from kerascola.data.folder import Folder
from kerascola.data.pipeline import Batches, collate
from kerascola.encoders import efficientnet
from kerascola.errors import RecipeError
from kerascola.frontends.log_mel import frontend
from kerascola.models.embedder import embedder, save_embedder
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives.cola import Cola
from kerascola.recipes import Recipe
from kerascola.runtime.metadata import Metadata
from kerascola.training.callbacks import Checkpoint, ProgressBar
from kerascola.training.run import Run


def build(recipe: Recipe) -> tuple[keras.Model, Pretrainer, Metadata]:
    """The embedder, the compiled pre-trainer round its parts, and what the embedder's file will say of itself."""
    least = recipe.frontend.samples(efficientnet.MIN_FRAMES)
    if recipe.crop_samples < least:
        raise RecipeError(
            f"{recipe.name}: expected views.crop_seconds >= {least / recipe.frontend.sample_rate:g}, the "
            f"{efficientnet.MIN_FRAMES} frames that the encoder needs; received {recipe.views.crop_seconds:g}"
        )
    keras.utils.set_random_seed(recipe.train.seed)
    front = frontend(recipe.frontend)
    encoder = efficientnet.efficientnet(recipe.frontend.mels, **recipe.encoder.model_dump(exclude={"name"}))
    objective = Cola(**recipe.objective.model_dump(exclude={"name"}))
    pretrainer = Pretrainer(
        front.get_layer("log_mel"),
        encoder,
        objective,
        recipe.crop_samples,
        recipe.views.noise,
        recipe.train.seed,
        name="pretrainer",
    )
    pretrainer.compile(optimizer=keras.optimizers.Adam(recipe.optimizer.learning_rate))
    model = embedder(front, encoder)
    metadata = Metadata(
        sample_rate=recipe.frontend.sample_rate,
        window_samples=recipe.crop_samples,
        hop_samples=recipe.crop_samples,
        min_samples=least,
        dimension=int(model.output.shape[-1]),
        recipe=recipe.name,
        versions={
            "kerascola": kerascola.__version__,
            "keras": keras.__version__,
            "trained on": keras.backend.backend(),
        },
    )
    return model, pretrainer, metadata


def pretrain(recipe: Recipe, data: str | Path, run: Run, resume: bool = False) -> Path:
    """Returns the path of the trained embedder. Killed and started again with `resume`, the losses are the same."""
    run.open(recipe, resume)
    folder = Folder(data, recipe.frontend.sample_rate, recipe.data.unreadable)
    sizes = (recipe.train.batch_size, recipe.clip_samples, recipe.crop_samples)
    batches = Batches(folder, *sizes, seed=recipe.train.seed)
    model, pretrainer, metadata = build(recipe)
    run.begin(recipe, len(folder))
    steps = recipe.train.steps_per_epoch or batches.steps_per_pass
    pretrainer(collate([batches.example(*key) for key in batches.keys(0)[:2]]))  # builds every weight
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    run.restore(pretrainer)

    progress = ProgressBar(recipe.train.epochs, steps, run.epoch)
    with progress.bar:  # also where it is interrupted: a bar that is not closed keeps the terminal's cursor
        pretrainer.fit(
            batches.from_step(run.epoch * steps),
            epochs=recipe.train.epochs,
            initial_epoch=run.epoch,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[Checkpoint(run), progress],
        )
    return save_embedder(model, metadata, run.model)
