"""What an ONNX file declares, looked at before onnxruntime opens it.

It must be one file, of operators that onnxruntime has itself, and hold the numbers that it declares. Weights are passed
over unread. How much a graph makes of a waveform as it runs cannot be told from its file.
"""

import math
import mmap
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kerascola.errors import ModelError, shown
from kerascola.runtime.wire import BYTES, VARINT, VARINTS, Bytes, Found, fields, once, signed, text

MOST_BYTES = (1 << 31) - 1  # of any protobuf
MOST_NUMBERS = 1 << 26  # of a tensor that is not in the file but made: 256 MB
MOST_AXES = 64
MOST_SAID = 1 << 20  # bytes of metadata
DEEPEST = 8  # graphs inside each other
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
OF_FILES = ("EPContext",)  # operators that open another file

# Of any number of inputs: onnxruntime 1.31 crashes where one of them is left out.
LISTS = {"Concat", "Einsum", "FeatureVectorizer", "Max", "Mean", "Min", "QLinearConcat", "SequenceConstruct", "Sum"}

# Numbers of the fields in onnx.proto.
MODEL = {7: BYTES, 14: BYTES, 25: BYTES}
M_GRAPH, M_SAID, M_FUNCTIONS = MODEL
GRAPH = {1: BYTES, 5: BYTES, 11: BYTES, 12: BYTES, 13: BYTES, 15: BYTES}
G_NODE, G_WEIGHTS, G_INPUT, G_OUTPUT, G_VALUE, G_SPARSE = GRAPH
NODE = {4: BYTES, 5: BYTES, 7: BYTES}
N_KIND, N_ATTRIBUTE, N_DOMAIN = NODE
ENDS = {1: BYTES, 2: BYTES}  # of a node
ATTRIBUTE = {5: BYTES, 6: BYTES, 10: BYTES, 11: BYTES, 22: BYTES, 23: BYTES}
A_TENSOR, A_GRAPH, A_TENSORS, A_GRAPHS, A_SPARSE, A_SPARSES = ATTRIBUTE
INTEGERS = {3: VARINTS, 8: VARINTS}  # of an attribute: one, or many
TENSOR = {1: VARINTS, 2: VARINT, 4: BYTES, 5: BYTES, 7: BYTES, 8: BYTES, 9: BYTES, 10: BYTES, 11: BYTES, 13: BYTES}
TENSOR |= {14: VARINT}
T_DIMS, T_TYPE, T_FLOATS, T_INT32, T_INT64, T_NAME, T_RAW, T_DOUBLES, T_UINT64, T_EXTERNAL, T_PLACE = TENSOR
ENTRY = {1: BYTES, 2: BYTES}  # a key and its value
VALUE = {1: BYTES, 2: BYTES}  # a name and a type, which is {1 or 8: {2: {1: dimensions}}}
AXIS = {1: VARINTS, 2: BYTES}  # how long, or its name

# Bits of a number of each type but text.
BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16}
BITS |= {17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}
INT32, INT64 = 6, 7

# Operators that make a tensor as large as an input says: which one, and how large that is.
Size = Callable[[Iterable[int]], int]
MAKERS: dict[str, tuple[int, Size]] = {
    "ConstantOfShape": (0, math.prod),
    "Expand": (1, math.prod),
    "Tile": (1, math.prod),
    "OneHot": (1, max),
    "Pad": (1, max),
    "Range": (1, max),
    "HannWindow": (0, max),
    "HammingWindow": (0, max),
    "BlackmanWindow": (0, max),
}


@dataclass
class Seen:
    sizes: dict[str, list[list[int]]] = field(default_factory=dict)  # constants by name, which graphs may share
    makers: list[tuple[str, str]] = field(default_factory=list)  # operator, and the input that says how large


def declared(path: Path) -> dict[str, str]:
    """The file's metadata; ModelError where it is not to be opened."""
    try:
        return model(content(path))
    except ModelError as error:
        raise ModelError(
            f"{path}: expected an ONNX model as kerascola-export writes it, received {error}. Export the Keras model "
            "again, or get the file again from where it comes from"
        ) from None


def content(path: Path) -> memoryview:
    """Its pages are read as they are looked at."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not 0 < size <= MOST_BYTES:
            raise ModelError(f"{size} bytes, of at least 1 and at most {MOST_BYTES}")
        return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))


def model(message: memoryview) -> dict[str, str]:
    found, seen = fields(message, MODEL), Seen()
    if M_FUNCTIONS in found:
        raise ModelError("operators that the file defines itself")
    said = metadata(found.get(M_SAID, []))
    graph(once(found, M_GRAPH), 1, seen)
    for kind, name in seen.makers:
        for sizes in seen.sizes.get(name, ()):
            bounded(kind, MAKERS[kind][1](sizes))
    return said


def metadata(entries: list[memoryview]) -> dict[str, str]:
    if sum(map(len, entries)) > MOST_SAID:
        raise ModelError(f"{sum(map(len, entries))} bytes of metadata, of at most {MOST_SAID}")
    said: dict[str, str] = {}
    for entry in entries:
        found = fields(entry, ENTRY)
        key = text(once(found, 1))
        if key in said:
            raise ModelError(f"metadata that says {shown(key)} twice")
        said[key] = text(once(found, 2))
    return said


def graph(message: Bytes, depth: int, seen: Seen) -> None:
    if depth > DEEPEST:
        raise ModelError(f"graphs inside each other, more than {DEEPEST}")
    found = fields(message, GRAPH)
    if G_SPARSE in found:
        raise ModelError("sparse weights")
    for one in found.get(G_WEIGHTS, ()):
        tensor = weights(one)
        if sizes := integers(tensor):
            seen.sizes.setdefault(text(once(tensor, T_NAME)), []).append(sizes)
    for number in (G_INPUT, G_OUTPUT, G_VALUE):
        for one in found.get(number, ()):
            shape(one)
    for one in found.get(G_NODE, ()):
        node(one, depth, seen)


def node(message: memoryview, depth: int, seen: Seen) -> None:
    found = fields(message, NODE)
    kind, domain = text(once(found, N_KIND)), text(once(found, N_DOMAIN))
    if domain not in DOMAINS or kind in OF_FILES:
        raise ModelError(f"the operator {shown(kind)} of {shown(domain)}, which is none of onnxruntime's own")
    ends = fields(message, ENDS) if kind in MAKERS or kind in LISTS or kind == "Constant" else {}
    if kind in LISTS and not all(ends.get(1, ())):
        raise ModelError(f"the operator {kind} without one of its inputs")
    if kind in MAKERS:
        inputs = ends.get(1, [])[MAKERS[kind][0] :]
        seen.makers += [(kind, text(name)) for name in inputs[:1]]
    for one in found.get(N_ATTRIBUTE, ()):
        inside = fields(one, ATTRIBUTE)
        if A_SPARSE in inside or A_SPARSES in inside:
            raise ModelError("sparse weights")
        for each in (A_TENSOR, A_GRAPH):
            once(inside, each)
        tensors = [weights(each) for each in (*inside.get(A_TENSOR, ()), *inside.get(A_TENSORS, ()))]
        for each in (*inside.get(A_GRAPH, ()), *inside.get(A_GRAPHS, ())):
            graph(each, depth + 1, seen)
        if kind == "Constant":
            sizes = [numbers for numbers in (*map(integers, tensors), written(one)) if numbers]
            for name in ends.get(2, ()):
                seen.sizes.setdefault(text(name), []).extend(sizes)
        elif kind.startswith("Random"):
            bounded(kind, math.prod(written(one)))


def weights(message: memoryview) -> Found:
    """As many numbers as its shape has, and here."""
    found = fields(message, TENSOR)
    if T_EXTERNAL in found or once(found, T_PLACE, 0):
        places = [text(once(fields(entry, ENTRY), 2)) for entry in found.get(T_EXTERNAL, ())]
        raise ModelError(
            f"weights in another file, {shown(places[0] if places else '')}; onnx.save(onnx.load(OLD), NEW) makes it "
            "one, of a model that you trust"
        )
    dims, kind = signed(found, T_DIMS), once(found, T_TYPE, 0)
    if kind not in BITS:
        raise ModelError(f"weights of the type {kind}")
    if len(dims) > MOST_AXES or not all(0 <= size <= MOST_BYTES for size in dims):
        raise ModelError(f"weights of the shape {shown(dims)}")
    needed = math.prod(dims) * BITS[kind]
    raw = len(once(found, T_RAW))
    # As numbers of their own, each takes a byte or more and gives at most 64 bits.
    others = sum(
        len(one) for number in (T_FLOATS, T_INT32, T_INT64, T_DOUBLES, T_UINT64) for one in found.get(number, ())
    )
    if (raw and others) or (needed > 64 * others if others else needed + 7 >> 3 != raw):
        raise ModelError(f"weights of the shape {shown(dims)} in {raw + others} bytes")
    return found


def integers(tensor: Found) -> list[int]:
    """Of a tensor that may be sizes; none of any other."""
    kind, raw = once(tensor, T_TYPE, 0), once(tensor, T_RAW)
    if kind not in (INT32, INT64) or math.prod(signed(tensor, T_DIMS)) > MOST_AXES:
        return []
    if len(raw):
        return np.frombuffer(raw, "<i4" if kind == INT32 else "<i8").tolist()
    return signed(tensor, T_INT32 if kind == INT32 else T_INT64)


def written(attribute: Bytes) -> list[int]:
    found = fields(attribute, INTEGERS)
    return [*signed(found, 3), *signed(found, 8)][:MOST_AXES]


def shape(message: memoryview) -> None:
    """Of what goes in, comes out or is in between."""
    found = fields(message, VALUE)
    text(once(found, 1))
    kinds = fields(once(found, 2), {1: BYTES, 8: BYTES})  # dense and sparse
    for number in kinds:
        inside = fields(once(fields(once(kinds, number), {2: BYTES}), 2), {1: BYTES}).get(1, [])
        axes = [fields(axis, AXIS) for axis in inside]
        sizes = [size for axis in axes for size in signed(axis, 1)]
        for axis in axes:
            text(once(axis, 2))
        if len(sizes) > MOST_AXES or min(sizes, default=0) < 0 or math.prod(sizes) > MOST_BYTES:
            raise ModelError(f"a tensor of the shape {shown(sizes)}")


def bounded(kind: str, size: int) -> None:
    if size > MOST_NUMBERS:
        raise ModelError(f"the operator {kind} that makes more than {MOST_NUMBERS} numbers")
