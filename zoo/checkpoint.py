"""A trained model and what is known of it -> a checkpoint of a zoo: both files, the record, the card."""

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kerascola.errors import ZooError
from kerascola.export.onnx_file import export_onnx, serve
from kerascola.export.probes import ordinary
from kerascola.export.verify import distance
from kerascola.models.embedder import load_embedder, metadata_of, split
from kerascola.runtime.catalogue import INDEX
from kerascola.runtime.golden import SOUND, difference, sound
from kerascola.runtime.metadata import Metadata
from kerascola.runtime.record import KINDS, File, Golden, Metric, Record, Trial, check, read_index, write_index
from kerascola.zoo.cards import write_cards
from kerascola.zoo.elsewhere import embeddings
from kerascola.zoo.results import metrics_of
from kerascola.zoo.rounding import rounded

TOLERANCE = {"keras": 1e-4, "onnx": 2e-3}  # of the golden embedding, times its largest number
DIGITS = 7


@dataclass(frozen=True)
class Facts:
    """What the files cannot know."""

    summary: str
    encoder: str
    licence: str
    data: str
    hours: float
    command: str = ""  # that of the run, where one is shipped
    limits: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()


def ship(model: Path, name: str, facts: Facts, results: Sequence[Path], zoo: Path, backends: Sequence[str]) -> Record:
    """Into the zoo's folder; its index comes last. `backends` are those that the Keras file is tried on."""
    model, command = source_of(model, facts)
    metrics = [line for path in results for line in metrics_of(path, model, name)]
    index = zoo / INDEX
    old = read_index(index.read_bytes(), str(index)) if index.is_file() else read_index(write_index([]), str(index))
    (zoo / "checkpoints").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=zoo, prefix=".shipping-") as folder:
        made = {kind: Path(folder) / f"{name}.{kind}" for kind in KINDS}
        record = made_of(model, name, facts, command, metrics, made, backends)
        check(record, str(index))
        for path in made.values():
            os.replace(path, zoo / "checkpoints" / path.name)
        partial = Path(folder) / INDEX
        others = [one for one in old.records if one.name != name]
        partial.write_text(write_index([*others, record], old.address), encoding="utf-8")
        os.replace(partial, index)
    write_cards(zoo)
    return record


def made_of(
    model: Path,
    name: str,
    facts: Facts,
    command: str,
    metrics: Sequence[Metric],
    made: dict[str, Path],
    backends: Sequence[str],
) -> Record:
    """Writes both files; the record of them."""
    metadata = dataclasses.replace(metadata_of(model), licence=facts.licence)
    whole, _ = load_embedder(model)
    smaller, _ = load_embedder(rounded(model, made["keras"], metadata))
    exported = export_onnx(smaller, metadata, made["onnx"], lambda line: None, half=split(smaller) is not None)
    heard = sound(metadata.sample_rate, metadata.window_samples)
    embedding = smaller.predict_on_batch(heard[None])[0]
    golden = Golden(
        SOUND,
        len(heard),
        tuple(float(f"{value:.{DIGITS}g}") for value in embedding),
        {kind: float(f"{share * np.abs(embedding).max():.3g}") for kind, share in TOLERANCE.items()},
    )
    parity = {
        **rounding(whole, smaller, metadata),
        "onnx_max_difference": exported.verified["max_difference"],
        "onnx_min_cosine": exported.verified["min_cosine"],
        "golden_onnxruntime": difference(serve(made["onnx"], {"": heard[None]})[""][0], golden, "onnx", name),
    }
    for backend in backends:
        (found,) = embeddings([(made["keras"], heard)], backend)
        if isinstance(found, ZooError):
            raise found
        parity[f"golden_{backend}"] = difference(found, golden, "keras", f"{name} on {backend}")
    return Record(
        name=name,
        summary=facts.summary,
        recipe=metadata.recipe,
        encoder=facts.encoder,
        frontend=json.loads(json.dumps(metadata.frontend)),
        sample_rate=metadata.sample_rate,
        window_samples=metadata.window_samples,
        min_samples=metadata.min_samples,
        dimension=metadata.dimension,
        parameters=sum(int(np.prod(weight.shape)) for weight in smaller.trainable_weights),
        licence=facts.licence,
        data=facts.data,
        hours=float(facts.hours),
        backend=metadata.versions.get("trained on", "a backend that its file does not tell"),
        command=command,
        versions=dict(exported.versions),
        files={kind: file(path) for kind, path in made.items()},
        metrics=tuple(metrics),
        parity=parity,
        golden=golden,
        limits=facts.limits,
        trials=facts.trials,
    )


def source_of(model: Path, facts: Facts) -> tuple[Path, str]:
    """The Keras file, and the command that made it: of a run's folder, both are there."""
    run = model if model.is_dir() else model.parent
    model = run / "model.keras" if model.is_dir() else model
    log = run / "environment.jsonl"
    if facts.command or not log.is_file():
        if not facts.command:
            raise ZooError(f"{model}: expected a run's {log.name} beside it, received none. Say `command` in the facts")
        return model, facts.command
    first = json.loads(log.read_text(encoding="utf-8").splitlines()[0])["command"]
    program, _, arguments = first.partition(" ")
    return model, f"{Path(program).name} {arguments}".strip()


def rounding(whole: keras.Model, smaller: keras.Model, metadata: Metadata) -> dict[str, float]:
    """What float16 makes of embeddings of ordinary sounds."""
    found = [
        distance(smaller.predict_on_batch(waves), whole.predict_on_batch(waves))
        for name, waves in ordinary(metadata).items()
        if not name.startswith("silence")
    ]
    return {
        "rounding_max_difference": max(error for error, _ in found),
        "rounding_min_cosine": min(cosine for _, cosine in found),
    }


def file(path: Path) -> File:
    content = path.read_bytes()
    return File(len(content), hashlib.sha256(content).hexdigest())
