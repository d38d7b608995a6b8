"""What came out: as a sentence, of every encoder by every probe, and as differences."""

from collections.abc import Iterator
from typing import Any

from kerascola.evaluation.report.layout import encoder, heading, in_order, table, terms
from kerascola.evaluation.report.markup import Html, element, interval, joined, number, words

ALL = "all"  # the labels that most rows are of
OPEN = 24  # rows of a table that is not folded away


def shown_first(results: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The encoder and the row that the headline and the figures are of."""
    for one in sorted(results["encoders"], key=lambda one: one["kind"] != "given"):
        if one["rows"]:
            return one, next((row for row in one["rows"] if row["labels"] == ALL), one["rows"][0])
    return None


def setting(row: dict[str, Any]) -> tuple[str, str]:
    return row["labels"], row["probe"]


def labels_of(said: str) -> str:
    return "all labels" if said == ALL else f"{said} of the labels" if "%" in said else said


def sentence(results: dict[str, Any]) -> Html:
    found, metric = shown_first(results), results["headline"]
    if found is None or found[1]["values"].get(metric) is None:
        return element("p", f"No {words(metric)} could be computed.", class_="lead")
    one, row = found
    beside = [other for other in results["encoders"] if other.get("of") == one["name"]]
    alike = [same for other in beside for same in other["rows"] if setting(same) == setting(row)]
    parts: list[object] = [element("b", one["name"]), f" reaches {words(metric)} ", *strong(row, metric)]
    if alike and alike[0]["values"].get(metric) is not None:
        parts += ["; with random weights ", *strong(alike[0], metric)]
    if results["chance"].get(metric) is not None:
        parts += ["; chance is ", element("strong", number(results["chance"][metric]))]
    return element("p", *parts, ".", class_="lead")


def strong(row: dict[str, Any], metric: str) -> Iterator[object]:
    within = interval(row.get("intervals", {}).get(metric))
    yield element("strong", number(row["values"][metric]))
    yield f" ({within})" if within else ""


def overview(results: dict[str, Any]) -> Html | None:
    """Encoders by probes, of the headline alone."""
    metric, chance = results["headline"], results["chance"].get(results["headline"])
    rows = [row for one in results["encoders"] for row in one["rows"]]
    if not rows:
        return None
    amounts = sorted(dict.fromkeys(row["labels"] for row in rows), key=lambda labels: labels != ALL)
    probes = list(dict.fromkeys(row["probe"] for row in rows))
    columns = sorted(set(map(setting, rows)), key=lambda column: (amounts.index(column[0]), probes.index(column[1])))
    best = {column: highest([row for row in rows if setting(row) == column], metric) for column in columns}
    ends = [end for row in rows for end in (row["values"].get(metric), *(row.get("intervals", {}).get(metric) or []))]
    scale = [end for end in (*ends, chance) if end is not None]

    def cell(one: dict[str, Any], column: tuple[str, str]) -> Html:
        row = next((row for row in one["rows"] if setting(row) == column), None)
        return valued(row, metric, best[column], bar(row, metric, scale, chance)) if row else element("td")

    spans = [(labels, sum(column[0] == labels for column in columns)) for labels in amounts]
    heads = [element("th", labels_of(labels), scope="colgroup", colspan=span) for labels, span in spans]
    head = element(
        "thead",
        element("tr", element("th", words(metric), scope="col", rowspan=2, class_="text"), *heads),
        element("tr", *(element("th", probe, scope="col") for _, probe in columns)),
    )
    bodies = [
        element("tbody", *(element("tr", encoder(one), *(cell(one, column) for column in columns)) for one in group))
        for group in in_order(results["encoders"])
    ]
    if chance is not None:
        cells = [element("td", number(chance)) for _ in columns]
        bodies.append(element("tbody", element("tr", element("th", "chance", scope="row"), *cells, class_="chance")))
    return table(f"{words(metric)} of encoders by probes", head, *bodies)


def highest(rows: list[dict[str, Any]], metric: str) -> float | None:
    """Of what there is to compare."""
    values = [row["values"][metric] for row in rows if row["values"].get(metric) is not None]
    return max(values) if len(values) > 1 else None


def valued(row: dict[str, Any], metric: str, best: float | None, line: Html | str = "") -> Html:
    """A value with what it is known by: its interval, and its deviation over draws or seeds."""
    value, within = row["values"].get(metric), interval(row.get("intervals", {}).get(metric))
    spread = row.get("spread", {}).get(metric)
    is_best = best is not None and number(value) == number(best)  # as far as is shown
    return element(
        "td",
        element("strong", number(value), element("span", " (best)", class_="unseen")) if is_best else number(value),
        line,
        element("small", within) if within else "",
        element("small", f"± {number(spread)}") if spread is not None else "",
        class_="best" if is_best else None,
    )


def bar(row: dict[str, Any], metric: str, scale: list[float], chance: float | None) -> Html | str:
    """The value, its interval and chance on a line from the least to the most of the table."""
    value, ends = row["values"].get(metric), row.get("intervals", {}).get(metric) or [None]
    if value is None or max(scale) == min(scale):
        return ""

    def at(number: float) -> float:
        return round(4 + 92 * (number - min(scale)) / (max(scale) - min(scale)), 1)

    lines = {"whole": "M4 5H96"}
    if chance is not None:
        lines["chance"] = f"M{at(chance)} 2V8"
    if None not in ends:
        lines["within"] = f"M{at(ends[0])} 5H{at(ends[1])}"
    lines["at"] = f"M{at(value)} 0V10"
    paths = [element("path", d=line, class_=name) for name, line in lines.items()]
    return element("svg", *paths, viewBox="0 0 100 10", class_="bar", aria_hidden="true")


def every(results: dict[str, Any]) -> Html | None:
    """Every metric of every row."""
    metrics = results["metrics"]
    ones = [one for group in in_order(results["encoders"]) for one in group if one["rows"]]
    rows = [row for one in ones for row in one["rows"]]
    if not rows:
        return None
    best = {metric: highest(rows, metric) for metric in metrics}
    chosen = any(row.get("chosen") for row in rows)

    def line(one: dict[str, Any], row: dict[str, Any]) -> Iterator[Html]:
        if row is one["rows"][0]:
            yield encoder(one, scope="rowgroup", rowspan=len(one["rows"]))
        draws = element("small", f"{row['repeats']} times") if row.get("repeats", 1) > 1 else ""
        clips = row.get("train_clips")
        yield element("td", row["probe"], class_="text")
        yield element("td", row["labels"], draws, class_="text")
        yield element("td", "–" if clips is None else f"{clips:,}")
        yield from (valued(row, metric, best[metric]) for metric in metrics)
        if chosen:
            said = ", ".join(f"{name} {settled(value)}" for name, value in (row.get("chosen") or {}).items())
            yield element("td", said, class_="text")

    names = ["encoder", "probe", "labels"], ["training clips", *map(words, metrics)], ["chosen"] if chosen else []
    bodies = [element("tbody", *(element("tr", *line(one, row)) for row in one["rows"])) for one in ones]
    return element(
        "details",
        element("summary", "Every metric"),
        table("Every metric of every row", heading(*names), *bodies),
        terms({words(name): said for name, said in metrics.items()}),
        open=len(rows) <= OPEN,
    )


def settled(value: Any) -> str:
    """What was chosen, or in each fold was: those that differ."""
    each = value if isinstance(value, list) else [value]
    return " or ".join(dict.fromkeys(f"{one:g}" if isinstance(one, float) else str(one) for one in each))


def differences(results: dict[str, Any]) -> Html | None:
    found = results.get("comparisons")
    if not found:
        return None
    note = (
        "On the same clips. Where the interval holds 0, these clips cannot tell the two apart; where it does not, the "
        "difference is in bold. p is how often chance alone would make a difference as large."
    )
    head = heading(["encoder", "against", "probe", "metric"], ["difference", "interval", "p"])
    body = element("tbody", *map(difference, found))
    return joined(element("h3", "Differences"), element("p", note), table("Differences", head, body))


def difference(one: dict[str, Any]) -> Html:
    value, p, ends = one["difference"], one.get("p"), one.get("interval") or [None]
    signed = f"+{number(value)}" if value is not None and value > 0 else number(value)
    clear = None not in ends and not ends[0] <= 0 <= ends[1]
    return element(
        "tr",
        element("th", one["a"], scope="row"),
        *(element("td", said, class_="text") for said in (one["b"], one["probe"], words(one["metric"]))),
        element("td", element("b", signed) if clear else signed),
        element("td", interval(one.get("interval"))),
        element("td", "< 0.001" if p is not None and p < 0.001 else number(p)),
    )
