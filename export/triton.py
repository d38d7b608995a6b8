"""A verified ONNX file -> a model of a repository that Triton Inference Server serves."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from kerascola.errors import ExportError
from kerascola.export.place import beside, check_only, put
from kerascola.runtime.embedder import Embedder
from kerascola.runtime.metadata import Metadata
from kerascola.runtime.session import INPUT, OUTPUT, outputs_of

CONFIG, MODEL, LABELS = "config.pbtxt", "1/model.onnx", "-labels.txt"
MOST = 32  # windows that are computed together
WAIT = 1000  # microseconds for others of the same length
TOLD = ("sample_rate", "window_samples", "hop_samples", "min_samples")  # what a client must know


def check_repository(repository: Path, name: str, overwrite: bool) -> None:
    """A folder to write into, or nothing yet; and no model of that name, or one to be replaced."""
    if not repository.parent.is_dir() or (repository.exists() and not repository.is_dir()):
        raise ExportError(f"expected a folder, or a name for one in a folder that is there, received {repository}")
    there = repository / name
    if there.exists() and not (overwrite and (there / CONFIG).is_file()):
        what = "replace it by --overwrite" if (there / CONFIG).is_file() else "which is no model of Triton"
        raise ExportError(f"{there} is there already: {what}, or name another repository by --triton")
    if there.exists():
        check_only(there, [CONFIG, MODEL, f"*{LABELS}"], "what is put there", "--triton")


def write_repository(onnx: Path, repository: Path, name: str) -> Path:
    """REPOSITORY/NAME/config.pbtxt and REPOSITORY/NAME/1/model.onnx, whole or not at all."""
    metadata = Embedder(onnx).metadata
    new = not repository.exists()
    repository.mkdir(exist_ok=True)
    try:
        with beside(repository / name) as folder:
            made = folder / name
            (made / MODEL).parent.mkdir(parents=True)
            shutil.copyfile(onnx, made / MODEL)
            (made / CONFIG).write_text("\n".join(config(metadata, name)) + "\n", encoding="utf-8")
            for head, classes in metadata.heads.items():
                labels = [" ".join(label.split()) for label in classes.labels]
                (made / labels_of(head)).write_text("\n".join(labels) + "\n", encoding="utf-8")
            put(made, repository / name)
    except BaseException:
        if new:
            repository.rmdir()
        raise
    return repository / name


def config(metadata: Metadata, name: str) -> Iterator[str]:
    """Of a message ModelConfig, in protobuf's text format. Batches are of windows of one length."""
    yield f"name: {text(name)}"
    yield 'backend: "onnxruntime"'
    yield f"max_batch_size: {MOST}"
    yield f'input {{ name: "{INPUT}" data_type: TYPE_FP32 dims: [ -1 ] }}'
    yield f'output {{ name: "{OUTPUT}" data_type: TYPE_FP32 dims: [ {metadata.dimension} ] }}'
    for head, classes in metadata.heads.items():
        logits, scores = outputs_of(head)
        count = len(classes.labels)
        yield f'output {{ name: "{logits}" data_type: TYPE_FP32 dims: [ {count} ] }}'
        labels = f"label_filename: {text(labels_of(head))}"
        yield f'output {{ name: "{scores}" data_type: TYPE_FP32 dims: [ {count} ] {labels} }}'
    yield f"dynamic_batching {{ max_queue_delay_microseconds: {WAIT} }}"
    for key in TOLD:
        yield f'parameters {{ key: "{key}" value {{ string_value: "{getattr(metadata, key)}" }} }}'


def labels_of(head: str) -> str:
    return f"{head or 'head'}{LABELS}"


def text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
