"""One file with all that a judging found: nothing is fetched by it, and nothing in it is a user's markup."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from kerascola.evaluation.report import clips, outcome, points
from kerascola.evaluation.report.health import health
from kerascola.evaluation.report.layout import encoder, heading, in_order, scroll, table, terms
from kerascola.evaluation.report.markup import Html, element, joined, many
from kerascola.evaluation.report.palette import style
from kerascola.evaluation.report.svg import inline

HERE = Path(__file__).parent
MATRIX = "A row is what clips are, a column what they were taken for. The colour is the share of its row."
HARDEST = "The hardest first."
CURVES = "With fewer labels to learn from. A band is the 95 % interval; dashed are random weights."
SPECTRUM = (
    "The share of the variance of each principal component. The longer it stays high, the more directions the "
    "embeddings use; where it falls off at once, they have collapsed to a few."
)
MAP = (
    "Each dot is a clip, near others of like embeddings; with a ring, one that was taken for another class, or other "
    "labels. Point at a dot, tap it or step with the arrow keys to see which it is; press classes in the legend to see "
    "those only."
)


def page(results: dict[str, Any], figures: dict[str, Figure]) -> str:
    css, script = style() + (HERE / "page.css").read_text("utf-8"), (HERE / "page.js").read_text("utf-8")
    found = [section for section in sections(results, figures) if section[2]]
    links = [element("a", name, href=f"#{anchor}") for anchor, name, _ in found]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(css, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", results["title"]),
        element("style", Html(css)),
    )
    main = element(
        "main",
        element("header", element("h1", results["title"]), outcome.sentence(results), element("p", *about(results))),
        warnings(results),
        element("nav", *links, aria_label="sections"),
        *(element("section", element("h2", name), content, id=anchor) for anchor, name, content in found),
    )
    whole = element("html", head, element("body", main, element("script", Html(script))), lang="en")
    return f"<!doctype html>\n{whole}\n"


def policy(css: str, script: str) -> str:
    """What the page may do: run what is written here, and show and play what is in it."""
    rules = {
        "default-src": "'none'",
        "style-src": digest(css),
        "script-src": digest(script),
        "img-src": "data:",
        "media-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(map(" ".join, rules.items()))


def digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def about(results: dict[str, Any]) -> Iterator[str]:
    """What the sentence above is of."""
    data, found = results["data"], outcome.shown_first(results)
    yield f"{settings(found[1])}; " if found else ""
    yield f"{many(data['recordings'], 'recording')} in {many(len(data['classes']), 'class')}; "
    yield results["made"].replace("T", " ")


def of_figures(results: dict[str, Any]) -> str:
    found = outcome.shown_first(results)
    return f"{found[0]['name']}, {settings(found[1])}" if found else "nothing"


def settings(row: dict[str, Any]) -> str:
    return f"{row['probe']}, {outcome.labels_of(row['labels'])}"


def warnings(results: dict[str, Any]) -> Html | str:
    found = results.get("warnings")
    if not found:
        return ""
    said = element("ul", *(element("li", one) for one in found))
    return element("aside", element("h2", "Warnings"), said, class_="warnings")


def sections(results: dict[str, Any], figures: dict[str, Figure]) -> Iterator[tuple[str, str, Html | None]]:
    """(id, heading, content); without content where nothing was found."""
    of, found = of_figures(results), results["figures"]
    kind = "Average precision by class" if results["data"].get("multi_label") else "Recall by class"
    yield "results", "Results", came_out(results)
    yield "confusion", "Confusions", framed(figures, "confusion", f"Confusion matrix: {of}", MATRIX)
    yield "per-class", kind, framed(figures, "per-class", f"{kind}: {of}", HARDEST)
    yield "curves", "Learning curves", framed(figures, "curves", "Learning curves", CURVES)
    yield "map", "Map", mapped(found.get("map"), of)
    yield "neighbours", "Nearest neighbours", clips.neighbours(results)
    yield "hardest", "Hardest confusions", clips.confusions(results)
    healthy = health(results), framed(figures, "spectrum", "Spectrum of the embeddings", SPECTRUM)
    yield "health", "Health of the embeddings", joined(*filter(None, healthy))
    yield "made", "How it was made", made(results)


def came_out(results: dict[str, Any]) -> Html | None:
    overview, drawn = outcome.overview(results), results["protocol"].get("bootstrap")
    if overview is None:
        return None
    by = f", by {drawn:,} bootstrap draws of clips and of seeds" if drawn else ""
    note = (
        f"Small: the 95 % interval{by}, and ± the standard deviation over draws of the labels or over seeds. On the "
        "line are the value, its interval as a band and chance as a tick. Shaded: the best of a column."
    )
    more = filter(None, (outcome.differences(results), outcome.every(results)))
    return joined(overview, element("p", note, class_="note"), *more)


def framed(figures: dict[str, Figure], name: str, said: str, caption: str) -> Html | None:
    if name not in figures:
        return None
    picture = scroll(said, inline(figures[name], name, said))
    return element("figure", picture, element("figcaption", said, ". ", caption))


def mapped(found: dict[str, Any] | None, of: str) -> Html | None:
    if not found:
        return None
    caption = element("figcaption", f"{found['method']} of the embeddings: {of}. ", MAP)
    return element("figure", points.interactive(found), caption)


def made(results: dict[str, Any]) -> Html:
    data, protocol = results["data"], results["protocol"]
    hours = data.get("hours")
    long = "" if hours is None else f", {hours:.1f} hours" if hours >= 1 else f", {60 * hours:.1f} minutes"
    said = {
        "command": element("code", results["command"]),
        "data": joined(f"{data['source']}: {many(data['recordings'], 'recording')}{long}", digest_of(data)),
        "protocol": protocol["text"],
        "seed": protocol["seed"],
        "versions": ", ".join(f"{name} {version}" for name, version in results["versions"].items()),
    }
    return joined(terms(said), encoders(results), folds(protocol))


def digest_of(one: dict[str, Any]) -> Html | str:
    return element("code", f"sha256 {one['sha256']}") if one.get("sha256") else ""


def encoders(results: dict[str, Any]) -> Html:
    def line(one: dict[str, Any]) -> Html:
        rate, window = one.get("sample_rate"), one.get("window_seconds")
        cells = [one.get("recipe"), one.get("dimension"), rate and f"{rate:,} Hz", window and f"{window:g} s"]
        file = [] if one["kind"] == "random" else [one.get("file") or "", digest_of(one)]  # which is no user's
        return element(
            "tr", encoder(one), *(element("td", cell or "–") for cell in cells), element("td", *file, class_="text")
        )

    head = heading(["encoder"], ["recipe", "dimension", "rate", "window"], ["file"])
    body = element("tbody", *(line(one) for group in in_order(results["encoders"]) for one in group))
    return joined(element("h3", "Encoders"), table("Encoders", head, body))


def folds(protocol: dict[str, Any]) -> Html | str:
    if not protocol.get("folds"):
        return ""
    parts = ["train", "valid", "test"]
    rows = [
        element("tr", element("th", fold["name"], scope="row"), *(element("td", f"{fold[part]:,}") for part in parts))
        for fold in protocol["folds"]
    ]
    return joined(element("h3", "Folds"), table("Folds", heading(["fold"], parts), element("tbody", *rows)))
