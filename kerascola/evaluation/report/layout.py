"""How tables and lists stand in the page."""

from typing import Any

from kerascola.evaluation.report.markup import Html, element, many


def in_order(encoders: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Each with its random weights behind it."""
    names = {one["name"] for one in encoders}
    heads = [one for one in encoders if one.get("of") not in names]
    return [[head, *(one for one in encoders if one.get("of") == head["name"])] for head in heads]


def encoder(one: dict[str, Any], **attributes: object) -> Html:
    """The head of a row. Random weights hang on the encoder above it that they are of."""
    seeds = one.get("seeds") or []
    under = element("small", f"mean over {many(len(seeds), 'seed')}") if len(seeds) > 1 else ""
    return element("th", one["name"], under, class_="of" if one.get("of") else None, **{"scope": "row", **attributes})


def heading(left: list[str], right: list[str], end: list[str] | None = None) -> Html:
    """Columns of words, of numbers, and of words again."""
    kinds = ((left, "text"), (right, None), (end or [], "text"))
    columns = [element("th", name, scope="col", class_=kind) for names, kind in kinds for name in names]
    return element("thead", element("tr", *columns))


def scroll(name: str, *content: Html) -> Html:
    """What is wider than the page moves within its own box, by keys too."""
    return element("div", *content, class_="box", role="region", aria_label=name, tabindex=0)


def table(name: str, head: Html, *bodies: Html) -> Html:
    return scroll(name, element("table", head, *bodies))


def terms(about: dict[str, object]) -> Html:
    return element(
        "dl", *(element(tag, said) for pair in about.items() for tag, said in zip(("dt", "dd"), pair, strict=True))
    )
