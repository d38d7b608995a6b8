"""The report of a judging: a page that is one file, and its figures beside it. All of it is drawn from a dict alone."""

import json
from pathlib import Path
from typing import Any

from kerascola.data.files import write_whole
from kerascola.evaluation.report.figures import DRAW, drawing, drawn, png
from kerascola.evaluation.report.markup import plain
from kerascola.evaluation.report.page import page


def write_report(results: dict[str, Any], folder: Path) -> Path:
    """`report.html`, a PNG of each figure and `figures.json`, their data. All is made before any of it is written."""
    shown = plain(results)
    with drawing():
        figures = drawn(shown)
        files = {f"{name}.png": png(figure) for name, figure in figures.items()}
        files["report.html"] = page(shown, figures).encode()
    data = {key: shown["figures"][key] for name, (key, _) in DRAW.items() if name in figures}
    files["figures.json"] = json.dumps(data, indent=1).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name in DRAW:  # of an earlier report, which may have had more of them
        if name not in figures:
            (folder / f"{name}.png").unlink(missing_ok=True)
    for name, content in files.items():
        write_whole(folder / name, content)
    return folder / "report.html"
