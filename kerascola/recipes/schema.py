"""A recipe: its sections, what they must be to each other, and the views that it means."""

from dataclasses import asdict
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, model_validator

from kerascola.augment import views as augment
from kerascola.augment.augmentation import Sound
from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.errors import RecipeError
from kerascola.recipes.sections import (
    Adam,
    Cola,
    Constant,
    Count,
    EfficientNet,
    Encoder,
    FrontEnd,
    Objective,
    OfSpectrograms,
    OfWaveforms,
    Optimizer,
    Schedule,
    Section,
)


class Views(Section):
    count: int = Field(2, ge=1)  # of each clip
    crop_seconds: float = Field(1.0, gt=0)
    kind: Literal["random", "near", "same"] = "random"
    distance_seconds: float | None = Field(None, ge=0)  # of `near`: between the beginnings of two crops, at most
    level: Literal["clip", "crop"] = "clip"  # which of them is brought to the front end's level
    noise: float = Field(0.001, ge=0)  # standard deviation of what is added to the positive
    waveform: tuple[OfWaveforms, ...] = ()  # done to crops, in this order
    spectrogram: tuple[OfSpectrograms, ...] = ()  # done to what the front end makes of them
    standardise: bool = False  # the outcome, by its running mean and deviation; the shipped front end carries them on

    @model_validator(mode="after")
    def near_means_how_near(self) -> "Views":
        if (self.kind == "near") != (self.distance_seconds is not None):
            raise ValueError(
                f"expected distance_seconds with `kind: near` and only there, received {self.distance_seconds} with "
                f"`kind: {self.kind}`"
            )
        return self


class Tower(Section):
    frontend: FrontEnd
    encoder: Encoder


class Sketch(Section):
    """Beside the objective: an embedding also tells its spectrogram, averaged over blocks, by a linear layer."""

    weight: float = Field(1.0, gt=0)  # in the loss, of the share that is not told
    frames: Count = 8
    bands: Count = 2


class Synth(Section):
    """Of `--data synth`: sounds that are made while training."""

    delta: float = Field(0.25, ge=0)  # how far the numbers of a sound's views lie apart; 0: views are of one rendering
    sounds: Count = 51200  # of a pass; each has others


class Data(Section):
    clip_seconds: float = Field(10.0, gt=0)  # of a longer recording, a random stretch of this length is read
    label: str = "label"  # the column of a list that labels are in
    multi_label: bool = False  # whether a recording may have several
    labelled: float = Field(1.0, ge=0, le=1)  # share of each class's labels that objectives may use
    synth: Synth = Synth()
    split: str | None = None  # None: a list's recordings of `train`, if it has such, or else all


class EarlyStopping(Section):
    monitor: Literal["loss", "accuracy", "valid_loss", "valid_accuracy"] = "loss"  # `valid`: of `finetune` only
    patience: Count  # epochs without a change for the better by more than min_delta
    min_delta: float = Field(0.0, ge=0)


class Train(Section):
    batch_size: int = Field(64, ge=2)
    cached_batch: int | None = Field(None, ge=2)  # clips whose loss is taken together, batch_size of them at a time
    epochs: int = Field(100, ge=1)
    steps_per_epoch: int | None = Field(None, ge=1)  # None: once through the data
    seed: int = Field(0, ge=0, lt=2**32)
    early_stopping: EarlyStopping | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"  # of the encoder and what follows
    checkpoint_minutes: float = Field(10.0, ge=0)  # between checkpoints within an epoch; there is one after each
    deterministic: bool = False  # the same bits every time, where the backend is slower for it

    @model_validator(mode="after")
    def chunks_fit(self) -> "Train":
        if self.cached_batch and self.cached_batch % self.batch_size:
            raise ValueError(
                f"expected cached_batch to be a multiple of batch_size {self.batch_size}, received {self.cached_batch}"
            )
        return self


class Finetune(Section):
    """Training with labels of the encoder, whether it comes pre-trained or not, under a linear layer."""

    frozen: bool = False  # the linear layer alone is trained
    crop_seconds: float | None = Field(None, gt=0)  # None: the encoder's own window
    waveform: tuple[OfWaveforms, ...] = ()  # done to crops, as in views
    spectrogram: tuple[OfSpectrograms, ...] = ()
    mixup: float | None = Field(None, ge=0.001, le=1000)  # alpha: of two clips, a share from Beta(alpha, alpha)
    average: Literal["logits", "probabilities"] = "logits"  # over a long clip's windows
    holdout: float = Field(0.2, gt=0, lt=1)  # share of the recordings that is tested on where none are named for it
    optimizer: Optimizer = Adam()
    schedule: Schedule = Constant()
    train: Train = Train()

    @model_validator(mode="before")
    @classmethod
    def named_parts(cls, tree: Any) -> Any:
        return named(tree, {"optimizer": "adam", "schedule": "constant"})

    @model_validator(mode="after")
    def training_fits(self) -> "Finetune":
        if self.train.cached_batch or self.train.precision != "float32":
            raise ValueError("train: expected neither cached_batch nor a precision but float32 here")
        return self


def named(tree: Any, defaults: dict[str, str]) -> Any:
    """A part without a name is the default one."""
    if not isinstance(tree, dict):
        return tree
    parts = {key: {"name": name, **tree[key]} for key, name in defaults.items() if isinstance(tree.get(key), dict)}
    return {**tree, **parts}


DEFAULTS = {
    "frontend": "log_mel",
    "encoder": "efficientnet",
    "objective": "cola",
    "optimizer": "adam",
    "schedule": "constant",
}


class Recipe(Section):
    name: str
    about: str = ""
    frontend: FrontEnd = LogMel()
    encoder: Encoder = EfficientNet()
    second: Tower | None = None  # of the same waveforms: its embeddings are further views for the objective
    views: Views = Views()
    objective: Objective = Cola()
    sketch: Sketch | None = None
    axes: Count | None = (
        None  # batches, heard when training is done, along whose principal axes embeddings are laid out
    )
    optimizer: Optimizer = Adam()
    schedule: Schedule = Constant()
    data: Data = Data()
    train: Train = Train()
    finetune: Finetune = Finetune()

    @model_validator(mode="before")
    @classmethod
    def named_parts(cls, tree: Any) -> Any:
        """A part without a name is the default one; a log-mel's preset is the values that it stands for."""
        tree = named(tree, DEFAULTS)
        if not isinstance(tree, dict):
            return tree
        front = tree.get("frontend")
        if isinstance(front, dict) and front["name"] == "log_mel" and "preset" in front:
            preset = front.pop("preset")
            if preset not in PRESETS:
                raise ValueError(f"frontend.preset: expected one of {', '.join(PRESETS)}, received {preset!r}")
            tree["frontend"] = {**asdict(PRESETS[preset]), **front}
        return tree

    @model_validator(mode="after")
    def crops_fit(self) -> "Recipe":
        if self.views.crop_seconds > self.data.clip_seconds:
            raise ValueError(
                f"expected views.crop_seconds <= data.clip_seconds, received {self.views.crop_seconds:g} > "
                f"{self.data.clip_seconds:g}"
            )
        return self

    @model_validator(mode="after")
    def towers_fit(self) -> "Recipe":
        if self.second is None:
            return self
        first, other = self.frontend, self.second.frontend
        levels = [(front.sample_rate, front.level, front.level_samples) for front in (first, other)]
        if levels[0] != levels[1]:
            raise ValueError(
                "second.frontend: expected the sample_rate, level and level_samples of frontend, "
                f"{levels[0]}; received {levels[1]}"
            )
        if self.views.spectrogram or self.views.standardise or self.objective.name == "byol":
            raise ValueError("second: expected neither views.spectrogram nor views.standardise nor the objective byol")
        return self

    @model_validator(mode="after")
    def views_suffice(self) -> "Recipe":
        """A classifier is content with one, COLA takes exactly two, the others compare two or more."""
        name, count = self.objective.name, self.views.count * (2 if self.second else 1)
        least, most = {"classify": (1, None), "cola": (2, 2)}.get(name, (2, None))
        if count < least or (most and count > most):
            raise ValueError(
                f"the objective {name} takes {least}{'' if most else ' or more'} views of a clip: received views.count "
                f"{self.views.count}{' for each of two encoders' if self.second else ''}"
            )
        return self

    @model_validator(mode="after")
    def caching_fits(self) -> "Recipe":
        if self.train.cached_batch and self.objective.name == "byol":
            raise ValueError(
                "train.cached_batch: the objective byol compares a clip with no others. Expected none here"
            )
        return self

    @model_validator(mode="after")
    def sketch_fits(self) -> "Recipe":
        if self.sketch is None:
            return self
        if self.second or self.train.cached_batch:
            raise ValueError("sketch: expected neither a second encoder nor train.cached_batch beside it")
        image = self.augmented_views().image.shape
        if len(image) < 2 or image[0] < self.sketch.frames or image[1] < self.sketch.bands:
            raise ValueError(
                f"sketch: expected a spectrogram of {self.sketch.frames} frames x {self.sketch.bands} bands or more, "
                f"received {' x '.join(map(str, image))}"
            )
        return self

    @model_validator(mode="after")
    def axes_fit(self) -> "Recipe":
        if self.axes and self.second:
            raise ValueError("axes: expected no second encoder beside them")
        return self

    @model_validator(mode="after")
    def stopping_fits(self) -> "Recipe":
        stopping = self.train.early_stopping
        if stopping and stopping.monitor.startswith("valid"):
            raise ValueError(
                f"train.early_stopping.monitor: expected loss or accuracy here, received {stopping.monitor}, which is "
                "for finetune.train"
            )
        return self

    @model_validator(mode="after")
    def warm_up_fits(self) -> "Recipe":
        for place, section in (("", self), ("finetune.", self.finetune)):
            if section.schedule.warmup_epochs >= section.train.epochs:
                raise ValueError(
                    f"expected {place}schedule.warmup_epochs < {place}train.epochs, received "
                    f"{section.schedule.warmup_epochs:g} >= {section.train.epochs}"
                )
        return self

    @model_validator(mode="after")
    def augmentations_fit(self) -> "Recipe":
        views = self.augmented_views()
        if views.image.shape[0] < 1:
            least = self.frontend.samples(1) / self.frontend.sample_rate
            raise ValueError(
                f"expected views.crop_seconds >= {least:g}, a frame of the front end {self.frontend.name}; "
                f"received {self.views.crop_seconds:g}"
            )
        if views.spectrogram and len(views.image.shape) < 2:
            raise ValueError(
                f"views.spectrogram: the front end {self.frontend.name} makes no spectrograms. Expected none here, "
                f"received {', '.join(a.name for a in self.views.spectrogram)}"
            )
        if self.views.standardise and not isinstance(self.frontend, LogMel):
            raise ValueError(
                f"views.standardise: expected the front end log_mel, which can ship a mean and a deviation, "
                f"received {self.frontend.name}"
            )
        check_chains(views, "views")
        return self

    def augmented_views(self) -> augment.Views:
        front, rate = self.frontend, self.frontend.sample_rate
        frames = front.frames(self.crop_samples)
        return augment.Views(
            crop_samples=self.crop_samples,
            count=self.views.count,
            kind=self.views.kind,
            distance=round((self.views.distance_seconds or 0) * rate),
            noise=self.views.noise,
            waveform=self.views.waveform,
            spectrogram=self.views.spectrogram,
            sound=Sound((self.crop_samples,), rate),
            image=Sound((frames, *front.shape[:1]), rate, front.fold),
        )

    @property
    def crop_samples(self) -> int:
        return round(self.views.crop_seconds * self.frontend.sample_rate)

    @property
    def clip_samples(self) -> int:
        return round(self.data.clip_seconds * self.frontend.sample_rate)

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def check_chains(views: augment.Views, section: str) -> None:
    places = (("waveform", views.waveform, views.sound), ("spectrogram", views.spectrogram, views.image))
    for place, chain, sound in places:
        for number, augmentation in enumerate(chain):
            try:
                augmentation.check_for(sound)
            except RecipeError as error:
                raise ValueError(f"{section}.{place}.{number}.{augmentation.name}: {error}") from error


CHOICES: dict[str, Any] = {
    "frontend": FrontEnd,
    "encoder": Encoder,
    "second.frontend": FrontEnd,
    "second.encoder": Encoder,
    "objective": Objective,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "views.waveform": OfWaveforms,
    "views.spectrogram": OfSpectrograms,
    "finetune.waveform": OfWaveforms,
    "finetune.spectrogram": OfSpectrograms,
    "finetune.optimizer": Optimizer,
    "finetune.schedule": Schedule,
}


def parts(section: str) -> dict[str, Any]:
    """The parts that a section, or each of its list, is one of, by name; nothing for one that is always the same."""
    union = CHOICES.get(section)
    kinds = get_args(get_args(union)[0]) if union else ()
    return {get_args(kind.__annotations__["name"])[0]: kind for kind in kinds}
