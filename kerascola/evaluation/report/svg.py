"""A figure as SVG inside a page: text stays text, colours are the page's, ids are of this figure alone."""

import io
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure

from kerascola.evaluation.report.markup import Html
from kerascola.evaluation.report.palette import LIGHT

VARIABLES = {value: f"var(--{name})" for name, value in LIGHT.items()}
PIXELS = 4 / 3  # in a point
PHONE = 450  # what can be made as narrow as a phone and still be read
LINK = "{http://www.w3.org/1999/xlink}href"
KEPT: dict[Any, Any] = {
    "svg.fonttype": "none",
    "image.composite_image": False,
}  # text is text, and an image has its own pixels


def inline(figure: Figure, name: str, about: str) -> Html:
    file = io.StringIO()
    with rc_context({**KEPT, "svg.hashsalt": name}):  # ids are hashes, salted with what no other figure is called
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(file.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):  # a style there would be the whole page's
                parent.remove(child)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
        node.attrib = dict(attributes(node.attrib))
    meant = set(re.findall(r"#(\w+)", " ".join(value for node in root.iter() for value in references(node))))
    for node in root.iter():
        if node.get("id") not in meant:
            node.attrib.pop("id", None)
    width, height = (PIXELS * float(root.attrib[side].removesuffix("pt")) for side in ("width", "height"))
    root.attrib |= {"width": f"{width:.0f}", "height": f"{height:.0f}", "role": "img", "aria-label": about}
    root.attrib |= {"class": "fits"} if width <= PHONE else {}
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt"}
    return Html(ElementTree.tostring(root, encoding="unicode"))


def references(node: ElementTree.Element) -> Iterator[str]:
    return (node.attrib[key] for key in ("href", "clip-path") if not node.get(key, "data:").startswith("data:"))


def attributes(given: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each declaration of a style as an attribute, since the page allows no styles but its own."""
    for key, value in given.items():
        if key != "style":
            yield ("href" if key == LINK else key), value
            continue
        for declaration in filter(None, value.split(";")):
            what, _, said = (part.strip() for part in declaration.partition(":"))
            if what == "font":  # of its shorthand, as older Matplotlibs write it, the size
                what, said = "font-size", re.findall(r"[\d.]+px", said)[0]
            if what != "font-family":  # that of the page
                yield what, VARIABLES.get(said, said)
