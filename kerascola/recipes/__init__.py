"""A recipe: everything a pre-training run follows, as YAML that states only its difference from its `base:`."""

import dataclasses
import os.path
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from kerascola.errors import RecipeError, nearest
from kerascola.recipes.schema import Recipe, parts


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
    """A new tree: `over`'s values, sections merged key by key; one that names another part replaces its base's."""
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        if isinstance(inner, dict) and isinstance(value, dict) and not another_part(inner, value):
            value = merge(inner, value)
        merged[key] = value
    return merged


def another_part(base: dict[str, Any], over: dict[str, Any]) -> bool:
    """The base's other keys would mean nothing to another encoder, or undo what another preset stands for."""
    said = {"name", "preset"} & set(base)
    return bool(said) and any(key in over and over[key] != base.get(key) for key in ("name", "preset"))


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
        lines = [f"  {'.'.join(shown(e['loc'])) or 'recipe'}: {explain(e)}" for e in found]
        count = f"{len(lines)} error{'s' if len(lines) > 1 else ''}"
        raise RecipeError(f"{source}: {count} in the recipe\n" + "\n".join(lines)) from error


def shown(path: tuple[int | str, ...]) -> list[str]:
    """The path as the recipe has it: pydantic puts the part's name behind a section that has several."""
    _, tag = section(path)
    return [str(key) for place, key in enumerate(path) if place != tag]


def section(path: tuple[int | str, ...]) -> tuple[str, int]:
    """The section that is one of several parts, or a list of such, and where in the path the part's name stands."""
    for length in (1, 2):
        name = ".".join(map(str, path[:length]))
        if parts(name):
            return name, length + name.endswith(("waveform", "spectrogram"))  # in a list its number comes first
    return "", -1


def explain(error: Any) -> str:
    """One pydantic error in a sentence."""
    path = error["loc"]
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = known_keys(path[:-1])
        return f"unknown key{nearest(str(path[-1]), known)} Known: {', '.join(known)}"
    if error["type"] == "union_tag_invalid":
        place, _ = section(path)
        known, name = list(parts(place)), error["ctx"]["tag"]
        parent, _, kind = place.partition(".")
        elsewhere = parent + {"waveform": ".spectrogram", "spectrogram": ".waveform"}.get(kind, "")
        if name in parts(elsewhere):
            return f"{name} is not for a {kind}: move it to {elsewhere}"
        return f"unknown {place} {name!r}{nearest(name, known)} Expected one of: {', '.join(known)}"
    message = error["msg"].removeprefix("Value error, ")
    return message if error["type"] == "value_error" else f"{message}. Received {error['input']!r}"


def known_keys(path: tuple[int | str, ...]) -> list[str]:
    kind: Any = Recipe
    name, tag = section(path)
    if name:
        kind = parts(name)[str(path[tag])]
    else:
        for key in path:
            kind = kind.model_fields[str(key)].annotation
            kind = next((one for one in get_args(kind) if one is not type(None)), kind)  # of what may be left out
    section_keys = issubclass(kind, BaseModel)
    fields = list(kind.model_fields) if section_keys else [field.name for field in dataclasses.fields(kind)]
    return ["preset", *fields] if "name" in fields and kind is parts("frontend")["log_mel"] else fields
