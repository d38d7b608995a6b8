"""What a data set of another library holds, told alike for all of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kerascola.data.manifest import SEPARATOR

Kind = Callable[[Any], str]  # of a feature: "class", "word", "number", or "" for what is none of them


@dataclass(frozen=True)
class Column:
    path: tuple[str, ...]  # into a row
    text: Callable[[Any], str]
    classes: bool


@dataclass(frozen=True)
class Published:
    name: str  # with configuration and version
    about: str  # its licence, and where it is from
    features: tuple[str, ...]
    # Those of sound and their rate: 0 where it is not told, None where it comes with each value.
    sounds: dict[str, int | None]
    columns: dict[str, Column]  # what a list can keep
    splits: Callable[[], dict[str, int]]  # with the number of rows; now at the latest it is downloaded
    rows: Callable[[str, str], Iterable[dict[str, Any]]]  # of a split, with that feature as sound


def columns(features: Mapping[str, Any], kind: Kind, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Column]]:
    """Single values, and lists of classes or words; what lies in a dict is named above.below."""
    for name, feature in features.items():
        path, inner = (*above, name), getattr(feature, "feature", None)
        one = feature if inner is None else inner
        found = kind(one)
        names = one.names if found == "class" else None
        if inner is not None and found in ("class", "word"):
            yield ".".join(path), Column(path, partial(joined, names), found == "class")
        elif inner is None and found:
            yield ".".join(path), Column(path, partial(text, names), found == "class")
        elif inner is None and hasattr(feature, "items"):
            yield from columns(feature, kind, path)


def text(names: list[str] | None, value: Any) -> str:
    """Of a class its name; nothing for what is unknown."""
    if value is None or value != value:
        return ""
    if names is not None:
        return names[value] if 0 <= value < len(names) else ""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value.item() if isinstance(value, np.generic) else value)


def joined(names: list[str] | None, values: Any) -> str:
    several = () if values is None else values
    return SEPARATOR.join(text(names, value).replace(SEPARATOR, ",") for value in several)
