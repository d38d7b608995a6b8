"""A report's page, read back: its elements, its tables, and what it is made of."""

import re
from html.parser import HTMLParser

from results_for_tests import results

from kerascola.evaluation.report.markup import plain
from kerascola.evaluation.report.page import page

VOID = {"meta", "link", "img", "br", "hr", "input", "source"}
FIGURES = {"confusion", "per-class", "curves", "map", "spectrum"}


class Tree(HTMLParser):
    """Every element as (tag, attributes, the text in it), in order; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        found = (tag, dict(attrs), [])
        self.elements.append(found)
        if tag not in VOID:
            self.open.append(found)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, _, text in self.open:
            text.append(data)

    def all(self, tag: str, **wanted: str) -> list[tuple[dict[str, str | None], str]]:
        return [
            (attributes, " ".join("".join(text).split()))
            for name, attributes, text in self.elements
            if name == tag and all(attributes.get(key.strip("_")) == value for key, value in wanted.items())
        ]

    def texts(self, tag: str, **wanted: str) -> list[str]:
        return [text for _, text in self.all(tag, **wanted)]


def tables(text: str) -> dict[str, list[list[str]]]:
    """The tables of the page by the names of their boxes, as rectangles: a cell that spans is in all that it spans."""
    found = {}
    for name, body in re.findall(
        r'<div class="box" role="region" aria-label="([^"]*)" tabindex="0">(<table.*?</table>)', text
    ):
        rows: list[dict[int, str]] = []
        tree = Tree(body)
        cells = iter([element for element in tree.elements if element[0] in ("tr", "td", "th")])
        height = -1
        for tag, attributes, words in cells:
            if tag == "tr":
                height += 1
                rows += [{} for _ in range(height + 1 - len(rows))]
                continue
            column = next(n for n in range(99) if n not in rows[height])
            for down in range(int(attributes.get("rowspan", 1))):
                rows += [{} for _ in range(height + down + 1 - len(rows))]
                for right in range(int(attributes.get("colspan", 1))):
                    rows[height + down][column + right] = "".join(words)
        assert len({len(row) for row in rows}) == 1, name
        found[name] = [[row[column] for column in range(len(row))] for row in rows]
    return found


def only(data: dict) -> str:
    """The page without the figures that take long."""
    return page(plain(data), {})


def few() -> dict:
    return results(["owl", "drum", "rain"], given=2, points=20)
