"""What every augmentation is: parameters drawn in NumPy for one sound, and applied to a batch in the graph."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from kerascola.augment import tensors as ops
from kerascola.dsp.spec import check_choices
from kerascola.errors import RecipeError

Range = tuple[float, float]  # from, to
Drawn = dict[str, Any]  # name -> a number, or an array of a shape that is always the same
Tensors = dict[str, Any]  # the same of a batch: name -> [batch, ...]


class Sound(NamedTuple):
    """What the draw of parameters knows of what they will be applied to."""

    shape: tuple[int, ...]  # (samples,), or (frames, bands) whether or not there are channels
    sample_rate: int = 16000
    fold: float | None = None  # of a spectrogram, as its front end's specification says it


@dataclass(frozen=True, kw_only=True)
class Augmentation(ABC):
    """`probability` is that of a sound's being changed at all; `views` are those that may be."""

    __pydantic_config__ = {"extra": "forbid"}
    mixes: ClassVar[bool] = False  # `apply` finds another sound of the batch for each of x in p, as "other"

    limits: ClassVar[dict[str, Range]] = {}  # what the numbers may be, and both ends of a range

    name: str = ""
    probability: float = 1.0
    views: Literal["both", "positive"] = "both"

    def __post_init__(self) -> None:
        check_choices(self)
        for name, (least, most) in {"probability": (0, 1), **self.limits}.items():
            check(name, getattr(self, name), least, most)

    @property
    def noisy(self) -> bool:
        """Whether `apply` finds standard normal noise of x's shape in p, as "noise"."""
        return False

    def limits_for(self, sound: Sound) -> dict[str, Range]:
        """What `limits` leaves open: what the numbers may be where they are drawn for such a sound."""
        return {}

    def check_for(self, sound: Sound) -> None:
        for name, (least, most) in self.limits_for(sound).items():
            check(name, getattr(self, name), least, most)

    @abstractmethod
    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        """The parameters of one sound."""

    @abstractmethod
    def apply(self, x, p: Tensors):
        """x float32 [batch, *sound.shape], or with channels behind, and each sound's parameters -> the same shape."""

    def draw(self, rng: np.random.Generator, sound: Sound, view: int = 0) -> dict[str, np.ndarray]:
        """`sample`, and whether: the same numbers are taken from `rng` in either case."""
        on = bool(rng.random() < self.probability) and (self.views == "both" or view > 0)
        return {"on": np.asarray(on), **{name: plain(value) for name, value in self.sample(rng, sound).items()}}

    def __call__(self, x, p: Tensors):
        """`apply` where `on`, in float32 whatever x is."""
        exact = ops.cast(x, "float32")
        return ops.cast(ops.where(column(p["on"], x), self.apply(exact, p), exact), x.dtype)


def plain(value) -> np.ndarray:
    """In 32 bits, as all backends have them."""
    array = np.asarray(value)
    return array.astype({"f": np.float32, "i": np.int32}.get(array.dtype.kind, array.dtype))


def column(numbers, x):
    """[batch] -> [batch, 1, ...] of as many axes as x."""
    return ops.reshape(numbers, (-1,) + (1,) * (len(x.shape) - 1))


def uniform(rng: np.random.Generator, bounds: Range) -> float:
    return float(rng.uniform(*bounds))


def check(name: str, value: float | Range, least: float, most: float) -> None:
    low, high = value if isinstance(value, tuple | list) else (value, value)
    if least <= low <= high <= most:
        return
    if isinstance(value, tuple | list):
        expected = f"[from, to] with {least:g} <= from <= to <= {most:g}, received [{low:g}, {high:g}]"
    else:
        expected = f"from {least:g} to {most:g}, received {value:g}"
    raise RecipeError(f"expected {name} {expected}")
