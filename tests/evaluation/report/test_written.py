"""The files of a report, whatever names are in it, and what its page may do."""

import base64
import copy
import hashlib
import json
import re

import numpy as np
import pytest
from matplotlib.image import imread
from pages_for_tests import FIGURES, Tree, few, only
from results_for_tests import results

from kerascola.evaluation import report
from kerascola.evaluation.report import write_report

HOSTILE = [
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "</script><img src=x onerror=alert(1)>",
    "a$b & c' &lt;",
    "$\\frac{1}{",
    "url(http://elsewhere.example/)",
    "日本語の名前",
    "x" * 90,
    "\udcff\x00\u202egnp",
]
SEEN_AS = {HOSTILE[-1]: "\\udcff\\x00\\u202egnp"}  # what cannot be seen, or not be written


@pytest.fixture(scope="module")
def hostile() -> dict:
    found = results(HOSTILE, points=60, path="../{label}/{n:04}.wav")
    found["title"] = found["command"] = found["protocol"]["text"] = found["warnings"][0] = " ".join(HOSTILE)
    for one in found["encoders"]:
        one["name"], one["of"] = (f"{name} {HOSTILE[2]}" if name else None for name in (one["name"], one["of"]))
    return found


@pytest.fixture(scope="module")
def folder(hostile, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "not" / "there"
    assert write_report(hostile, folder) == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def text(folder) -> str:
    return (folder / "report.html").read_text("utf-8")


def test_what_is_written(folder, hostile):
    assert {path.name for path in folder.iterdir()} == {
        "report.html",
        "figures.json",
        *(f"{name}.png" for name in FIGURES),
    }
    for name in FIGURES:
        picture = imread(folder / f"{name}.png")
        assert min(picture.shape[:2]) > 300 and picture[..., :3].std() > 0.05
        assert (picture[0, :, :3] == 1).all() and (picture[..., 3] == 1).all()  # on white, wherever it is looked at
    data = json.loads((folder / "figures.json").read_text())
    assert set(data) == {"confusion", "per_class", "curves", "map", "spectrum"}
    assert data["confusion"]["counts"] == hostile["figures"]["confusion"]["counts"]
    assert data["map"]["x"] == hostile["figures"]["map"]["x"]
    assert data["curves"] == hostile["figures"]["curves"]
    assert data["per_class"]["classes"] == [SEEN_AS.get(name, name) for name in HOSTILE]


def test_names_are_text(text, hostile):
    tree = Tree(text)
    assert {tag for tag, _, _ in tree.elements} == {
        *("html head meta link title style body script main header nav section aside figure figcaption".split()),
        *("h1 h2 h3 p a b strong small span i div ul li dl dt dd details summary code audio".split()),
        *("table thead tbody tr th td svg g path defs use image text clippath rect".split()),
    }
    assert not [name for _, attributes, _ in tree.elements for name in attributes if name.startswith("on")]
    assert not [attributes for _, attributes, _ in tree.elements if "style" in attributes]
    legend = [re.sub(r" \d+$", "", words) for words in tree.texts("li") if re.search(r" \d+$", words)]
    assert {SEEN_AS.get(name, name) for name in HOSTILE[:-1]} <= {*legend, *tree.texts("span")}
    assert tree.texts("h1") == [" ".join(SEEN_AS.get(name, name) for name in HOSTILE)]
    paths = set(tree.texts("span", class_="path"))
    for query in hostile["figures"]["neighbours"]:
        for clip in (query, *query["found"]):
            said = clip["path"].replace(HOSTILE[-1], SEEN_AS[HOSTILE[-1]])
            assert (f"{said} from {clip['start']:g} s" if clip["start"] else said) in paths
    labels = [words for words in tree.texts("text") if words]
    for name in (name for name in HOSTILE if len(name) < 30 and name not in SEEN_AS):
        assert labels.count(name) == 3  # of both sides of the matrix, and of its bar


def test_data_of_the_map(text, hostile):
    (found,) = [json.loads(words) for words in Tree(text).texts("script", type="application/json")]
    given = hostile["figures"]["map"]
    assert [found["kinds"][kind] for kind in found["kind"]] == [SEEN_AS.get(name, name) for name in given["label"]]
    for (said, name), right in zip(zip(found["said"], given["predicted"], strict=True), given["label"], strict=True):
        assert said == (None if name == right else SEEN_AS.get(name, name))
    for axis, sign in (("x", 1), ("y", -1)):  # in a picture y goes down
        assert np.corrcoef(found[axis], given[axis])[0, 1] == pytest.approx(sign, abs=1e-4)
    assert min(found["x"]) > 0 and max(found["x"]) < 960 and min(found["y"]) > 0 and max(found["y"]) < 600
    dots = [path for path, _ in Tree(text).all("path") if (path.get("class") or "").startswith("dot")]
    places = re.findall(r"M([\d.]+) ([\d.]+)h0", " ".join(path["d"] for path in dots))
    assert sorted((float(x), float(y)) for x, y in places) == sorted(zip(found["x"], found["y"], strict=True))
    rings = " ".join(path["d"] for path, _ in Tree(text).all("path", class_="ring"))
    assert rings.count("M") == sum(said is not None for said in found["said"]) > 3


def test_players(text, hostile):
    found = [attributes for attributes, _ in Tree(text).all("audio")]
    clips = [clip for query in hostile["figures"]["neighbours"] for clip in (query, *query["found"])]
    clips += [clip for one in hostile["figures"]["confusions"] for clip in one["examples"]]
    assert [audio["src"] for audio in found] == [clip["audio"] for clip in clips]
    assert all(audio["preload"] == "none" and audio["aria-label"].startswith("play ../") for audio in found)


def test_audio_from_elsewhere_is_not_played():
    data = few()
    for query in data["figures"]["neighbours"]:
        query["audio"], query["found"][0]["audio"] = "https://elsewhere.example/a.ogg", None
    sounds = Tree(only(data)).all("audio")
    assert len(sounds) == 8 * 3 + 3 * 3 and "elsewhere" not in only(data)


def test_nothing_is_asked_of_anyone(text):
    tree = Tree(text)
    targets = [v for _, attributes, _ in tree.elements for k, v in attributes.items() if k in ("src", "href")]
    assert len(targets) > 50 and all(target.startswith(("data:", "#")) for target in targets)
    acting = [v for _, attributes, _ in tree.elements for k, v in attributes.items() if not k.startswith("aria-")]
    assert all(value.startswith("url(#") for value in re.findall(r"url\(..", " ".join(filter(None, acting))))
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    assert "url" not in style and "@import" not in style
    ids = [attributes["id"] for _, attributes, _ in tree.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    meant = {target[1:] for target in targets if target.startswith("#")} | set(re.findall(r'="url\(#([^)]*)\)"', text))
    assert meant <= set(ids)


def test_the_page_may_run_what_it_holds_and_no_more(text):
    (policy,) = [a["content"] for a, _ in Tree(text).all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    for name, content in (("style-src", style), ("script-src", script)):
        assert rules.pop(name) == f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "media-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_a_figure_that_is_no_more_goes_away(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "png", lambda figure: b"picture")
    data = few()
    del data["figures"]["confusion"], data["figures"]["per_class"], data["figures"]["spectrum"]
    write_report(data, tmp_path)
    assert (tmp_path / "map.png").read_bytes() == b"picture"
    (tmp_path / "mine.png").touch()
    del data["figures"]["map"]
    write_report(data, tmp_path)
    assert (
        not (tmp_path / "map.png").exists() and (tmp_path / "curves.png").exists() and (tmp_path / "mine.png").exists()
    )
    assert "map" not in json.loads((tmp_path / "figures.json").read_text())


def test_what_cannot_be_drawn_leaves_the_last_report_as_it_was(tmp_path):
    (tmp_path / "report.html").write_text("the last")
    data = few()
    del data["figures"]["map"]["x"]
    with pytest.raises(KeyError):
        write_report(data, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "the last"


def test_what_is_given_is_not_changed():
    data = results(HOSTILE, points=5)
    before = copy.deepcopy(data)
    only(data)
    assert data == before
