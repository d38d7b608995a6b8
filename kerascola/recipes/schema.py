"""What a recipe may say: its sections, their keys, the values that make sense and the defaults."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerascola.augment import spectrogram, vocoder, waveform
from kerascola.augment import views as augment
from kerascola.augment.augmentation import Sound
from kerascola.dsp.leaf import Leaf
from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.spec import Waveform
from kerascola.dsp.spectra import Spectra
from kerascola.errors import RecipeError


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


FrontEnd = Annotated[LogMel | Spectra | Waveform | Leaf | SincNet, Field(discriminator="name")]

# The encoders' fields are the arguments of their builders in kerascola.encoders, which say what each means.
Rate = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Scale = Annotated[float, Field(ge=1 / 16, le=10)]
Pool = Literal["max", "mean"]
Four = tuple[Count, Count, Count, Count]


class EfficientNet(Section):
    name: Literal["efficientnet"] = "efficientnet"
    variant: Literal["b0", "b1", "b2", "b3", "lite0"] = "b0"
    width: Scale | None = None
    depth: Annotated[float, Field(gt=0, le=10)] | None = None
    pool: Pool = "max"
    drop_connect: Rate = 0.2


class ConvNeXt(Section):
    name: Literal["convnext"] = "convnext"
    variant: Literal["tiny", "small", "base", "large"] = "tiny"
    depths: Four | None = None
    widths: Four | None = None
    drop_path: Rate | None = None
    pool: Pool = "mean"


class ResNet(Section):
    name: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50] = 18
    width: Count = 64
    stem: Literal["uclser20", "plain"] = "uclser20"
    pool: Pool = "mean"
    zero_residual: bool = False


class ResNet1D(Section):
    name: Literal["resnet1d"] = "resnet1d"
    depth: Literal[18, 34] = 18
    width: Count = 64
    pool: Pool = "mean"


class Vgg(Section):
    name: Literal["vgg"] = "vgg"
    width: Annotated[float, Field(gt=0)] = 1.0
    pool: Literal["gap", "gmp", "gap+gmp"] = "gap+gmp"
    dimension: Count = 512


class Crnn(Section):
    name: Literal["crnn"] = "crnn"
    filters: Count = 128
    units: Count = 64


class Small(Section):
    name: Literal["small"] = "small"
    filters: Count = 64
    dimension: Count = 512
    dropout: Rate = 0.3


class Adapter(Section):
    pool: Pool = "mean"
    options: dict[str, Any] | None = None  # of the backbone's own constructor


class KerasApplications(Adapter):
    name: Literal["keras_applications"] = "keras_applications"
    backbone: str = "MobileNetV2"


class KerasHub(Adapter):
    name: Literal["keras_hub"] = "keras_hub"
    backbone: str = "ResNetBackbone"


class KerasCv(Adapter):
    name: Literal["keras_cv"] = "keras_cv"
    backbone: str = "ResNetV2Backbone"


Encoder = Annotated[
    EfficientNet | ConvNeXt | ResNet | ResNet1D | Vgg | Crnn | Small | KerasApplications | KerasHub | KerasCv,
    Field(discriminator="name"),
]


OfWaveforms = Annotated[
    waveform.Gain
    | waveform.Polarity
    | waveform.Noise
    | waveform.Mix
    | waveform.Fade
    | waveform.TimeMask
    | waveform.TimeShift
    | waveform.LowPass
    | waveform.HighPass
    | waveform.BandEq
    | waveform.Reverb
    | vocoder.TimeStretch
    | vocoder.PitchShift,
    Field(discriminator="name"),
]
OfSpectrograms = Annotated[
    spectrogram.SpecAugment
    | spectrogram.FrameMask
    | spectrogram.Multiply
    | spectrogram.GaussianNoise
    | spectrogram.MixBack
    | spectrogram.ResizedCrop
    | spectrogram.TimeWarp
    | spectrogram.Blur
    | spectrogram.TimeReversal
    | spectrogram.Roll,
    Field(discriminator="name"),
]


class Views(Section):
    crop_seconds: float = Field(1.0, gt=0)
    kind: Literal["random", "near", "same"] = "random"
    distance_seconds: float | None = Field(None, ge=0)  # of `near`: between the beginnings of two crops, at most
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


class Objective(Section):
    name: Literal["cola"] = "cola"
    similarity: Literal["bilinear", "dot"] = "bilinear"
    dimension: int = Field(512, gt=0)
    temperature: float = Field(0.2, gt=0)  # of `dot`


# The optimisers' and schedules' fields mean what kerascola.training.descent and .optimizers say.
Momentum = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]  # of the learning rate


class Descent(Section):
    name: str
    learning_rate: float = Field(1e-3, gt=0)
    clip_norm: float | None = Field(None, gt=0)  # of all gradients together
    ema: float | None = Field(None, gt=0, lt=1)  # what is shipped is the weights' moving average, with this momentum


class Adam(Descent):
    name: Literal["adam"] = "adam"
    beta_1: Momentum = 0.9
    beta_2: Momentum = 0.999
    epsilon: float = Field(1e-7, gt=0)
    weight_decay: Weight = 0.0  # in the gradient, of all weights


class AdamW(Descent):
    name: Literal["adamw"] = "adamw"
    beta_1: Momentum = 0.9
    beta_2: Momentum = 0.999
    epsilon: float = Field(1e-7, gt=0)
    weight_decay: Weight = 0.005  # beside the gradient, of matrices and kernels


class Sgd(Descent):
    name: Literal["sgd"] = "sgd"
    learning_rate: float = Field(0.03, gt=0)
    momentum: Momentum = 0.9
    nesterov: bool = False
    weight_decay: Weight = 0.0  # in the gradient, of all weights

    @model_validator(mode="after")
    def nesterov_needs_momentum(self) -> "Sgd":
        if self.nesterov and not self.momentum:
            raise ValueError("expected a momentum > 0 with `nesterov: true`, received 0")
        return self


class Lars(Descent):
    name: Literal["lars"] = "lars"
    learning_rate: float = Field(0.3, gt=0)  # SimCLR's for a batch of 256
    momentum: Momentum = 0.9
    weight_decay: Weight = 1e-6  # in the gradient, of matrices and kernels
    eta: float = Field(0.001, gt=0)


Optimizer = Annotated[Adam | AdamW | Sgd | Lars, Field(discriminator="name")]


class WarmUp(Section):
    name: str
    warmup_epochs: float = Field(0.0, ge=0)
    warmup_start: Share = 0.0


class Constant(WarmUp):
    name: Literal["constant"] = "constant"


class MultiStep(WarmUp):
    name: Literal["multi_step"] = "multi_step"
    milestones: tuple[Count, ...] = Field(min_length=1)  # epochs, warm-up included, after which `factor` comes in
    factor: float = Field(0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def milestones_increase(self) -> "MultiStep":
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"expected milestones that increase, received {list(self.milestones)}")
        return self


class Decay(WarmUp):
    name: Literal["decay"] = "decay"
    factor: float = Field(0.99, gt=0, lt=1)  # with each epoch after the warm-up


class Cosine(WarmUp):
    name: Literal["cosine"] = "cosine"
    final: Share = 0.0


Schedule = Annotated[Constant | MultiStep | Decay | Cosine, Field(discriminator="name")]


class Data(Section):
    clip_seconds: float = Field(10.0, gt=0)  # of a longer recording, a random stretch of this length is read
    unreadable: Literal["fail", "skip"] = "fail"


class EarlyStopping(Section):
    monitor: Literal["loss", "accuracy"] = "loss"
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


DEFAULTS = {"frontend": "log_mel", "encoder": "efficientnet", "optimizer": "adam", "schedule": "constant"}


class Recipe(Section):
    name: str
    about: str = ""
    frontend: FrontEnd = LogMel()
    encoder: Encoder = EfficientNet()
    views: Views = Views()
    objective: Objective = Objective()
    optimizer: Optimizer = Adam()
    schedule: Schedule = Constant()
    data: Data = Data()
    train: Train = Train()

    @model_validator(mode="before")
    @classmethod
    def named_parts(cls, tree: Any) -> Any:
        """A part without a name is the default one; a log-mel's preset is the values that it stands for."""
        if not isinstance(tree, dict):
            return tree
        tree = dict(tree)
        for section, default in DEFAULTS.items():
            if isinstance(tree.get(section), dict):
                tree[section] = {"name": default, **tree[section]}
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
    def warm_up_fits(self) -> "Recipe":
        if self.schedule.warmup_epochs >= self.train.epochs:
            raise ValueError(
                f"expected schedule.warmup_epochs < train.epochs, received {self.schedule.warmup_epochs:g} >= "
                f"{self.train.epochs}"
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
        places = (("waveform", views.waveform, views.sound), ("spectrogram", views.spectrogram, views.image))
        for place, chain, sound in places:
            for number, augmentation in enumerate(chain):
                try:
                    augmentation.check_for(sound)
                except RecipeError as error:
                    raise ValueError(f"views.{place}.{number}.{augmentation.name}: {error}") from error
        return self

    def augmented_views(self) -> augment.Views:
        front, rate = self.frontend, self.frontend.sample_rate
        frames = front.frames(self.crop_samples)
        return augment.Views(
            crop_samples=self.crop_samples,
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


CHOICES: dict[str, Any] = {
    "frontend": FrontEnd,
    "encoder": Encoder,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "views.waveform": OfWaveforms,
    "views.spectrogram": OfSpectrograms,
}


def parts(section: str) -> dict[str, Any]:
    """The parts that a section, or each of its list, is one of, by name; nothing for one that is always the same."""
    union = CHOICES.get(section)
    kinds = get_args(get_args(union)[0]) if union else ()
    return {get_args(kind.__annotations__["name"])[0]: kind for kind in kinds}
