"""The encoder's layers in int8: static, a scale for each channel of the weights, as far as its embeddings bear it.

What a layer gives is kept in 8 bits over the range that it had on calibration's sounds. Embeddings of other sounds are
then compared with those of float32, less their mean: without that, what all embeddings have in common makes any two
alike. Where they are too far off, the layers that do the most harm stay in float32, the fewest that will do.
"""

import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from kerascola.errors import ExportError
from kerascola.export.calibration import POINTS, Sounds
from kerascola.runtime.metadata import Metadata
from kerascola.runtime.session import INPUT, OUTPUT

MEAN, LEAST = 0.99, 0.95  # cosines to float32's embeddings, both less the mean of float32's
WEIGHTS = 0.5  # that are in int8, at least, or it is not worth it
HEAVY = ("Conv", "MatMul", "Gemm")
KINDS = (*HEAVY, "Add", "Mul", "MaxPool")
GROUPS = 24  # of neighbouring layers, whose harm is measured together
BATCH = 32
BEST_OF = 5  # timings


@dataclass(frozen=True)
class Held:
    """How near a file is to float32's."""

    mean: float
    least: float
    lost: float | None = None  # points of accuracy

    @property
    def well(self) -> bool:
        return self.mean >= MEAN and self.least >= LEAST and (self.lost is None or self.lost <= POINTS)

    def __str__(self) -> str:
        lost = "" if self.lost is None else f" and {self.lost:.2f} points of accuracy lost"
        return f"a cosine of {self.mean:.4f}, {self.least:.4f} at least{lost}"


EXPECTED = Held(MEAN, LEAST, POINTS)


class Reader(CalibrationDataReader):
    def __init__(self, waves: np.ndarray) -> None:
        self.batches = iter([{INPUT: waves[at : at + BATCH]} for at in range(0, len(waves), BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


class Quantiser:
    """One graph, calibrated once, with more or fewer of its layers in int8."""

    def __init__(self, proto: onnx.ModelProto, metadata: Metadata, sounds: Sounds, folder: Path) -> None:
        self.folder, self.sounds = folder, sounds
        self.float, self.ranges = folder / "float.onnx", folder / "ranges.json"
        self.proto = named(proto, metadata)
        onnx.save(self.proto, self.float)
        nodes = [node for node in self.proto.graph.node if node.op_type in KINDS]
        self.others = [node.name for node in nodes if not of_encoder(node)]
        constants = {held.name: int(np.prod(held.dims)) for held in self.proto.graph.initializer}
        self.weights = {
            node.name: sum(constants.get(name, 0) for name in node.input) if node.op_type in HEAVY else 0
            for node in nodes
            if of_encoder(node)
        }
        self.reference = self.embeddings(self.float)
        self.accuracy = sounds.accuracy(self.float) if sounds.accuracy else 0.0

    def embeddings(self, path: Path) -> np.ndarray:
        session = opened(path)
        waves = self.sounds.judged
        parts = [session.run([OUTPUT], {INPUT: waves[at : at + BATCH]})[0] for at in range(0, len(waves), BATCH)]
        return np.concatenate(parts).astype(np.float64)

    def write(self, kept: Collection[str]) -> Path:
        """With all layers in int8 but those that are `kept`."""
        path = self.folder / "int8.onnx"
        quantize_static(
            self.float,
            path,
            Reader(self.sounds.calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(KINDS),
            nodes_to_exclude=[*self.others, *kept],
            calibration_cache_path=self.ranges,
        )
        return path

    def held(self, kept: Collection[str], whole: bool = True) -> Held:
        """`whole`: accuracy, too, where the embeddings are near enough."""
        path = self.write(kept)
        mean, least = likeness(self.reference, self.embeddings(path))
        judge = self.sounds.accuracy
        if not whole or judge is None or not Held(mean, least).well:
            return Held(mean, least)
        return Held(mean, least, 100 * (self.accuracy - judge(path)))

    def share(self, kept: Collection[str]) -> float:
        """Of the weights that are in int8."""
        return 1 - sum(self.weights[name] for name in kept) / sum(self.weights.values())


def quantised(
    proto: onnx.ModelProto, metadata: Metadata, sounds: Sounds, say: Callable[[str], None]
) -> tuple[onnx.ModelProto, dict[str, float]]:
    """The graph, and what it is held to for its metadata; refused where too much is lost."""
    with tempfile.TemporaryDirectory() as folder:
        say(f"calibrating int8 on {len(sounds.calibration)} windows of {sounds.what}")
        work = Quantiser(proto, metadata, sounds, Path(folder))
        layers, kept = list(work.weights), list[str]()
        found = work.held(kept)
        if not found.well:
            say(f"all {len(layers)} layers in int8: {found}. Looking for those that do the harm")
            kept, found = rescued(work, found)
        path = work.write(kept)
        before, after = milliseconds(work.float, sounds), milliseconds(path, sounds)
        say(
            f"{len(layers) - len(kept)} of {len(layers)} layers in int8, {work.share(kept):.0%} of weights: {found}. "
            f"On one thread {before:.2f} ms a window in float32, {after:.2f} in int8"
        )
        facts = {"int8_cosine": found.mean, "int8_least_cosine": found.least, "int8_share": work.share(kept)}
        if found.lost is not None:
            facts |= {"int8_points_lost": found.lost, "int8_clips": sounds.clips}
        return onnx.load(path), facts


def rescued(work: Quantiser, everything: Held) -> tuple[list[str], Held]:
    """What has to stay in float32, and how that does: all that has no weights of its own, or also the fewest of the
    layers that do the most harm alone."""
    light = [layer for layer, count in work.weights.items() if not count]
    layers = [layer for layer, count in work.weights.items() if count]
    best = work.held(light)
    if best.well:
        return light, best
    groups = [list(part) for part in np.array_split(layers, min(GROUPS, len(layers)))]
    harm = list[float]()
    for group in work.sounds.track(groups, len(groups), "groups of layers"):
        harm.append(1 - work.held([*light, *(layer for layer in layers if layer not in group)], whole=False).mean)
    order = sorted(range(len(groups)), key=lambda n: -harm[n])

    def kept(count: int) -> list[str]:
        return [*light, *(layer for n in order[:count] for layer in groups[n])]

    enough, too_few, known = len(groups), 0, Held(1.0, 1.0, 0.0)
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        found = work.held(kept(middle))
        if found.well:
            enough, known = middle, found
        else:
            too_few, best = middle, found
    if work.share(kept(enough)) < WEIGHTS:
        raise ExportError(
            f"int8: expected {EXPECTED} or better with at least {WEIGHTS:.0%} of the weights in int8, received "
            f"{everything} with all of them, and {best} with {work.share(kept(too_few)):.0%}; what holds has "
            f"{work.share(kept(enough)):.0%}. Take --quantize fp16, or calibrate on sounds of yours: --calibrate. "
            "Nothing was kept"
        )
    return kept(enough), known


def named(proto: onnx.ModelProto, metadata: Metadata) -> onnx.ModelProto:
    """A copy whose nodes all have names, and which onnxruntime's quantiser takes as it is."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for number, node in enumerate(copy.graph.node):
        node.name = f"{node.name}/{number}"
    onnx.helper.set_model_props(copy, {**metadata.to_props(), "onnx.quant.pre_process": "onnxruntime.quant"})
    return copy


def of_encoder(node: onnx.NodeProto) -> bool:
    """By the prefix that `graph.join` gives."""
    return any(name.startswith("encoder/") for name in [*node.input, *node.output])


def likeness(reference: np.ndarray, received: np.ndarray) -> tuple[float, float]:
    """The mean and the least cosine of two sets of embeddings, less the mean of the first."""
    common = reference.mean(axis=0)
    a, b = reference - common, received - common
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = np.where(norms > 0, (a * b).sum(axis=1) / np.where(norms > 0, norms, 1), 0.0)
    return float(cosines.mean()), float(cosines.min())


def milliseconds(path: Path, sounds: Sounds) -> float:
    session, waves = opened(path), sounds.judged[:BATCH]
    session.run([OUTPUT], {INPUT: waves})
    times = []
    for _ in range(BEST_OF):
        began = time.perf_counter()
        session.run([OUTPUT], {INPUT: waves})
        times.append(time.perf_counter() - began)
    return 1000 * min(times) / len(waves)


def opened(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
