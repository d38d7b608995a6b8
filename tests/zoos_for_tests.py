"""A small zoo in a folder, of a model that computes statistics; and a server of this machine that may behave badly."""

import hashlib
import threading
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from onnx_models import METADATA, statistics, write_statistics_model

from kerascola.runtime.golden import SOUND, sound
from kerascola.runtime.record import File, Golden, Metric, Record, Trial, write_index

NAME = "statistics.plain"


def a_file(content: bytes) -> File:
    return File(len(content), hashlib.sha256(content).hexdigest())


def a_record(name: str = NAME, keras: bytes = b"", onnx: bytes = b"", **changes: Any) -> Record:
    heard = sound(METADATA.sample_rate, METADATA.window_samples)
    made = Record(
        name=name,
        summary="Mean, level, power and peak.",
        recipe=METADATA.recipe,
        encoder="none",
        frontend={"name": "waveform", "sample_rate": 16000},
        sample_rate=METADATA.sample_rate,
        window_samples=METADATA.window_samples,
        min_samples=METADATA.min_samples,
        dimension=4,
        parameters=1,
        licence="",
        data="nothing",
        hours=0.5,
        backend="torch",
        command="kerascola pretrain none",
        versions={"keras": "3.15.1"},
        files={"keras": a_file(keras), "onnx": a_file(onnx)},
        metrics=(
            Metric("digits: linear on all labels, 6 folds", "accuracy", 0.7512, (0.73, 0.775), 0.4, 0.012, 5),
            Metric("digits: knn on all labels, 6 folds", "accuracy", 0.7, (0.68, 0.72)),
        ),
        parity={"onnx_max_difference": 1.5e-6},
        golden=Golden(SOUND, len(heard), tuple(statistics(heard).tolist()), {"keras": 1e-5, "onnx": 1e-4}),
        trials=(Trial("a wider window", "0.71 | worse", "2 h"),),
    )
    return replace(made, **changes)


def a_zoo(folder: Path, name: str = NAME, keras: bytes = b"a Keras file", **changes: Any) -> Path:
    """With one checkpoint, whose ONNX file is real."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    onnx = write_statistics_model(folder / "checkpoints" / f"{name}.onnx").read_bytes()
    (folder / "checkpoints" / f"{name}.keras").write_bytes(keras)
    (folder / "index.json").write_text(write_index([a_record(name, keras, onnx, **changes)]))
    return folder


def tree_of(record: Record) -> dict[str, Any]:
    import json

    return json.loads(json.dumps({"format": 1, "records": [asdict(record)]}))


class Server:
    """Serves a folder, and what it is told to in its place."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, int]] = []  # path, first byte
        self.drops: list[int] = []  # bytes after which a connection ends
        self.ranges, self.status = True, 200
        self.instead: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
                outer.asked.append((self.path, begin))
                if outer.status != 200:
                    return self.send_error(outer.status)
                if self.path in outer.moved:
                    self.send_response(302)
                    self.send_header("Location", outer.moved[self.path])
                    return self.end_headers()
                file = folder / self.path.partition("?")[0].lstrip("/")
                if self.path not in outer.instead and not file.is_file():
                    return self.send_error(404)
                content = outer.instead.get(self.path) or file.read_bytes()
                begin = begin if outer.ranges else 0
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(content) - begin))
                self.end_headers()
                rest = content[begin:]
                self.wfile.write(rest[: outer.drops.pop(0)] if outer.drops else rest)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
