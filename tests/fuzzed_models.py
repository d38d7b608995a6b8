"""Throws files at what opens models: `python tests/fuzzed_models.py FOLDER [CASES [SEED]]`.

A process of its own, as onnxruntime may be taken down; FOLDER/input.onnx or .keras is what was opened last. Each line
that it prints is a kind of file, how many gave embeddings, and how many were refused by whom.
"""

import io
import json
import random
import resource
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto
from onnx_models import METADATA, write_network_model, write_statistics_model

from kerascola.errors import ModelError
from kerascola.runtime.embedder import Embedder
from kerascola.runtime.metadata import MEMBER, RANGES, load_metadata

CAP = 512 << 20  # bytes beyond what the process has at the start
SOUND = np.random.default_rng(0).uniform(-0.5, 0.5, 9000).astype(np.float32)
EXTREMES = [s * (2**k + d) for k in (0, 1, 2, 7, 8, 15, 16, 24, 31, 32, 40, 62) for d in (-1, 0, 1) for s in (1, -1)]
VARINTS = [bytes([255] * n + [last]) for n in (1, 2, 3, 4, 8, 9, 10) for last in (0, 1, 127)]
WORDS = ["", "waveform", "embedding", "w", "\u00e9" * 50, "x" * 70000, "../x", "/dev/zero", "com.microsoft", "evil"]
WORDS += ["Constant", "ConstantOfShape", "Expand", "Tile", "Loop", "If", "Scan", "Reshape", "Pad", "Resize", "Split"]
WORDS += [
    "EPContext",
    "SequenceConstruct",
    "Cast",
    "Gather",
    "Slice",
    "Concat",
    "NonZero",
    "TopK",
    "Identity",
    "Einsum",
]
OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas()})
VALUES = [None, True, False, 0, -1, 1, 4, 1.5, -0.0, 1e308, 1e-320, 2**31, 2**64, 10**400, "", "4", "x" * 2000, [], [1]]
VALUES += [{}, {"a": {}}, ["a", 1], [["a"]], {"a": "b"}, {"a": 1}, "\ud800", "\0"]
TEXTS = [
    "",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "[" * 100_000,
    '{"a":' * 50_000,
    "9" * 5000,
    '{"a":1,"a":2}',
    "\ufeff1",
]
TEXTS += ["01", "1 2", "'1'", '"\\ud800"', "{", "nul", "1e5", "16000.0", "[" * 17 + "]" * 17]


def damaged(rng: random.Random, file: bytes, others: list[bytes]) -> bytes:
    """Bits and bytes overwritten, stretches left out, doubled and taken from others, lengths grown, ends cut off."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(file) + 1)
        size = rng.choice((1, 2, 4, 16, 100, rng.randrange(len(file) + 1)))
        other = rng.choice(others)
        there = rng.randrange(len(other))
        flipped = file[:at] + bytes(byte ^ 1 << rng.randrange(8) for byte in file[at : at + 1]) + file[at + 1 :]
        file = rng.choice(
            (
                *[flipped] * 5,  # what leaves every length as it is gets furthest
                file[:at] + rng.randbytes(1) + file[at + 1 :],
                file[:at] + rng.choice(VARINTS) + file[at + rng.choice((0, 1, 2)) :],
                file[:at],
                file[:at] + file[at + size :],
                file[: at + size] + file[at:],
                file[:at] + other[there : there + size] + file[at + rng.choice((0, size)) :],
            )
        )
    return file


def altered(rng: random.Random, file: bytes, others: list[bytes]) -> bytes:
    """A well-formed file in which some fields say something else."""
    proto = onnx.load_from_string(file)
    for _ in range(rng.choice((1, 1, 2, 3))):
        graph = rng.choice(list(graphs(proto.graph)))
        change = rng.choice((of_weights, of_node, of_node, of_attribute, of_value, of_metadata))
        change(rng, proto, graph)
    return proto.SerializeToString()


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def of_weights(rng: random.Random, proto: onnx.ModelProto, graph: GraphProto) -> None:
    tensors = [*graph.initializer, *(a.t for node in graph.node for a in node.attribute if a.HasField("t"))]
    tensor = rng.choice(tensors or [TensorProto()])
    kind = rng.randrange(8)
    if kind == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(EXTREMES)
    elif kind == 1:
        tensor.dims.append(rng.choice(EXTREMES))
    elif kind == 2:
        tensor.data_type = rng.randrange(30)
    elif kind == 3:
        tensor.raw_data = tensor.raw_data[: rng.randrange(9)] * rng.choice((0, 1, 2, 1000))
    elif kind == 4:
        tensor.data_location = 1
    elif kind == 5:
        tensor.external_data.add(key="location", value=rng.choice(WORDS))
    elif kind == 6:
        tensor.int64_data.append(rng.choice(EXTREMES))
    elif tensor.data_type == TensorProto.INT64:
        numbers = [rng.choice(EXTREMES) for _ in range(len(tensor.raw_data) // 8)]
        tensor.raw_data = np.array(numbers, np.int64).tobytes()


def of_node(rng: random.Random, proto: onnx.ModelProto, graph: GraphProto) -> None:
    node = rng.choice(list(graph.node) or [NodeProto()])
    kind = rng.randrange(7)
    names = [name for one in graph.node for name in (*one.input, *one.output)] + WORDS
    if kind == 0:
        node.op_type = rng.choice([*(one.op_type for one in graph.node), *WORDS, *OPERATORS])
    elif kind == 1:
        node.domain = rng.choice(WORDS)
    elif kind == 2 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind == 3 and node.output:
        node.output[rng.randrange(len(node.output))] = rng.choice(names)
    elif kind == 4:
        node.input.append(rng.choice(names))
    elif kind == 5:
        graph.node.append(node)
    elif graph.node:
        del graph.node[rng.randrange(len(graph.node))]


def of_attribute(rng: random.Random, proto: onnx.ModelProto, graph: GraphProto) -> None:
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    attribute = rng.choice(attributes or [AttributeProto()])
    kind = rng.randrange(5)
    if kind == 0 and attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(EXTREMES)
    elif kind == 1:
        attribute.ints.append(rng.choice(EXTREMES))
    elif kind == 2:
        attribute.i = rng.choice(EXTREMES)
    elif kind == 3:
        attribute.type = rng.randrange(15)
    else:
        attribute.name = rng.choice([one.name for one in attributes] + WORDS)


def of_value(rng: random.Random, proto: onnx.ModelProto, graph: GraphProto) -> None:
    value = rng.choice([*graph.input, *graph.output, *graph.value_info] or [onnx.ValueInfoProto()])
    kind = rng.randrange(4)
    axes = value.type.tensor_type.shape.dim
    if kind == 0:
        axes.add().dim_value = rng.choice(EXTREMES)
    elif kind == 1 and axes:
        axes[rng.randrange(len(axes))].dim_value = rng.choice(EXTREMES)
    elif kind == 2:
        value.type.tensor_type.elem_type = rng.randrange(30)
    else:
        value.name = rng.choice(WORDS)


def of_metadata(rng: random.Random, proto: onnx.ModelProto, graph: GraphProto) -> None:
    entry = rng.choice(proto.metadata_props)
    key = entry.key
    ranges = [n + d for n in RANGES.get(key, ()) for d in (-1, 0, 1)]
    values = [json.dumps(value) for value in VALUES + EXTREMES + ranges * 4] + TEXTS
    entry.value = rng.choice(values)
    if rng.random() < 0.1:
        proto.metadata_props.add(key=rng.choice([key, *WORDS]), value=rng.choice(values))


def archives(rng: random.Random, file: bytes, others: list[bytes]) -> bytes:
    """A Keras archive that says something else of itself, and then may be damaged."""
    if rng.random() < 0.3:
        return damaged(rng, file, others)
    said = asdict(METADATA)
    for key in rng.sample(list(said), rng.choice((0, 1, 1, 2))):
        said[key] = rng.choice(VALUES + EXTREMES)
    text = rng.choice((json.dumps(said), json.dumps(said), rng.choice(TEXTS), json.dumps(rng.choice(VALUES))))
    made = io.BytesIO()
    with zipfile.ZipFile(
        made, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    ) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr(MEMBER, text.encode(errors="surrogatepass"))
    return damaged(rng, made.getvalue(), others) if rng.random() < 0.4 else made.getvalue()


def embed(path: Path) -> str:
    """Who refused it, if not nobody."""
    try:
        vector = Embedder(path, threads=1).embed(SOUND, METADATA.sample_rate)
    except ModelError as error:
        said = str(error)
        assert len(said) < 3000 and said.startswith(str(path)), said
        return next((by for words, by in REFUSED.items() if words in said), "other")
    assert vector.dtype == np.float32 and vector.ndim == 1 and np.isfinite(vector).all()
    return "fine"


REFUSED = {
    "as kerascola-export writes it": "walker",
    "metadata": "metadata",
    "can open, received": "onnxruntime",
    "expected embedding of": "run",
    "float32 of two axes": "contract",
}


def look(path: Path) -> str:
    try:
        found = load_metadata(path)
    except ModelError as error:
        said = str(error)
        assert len(said) < 3000 and said.startswith(str(path)), said
        return "refused"
    if found is None:
        return "silent"
    for key, (least, most) in RANGES.items():
        assert type(getattr(found, key)) is int and least <= getattr(found, key) <= most
    json.dumps(asdict(found), allow_nan=False)
    return "fine"


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", "{}")
        file.writestr(MEMBER, json.dumps(asdict(METADATA)))
    return made.getvalue()


Change = Callable[[random.Random, bytes, list[bytes]], bytes]


def throw(
    change: Change, valid: list[bytes], open_: Callable[[Path], str], path: Path, cases: int, seed: int
) -> Counter:
    counts: Counter = Counter()
    for case in range(cases):
        rng = random.Random(f"{change.__name__} {seed} {case}")
        path.write_bytes(change(rng, rng.choice(valid), valid))
        counts[open_(path)] += 1
    return counts


def main(folder: str, cases: str = "300", seed: str = "0") -> None:
    place = Path(folder)
    models = [write(place / "valid.onnx").read_bytes() for write in (write_statistics_model, write_network_model)]
    zips = [archive()]
    assert embed(place / "valid.onnx") == "fine"
    onnxruntime.set_default_logger_severity(4)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + CAP, taken + CAP))
    for change, valid, open_, name in (
        (damaged, models, embed, "input.onnx"),
        (altered, models, embed, "input.onnx"),
        (archives, zips, look, "input.keras"),
    ):
        print(change.__name__, json.dumps(throw(change, valid, open_, place / name, int(cases), int(seed))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
