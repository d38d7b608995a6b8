"""A recipe: everything a pre-training run follows, as YAML that states only its difference from its `base:`."""

import difflib
import os.path
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kerascola.dsp.log_mel import LogMel
from kerascola.errors import RecipeError


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Encoder(Section):
    name: Literal["efficientnet"] = "efficientnet"
    width: float = Field(1.0, gt=0)
    depth: float = Field(1.0, gt=0)
    pool: Literal["max", "mean"] = "max"
    drop_connect: float = Field(0.2, ge=0, lt=1)


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
    frontend: LogMel = LogMel()
    encoder: Encoder = Encoder()
    views: Views = Views()
    objective: Objective = Objective()
    optimizer: Optimizer = Optimizer()
    data: Data = Data()
    train: Train = Train()

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


def names() -> list[str]:
    """The recipes that come with the package."""
    folder = resources.files("kerascola.zoo") / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(recipe: str, changes: list[str] | None = None) -> Recipe:
    """`recipe` is a name or a YAML file; each change is "section.key=value"."""
    tree = resolve(recipe, ())
    for change in changes or []:
        tree = merge(tree, parse_change(change))
    return validate(tree, recipe)


def text(recipe: str) -> str:
    """The YAML as written, comments included."""
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{recipe}: no such recipe file")
        return path.read_text(encoding="utf-8")
    if recipe not in names():
        raise RecipeError(
            f"unknown recipe {recipe!r}{nearest(recipe, names())} Expected the path of a YAML file or one of: "
            + ", ".join(names())
        )
    return (resources.files("kerascola.zoo") / "recipes" / f"{recipe}.yaml").read_text(encoding="utf-8")


def resolve(recipe: str, seen: tuple[str, ...]) -> dict[str, Any]:
    """The recipe's tree merged over its base's, and so on down."""
    if recipe in seen:
        raise RecipeError(f"recipes that are each other's base: {' -> '.join((*seen, recipe))}")
    try:
        tree = yaml.safe_load(text(recipe)) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{recipe} is not YAML: {error}") from error
    if not isinstance(tree, dict):
        raise RecipeError(f"{recipe}: expected sections such as `encoder:`, received {type(tree).__name__}")
    tree.setdefault("name", Path(recipe).stem)
    base = tree.pop("base", None)
    if base is None:
        return tree
    if str(base).endswith((".yaml", ".yml")):  # a base file is named relative to the recipe that names it
        base = os.path.normpath(Path(recipe).parent / base)  # one spelling, so that a circle is seen
    return merge(resolve(str(base), (*seen, recipe)), tree)


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A new tree: `over`'s values, sections merged key by key."""
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        merged[key] = merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def parse_change(change: str) -> dict[str, Any]:
    """ "train.batch_size=256" -> {"train": {"batch_size": 256}}"""
    path, equals, value = change.partition("=")
    if not equals or not path:
        raise RecipeError(f"expected section.key=value, as in train.batch_size=256; received {change!r}")
    try:
        tree = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"{change!r}: the value is not YAML: {error}") from error
    for key in reversed(path.split(".")):
        tree = {key: tree}
    return tree


def validate(tree: dict[str, Any], source: str) -> Recipe:
    """Every error at once, each with its path."""
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        found = error.errors()
        lines = [f"  {'.'.join(map(str, e['loc'])) or 'recipe'}: {explain(e)}" for e in found]
        count = f"{len(lines)} error{'s' if len(lines) > 1 else ''}"
        raise RecipeError(f"{source}: {count} in the recipe\n" + "\n".join(lines)) from error


def explain(error: Any) -> str:
    """One pydantic error in a sentence."""
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = known_keys(error["loc"][:-1])
        return f"unknown key{nearest(str(error['loc'][-1]), known)} Known: {', '.join(known)}"
    message = error["msg"].removeprefix("Value error, ")
    return message if error["type"] == "value_error" else f"{message}. Received {error['input']!r}"


def known_keys(path: tuple[int | str, ...]) -> list[str]:
    kind: Any = Recipe
    for key in path:
        kind = kind.model_fields[str(key)].annotation
    return list(kind.model_fields if issubclass(kind, BaseModel) else kind.__dataclass_fields__)


def nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, 1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else "."
