"""What can be listened to: neighbours, and what is taken for something else."""

from typing import Any

from kerascola.evaluation.report.markup import Html, clip, element, joined, label, many, number


def player(about: dict[str, Any], *said: object, class_: str | None = None) -> Html:
    name, sound = clip(about["path"], about.get("start")), about.get("audio") or ""
    heard = element("audio", controls=True, preload="none", src=sound, aria_label=f"play {name}")
    return element(
        "li",
        *said,
        element("span", name, class_="path"),
        heard if sound.startswith("data:audio/") else "",  # nothing is fetched
        class_=class_,
    )


def neighbours(results: dict[str, Any]) -> Html | None:
    found, multi = results["figures"].get("neighbours"), results["data"].get("multi_label", False)
    if not found:
        return None
    note = (
        "A clip, and the clips whose embeddings are nearest to its own, with their cosine to it. A check mark is "
        + ("a label in common." if multi else "the same class.")
    )
    return joined(element("p", note), *(around(query, multi) for query in found))


def around(query: dict[str, Any], multi: bool) -> Html:
    def near(one: dict[str, Any]) -> Html:
        cosine = element("span", number(one.get("cosine")), class_="cosine")
        return player(one, element("div", element("b", *alike(query, one, multi), label(one["label"])), cosine))

    clips = [player(query, element("b", label(query["label"])), class_="query"), *map(near, query["found"])]
    return element("ul", *clips, class_="clips", aria_label=f"near {clip(query['path'], query.get('start'))}")


def alike(query: dict[str, Any], one: dict[str, Any], multi: bool) -> list[Html]:
    """Whether they are of one class, or have a label in common, where both have any."""
    own, other = labels(query, multi), labels(one, multi)
    if not own or not other:
        return []
    mark, name, said = ("✓ ", "right", "same class: ") if own & other else ("✗ ", "wrong", "another class: ")
    return [element("span", mark, aria_hidden="true", class_=name), element("span", said, class_="unseen")]


def labels(one: dict[str, Any], multi: bool) -> set[str]:
    return set(one["label"].split("; ") if multi else [one["label"]]) if one["label"] else set()


def confusions(results: dict[str, Any]) -> Html | None:
    found = results["figures"].get("confusions")
    return joined(*map(confused, found)) if found else None


def confused(one: dict[str, Any]) -> Html:
    share = f", {100 * one['share']:.0f} % of its class" if one.get("share") is not None else ""
    how_often = element("small", f"{many(one['clips'], 'clip')}{share}")
    head = element("h3", element("b", one["true"]), " taken for ", element("b", one["said"]), how_often)
    clips = [player(example) for example in one.get("examples") or []]
    return joined(head, element("ul", *clips, class_="clips") if clips else "")
