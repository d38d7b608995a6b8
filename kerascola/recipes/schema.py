"""What a recipe may say: its sections, their keys, the values that make sense and the defaults."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerascola.dsp.leaf import Leaf
from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.spec import Waveform
from kerascola.dsp.spectra import Spectra


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


class Views(Section):
    crop_seconds: float = Field(1.0, gt=0)
    noise: float = Field(0.001, ge=0)  # standard deviation of what is added to the positive


class Objective(Section):
    name: Literal["cola"] = "cola"
    similarity: Literal["bilinear", "dot"] = "bilinear"
    dimension: int = Field(512, gt=0)
    temperature: float = Field(0.2, gt=0)  # of `dot`


class Optimizer(Section):
    name: Literal["adam"] = "adam"
    learning_rate: float = Field(1e-3, gt=0)


class Data(Section):
    clip_seconds: float = Field(10.0, gt=0)  # of a longer recording, a random stretch of this length is read
    unreadable: Literal["fail", "skip"] = "fail"


class Train(Section):
    batch_size: int = Field(64, ge=2)
    epochs: int = Field(100, ge=1)
    steps_per_epoch: int | None = Field(None, ge=1)  # None: once through the data
    seed: int = Field(0, ge=0, lt=2**32)


class Recipe(Section):
    name: str
    about: str = ""
    frontend: FrontEnd = LogMel()
    encoder: Encoder = EfficientNet()
    views: Views = Views()
    objective: Objective = Objective()
    optimizer: Optimizer = Optimizer()
    data: Data = Data()
    train: Train = Train()

    @model_validator(mode="before")
    @classmethod
    def named_parts(cls, tree: Any) -> Any:
        """A part without a name is the default one; a log-mel's preset is the values that it stands for."""
        if not isinstance(tree, dict):
            return tree
        tree = dict(tree)
        for section, default in (("frontend", "log_mel"), ("encoder", "efficientnet")):
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

    @property
    def crop_samples(self) -> int:
        return round(self.views.crop_seconds * self.frontend.sample_rate)

    @property
    def clip_samples(self) -> int:
        return round(self.data.clip_seconds * self.frontend.sample_rate)

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def parts(section: str) -> dict[str, Any]:
    """The parts that a section is one of, by name; nothing for a section that is always the same."""
    union = {"frontend": FrontEnd, "encoder": Encoder}.get(section)
    return {kind().name: kind for kind in get_args(get_args(union)[0])} if union else {}
