"""The figures of a report, each drawn once: for the page, and for a PNG beside it."""

import io
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kerascola.evaluation.report.markup import label, many, words
from kerascola.evaluation.report.palette import LIGHT, colour

DPI = 96  # so that sizes below are a page's pixels
WIDE = 440
LONGEST = 30  # letters of a class's name
NUMBERED = 20  # classes at most for counts to be written into the matrix, and names beside the map
FLOOR = 1e-6  # of a share of the variance
STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "font.size": 10,
    "text.color": LIGHT["ink"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.edgecolor": LIGHT["muted"],
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.labelcolor": LIGHT["ink"],
    "ytick.labelcolor": LIGHT["ink"],
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
SMALL: dict[str, Any] = {"fontsize": 9, "color": LIGHT["muted"]}
BESIDE: dict[str, Any] = {"textcoords": "offset points"}
SHADE = LinearSegmentedColormap.from_list(  # what is rare can be seen, and text can be read on all of it
    "shade", [(at, to_rgba(LIGHT["c0"], alpha)) for at, alpha in ((0, 0), (0.02, 0.12), (1, 0.62))]
)


@contextmanager
def drawing() -> Iterator[None]:
    """Around drawing and saving, as some text is made only then. A glyph that is missing in a PNG the page has."""
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def drawn(results: dict[str, Any]) -> dict[str, Figure]:
    """What there are numbers for, by the names of its files."""
    found = results["figures"]
    return {name: draw(found[key], results) for name, (key, draw) in DRAW.items() if found.get(key)}


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    longest = max(figure.get_size_inches()) * DPI
    figure.savefig(file, format="png", dpi=DPI * min(2.0, 4000 / longest), facecolor="white")
    return file.getvalue()


def sized(width: float, height: float, **options: Any) -> Figure:
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, **options)


def box(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    whole, high = figure.get_size_inches() * DPI
    return figure.add_axes((left / whole, 1 - (top + height) / high, width / whole, height / high))


def ems(text: str) -> float:
    """About how wide it is: a font of the page's may be another than the one that is measured here."""
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.62 for letter in text)


def short(text: str, most: int = LONGEST) -> str:
    text = " ".join(text.split())
    if ems(text) <= 0.62 * most:
        return text
    while ems(text) > 0.62 * (most - 1):
        text = text[:-1]
    return f"{text}…"


def draw_confusion(found: dict[str, Any], results: dict[str, Any]) -> Figure:
    """Rows are what clips are, columns what they were taken for; a shade is a share of its row."""
    names = [short(name) for name in found["classes"]]
    counts = np.array(found["counts"], float)
    n = len(names)
    cell, points = (44, 9) if n <= 10 else (30, 8) if n <= NUMBERED else (16, 7.5)
    longest = points / 0.75 * max(map(ems, names))
    margin, upright = longest + 34, longest > cell
    above = margin if upright else 48
    wide, high = max(310, margin + n * cell + 12), above + n * cell + 12
    figure = sized(wide, high)
    axes = box(figure, margin, above, n * cell, n * cell)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap=SHADE, vmin=0, vmax=1, interpolation="none")
    turned: dict[str, Any] = {"rotation": 90, "ha": "left", "va": "center", "rotation_mode": "anchor"}
    axes.xaxis.set_ticks_position("top")
    axes.xaxis.set_label_position("top")
    axes.set_xticks(range(n), names, fontsize=points, **(turned if upright else {}))
    axes.set_yticks(range(n), names, fontsize=points)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(LIGHT["rule"])
    figure.text(4 / wide, 1 - 4 / high, "row: what it is; column: what it is taken for", va="top", **SMALL)
    if n <= NUMBERED:
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(column, row, f"{counts[row, column]:g}", ha="center", va="center_baseline", fontsize=points)
    return figure


def draw_per_class(found: dict[str, Any], results: dict[str, Any]) -> Figure:
    """The hardest class first; what has no value last."""
    values = np.array(found["recall"], float)
    order = np.argsort(values, kind="stable")
    names = [short(found["classes"][i]) for i in order]
    row, margin, beside = 22, 13.4 * max(map(ems, names)) + 14, 150
    wide = max(WIDE, margin + 200 + beside)
    figure = sized(wide, row * len(names) + 56)
    axes = box(figure, margin, 6, wide - margin - beside, row * len(names))
    axes.barh(range(len(names)), values[order], height=0.66, color=LIGHT["c0"])
    for place, i in enumerate(order):
        value, clips = values[i], many(found["clips"][i], "clip")
        said = f"{value:.2f} of {clips}" if np.isfinite(value) else clips
        axes.annotate(said, (np.nan_to_num(value), place), (5, 0), va="center_baseline", **BESIDE, **SMALL)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5), xlabel=of_a_class(results))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return figure


def of_a_class(results: dict[str, Any]) -> str:
    return "average precision" if results["data"].get("multi_label") else "recall"


def draw_curves(found: list[dict[str, Any]], results: dict[str, Any]) -> Figure:
    kinds = list(dict.fromkeys(curve["axis"] for curve in found))
    probes = list(dict.fromkeys(curve["probe"] for curve in found))
    lines = len({(curve["encoder"], curve["probe"]) for curve in found})
    figure = sized(WIDE, 280 * len(kinds) + 20 * lines + 10, layout="constrained")
    chance = results["chance"].get(results["headline"])
    handles = {}
    for axes, kind in zip(figure.subplots(len(kinds), 1, squeeze=False)[:, 0], kinds, strict=True):
        of_kind = [curve for curve in found if curve["axis"] == kind]
        for curve in of_kind:
            x, mean, low, high = (np.array(curve[key], float) for key in ("x", "mean", "low", "high"))
            look = line_of(curve["encoder"], results)
            axes.fill_between(x, low, high, color=look["color"], alpha=0.12, linewidth=0)
            marker = "osD^v"[probes.index(curve["probe"]) % 5]
            (line,) = axes.plot(x, mean, marker=marker, markersize=4, linewidth=1.5, **look)
            handles[f"{short(curve['encoder'], 44)}, {short(curve['probe'])}"] = line
        if chance is not None:
            axes.axhline(chance, color=LIGHT["muted"], linestyle=":", linewidth=1)
            where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
            axes.annotate("chance", (1, chance), **where, **SMALL)
        at = sorted({x for curve in of_kind for x in curve["x"]})
        if at[0] > 0 and at[-1] >= 8 * at[0]:
            axes.set_xscale("log")
        share = kind.startswith("share")
        axes.xaxis.set_major_locator(FixedLocator(at[:: -(-len(at) // 8)]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _, share=share: f"{100 * x:g} %" if share else f"{x:g}"))
        axes.set(xlabel=kind, ylabel=words(results["headline"]))
        axes.grid(axis="y")
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", fontsize=9.5)
    return figure


def line_of(encoder: str, results: dict[str, Any]) -> dict[str, Any]:
    """Random weights are a dashed line of their encoder's colour."""
    others = {one["name"]: one.get("of") for one in results["encoders"]}
    named = [name for name, of in others.items() if not of]
    whose = others.get(encoder) or encoder
    return {
        "color": colour(named.index(whose)) if whose in named else LIGHT["muted"],
        "linestyle": "--" if others.get(encoder) else "-",
    }


def draw_map(found: dict[str, Any], results: dict[str, Any]) -> Figure:
    labels = [label(one) for one in found["label"]]
    kinds = {kind: colour(place) for place, (kind, _) in enumerate(Counter(labels).most_common())}
    colours = np.array([kinds[one] for one in labels])
    wrong = np.array([told not in (None, one) for told, one in zip(found["predicted"], found["label"], strict=True)])
    x, y = (np.array(found[key], float) for key in "xy")
    figure = sized(760, 560, layout="constrained")
    axes = figure.subplots()
    for here, edge in ((~wrong, "none"), (wrong, LIGHT["ink"])):
        axes.scatter(x[here], y[here], s=14, c=colours[here], edgecolors=edge, linewidth=0.8)
    axes.set(xticks=[], yticks=[], xlabel=found["method"])
    axes.spines[:].set_visible(False)
    if len(kinds) <= NUMBERED:
        for kind, its in kinds.items():
            axes.scatter([], [], s=24, color=its, label=short(kind))
        axes.scatter([], [], s=24, color="none", edgecolor=LIGHT["ink"], label="taken for another")
        figure.legend(loc="outside right center", fontsize=9)
    return figure


def draw_spectrum(found: list[dict[str, Any]], results: dict[str, Any]) -> Figure:
    figure = sized(WIDE, 290 + 20 * len(found), layout="constrained")
    axes = figure.subplots()
    shares = [np.array(one["share"], float) for one in found]
    shares = [np.where(share > FLOOR, share, np.nan) for share in shares]
    for one, share in zip(found, shares, strict=True):
        look = line_of(one["encoder"], results)
        axes.plot(np.arange(1, len(share) + 1), share, linewidth=1.5, label=short(one["encoder"], 56), **look)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(steps(np.concatenate(shares))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g} %"))
    axes.set(xlabel="principal component", ylabel="share of the variance")
    axes.grid(axis="y")
    figure.legend(loc="outside lower left", fontsize=9.5)
    return figure


def steps(values: np.ndarray) -> list[float]:
    """Round values on a logarithmic axis: powers of ten, and what is between them where there are few."""
    fine = values[np.isfinite(values)]
    if not len(fine):
        return []
    low, high = fine.min(), fine.max()
    within = (1,) if high > 200 * low else (1, 2, 5)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return [round(m * 10.0**power, 9) for power in powers for m in within]


Draw = Callable[[Any, dict[str, Any]], Figure]
DRAW: dict[str, tuple[str, Draw]] = {  # by the name of its file: what it is drawn of, and how
    "confusion": ("confusion", draw_confusion),
    "per-class": ("per_class", draw_per_class),
    "curves": ("curves", draw_curves),
    "map": ("map", draw_map),
    "spectrum": ("spectrum", draw_spectrum),
}
