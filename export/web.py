"""A verified ONNX file -> a page that runs it in a browser, by onnxruntime-web."""

import dataclasses
import html
import json
import os
import shutil
from pathlib import Path

from kerascola.errors import ExportError
from kerascola.export.place import beside, put
from kerascola.runtime.embedder import Embedder

PAGE = Path(__file__).with_name("web.html")
OURS = {"index.html", "model.onnx"}
NPM = {"node_modules", "package.json", "package-lock.json"}  # what `npm install` puts beside them, and what stays
TOLD = ("sample_rate", "window_samples", "hop_samples", "min_samples", "dimension")


def check_folder(folder: Path, overwrite: bool) -> None:
    if not folder.parent.is_dir():
        raise ExportError(f"{folder.parent}: no such folder to write {folder.name} into. Make it first")
    ours = folder.is_dir() and OURS == {path.name for path in folder.iterdir()} - NPM
    if folder.exists() and not (ours and overwrite):
        what = "replace it by --overwrite" if ours else "more than a page and its model"
        raise ExportError(f"{folder} is there already: {what}, or name another folder by --web")


def write_page(onnx: Path, folder: Path, name: str) -> Path:
    """FOLDER/index.html and FOLDER/model.onnx, whole or not at all."""
    told = {key: value for key, value in dataclasses.asdict(Embedder(onnx).metadata).items() if key in TOLD}
    text = PAGE.read_text(encoding="utf-8")
    text = text.replace("{NAME}", html.escape(name)).replace("{MODEL}", json.dumps(told))
    with beside(folder) as work:
        made = work / "page"
        made.mkdir()
        (made / "index.html").write_text(text, encoding="utf-8")
        shutil.copyfile(onnx, made / "model.onnx")
        if folder.exists():
            for path in made.iterdir():
                os.replace(path, folder / path.name)
        else:
            put(made, folder)
    return folder / "index.html"
