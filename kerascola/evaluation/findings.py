"""What a judging found, as plain data: results.json, from which the report is drawn."""

import base64
import functools
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile

from kerascola.data.manifest import readable
from kerascola.data.recordings import Recordings
from kerascola.errors import AudioError
from kerascola.evaluation import metrics
from kerascola.evaluation.judging import Encoder, Line, differences, lines
from kerascola.evaluation.retrieval import unit
from kerascola.evaluation.trials import Task, Trial

POINTS = 3000  # of the map
QUERIES, FOUND = 8, 4  # sample clips, and neighbours of each
CONFUSED, EXAMPLES = 8, 2  # pairs of classes, and clips of each
SECONDS, PLAYED_RATE = 4.0, 16_000  # of a clip that can be played
DIRECTIONS = 64  # of the spectrum


def findings(encoders: Sequence[Encoder], task: Task, recordings: Recordings) -> dict[str, Any]:
    """`recordings` are those of the task, all of which have embeddings."""
    labels = task.labels[task.tested]
    headline = metrics.HEADLINES[labels.ndim > 1]
    found = {encoder.name: lines(encoder, task) for encoder in encoders}
    measured = next(iter(found.values()))[0].drawn
    return {
        "metrics": {name: about for name, about in metrics.ABOUT.items() if name in measured},
        "headline": headline,
        "chance": {headline: metrics.chance(labels)},
        "encoders": [told(encoder, found[encoder.name]) for encoder in encoders],
        "comparisons": [
            {
                "a": one.a,
                "b": one.b,
                "probe": one.probe,
                "metric": one.metric,
                "difference": one.value,
                "interval": list(one.interval),
                "p": one.p,
            }
            for one in differences(encoders, found, headline)
        ],
        "figures": figures(encoders, found, task, recordings),
    }


def told(encoder: Encoder, found: list[Line]) -> dict[str, Any]:
    several = len(encoder.models) > 1
    return {
        "name": encoder.name,
        "kind": encoder.kind,
        "of": encoder.of,
        "file": encoder.file,
        **encoder.known,
        **({"seeds": list(range(len(encoder.models)))} if several else {}),
        "health": {
            name: float(np.mean([one.values[name] for one in encoder.healths])) for name in encoder.healths[0].values
        },
        "rows": [row(one) for one in found],
    }


def row(one: Line) -> dict[str, Any]:
    return {
        "probe": one.probe,
        "labels": str(one.amount),
        "repeats": len(one.trials),
        "train_clips": one.trials[0].train_clips,
        "values": {name: one.value(name) for name in one.drawn},
        "intervals": {name: list(metrics.interval(values)) for name, values in one.drawn.items()},
        "spread": one.spread,
        "chosen": one.trials[0].chosen,
    }


def figures(
    encoders: Sequence[Encoder], found: dict[str, list[Line]], task: Task, recordings: Recordings
) -> dict[str, Any]:
    """Of the first encoder that is given and its first probe, where they are of one."""
    first = next((encoder for encoder in encoders if encoder.kind == "given"), encoders[0])
    best = found[first.name][0].trials[0]
    vectors, tested = first.vectors[0], task.tested
    drawn: dict[str, Any] = {
        "per_class": per_class(best, task),
        "curves": [curve for name, of_one in found.items() for curve in curves(name, of_one)],
        "map": scatter(vectors[tested], best, task, recordings),
        "neighbours": neighbours(vectors, task, recordings),
        "spectrum": [
            {
                "encoder": encoder.name,
                "share": np.mean([one.spectrum[:DIRECTIONS] for one in encoder.healths], 0).tolist(),
            }
            for encoder in encoders
        ],
    }
    if task.labels.ndim == 1:
        table = confusion(best, task)
        drawn["confusion"] = {"classes": list(task.classes), "counts": table.tolist()}
        drawn["confusions"] = confusions(table, best, task, recordings)
    return drawn


def confusion(best: Trial, task: Task) -> np.ndarray:
    """Counts [true, said]."""
    table = np.zeros((len(task.classes),) * 2, int)
    np.add.at(table, (task.labels[task.tested], best.scores.argmax(axis=1)), 1)
    return table


def per_class(best: Trial, task: Task) -> dict[str, Any]:
    labels = task.labels[task.tested]
    if labels.ndim == 1:
        table = confusion(best, task)
        counts = table.sum(axis=1)
        recall = [float(table[n, n] / count) if count else None for n, count in enumerate(counts)]
    else:
        counts, recall = labels.sum(axis=0), []
        for n in range(len(task.classes)):
            precision, _ = metrics.Curve(best.scores[:, n], labels[:, n]).at(np.ones(len(labels)))
            recall.append(float(precision) if np.isfinite(precision) else None)
    return {"classes": list(task.classes), "recall": recall, "clips": [int(count) for count in counts]}


def curves(name: str, found: list[Line]) -> list[dict[str, Any]]:
    """How good it is with how many labels, by probe."""
    drawn = []
    for axis, shots in (("share of the labels", False), ("labels of each class", True)):
        for probe in dict.fromkeys(one.probe for one in found):
            own = [one for one in found if one.probe == probe and bool(one.amount.shots) == shots]
            if not shots:  # all labels are the last share, too
                own = sorted(own, key=lambda one: one.amount.share)
            if len(own) < 2:
                continue
            metric = next(iter(own[0].drawn))
            limits = [metrics.interval(one.drawn[metric]) for one in own]
            drawn.append(
                {
                    "encoder": name,
                    "probe": probe,
                    "axis": axis,
                    "x": [one.amount.number for one in own],
                    "mean": [one.value(metric) for one in own],
                    "low": [low for low, _ in limits],
                    "high": [high for _, high in limits],
                }
            )
    return drawn


def scatter(vectors: np.ndarray, best: Trial, task: Task, recordings: Recordings) -> dict[str, Any]:
    """Where the tested clips lie, in two dimensions."""
    shown = spread_over(len(vectors), POINTS)
    method, places = flat(unit(vectors[shown].astype(np.float64)))
    rows = task.tested[shown]
    return {
        "method": method,
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "label": [named(task.labels[n], task.classes) for n in rows],
        "predicted": [said(scores, task) for scores in best.scores[shown]],
        **{name: values for name, values in clips(rows, recordings).items()},
    }


def flat(vectors: np.ndarray) -> tuple[str, np.ndarray]:
    try:
        from umap import UMAP
    except ImportError:
        centred = vectors - vectors.mean(axis=0)
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
        return "PCA", centred @ directions[:2].T
    return "UMAP", UMAP(random_state=0, n_jobs=1).fit_transform(vectors)


def neighbours(vectors: np.ndarray, task: Task, recordings: Recordings) -> list[dict[str, Any]]:
    """Of clips spread over the classes, those that lie nearest and are of another file."""
    sphere = unit(vectors)
    told = []
    by_class = task.tested[np.argsort(first_label(task.labels[task.tested]), kind="stable")]
    for n in by_class[spread_over(len(by_class), QUERIES)]:
        similarity = sphere @ sphere[n]
        similarity[recordings.origins == recordings.origins[n]] = -np.inf
        nearest = np.argsort(-similarity, kind="stable")[:FOUND]
        told.append(
            {
                **clip(n, task, recordings),
                "found": [
                    {**clip(m, task, recordings), "cosine": float(similarity[m])}
                    for m in nearest
                    if np.isfinite(similarity[m])
                ],
            }
        )
    return told


def confusions(table: np.ndarray, best: Trial, task: Task, recordings: Recordings) -> list[dict[str, Any]]:
    """The pairs of classes that are most often taken for each other, by the share of the true one's clips."""
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    labels, guessed = task.labels[task.tested], best.scores.argmax(axis=1)
    told = []
    for place in np.argsort(-shares, axis=None, kind="stable")[:CONFUSED]:
        true, other = np.unravel_index(place, shares.shape)
        if not shares[true, other]:
            break
        rows = np.flatnonzero((labels == true) & (guessed == other))
        surest = rows[np.argsort(-(best.scores[rows, other] - best.scores[rows, true]), kind="stable")[:EXAMPLES]]
        told.append(
            {
                "true": task.classes[true],
                "said": task.classes[other],
                "clips": int(table[true, other]),
                "share": float(shares[true, other]),
                "examples": [clip(task.tested[n], task, recordings) for n in surest],
            }
        )
    return told


def clip(n: int, task: Task, recordings: Recordings) -> dict[str, Any]:
    places = clips(np.array([n]), recordings)
    return {
        **{name: values[0] for name, values in places.items()},
        "label": named(task.labels[n], task.classes),
        "audio": played(recordings, n),
    }


def clips(rows: np.ndarray, recordings: Recordings) -> dict[str, list]:
    return {
        "path": [readable(os.path.relpath(recordings.origins[n], folder_of(recordings))) for n in rows],
        "start": [float(recordings.starts[n]) for n in rows],
    }


@functools.lru_cache(1)
def folder_of(recordings: Recordings) -> str:
    """That which all of them are in."""
    return os.path.commonpath({os.path.dirname(os.path.abspath(origin)) for origin in recordings.origins})


def played(recordings: Recordings, n: int) -> str | None:
    """Its beginning as a data: address; nothing where it cannot be read any more, which embedding has said."""
    try:
        sound = recordings.stretch(n, SECONDS, 0.0)
    except AudioError:
        return None
    file = io.BytesIO()
    soundfile.write(file, sound / max(1.0, float(np.abs(sound).max())), recordings.sample_rate, format="OGG")
    return f"data:audio/ogg;base64,{base64.b64encode(file.getvalue()).decode()}"


def named(label: Any, classes: Sequence[str]) -> str:
    if np.ndim(label):
        return "; ".join(name for name, is_of in zip(classes, label, strict=True) if is_of > 0)
    return classes[int(label)]


def said(scores: np.ndarray, task: Task) -> str:
    """Of several labels, as many as clips have on average, the likeliest."""
    if task.labels.ndim == 1:
        return task.classes[int(scores.argmax())]
    count = max(1, round(float(task.labels[task.tested].sum(axis=1).mean())))
    return "; ".join(task.classes[n] for n in np.sort(np.argsort(-scores)[:count]))


def first_label(labels: np.ndarray) -> np.ndarray:
    return labels if labels.ndim == 1 else labels.argmax(axis=1)


def spread_over(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
