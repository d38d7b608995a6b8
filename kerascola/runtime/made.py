"""How many numbers an ONNX file has made: by operators whose result is as large as a constant says.

onnxruntime computes what follows from constants alone as it opens the file, and keeps all of it, so their sum is
bounded. What other operators make of constants, such as products of matrices, `open_session` bounds one by one.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from kerascola.errors import ModelError

MOST_NUMBERS = 1 << 26  # 256 MB of float32


class Constant(NamedTuple):
    shape: list[int]
    numbers: Sequence[float]  # none where they are too many to be sizes


class Maker(NamedTuple):
    kind: str
    inputs: list[str]
    written: Mapping[str, list[float]]  # numbers of its attributes
    constants: Mapping[str, Constant]

    def shape(self, place: int) -> list[int]:
        """Of an input; of what is computed as it runs, that of a single number."""
        known = self._constant(place)
        return known.shape if known else []

    def numbers(self, place: int) -> Sequence[float]:
        known = self._constant(place)
        return known.numbers if known else []

    def _constant(self, place: int) -> Constant | None:
        return self.constants.get(self.inputs[place]) if place < len(self.inputs) else None


def check_sum(makers: Iterable[Maker]) -> None:
    total = 0.0
    for one in makers:
        total += MAKERS[one.kind](one)
        if not total <= MOST_NUMBERS:  # nor NaN, of 0 times infinity
            raise ModelError(
                f"the operator {one.kind} that makes more than {MOST_NUMBERS} numbers with what others make"
            )


def size(shape: Iterable[float]) -> float:
    return math.prod(abs(float(axis)) for axis in shape)


def expanded(one: Maker) -> float:
    axes = zip_longest(reversed(one.shape(0)), reversed(one.numbers(1)), fillvalue=1)
    return size(a if b == 1 else b if a == 1 else max(a, b) for a, b in axes)


def padded(one: Maker) -> float:
    shape, pads = one.shape(0), one.numbers(1) or one.written.get("pads", [])
    middle = (len(pads) + 1) // 2
    more = [max(0, b) + max(0, a) for b, a in zip_longest(pads[:middle], pads[middle:], fillvalue=0)]
    if len(more) == len(shape):
        return size(map(sum, zip(shape, more, strict=True)))
    return size(shape) * size(1 + each for each in more)  # no fewer, whichever axes they are for


def resized(one: Maker) -> float:
    """To sizes, or by scales, which came before the region of interest did."""
    scales = one.numbers(2) or one.numbers(1) or one.written.get("scales", [])
    return size(one.numbers(3)) if one.numbers(3) else size(one.shape(0)) * size(scales)


def ranged(one: Maker) -> float:
    (start,), (limit,), (step,) = ((one.numbers(place) or [default])[:1] for place, default in enumerate((0, 0, 1)))
    span = (limit - start) / step if step else math.inf
    return 0.0 if span < 0 else span


def sizes(place: int) -> Callable[[Maker], float]:
    """As large as that input says."""
    return lambda one: size(one.numbers(place))


def times(place: int) -> Callable[[Maker], float]:
    """So many times the first input."""
    return lambda one: size(one.shape(0)) * size(one.numbers(place))


MAKERS: dict[str, Callable[[Maker], float]] = {
    "AffineGrid": sizes(1),
    "BlackmanWindow": sizes(0),
    "CenterCropPad": sizes(1),
    "Col2Im": sizes(1),
    "ConstantOfShape": sizes(0),
    "DFT": times(1),
    "Expand": expanded,
    "HammingWindow": sizes(0),
    "HannWindow": sizes(0),
    "MaxUnpool": sizes(2),
    "MelWeightMatrix": lambda one: size(one.numbers(0)) * size(one.numbers(1)),
    "OneHot": times(1),
    "Pad": padded,
    "RandomNormal": lambda one: size(one.written.get("shape", [])),
    "RandomUniform": lambda one: size(one.written.get("shape", [])),
    "Range": ranged,
    "Resize": resized,
    "RoiAlign": lambda one: size(one.written.get("output_height", []) + one.written.get("output_width", [])),
    "Tile": times(1),
    "Upsample": resized,
}
