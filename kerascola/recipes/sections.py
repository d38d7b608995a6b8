"""The parts that a recipe's sections choose from, each with its keys, the values that make sense and the defaults."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerascola.augment import spectrogram, vocoder, waveform
from kerascola.dsp.leaf import Leaf
from kerascola.dsp.log_mel import LogMel
from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.spec import Waveform
from kerascola.dsp.spectra import Spectra


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


FrontEnd = Annotated[LogMel | Spectra | Waveform | Leaf | SincNet, Field(discriminator="name")]

# The encoders' fields are the arguments of their builders in kerascola.encoders, which say what each means.
Rate = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
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
    three_channels: bool = False
    batch_norm: bool = True


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


# The objectives' fields are the arguments of their layers in kerascola.objectives.
Temperature = Annotated[float, Field(gt=0)]
Hidden = tuple[Count, ...]


class Cola(Section):
    name: Literal["cola"] = "cola"
    similarity: Literal["bilinear", "dot"] = "bilinear"
    dimension: Count = 512
    temperature: Temperature = 0.2  # of `dot`
    dropout: Rate = 0.0


class NtXent(Section):
    name: Literal["nt_xent"] = "nt_xent"
    temperature: Temperature = 0.5
    hidden: Hidden = (512,)
    dimension: Count = 128
    batch_norm: bool = True
    within: bool = True


class SupCon(NtXent):
    name: Literal["supcon"] = "supcon"  # type: ignore[assignment]
    temperature: Temperature = 0.1


class Clar(Section):
    name: Literal["clar"] = "clar"
    variant: Literal["paper", "seed"] = "paper"
    temperature: Temperature = 0.5


class Classify(Section):
    name: Literal["classify"] = "classify"


class Byol(Section):
    name: Literal["byol"] = "byol"
    hidden: Hidden = (4096,)
    dimension: Count = 256
    momentum: float = Field(0.99, ge=0, le=1)


class Vicreg(Section):
    name: Literal["vicreg"] = "vicreg"
    hidden: Hidden = (2048, 2048)
    dimension: Count = 2048
    invariance: Weight = 25.0
    variance: Weight = 25.0
    covariance: Weight = 1.0


class AlignmentUniformity(Section):
    name: Literal["alignment_uniformity"] = "alignment_uniformity"
    dimension: Count = 128
    alpha: float = Field(2.0, gt=0)
    t: float = Field(2.0, gt=0)
    weight: Weight = 1.0  # of the uniformity


Objective = Annotated[
    Cola | NtXent | SupCon | Clar | Classify | Byol | Vicreg | AlignmentUniformity, Field(discriminator="name")
]


# The optimisers' and schedules' fields mean what kerascola.training.descent and .optimizers say.
Momentum = Annotated[float, Field(ge=0, lt=1)]
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
