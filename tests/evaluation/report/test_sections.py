"""What the page's sections say, and what their figures show."""

import json
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from pages_for_tests import FIGURES, Tree, few, only, tables
from results_for_tests import results

from kerascola.evaluation.report.figures import drawing, drawn
from kerascola.evaluation.report.markup import plain
from kerascola.evaluation.report.page import page


def test_every_number_of_every_row():
    data = few()
    found = tables(only(data))["Every metric of every row"]
    head, *lines = found
    assert head[:4] == ["encoder", "probe", "labels", "training clips"]
    rows = [(one, row) for one in data["encoders"] for row in one["rows"]]
    assert len(lines) == len(rows) == 30
    for (one, row), line in zip(rows, lines, strict=True):
        cells = dict(zip(head, line, strict=True))
        assert cells["encoder"].startswith(one["name"]) and cells["probe"] == row["probe"]
        assert cells["labels"].startswith(row["labels"]) and cells["training clips"] == f"{row['train_clips']:,}"
        assert cells["chosen"] == "C 0.01 or 1"
        assert ("5 times" in cells["labels"]) == (row["repeats"] == 5)
        for metric in data["metrics"]:
            cell = cells[metric.replace("_", " ")]
            low, high = row["intervals"][metric]
            assert cell.startswith(f"{row['values'][metric]:.3f}") and f"{low:.3f} to {high:.3f}" in cell
            assert ("±" in cell) == ("spread" in row)
            assert "spread" not in row or f"± {row['spread'][metric]:.3f}" in cell
    for metric in data["metrics"]:
        column = [line[head.index(metric.replace("_", " "))] for line in lines]
        best = f"{max(row['values'][metric] for _, row in rows):.3f}"
        assert ["(best)" in cell for cell in column] == [cell.startswith(best) for cell in column]


def test_encoders_by_probes():
    data = few()
    given = data["encoders"]
    data["encoders"] = [
        given[3],
        given[4],
        given[0],
        given[1],
        given[2],
    ]  # random weights before their encoder, and apart
    amounts, probes, *lines = tables(only(data))["accuracy of encoders by probes"]
    assert amounts == ["accuracy"] + ["all labels"] * 3 + ["10 % of the labels"] * 3
    assert probes == ["accuracy", "linear", "ridge", "knn", "linear", "ridge", "knn"]
    order = [one["name"] for one in (given[4], given[0], given[1], given[2], given[3])]
    assert [line[0].replace("mean over 5 seeds", "") for line in lines] == [*order, "chance"]
    for name, line in zip(order, lines, strict=False):
        (one,) = [one for one in given if one["name"] == name]
        for row, cell in zip(one["rows"], line[1:], strict=True):
            assert cell.startswith(f"{row['values']['accuracy']:.3f}")
    for column in range(1, 7):
        values = [line[column][:5] for line in lines[:-1]]
        assert ["(best)" in line[column] for line in lines[:-1]] == [value == max(values) for value in values]
    assert lines[-1][1:] == ["0.333"] * 6


def test_a_probe_that_was_not_run_leaves_its_place_empty():
    data = few()
    del data["encoders"][0]["rows"][1]  # ridge, all labels
    _, probes, *lines = tables(only(data))["accuracy of encoders by probes"]
    assert probes == ["accuracy", "linear", "knn", "ridge", "linear", "knn", "ridge"]
    assert [bool(cell) for cell in lines[0]] == [True, True, True, False, True, True, True]
    assert all(all(line) for line in lines[1:])


def test_differences():
    found = tables(only(few()))["Differences"]
    assert found[1] == ["model", "random weights of model", "linear", "accuracy", "+0.301", "0.281 to 0.321", "< 0.001"]
    assert found[2] == ["model", "random weights of model", "knn", "accuracy", "+0.007", "−0.013 to 0.027", "0.482"]
    bold = re.findall(r"<td><b>([^<]*)</b></td>", only(few()))
    assert bold == ["+0.301"] * 2  # those that do not hold 0


def test_the_sentence():
    data = few()
    row, other = data["encoders"][0]["rows"][0], data["encoders"][1]["rows"][0]
    row["values"]["accuracy"], row["intervals"]["accuracy"] = 0.4526, [0.431, 0.47]
    other["values"]["accuracy"], other["intervals"] = 0.3, {}
    said = "model reaches accuracy 0.453 (0.431 to 0.470); with random weights 0.300; chance is 0.333."
    assert Tree(only(data)).texts("p", class_="lead") == [said]
    data["encoders"] = [data["encoders"][0]]
    data["chance"] = {}
    assert Tree(only(data)).texts("p", class_="lead") == ["model reaches accuracy 0.453 (0.431 to 0.470)."]
    row["values"]["accuracy"] = None
    assert Tree(only(data)).texts("p", class_="lead") == ["No accuracy could be computed."]


def test_what_has_no_value_is_said_to_have_none():
    data = few()
    for one in data["encoders"]:
        one["health"]["nmi"] = None
        for row in one["rows"]:
            row["values"] = dict.fromkeys(row["values"], float("nan"))
            row["intervals"] = {metric: [None, None] for metric in row["intervals"]}
    data["comparisons"][0] |= {"difference": None, "interval": None, "p": None}
    data["chance"] = {"accuracy": None}
    text = only(data)
    found = tables(text)
    assert all(line[4].startswith("–") and " to " not in line[4] for line in found["Every metric of every row"][1:])
    assert found["Differences"][1][4:] == ["–", "", "–"]
    head, *lines = found["Health of the embeddings"]
    assert {line[head.index("NMI")] for line in lines} == {"–"}
    assert not re.search(r"\b(nan|None)\b", " ".join(Tree(text).texts("main")))


def test_health_and_how_to_read_it():
    data = few()
    head, *lines = tables(only(data))["Health of the embeddings"]
    assert head == "encoder,effective rank,uniformity,alignment,NMI,recall at 1,recall at 5,MRR,EER".split(",")
    assert lines[0][1:] == ["42.0", "−2.100", "0.612", "0.413", "0.512", "0.781", "0.634", "0.123"]
    assert set(head[1:]) <= set(Tree(only(data)).texts("dt"))


def test_how_it_was_made():
    data = few()
    data["encoders"][0]["sha256"] = "c0ffee" * 10
    tree, found = Tree(only(data)), tables(only(data))
    for said in (data["command"], "sha256 " + "5e" * 32, "sha256 " + "c0ffee" * 10):
        assert said in tree.texts("code")
    for said in (data["protocol"]["text"], "0", "kerascola 0.1.0, onnxruntime 1.31.1, numpy 2.3.4"):
        assert said in tree.texts("dd")
    assert found["Folds"][1:] == [[name, "2,000", "0", "1,000"] for name in ("george", "jackson", "lucas")]
    assert any(said.startswith("sounds/list.csv: 3,000 recordings, 21.7 minutes") for said in tree.texts("dd"))
    assert found["Encoders"][2][5] == ""  # random weights are in no file of the user's
    assert found["Encoders"][1][1:5] == ["cola", "512", "16,000 Hz", "1 s"]
    aside = re.search("<aside.*</aside>", only(data), re.DOTALL)[0]
    assert Tree(aside).texts("li") == data["warnings"]


SECTIONS = {
    "confusion": "confusion",
    "per_class": "per-class",
    "curves": "curves",
    "map": "map",
    "neighbours": "neighbours",
    "confusions": "hardest",
    "spectrum": "health",
}


@pytest.mark.parametrize("key", SECTIONS)
def test_a_section_without_data_is_left_out(key):
    data = plain(few())
    figures = {name: Figure(figsize=(1, 1)) for name in FIGURES}
    assert [a["id"] for a, _ in Tree(page(data, figures)).all("section")] == ["results", *SECTIONS.values(), "made"]
    del data["figures"][key]
    figures.pop(key.replace("_", "-"), None)
    if key == "spectrum":  # which shares its section
        assert Tree(page(data, figures)).all("section", id="health")
        data["encoders"] = [one | {"health": {}} for one in data["encoders"]]
    tree = Tree(page(data, figures))
    left = [a["id"] for a, _ in tree.all("section")]
    assert left == [name for name in ("results", *SECTIONS.values(), "made") if name != SECTIONS[key]]
    assert [a["href"] for a, _ in tree.all("a")] == [f"#{name}" for name in left]


def test_no_warnings_no_box():
    assert not Tree(only(few() | {"warnings": []})).all("aside")


def test_several_labels_of_a_clip():
    data = results(["owl", "drum", "rain"], multi=True, points=12)
    (query,) = data["figures"]["neighbours"] = data["figures"]["neighbours"][:1]
    query["label"] = "owl; rain"
    for one, labels in zip(query["found"], ("rain", "drum", "", "drum; owl"), strict=True):
        one["label"] = labels
    with drawing():
        figures = drawn(plain(data))
    assert set(figures) == FIGURES - {"confusion"}
    assert figures["per-class"].axes[0].get_xlabel() == "average precision"
    text = only(data)
    section = re.search(r'<section id="neighbours">.*?</section>', text, re.DOTALL)[0]
    said = ["owl; rain", "✓ same class: rain", "✗ another class: drum", "no label", "✓ same class: drum; owl"]
    assert Tree(section).texts("b") == said
    del figures["curves"], figures["spectrum"]
    with drawing():
        assert "Average precision by class" in Tree(page(plain(data), figures)).texts("h2")


def test_neighbours_of_the_same_class_are_marked():
    data = few()
    (query,) = data["figures"]["neighbours"] = data["figures"]["neighbours"][:1]
    query["label"] = "owl"
    for one, name in zip(query["found"], ("owl", "drum", None, "owl"), strict=True):
        one["label"] = name
    section = re.search(r'<section id="neighbours">.*?</section>', only(data), re.DOTALL)[0]
    same, other = "✓ same class: owl", "✗ another class: drum"
    assert Tree(section).texts("b") == ["owl", same, other, "no label", same]


def test_the_hardest_class_is_first():
    data = few()
    data["figures"]["per_class"] |= {
        "classes": ["a", "b", "c", "d"],
        "recall": [0.5, None, 0.9, 0.1],
        "clips": [5, 0, 2, 1],
    }
    with drawing():
        (axes,) = drawn(plain(data))["per-class"].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["d", "a", "c", "b"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first is on top
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_array_equal(widths, [0.1, 0.5, 0.9, np.nan])
    assert [text.get_text() for text in axes.texts] == [
        "0.10 of 1 clip",
        "0.50 of 5 clips",
        "0.90 of 2 clips",
        "0 clips",
    ]


@pytest.mark.parametrize("n", [3, 40])
def test_the_matrix(n):
    rng = np.random.default_rng(n)
    counts = rng.integers(0, 9, (n, n))
    counts[0] = 0
    data = few()
    data["figures"]["confusion"] = {"classes": [f"c{i}" for i in range(n)], "counts": counts.tolist()}
    with drawing():
        (axes,) = drawn(plain(data))["confusion"].axes
    for row in range(n):
        total = sum(counts[row])
        np.testing.assert_allclose(axes.images[0].get_array()[row], counts[row] / total if total else 0 * counts[row])
    said = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert said == ({(r, c): str(counts[r, c]) for r, c in np.ndindex(n, n) if counts[r, c]} if n == 3 else {})
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"c{i}" for i in range(n)]


def test_a_line_for_each_curve():
    data = few()
    with drawing():
        figures = drawn(plain(data))
    shares, labels = figures["curves"].axes
    assert [axes.get_xlabel() for axes in (shares, labels)] == ["share of the labels", "labels of each class"]
    given = [curve for curve in data["figures"]["curves"] if curve["axis"] == "share of the labels"]
    drawn_lines = shares.lines[: len(given)]
    for curve, line in zip(given, drawn_lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.transpose([curve["x"], curve["mean"]]))
    looks = {
        curve["encoder"]: (line.get_color(), line.get_linestyle())
        for curve, line in zip(given, drawn_lines, strict=True)
    }
    assert looks["model"][0] == looks["random weights of model"][0] != looks["model 1"][0]
    assert [look[1] for look in looks.values()] == ["-", "--", "-", "--", "-"]
    np.testing.assert_array_equal(shares.lines[-1].get_ydata(), [1 / 3, 1 / 3])  # chance
    spectrum = figures["spectrum"].axes[0].lines
    assert len(spectrum) == len(data["encoders"])
    share = data["figures"]["spectrum"][1]["share"]
    np.testing.assert_allclose(spectrum[1].get_ydata(), [value if value > 1e-6 else np.nan for value in share])


def test_the_map_in_its_picture():
    data = few()
    given = data["figures"]["map"] = {
        "method": "PCA",
        "x": [0.0, 1.0, 2.0, None],
        "y": [5.0, 6.0, 7.0, 8.0],
        "label": ["a", "b", "a", "a"],
        "predicted": ["a", "a", None, "a"],
        "path": list("pqrs"),
        "start": [0.0] * 4,
    }
    with drawing():
        figure = drawn(plain(data))["map"]
    right, wrong, *_ = figure.axes[0].collections
    np.testing.assert_array_equal(right.get_offsets().filled(np.nan), [[0, 5], [2, 7], [np.nan, np.nan]])
    np.testing.assert_array_equal(wrong.get_offsets(), [[1, 6]])
    assert len(np.unique(right.get_facecolors(), axis=0)) == 1 and not len(right.get_edgecolors())
    assert not np.array_equal(right.get_facecolors()[0], wrong.get_facecolors()[0]) and len(wrong.get_edgecolors())
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "taken for another"]
    (told,) = [json.loads(words) for words in Tree(only(data)).texts("script", type="application/json")]
    assert told["clip"] == given["path"][:3]  # one without a place is nowhere
