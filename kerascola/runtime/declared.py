"""What an ONNX file declares, looked at before onnxruntime opens it.

It must be one file, of operators that onnxruntime has itself, and hold the numbers that it declares. Weights are passed
over unread; what is few enough to be sizes is read (`made.py`). How much a graph makes of a waveform as it runs cannot
be told from its file.
"""

import math
import mmap
import os
from collections import ChainMap
from pathlib import Path
from typing import Any

import numpy as np

from kerascola.errors import ModelError, shown
from kerascola.runtime.made import MAKERS, Constant, Maker, check_sum
from kerascola.runtime.wire import BYTES, FOURS, VARINT, VARINTS, Bytes, Found, fields, once, signed, text

MOST_BYTES = (1 << 31) - 1  # of any protobuf
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
NUMBERS = {1: BYTES, 2: FOURS, 3: VARINTS, 7: FOURS, 8: VARINTS}  # of an attribute: its name, one or many
TENSOR = {1: VARINTS, 2: VARINT, 4: BYTES, 5: BYTES, 7: BYTES, 8: BYTES, 9: BYTES, 10: BYTES, 11: BYTES, 13: BYTES}
TENSOR |= {14: VARINT}
T_DIMS, T_TYPE, T_FLOATS, T_INT32, T_INT64, T_NAME, T_RAW, T_DOUBLES, T_UINT64, T_EXTERNAL, T_PLACE = TENSOR
ENTRY = {1: BYTES, 2: BYTES}  # a key and its value
VALUE = {1: BYTES, 2: BYTES}  # a name and a type, which is {1 or 8: {2: {1: dimensions}}}
AXIS = {1: VARINTS, 2: BYTES}  # how long, or its name

# Bits of a number of each type but text.
BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16}
BITS |= {17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}

# Types that sizes may be of, and where they are written as numbers of their own.
SIZES = {1: ("<f4", T_FLOATS), 2: ("u1", T_INT32), 3: ("i1", T_INT32), 4: ("<u2", T_INT32), 5: ("<i2", T_INT32)}
SIZES |= {6: ("<i4", T_INT32), 7: ("<i8", T_INT64), 11: ("<f8", T_DOUBLES), 12: ("<u4", T_UINT64)}
SIZES |= {13: ("<u8", T_UINT64)}

Constants = ChainMap[str, Constant]  # by name: of a graph, and of those that it is inside


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
    found, makers = fields(message, MODEL), list[Maker]()
    if M_FUNCTIONS in found:
        raise ModelError("operators that the file defines itself")
    said = metadata(found.get(M_SAID, []))
    graph(once(found, M_GRAPH), ChainMap(), makers)
    check_sum(makers)
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


def graph(message: Bytes, constants: Constants, makers: list[Maker]) -> None:
    if len(constants.maps) > DEEPEST:
        raise ModelError(f"graphs inside each other, more than {DEEPEST}")
    found = fields(message, GRAPH)
    if G_SPARSE in found:
        raise ModelError("sparse weights")
    for one in found.get(G_WEIGHTS, ()):
        tensor = weights(one)
        keep(constants, once(tensor, T_NAME), as_constant(tensor))
    for number in (G_INPUT, G_OUTPUT, G_VALUE):
        for one in found.get(number, ()):
            shape(one)
    for one in found.get(G_NODE, ()):
        node(one, constants, makers)


def keep(constants: Constants, name: Bytes, constant: Constant) -> None:
    key = text(name)
    if key in constants.maps[0]:
        raise ModelError(f"two constants of the name {shown(key)}")
    constants[key] = constant


def node(message: memoryview, constants: Constants, makers: list[Maker]) -> None:
    found = fields(message, NODE)
    kind, domain = text(once(found, N_KIND)), text(once(found, N_DOMAIN))
    if domain not in DOMAINS or kind in OF_FILES:
        raise ModelError(f"the operator {shown(kind)} of {shown(domain)}, which is none of onnxruntime's own")
    ends = fields(message, ENDS) if kind in MAKERS or kind in LISTS or kind == "Constant" else {}
    if kind in LISTS and not all(ends.get(1, ())):
        raise ModelError(f"the operator {kind} without one of its inputs")
    said: dict[str, list[float]] = {}
    for one in found.get(N_ATTRIBUTE, ()):
        inside = fields(one, ATTRIBUTE)
        if A_SPARSE in inside or A_SPARSES in inside:
            raise ModelError("sparse weights")
        for each in (A_TENSOR, A_GRAPH):
            once(inside, each)
        tensors = [weights(each) for each in (*inside.get(A_TENSOR, ()), *inside.get(A_TENSORS, ()))]
        for each in (*inside.get(A_GRAPH, ()), *inside.get(A_GRAPHS, ())):
            graph(each, constants.new_child(), makers)
        if kind in MAKERS:
            said |= written(one)
        elif kind == "Constant":
            known = [as_constant(each) for each in tensors]
            known += [Constant([len(each)], each) for each in written(one).values() if each]
            for name in ends.get(2, ()) if known else ():
                keep(constants, name, known[0])
    if kind in MAKERS:
        makers.append(Maker(kind, [text(name) for name in ends.get(1, ())], said, constants))


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


def as_constant(tensor: Found) -> Constant:
    dims, kind, raw = signed(tensor, T_DIMS), once(tensor, T_TYPE, 0), once(tensor, T_RAW)
    if kind not in SIZES or math.prod(dims) > MOST_AXES:
        return Constant(dims, [])
    dtype, place = SIZES[kind]
    if len(raw):
        return Constant(dims, numbers([raw], dtype))
    if place in (T_FLOATS, T_DOUBLES):
        return Constant(dims, numbers(tensor.get(place, []), dtype))
    return Constant(dims, signed(tensor, place))


def written(attribute: Bytes) -> dict[str, list[float]]:
    """The numbers of an attribute, by its name."""
    found = fields(attribute, NUMBERS)
    floats = [number for each in (2, 7) for number in numbers(found.get(each, []), "<f4")]
    return {text(once(found, 1)): [*signed(found, 3), *signed(found, 8), *floats][:MOST_AXES]}


def numbers(parts: list[Any], dtype: str) -> list[float]:
    together = b"".join(parts)
    if len(together) % np.dtype(dtype).itemsize:
        raise ModelError(f"numbers of the type {dtype} in {len(together)} bytes")
    return np.frombuffer(together, dtype).tolist()


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
