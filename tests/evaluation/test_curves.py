import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from kerascola.evaluation.curves import PANELS, draw_training

pytestmark = pytest.mark.once("matplotlib's drawing of numbers")


def history(epochs: int, *left_out: str) -> list[dict[str, float]]:
    rows = []
    for epoch in range(1, epochs + 1):
        decay = math.exp(-epoch / 20)
        row = {"epoch": epoch, "loss": 0.4 + 3 * decay, "accuracy": 1 - decay, "effective_rank": 40 - 20 * decay}
        row |= {"uniformity": -3 + decay, "alignment": 0.5 * decay, "deviation": 0.03}
        rows.append({name: value for name, value in row.items() if name not in left_out})
    return rows


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """Those that were written."""
    written = []
    own = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **kw: written.append(self) or own(self, *args, **kw))
    return written


@pytest.mark.parametrize("epochs", [1, 100])
def test_each_measure_has_its_curve(tmp_path, figures, epochs):
    rows = history(epochs)
    draw_training(tmp_path / "report.png", "cola: runs/x", rows)
    (figure,) = figures
    assert [axes.get_title() for axes in figure.axes] == list(PANELS.values())
    for name, axes in zip(PANELS, figure.axes, strict=True):
        (line,) = axes.lines
        np.testing.assert_array_equal(line.get_xdata(), range(1, epochs + 1))
        np.testing.assert_array_equal(line.get_ydata(), [row[name] for row in rows])
        assert line.get_marker() == ("o" if epochs == 1 else "")  # a line of one point cannot be seen
        low, high = axes.get_xlim()
        assert all(tick == round(tick) for tick in axes.get_xticks() if low <= tick <= high)  # no half epochs
    picture = imread(tmp_path / "report.png")
    assert picture.shape[0] > 300 and picture.std() > 0.01


@pytest.mark.parametrize("rows", [history(3, "alignment", "accuracy"), []])
def test_what_was_not_measured_has_no_panel(tmp_path, figures, rows):
    draw_training(tmp_path / "report.png", "x", rows)
    titles = [axes.get_title() for axes in figures[0].axes]
    assert titles == [PANELS[name] for name in PANELS if rows and name in rows[0]] or titles == [""]
    assert (tmp_path / "report.png").stat().st_size > 1000
