"""The level and log-mel front end as one ONNX graph, written by hand: half the time of the convolution.

A periodic Hann window of even length n is symmetric about its sample n/2, and a magnitude does not depend on
where a frame's time starts. So with x'[j] = x[n/2 + j], a frame's transform is

    sum_j w[n/2 + j] (x'[j] + x'[-j]) cos(2 pi f j / N) - i w[n/2 + j] (x'[j] - x'[-j]) sin(2 pi f j / N)

over half the samples. Bins f and N/2 - f share those products: cos and sin agree up to the sign on even and odd
j, so the sums over even and odd j, computed for f alone, give both. Each fold halves the work again.

Frames are cut by reshaping into hops, never by a gather: frame t is made of the hops t, t + 1 and half of t + 2.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kerascola.dsp.log_mel import LogMel
from kerascola.dsp.windows import periodic_hann

OPSET = 18
IR_VERSION = 10
END = 2**62
REVERSED = ((-1,), (-END,), (2,), (-1,))  # Slice: the third axis backwards


def supports(spec: LogMel) -> bool:
    """Frames of two and a half hops that halve evenly, and no weight on the two bins that the folds leave out."""
    mels = spec.mel_matrix()
    shape = 2 * spec.window == 5 * spec.hop and spec.hop % 8 == 0 and spec.fft % 4 == 0
    return shape and not mels[0].any() and not mels[-1].any()


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

    def magnitude(self, real: str, imaginary: str) -> str:
        squares = self.add("Mul", real, real), self.add("Mul", imaginary, imaginary)
        return self.add("Sqrt", self.add("Add", *squares))


def log_mel_graph(spec: LogMel) -> onnx.ModelProto:
    """`waveform` [batch, samples] -> `spectrogram` [batch, frames, mels]."""
    graph = Graph()
    even, odd = hops(graph, level(graph, "waveform", spec), spec)
    product = graph.add("MatMul", magnitudes(graph, even, odd, spec), graph.floats(folded_mels(spec)))
    clipped = graph.add(
        "Clip", product, graph.constant(spec.floor, np.float32), graph.constant(spec.ceiling, np.float32)
    )
    graph.nodes.append(helper.make_node("Log", [clipped], ["spectrogram"], name="frontend/log"))

    waveform = helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])
    spectrogram = helper.make_tensor_value_info("spectrogram", TensorProto.FLOAT, ["batch", "frames", spec.mels])
    proto = helper.make_graph(graph.nodes, "frontend", [waveform], [spectrogram], list(graph.constants.values()))
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def level(graph: Graph, x: str, spec: LogMel) -> str:
    mean = graph.add("ReduceMean", graph.add("Mul", x, x), graph.ints(1), keepdims=1)
    energy = graph.add("Max", graph.add("Mul", mean, graph.floats(spec.level_samples)), graph.floats(1e-9))
    return graph.add("Div", x, graph.add("Sqrt", energy))


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


def magnitudes(graph: Graph, even: str, odd: str, spec: LogMel) -> str:
    """[batch, frames, fft / 2]: bins 1 to fft / 4, then fft / 2 - 1 down to fft / 4."""
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
    low = graph.magnitude(graph.add("Add", a, b), graph.add("Add", c, d))
    high = graph.magnitude(graph.add("Sub", a, b), graph.add("Sub", d, c))
    return graph.add("Concat", low, high, axis=2)


def folded_kernels(spec: LogMel) -> tuple[np.ndarray, np.ndarray]:
    """Windowed cosines and sines [window / 2, fft / 4] of the bins 1 to fft / 4, from the frame's centre on."""
    centre = spec.window // 2
    offset = np.arange(centre)
    taps = periodic_hann(spec.window)[centre + offset][:, None]
    angle = 2 * np.pi * np.outer(offset, np.arange(1, spec.fft // 4 + 1)) / spec.fft
    cosines = taps * np.cos(angle)
    cosines[0] /= 2  # sample 0 is its own mirror image and is added twice
    return cosines, taps * np.sin(angle)


def folded_mels(spec: LogMel) -> np.ndarray:
    """[fft / 2, mels] in the order of `magnitudes`; the bin fft / 4, which is there twice, counts once."""
    mels = spec.mel_matrix()
    bins = np.arange(1, spec.fft // 4 + 1)
    high = mels[spec.fft // 2 - bins].copy()
    high[-1] = 0.0
    return np.concatenate([mels[bins], high])
