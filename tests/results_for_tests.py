"""What a judging finds, made up: as a report takes it."""

import base64
import io
from typing import Any

import numpy as np
import soundfile

METRICS = {
    "accuracy": "share of right answers",
    "balanced_accuracy": "mean over the classes of the share of their clips that are right",
    "macro_f1": "mean over the classes of the harmonic mean of precision and recall",
}
PROBES = ("linear", "ridge", "knn")


def sound(seconds: float = 0.1, pitch: float = 440.0) -> str:
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.sin(2 * np.pi * pitch * np.arange(int(8000 * seconds)) / 8000), 8000, format="WAV")
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()


def results(
    classes: list[str], given: int = 1, points: int = 200, multi: bool = False, path: str = "{label}/{n:04}.wav"
) -> dict[str, Any]:
    """`given` encoders, each beside its random weights, and one baseline. `path` is how files are called."""
    rng = np.random.default_rng(0)
    metrics = {"mean_average_precision": "mean over the classes", "mean_auc": "area"} if multi else METRICS
    headline = next(iter(metrics))
    encoders = []
    for n in range(given):
        name = f"model {n}" if n else "model"
        encoders += [encoder(rng, name, "given", 0.7 - 0.03 * n, metrics)]
        encoders += [encoder(rng, f"random weights of {name}", "random", 0.4, metrics, of=name)]
    encoders += [encoder(rng, "mean and deviation of log-mel", "baseline", 0.5, metrics)]
    found: dict[str, Any] = {
        "title": f"model.onnx and {len(encoders) - 1} more on sounds/list.csv",
        "made": "2026-11-22T15:40:00",
        "command": "kerascola probe model.onnx --data sounds/list.csv --folds fold --seed 0",
        "versions": {"kerascola": "0.1.0", "onnxruntime": "1.31.1", "numpy": "2.3.4"},
        "data": {
            "source": "sounds/list.csv",
            "recordings": 3000,
            "hours": 0.3612,
            "classes": classes,
            "multi_label": multi,
            "sha256": "5e" * 32,
        },
        "protocol": {
            "text": "3 folds by the column fold; linear: C by 3-fold cross-validation within the training clips.",
            "seed": 0,
            "bootstrap": 1000,
            "folds": [{"name": n, "train": 2000, "valid": 0, "test": 1000} for n in ("george", "jackson", "lucas")],
        },
        "metrics": metrics,
        "headline": headline,
        "chance": {headline: 1 / len(classes)},
        "warnings": [f"classes without a recording to train on: {classes[-1]}", "2 files cannot be read: a.wav, b.wav"],
        "encoders": encoders,
        "comparisons": [
            comparison(one["of"], one["name"], probe, headline, difference)
            for one in encoders
            if one["of"]
            for probe, difference in (("linear", 0.301), ("knn", 0.007))
        ],
        "figures": figures(rng, classes, encoders, points, multi, path),
    }
    return found


def encoder(rng, name: str, kind: str, level: float, metrics: dict[str, str], of: str | None = None) -> dict[str, Any]:
    rows = []
    for labels, less in (("all", 0.0), ("10 %", 0.12)):
        for probe in PROBES:
            values = {m: round(float(level - less + rng.normal(0, 0.02)), 4) for m in metrics}
            row: dict[str, Any] = {"probe": probe, "labels": labels, "repeats": 1 if labels == "all" else 5}
            row |= {
                "train_clips": 2000 if labels == "all" else 200,
                "values": values,
                "chosen": {"C": [0.01, 0.01, 1.0]},
            }
            row["intervals"] = {m: [round(v - 0.021, 4), round(v + 0.019, 4)] for m, v in values.items()}
            if labels != "all" or kind == "random":
                row["spread"] = {m: round(float(rng.uniform(0.005, 0.02)), 4) for m in metrics}
            rows.append(row)
    return {
        "name": name,
        "kind": kind,
        "of": of,
        "file": f"models/{of or name}.onnx",
        "sha256": "0a" * 32,
        "dimension": 512,
        "sample_rate": 16000,
        "window_seconds": 1.0,
        "recipe": "cola",
        "seeds": [0, 1, 2, 3, 4] if kind == "random" else None,
        "health": {
            "effective_rank": round(float(60 * level), 2),
            "uniformity": round(-3 * level, 3),
            "alignment": 0.612,
            "nmi": 0.413,
            "recall_at_1": 0.512,
            "recall_at_5": 0.781,
            "mrr": None if kind == "baseline" else 0.634,
            "eer": 0.123,
        },
        "rows": rows,
    }


def comparison(a: str, b: str, probe: str, metric: str, difference: float) -> dict[str, Any]:
    low, high = round(difference - 0.02, 4), round(difference + 0.02, 4)
    p = 0.0004 if low > 0 else 0.482
    return {"a": a, "b": b, "probe": probe, "metric": metric, "difference": difference, "interval": [low, high], "p": p}


def figures(rng, classes: list[str], encoders: list[dict], points: int, multi: bool, path: str) -> dict[str, Any]:
    n = len(classes)
    counts = rng.poisson(40 / n, (n, n)) * (rng.random((n, n)) < 0.4) + np.diag(rng.integers(30, 90, n))
    kinds = rng.integers(0, n, points)
    centres = rng.normal(0, 3, (n, 2))
    x, y = (centres[kinds] + rng.normal(0, 0.8, (points, 2))).T
    said = np.where(rng.random(points) < 0.15, rng.integers(0, n, points), kinds)

    def clip(index: int) -> dict[str, Any]:
        name = classes[index % n]
        about = {"path": path.format(label=name, n=index), "start": float(index % 3), "label": name}
        return {**about, "audio": sound(pitch=300 + 20 * index)}

    lines = [one["name"] for one in encoders]
    found: dict[str, Any] = {
        "per_class": {
            "classes": classes,
            "recall": [None if i == n - 1 else round(float(v), 3) for i, v in enumerate(rng.random(n))],
            "clips": [0 if i == n - 1 else 30 + i for i in range(n)],
        },
        "curves": [curve(name, probe, axis, i) for i, name in enumerate(lines) for probe, axis in CURVES],
        "map": {
            "method": "PCA",
            "x": x.tolist(),
            "y": y.tolist(),
            "label": [classes[k] for k in kinds],
            "predicted": [classes[k] for k in said],
            "path": [path.format(label=classes[k], n=i) for i, k in enumerate(kinds)],
            "start": [0.0] * points,
        },
        "neighbours": [
            {**clip(q), "found": [{**clip(q + i * n + (i == 3)), "cosine": 0.9 - 0.07 * i} for i in range(1, 5)]}
            for q in range(8)
        ],
        "spectrum": [
            {"encoder": name, "share": (np.exp(-np.arange(60) / (5 + i)) / (5 + i)).tolist()}
            for i, name in enumerate(lines)
        ],
    }
    if not multi:
        found["confusion"] = {"classes": classes, "counts": counts.tolist()}
        found["confusions"] = [
            {
                "true": classes[i % n],
                "said": classes[(i + 1) % n],
                "clips": 12 - i,
                "share": 0.1,
                "examples": [{k: v for k, v in clip(i + 10 * j).items() if k != "label"} for j in range(3)],
            }
            for i in range(min(n, 5))
        ]
    return found


CURVES = (("linear", "share of the labels"), ("knn", "labels of each class"))


def curve(encoder: str, probe: str, axis: str, index: int) -> dict[str, Any]:
    x = [0.01, 0.05, 0.1, 0.5, 1.0] if axis.startswith("share") else [1, 2, 5, 10, 20]
    mean = [0.75 - 0.5 / (1 + i) - 0.05 * index for i in range(5)]
    low, high = [m - 0.03 for m in mean], [m + 0.03 for m in mean]
    return {"encoder": encoder, "probe": probe, "axis": axis, "x": x, "mean": mean, "low": low, "high": high}
