"""What can be said of embeddings without training anything on them, and how to read it."""

from typing import Any

from kerascola.evaluation.report.layout import encoder, heading, in_order, table, terms
from kerascola.evaluation.report.markup import Html, element, joined, number, words

ABOUT = {
    "effective_rank": "How many directions the embeddings use: 1 where they have collapsed, their dimension at most.",
    "uniformity": "How evenly they lie on the sphere: 0 where all are alike, about −4 where they are spread evenly.",
    "alignment": "How far apart two clips of a class lie: the lower the better, unless uniformity goes to 0 with it.",
    "nmi": "How well clusters that were found without labels agree with the classes: 0 not at all, 1 entirely.",
    "recall_at_1": "Retrieval: how often the nearest other clip is of the same class.",
    "recall_at_5": "Retrieval: how often one of the five nearest is.",
    "mrr": "Retrieval: the mean of 1 / the rank of the nearest clip of the class, which is 1 at best.",
    "eer": "Are two clips of one class? The errors where as many pairs are missed as let in: 0.5 is guessing.",
}
NAMES = {"nmi": "NMI", "mrr": "MRR", "eer": "EER"}


def health(results: dict[str, Any]) -> Html | None:
    ones = [one for group in in_order(results["encoders"]) for one in group if one.get("health")]
    measures = list(dict.fromkeys(name for one in ones for name in one["health"]))
    if not measures:
        return None
    names = {name: NAMES.get(name, words(name)) for name in measures}
    rows = [element("tr", encoder(one), *(measured(one["health"], name) for name in measures)) for one in ones]
    head = heading(["encoder"], list(names.values()))
    about = terms({names[name]: ABOUT[name] for name in measures if name in ABOUT})
    return joined(table("Health of the embeddings", head, element("tbody", *rows)), about)


def measured(found: dict[str, float | None], name: str) -> Html:
    return element("td", number(found.get(name), 1 if name == "effective_rank" else 3))
