"""Markup in which a user's text cannot act: what is not `Html` is escaped."""

import html
import math
from typing import Any

VOID = {"link", "meta"}
KEPT = "\n\u00a0\u3000\u200c\u200d"  # not to be seen, but part of how words are written


class Html(str):
    """Markup, as opposed to text."""


def element(tag: str, /, *content: object, **attributes: object) -> Html:
    """`class_` and `aria_label` are class and aria-label; what is None or False is left out."""
    said = "".join(
        f" {key.strip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{tag}{said}>" + ("" if tag in VOID else f"{joined(*content)}</{tag}>"))


def joined(*content: object) -> Html:
    return Html("".join(part if isinstance(part, Html) else html.escape(str(part)) for part in content))


def plain(value: Any) -> Any:
    """All that is within, with escapes for characters that cannot be seen or written; what is no number is None."""
    if isinstance(value, str):
        if value.isprintable():
            return value
        return "".join(c if c.isprintable() or c in KEPT else c.encode("unicode_escape").decode() for c in value)
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")


def interval(ends: list[float | None] | None) -> str:
    return "" if not ends or None in ends else f"{number(ends[0])} to {number(ends[1])}"


def words(name: str) -> str:
    return name.replace("_", " ")


def many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"


def label(value: str | None) -> str:
    """Of a clip, which may have none."""
    return value or "no label"


def clip(path: str, start: float | None) -> str:
    return f"{path} from {start:g} s" if start else path
