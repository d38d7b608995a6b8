"""Level and log-mel front end as one ONNX graph, written by hand: up to twice as fast as what a backend lowers.

Two folds of the Fourier transform make it so.

By parity: bins f and N/2 - f share their products, as cos and sin agree up to the sign on even and odd samples. So
the sums over even and over odd samples, computed for f alone, give both bins, and the work is halved.

By symmetry: a periodic Hann window of even length n is symmetric about its sample n/2, and a magnitude does not
depend on where a frame's time starts. So with x'[j] = x[n/2 + j], a frame's transform is

    sum_j w[n/2 + j] (x'[j] + x'[-j]) cos(2 pi f j / N) - i w[n/2 + j] (x'[j] - x'[-j]) sin(2 pi f j / N)

over half the samples. That halves the work again, where frames are two and a half hops: frame t is then cut by
reshaping into hops, never by a gather, from the hops t, t + 1 and half of t + 2.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kerascola.dsp.log_mel import LogMel

OPSET = 18
IR_VERSION = 10
END = 2**62
REVERSED = ((-1,), (-END,), (2,), (-1,))  # Slice: the third axis backwards


def folds_by_symmetry(spec: LogMel) -> bool:
    """Frames of two and a half hops that halve evenly, and no weight on the two bins that this fold leaves out."""
    mels = spec.mel_matrix()
    shape = 2 * spec.window == 5 * spec.hop and spec.hop % 8 == 0 and spec.fft % 4 == 0
    return shape and (spec.taper, spec.periodic) == ("hann", True) and not mels[0].any() and not mels[-1].any()


def folds_by_parity(spec: LogMel) -> bool:
    return spec.window % 2 == spec.hop % 2 == 0 and spec.fft % 4 == 0


class Graph:
    """Nodes and constants in the order they are added; equal constants are stored once."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[tuple, onnx.TensorProto] = {}

    def add(self, kind: str, *inputs: str, **attributes) -> str:
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes) -> list[str]:
        name = f"frontend/{kind.lower()}_{len(self.nodes)}"
        names = [f"{name}:{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return names

    def constant(self, values, dtype: type) -> str:
        array: np.ndarray = np.asarray(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            name = f"frontend/constant_{len(self.constants)}"
            self.constants[key] = numpy_helper.from_array(array, name)
        return self.constants[key].name

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def floats(self, values) -> str:
        return self.constant(values, np.float32)

    def slice(self, x: str, starts: tuple, ends: tuple, axes: tuple, steps: tuple = ()) -> str:
        bounds = [self.ints(*starts), self.ints(*ends), self.ints(*axes)]
        return self.add("Slice", x, *bounds, *([self.ints(*steps)] if steps else []))

    def spectrum(self, real: str, imaginary: str, power: int) -> str:
        squares = self.add("Mul", real, real), self.add("Mul", imaginary, imaginary)
        total = self.add("Add", *squares)
        return total if power == 2 else self.add("Sqrt", total)


def log_mel_graph(spec: LogMel) -> onnx.ModelProto:
    """`waveform` [batch, samples] -> `spectrogram` [batch, frames, mels]."""
    graph = Graph()
    x = pad(graph, level(graph, "waveform", spec), spec)
    if folds_by_symmetry(spec):
        mels = folded_mels(graph, symmetric_spectrum(graph, *hops(graph, x, spec), spec), spec, first=1)
    elif folds_by_parity(spec):
        mels = folded_mels(graph, parity_spectrum(graph, x, spec), spec, first=0)
    else:
        mels = graph.add("MatMul", whole_spectrum(graph, x, spec), graph.floats(spec.mel_matrix()[spec.used_bins()]))
    normalised(graph, logarithm(graph, mels, spec), spec)
    graph.nodes[-1].output[0] = "spectrogram"

    waveform = helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])
    spectrogram = helper.make_tensor_value_info("spectrogram", TensorProto.FLOAT, ["batch", "frames", spec.mels])
    proto = helper.make_graph(graph.nodes, "frontend", [waveform], [spectrogram], list(graph.constants.values()))
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def level(graph: Graph, x: str, spec: LogMel) -> str:
    if spec.level == "rms":
        mean = graph.add("ReduceMean", graph.add("Mul", x, x), graph.ints(1), keepdims=1)
        energy = graph.add("Max", graph.add("Mul", mean, graph.floats(spec.level_samples)), graph.floats(1e-9))
        return graph.add("Div", x, graph.add("Sqrt", energy))
    if spec.level == "peak":
        swing = graph.add("Sub", x, graph.add("ReduceMean", x, graph.ints(1), keepdims=1))
        peak = graph.add("ReduceMax", graph.add("Abs", swing), graph.ints(1), keepdims=1)
        return graph.add("Div", swing, graph.add("Add", peak, graph.floats(0.005)))
    return x


def pad(graph: Graph, x: str, spec: LogMel) -> str:
    if spec.centre == "none":
        return x
    mode = {"reflect": "reflect", "zeros": "constant"}[spec.centre]
    return graph.add("Pad", x, graph.ints(0, spec.padding[0], 0, spec.padding[1]), mode=mode)


def logarithm(graph: Graph, mels: str, spec: LogMel) -> str:
    if spec.floor_by == "add":
        floored = graph.add("Add", mels, graph.floats(spec.floor))
    else:
        floored = graph.add("Clip", mels, graph.floats(spec.floor), graph.floats(spec.ceiling))
    logs = graph.add("Log", floored)
    return logs if spec.log == "ln" else graph.add("Mul", logs, graph.floats(spec.log_factor()))


def normalised(graph: Graph, x: str, spec: LogMel) -> str:
    if spec.reference == "max":
        x = graph.add("Sub", x, graph.add("ReduceMax", x, graph.ints(1, 2), keepdims=1))
    if spec.range_db is not None:
        x = graph.add("Max", x, graph.floats(-spec.range_db))
    if (spec.mean, spec.deviation) != (0.0, 1.0):
        x = graph.add("Mul", graph.add("Sub", x, graph.floats(spec.mean)), graph.floats(1 / spec.deviation))
    return x


def whole_spectrum(graph: Graph, x: str, spec: LogMel) -> str:
    """[batch, frames, used bins] by one strided convolution."""
    kernels = np.concatenate(kernels_of(spec, spec.used_bins()), axis=1)
    real, imaginary = graph.add_many("Split", [slide(graph, x, kernels, spec.hop)], 2, axis=2, num_outputs=2)
    return graph.spectrum(real, imaginary, spec.power)


def parity_spectrum(graph: Graph, x: str, spec: LogMel) -> tuple[str, str]:
    """Bins 0 to fft / 4, and fft / 2 down to fft / 4, [batch, frames, fft / 4 + 1] both."""
    samples = graph.add("Shape", x, start=1, end=2)
    whole = graph.add("Mul", graph.add("Div", samples, graph.ints(2)), graph.ints(2))  # one more belongs to no frame
    kernels = np.concatenate(kernels_of(spec, np.arange(spec.fft // 4 + 1)), axis=1)
    halves = []
    for first in (0, 1):
        every_other = graph.add("Slice", x, graph.ints(first), whole, graph.ints(1), graph.ints(2))
        parts = slide(graph, every_other, kernels[first::2], spec.hop // 2)
        halves.append(graph.add_many("Split", [parts], 2, axis=2, num_outputs=2))
    (a, c), (b, d) = halves
    low = graph.spectrum(graph.add("Add", a, b), graph.add("Add", c, d), spec.power)
    high = graph.spectrum(graph.add("Sub", a, b), graph.add("Sub", d, c), spec.power)
    return low, high


def slide(graph: Graph, x: str, kernels: np.ndarray, hop: int) -> str:
    """[batch, samples] by [window, outputs] -> [batch, frames, outputs].

    As a convolution of images one pixel high: onnxruntime has fast kernels for these and not for sequences.
    """
    image = graph.add("Unsqueeze", x, graph.ints(1, 2))
    weights = graph.floats(kernels.T[:, None, None])
    rows = graph.add("Squeeze", graph.add("Conv", image, weights, strides=[1, hop]), graph.ints(2))
    return graph.add("Transpose", rows, perm=[0, 2, 1])


def kernels_of(spec: LogMel, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windowed cosines and sines, [window, bins] each."""
    angle = 2 * np.pi * np.outer(np.arange(spec.window), bins) / spec.fft
    return spec.taps()[:, None] * np.cos(angle), spec.taps()[:, None] * np.sin(angle)


def hops(graph: Graph, x: str, spec: LogMel) -> tuple[str, str]:
    """[batch, samples] -> the even and the odd samples of each hop, [batch, frames + 2, hop / 2] both."""
    samples = graph.add("Shape", x, start=1, end=2)
    frames = graph.add("Div", graph.add("Add", samples, graph.ints(spec.hop - spec.window)), graph.ints(spec.hop))
    used = graph.add("Mul", graph.add("Add", frames, graph.ints(2)), graph.ints(spec.hop))
    padded = graph.add("Pad", x, graph.ints(0, 0, 0, spec.hop // 2))  # completes the last half hop
    cropped = graph.add("Slice", padded, graph.ints(0), used, graph.ints(1))
    pairs = graph.add("Reshape", cropped, graph.ints(0, -1, spec.hop // 2, 2))
    even, odd = graph.add_many("Split", [pairs], 2, axis=3, num_outputs=2)
    return graph.add("Squeeze", even, graph.ints(3)), graph.add("Squeeze", odd, graph.ints(3))


def symmetric_spectrum(graph: Graph, even: str, odd: str, spec: LogMel) -> tuple[str, str]:
    """Bins 1 to fft / 4, and fft / 2 - 1 down to fft / 4, [batch, frames, fft / 4] both."""
    half, middle = spec.hop // 2, spec.hop // 4

    def first(x: str, begin: int, end: int) -> str:
        return graph.slice(x, (0, begin), (-2, end), (1, 2))

    def second(x: str, begin: int, end: int) -> str:
        return graph.slice(x, (1, begin), (-1, end), (1, 2))

    def third(x: str, begin: int, end: int) -> str:
        return graph.slice(x, (2, begin), (END, end), (1, 2))

    def join(left: str, right: str) -> str:
        return graph.add("Concat", left, right, axis=2)

    s = (spec.window // 2 - spec.hop) // 2  # the frame's centre, within its second hop's halves
    back_even, back_odd = graph.slice(even, *REVERSED), graph.slice(odd, *REVERSED)
    # samples centre + j for even and for odd j, then centre - j
    forward_even = join(second(even, s, half), third(even, 0, middle))
    forward_odd = join(second(odd, s, half), third(odd, 0, middle))
    backward_even = join(second(back_even, half - 1 - s, half), first(back_even, 0, half - 1))
    backward_odd = join(second(back_odd, half - s, half), first(back_odd, 0, half))

    cosines, sines = folded_kernels(spec)
    a = graph.add("MatMul", graph.add("Add", forward_even, backward_even), graph.floats(cosines[::2]))
    b = graph.add("MatMul", graph.add("Add", forward_odd, backward_odd), graph.floats(cosines[1::2]))
    c = graph.add("MatMul", graph.add("Sub", forward_even, backward_even), graph.floats(sines[::2]))
    d = graph.add("MatMul", graph.add("Sub", forward_odd, backward_odd), graph.floats(sines[1::2]))
    low = graph.spectrum(graph.add("Add", a, b), graph.add("Add", c, d), spec.power)
    high = graph.spectrum(graph.add("Sub", a, b), graph.add("Sub", d, c), spec.power)
    return low, high


def folded_kernels(spec: LogMel) -> tuple[np.ndarray, np.ndarray]:
    """Windowed cosines and sines [window / 2, fft / 4] of the bins 1 to fft / 4, from the frame's centre on."""
    centre = spec.window // 2
    offset = np.arange(centre)
    taps = spec.taps()[centre + offset][:, None]
    angle = 2 * np.pi * np.outer(offset, np.arange(1, spec.fft // 4 + 1)) / spec.fft
    cosines = taps * np.cos(angle)
    cosines[0] /= 2  # sample 0 is its own mirror image and is added twice
    return cosines, taps * np.sin(angle)


def folded_mels(graph: Graph, spectrum: tuple[str, str], spec: LogMel, first: int) -> str:
    """Of the bins `first` to fft / 4 and, in step, fft / 2 - `first` down to fft / 4, which counts once: the mels.

    Few mels hear both halves, so either half is multiplied by no more than the mels that hear it.
    """
    matrix = spec.mel_matrix()
    bins = np.arange(first, spec.fft // 4 + 1)
    low, high = matrix[bins], matrix[spec.fft // 2 - bins]
    high[-1] = 0.0
    heard = [heard_mels(graph, half, weights) for half, weights in zip(spectrum, (low, high), strict=True)]
    return graph.add("Add", *heard)


def heard_mels(graph: Graph, spectrum: str, weights: np.ndarray) -> str:
    columns = np.flatnonzero(weights.any(axis=0))
    first, end = (columns[0], columns[-1] + 1) if columns.size else (0, 1)
    products = graph.add("MatMul", spectrum, graph.floats(weights[:, first:end]))
    return graph.add("Pad", products, graph.ints(0, 0, first, 0, 0, weights.shape[1] - end))
