"""The map: a dot for every clip, drawn without a script; what is under the pointer is told by one (page.js)."""

import json
from collections import Counter
from typing import Any

from kerascola.evaluation.report.markup import Html, clip, element, joined, label
from kerascola.evaluation.report.palette import COLOURS

WIDTH, HEIGHT, EDGE = 960, 600, 14


def interactive(found: dict[str, Any]) -> Html:
    at = [i for i, both in enumerate(zip(found["x"], found["y"], strict=True)) if None not in both]
    kinds = Counter(label(found["label"][i]) for i in at)
    names = [kind for kind, _ in kinds.most_common()]
    index = {name: place for place, name in enumerate(names)}
    x, y = fitted([found["x"][i] for i in at], WIDTH), fitted([-found["y"][i] for i in at], HEIGHT)
    wrong = [found["predicted"][i] not in (None, found["label"][i]) for i in at]
    dots: dict[str, list[list[str]]] = {name: [[], []] for name in names}
    for place, i in enumerate(at):
        dots[label(found["label"][i])][wrong[place]].append(f"M{x[place]:g} {y[place]:g}h0")
    told = {
        "x": x,
        "y": y,
        "kind": [index[label(found["label"][i])] for i in at],
        "kinds": names,
        "clip": [clip(found["path"][i], found["start"][i]) for i in at],
        "said": [label(found["predicted"][i]) if missed else None for i, missed in zip(at, wrong, strict=True)],
    }
    picture = element(
        "svg",
        *(of_kind(dots[name], place) for place, name in enumerate(names)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",  # the axes have no unit, and a phone is narrow
        class_="few" if len(at) < 800 else None,
        role="img",
        aria_label=f"{len(at)} clips of {len(names)} classes, in two dimensions",
    )
    keys = [
        element("li", element("i", class_=f"c{place % COLOURS}"), element("span", name), element("small", f"{count:,}"))
        for place, (name, count) in enumerate(kinds.most_common())
    ]
    data = json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")
    return joined(
        element("div", picture, class_="map"),
        element("ul", *keys, class_="legend", aria_label="classes of the map"),
        element("script", Html(data), type="application/json", id="points"),
    )


def fitted(values: list[float], size: int) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = (high - low) or 1.0
    return [round(EDGE + (size - 2 * EDGE) * (value - low) / span, 1) for value in values]


def of_kind(dots: list[list[str]], place: int) -> Html:
    """Lines of no length with round ends; under a wrong one a wider one, which is a ring then."""
    right, wrong = map("".join, dots)
    rings = [element("path", d=wrong, class_="ring"), element("path", d=wrong, class_="gap")] if wrong else []
    return element("g", *rings, element("path", d=right + wrong, class_=f"dot c{place % COLOURS}"))
