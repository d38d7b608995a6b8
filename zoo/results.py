"""What `kerascola probe` found of a model, as lines of its record."""

import json
from pathlib import Path
from typing import Any

from kerascola.errors import ZooError
from kerascola.runtime.models import PREFIX
from kerascola.runtime.record import Metric


def metrics_of(results: Path, model: Path, name: str) -> list[Metric]:
    """The headline figure of every probe and amount of labels, beside random weights of the same network."""
    try:
        found = json.loads(results.read_text(encoding="utf-8"))
        one = judged(found["encoders"], model, name, results)
        at_random = next((each for each in found["encoders"] if each["of"] == one["name"]), None)
        others = {(row["probe"], row["labels"]): row for row in at_random["rows"]} if at_random else {}
        seeds = len(at_random.get("seeds") or [0]) if at_random else 0
        metric, data = found["headline"], Path(found["data"]["source"]).stem
        parted = found["protocol"]["text"].partition(";")[0]
        told = []
        for row in one["rows"]:
            other = others.get((row["probe"], row["labels"]))
            low, high = row["intervals"][metric]
            told.append(
                Metric(
                    f"{data}: {row['probe']} on {row['labels']} labels, {parted}",
                    metric,
                    round(row["values"][metric], 5),
                    (round(low, 5), round(high, 5)),
                    None if other is None else round(other["values"][metric], 5),
                    round(other["spread"][metric], 5) if other and metric in other["spread"] else None,
                    seeds if other else 0,
                )
            )
        return told
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ZooError):
            raise
        raise ZooError(f"{results}: expected what `kerascola probe` wrote, received {error!r}") from error


def judged(encoders: list[dict[str, Any]], model: Path, name: str, results: Path) -> dict[str, Any]:
    """The encoder of these results that is `model`, or was shipped under that name before."""
    given = [one for one in encoders if one["kind"] == "given"]
    mine = [one for one in given if one["file"].removeprefix(PREFIX) == name or is_same(Path(one["file"]), model)]
    if len(mine) != 1:
        names = ", ".join(one["file"] for one in given) or "none"
        raise ZooError(f"{results}: expected figures of {model} or of {PREFIX}{name}, received those of {names}")
    return mine[0]


def is_same(file: Path, model: Path) -> bool:
    """By as much of the path as was given, up to the folder: it may have been named from elsewhere."""
    known = file.with_suffix("").parts[-2:]
    return known == model.resolve().with_suffix("").parts[-len(known) :]
