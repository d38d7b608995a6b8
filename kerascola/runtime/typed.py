"""JSON -> frozen dataclasses, by their annotations: nothing unknown, nothing missing, nothing converted."""

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from kerascola.errors import ZooError, nearest, shown

DEEPEST = 16  # lists and objects inside each other
PLAIN = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def read_json(text: str | bytes, most: int) -> Any:
    """At most so many bytes, without what JSON does not have or says in two ways; ValueError says what is wrong."""
    if len(text) > most:
        raise ValueError(f"{len(text)} bytes, of at most {most}")
    try:
        tree = json.loads(text, object_pairs_hook=once, parse_float=finite, parse_constant=finite)
    except RecursionError:
        raise ValueError(f"lists and objects inside each other, more than {DEEPEST}") from None
    level = [tree]
    for _ in range(DEEPEST):
        level = [
            inside
            for one in level
            if isinstance(one, dict | list)
            for inside in (one.values() if isinstance(one, dict) else one)
        ]
    if any(isinstance(one, dict | list) for one in level):
        raise ValueError(f"lists and objects inside each other, more than {DEEPEST}")
    return tree


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return found


def finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text}, which is no number")
    return value


def parsed(kind: Any, value: Any, place: str) -> Any:
    """`value` as a `kind`; ZooError says at which `place` something else was received."""
    if is_dataclass(kind):
        return of_fields(kind, value, place)
    if kind is Any:
        return value
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):  # what may be missing
        (known,) = (one for one in inner if one is not types.NoneType)
        return None if value is None else parsed(known, value, place)
    if origin is tuple:
        count = None if inner[-1] is Ellipsis else len(inner)
        if not isinstance(value, list) or count not in (None, len(value)):
            raise wrong(place, "a list" if count is None else f"a list of {count}", value)
        return tuple(parsed(inner[0], one, f"{place}[{number}]") for number, one in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise wrong(place, "an object", value)
        return {key: parsed(inner[1], one, f"{place}.{key}") for key, one in value.items()}
    fits = type(value) is kind or (kind is float and type(value) is int)
    if not fits or (kind is float and not math.isfinite(value)):
        raise wrong(place, PLAIN[kind], value)
    return value


def of_fields(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise wrong(place, "an object", value)
    known = get_type_hints(kind)
    for key in value:
        if key not in known:
            raise ZooError(f"{place}: unknown key {key!r}{nearest(key, known)} Expected {', '.join(known)}")
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    if missing := [key for key in needed if key not in value]:
        raise ZooError(f"{place}: expected {', '.join(needed)}, received no {', '.join(missing)}")
    return kind(**{key: parsed(known[key], one, f"{place}.{key}") for key, one in value.items()})


def wrong(place: str, expected: str, value: Any) -> ZooError:
    return ZooError(f"{place}: expected {expected}, received {shown(value)}")
