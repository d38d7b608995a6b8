"""Heads on the one trunk, or alone: graphs that also give logits and scores, held to Keras's."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper

from kerascola.errors import ExportError, shown
from kerascola.export import graph
from kerascola.models.heads import load_head
from kerascola.runtime.metadata import Classes, Metadata
from kerascola.runtime.session import OUTPUT, outputs_of

Heads = Mapping[str, tuple[keras.Model, Classes]]  # by name

BOUND = 1e-4  # of scores, which are between 0 and 1, and of logits, times the largest where that is above 1
SAME = "sample_rate", "dimension", "recipe", "frontend"  # of an embedder and of what its head was made on


def named(files: Sequence[str]) -> dict[str, str]:
    """["head.keras"] -> the only one, "". ["birds=b.keras", "engines=e.keras"] -> by name."""
    heads: dict[str, str] = {}
    for text in files:
        first, equals, rest = text.partition("=")
        name, file = (first, rest) if equals else ("", text)
        if equals and not name:
            raise ExportError(f"expected --head NAME=HEAD.keras, received {text!r}")
        if name in heads:
            what = f"two by the name {name}" if equals else "several without"
            raise ExportError(f"expected a name for each of several heads, NAME=HEAD.keras, received {what}")
        heads[name] = file
    check_names(heads)
    return heads


def check_names(heads: Mapping[str, str | Path]) -> None:
    if not isinstance(heads, Mapping):
        raise ExportError(f'expected heads by name, {{"name": file}}, or one by "", received {shown(heads)}')
    for name in heads:
        if name != "" and not (isinstance(name, str) and name.isidentifier()):
            raise ExportError(
                f"expected names of heads of letters, digits and _, with no digit first, received {name!r}"
            )
    if "" in heads and len(heads) > 1:
        raise ExportError(f"expected a name for each of several heads, NAME=HEAD.keras, received {heads['']} without")


def load_heads(files: Mapping[str, str | Path], metadata: Metadata) -> Heads:
    heads = {}
    for name, file in files.items():
        head, classes, of = load_head(Path(file))
        strange = [what for what in SAME if getattr(of, what) != getattr(metadata, what)]
        if strange:
            told = [f"{what} {getattr(m, what)!r}" for what in strange for m in (metadata, of)]
            raise ExportError(f"{file} is a head of another encoder: expected {told[0]}, received {told[1]}")
        heads[name] = head, classes
    return heads


def attach(proto: onnx.ModelProto, head: onnx.ModelProto, classes: Classes, name: str) -> onnx.ModelProto:
    """The graph that also gives this head's logits and scores; `embedding` stays an output."""
    proto.ir_version = head.ir_version = max(proto.ir_version, head.ir_version)
    before = [output.name for output in proto.graph.output]
    prefix = f"head/{name}/"
    ends = [(OUTPUT, head.graph.input[0].name)]
    given = f"{prefix}{head.graph.output[0].name}"
    joined = onnx.compose.merge_models(proto, head, io_map=ends, prefix2=prefix, outputs=[*before, given])
    finish(joined, given, classes, name)
    return joined


def finish(proto: onnx.ModelProto, given: str, classes: Classes, name: str) -> None:
    """Names the output `given`, and adds the scores."""
    logits, scores = outputs_of(name)
    for node in proto.graph.node:
        node.input[:] = [logits if each == given else each for each in node.input]
        node.output[:] = [logits if each == given else each for each in node.output]
    kind = "Sigmoid" if classes.multi_label else "Softmax"  # over the last axis, which is where it is by default
    proto.graph.node.append(helper.make_node(kind, [logits], [scores], name=scores))
    others = [output for output in proto.graph.output if output.name != given]
    del proto.graph.output[:]
    shape: list[str | int | None] = ["batch", len(classes.labels)]
    made = [helper.make_tensor_value_info(each, TensorProto.FLOAT, shape) for each in (logits, scores)]
    proto.graph.output.extend([*others, *made])
    graph.one_opset_a_domain(proto, {node.domain for node in proto.graph.node})


def alone(head: onnx.ModelProto, classes: Classes, dimension: int) -> onnx.ModelProto:
    """`embedding` [batch, dimension] -> `logits`, `scores` [batch, classes]."""
    head = onnx.compose.add_prefix(head, "head/")  # a value inside may have the name of an end
    old = head.graph.input[0].name
    for node in head.graph.node:
        node.input[:] = [OUTPUT if each == old else each for each in node.input]
    del head.graph.input[:], head.graph.value_info[:]
    head.graph.input.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", dimension]))
    finish(head, head.graph.output[0].name, classes, "")
    head.graph.name, head.graph.doc_string, head.doc_string, head.producer_name = "head", "", "", "kerascola"
    return head


def check(
    embeddings: np.ndarray, logits: np.ndarray, scores: np.ndarray, head: keras.Model, of: Classes, name: str
) -> float:
    """The largest difference of scores from what Keras makes of the same embeddings."""
    expected = head.predict_on_batch(embeddings)
    sure = of.scores(expected)
    off, limit = float(np.abs(logits - expected).max()), BOUND * max(1.0, float(np.abs(expected).max()))
    worst = float(np.abs(scores - sure).max())
    if not (off <= limit and worst <= BOUND):
        raise ExportError(
            f"the head {name or 'given'}: expected Keras's logits within {limit:.2g} and scores within {BOUND:.2g}, "
            f"received differences of {off:.2g} and {worst:.2g}. Nothing was kept"
        )
    return worst


def check_fused(outputs: Mapping[str, Mapping[str, np.ndarray]], heads: Heads) -> float:
    """The largest difference of any head's scores from those that Keras makes of the file's own embeddings.

    `outputs` are all that the file gives, for each of several waveforms.
    """
    worst = 0.0
    for name, (head, classes) in heads.items():
        for found in outputs.values():
            logits, scores = (found[output] for output in outputs_of(name))
            worst = max(worst, check(found[OUTPUT], logits, scores, head, classes, name))
    return worst
