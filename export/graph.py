"""What every lowered graph goes through, so that the three backends' end up alike and equally fast."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from kerascola.errors import ExportError

HALF_MOST = float(np.finfo(np.float16).max)


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants folded and no-ops gone (onnxruntime's portable level), affine maps folded into convolutions."""
    with tempfile.TemporaryDirectory() as folder:
        optimised = str(Path(folder) / "optimised.onnx")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = optimised
        options.log_severity_level = 3
        scales_as_products(model.graph)
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        model = onnx.load(optimised)
    fold_affine(model)
    lines_as_images(model.graph)
    bounds_as_clips(model.graph)
    sizes_before_convolutions(model.graph)
    drop_unused(model)
    used = {node.domain for node in model.graph.node}
    one_opset_a_domain(model, used)
    return model


def scales_as_products(graph: onnx.GraphProto) -> None:
    """An Einsum that only scales the last axis, `bhwc,c->bhwc`, is a product of two tensors: quicker."""
    for node in graph.node:
        if node.op_type != "Einsum":
            continue
        if scales_last_axis(node.attribute[0].s.decode()):
            node.op_type = "Mul"
            del node.attribute[:]


def scales_last_axis(equation: str) -> bool:
    inputs, _, output = equation.replace(" ", "").partition("->")
    return bool(output) and sorted(inputs.split(",")) == sorted([output, output[-1]])


def lines_as_images(graph: onnx.GraphProto) -> None:
    """A convolution over time becomes one over an image of height one, as TensorFlow's already are: a fifth quicker."""
    constants = {i.name: i for i in graph.initializer}
    nodes = []
    for node in graph.node:
        kernel = constants.get(node.input[1]) if node.op_type == "Conv" else None
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if kernel is None or len(kernel.dims) != 3 or settings.pop("auto_pad", b"NOTSET") != b"NOTSET":
            nodes.append(node)
            continue
        for name in settings.keys() & {"kernel_shape", "strides", "dilations"}:
            settings[name] = [1, *settings[name]]
        settings["pads"] = [place for pad in settings.get("pads", (0, 0)) for place in (0, pad)]
        name = node.output[0]
        image, convolved, axis, weight = (f"{name}/{part}" for part in ("image", "convolved", "axis", "weight_2d"))
        graph.initializer.append(numpy_helper.from_array(np.array([2]), axis))
        graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(kernel)[:, :, None], weight))
        nodes.append(helper.make_node("Unsqueeze", [node.input[0], axis], [image]))
        nodes.append(helper.make_node("Conv", [image, weight, *node.input[2:]], [convolved], node.name, **settings))
        nodes.append(helper.make_node("Squeeze", [convolved, axis], [name]))
    del graph.node[:]
    graph.node.extend(nodes)


def bounds_as_clips(graph: onnx.GraphProto) -> None:
    """Min(Max(x, low), high), JAX's ReLU6, is a Clip, which runs within the convolution before it: a quarter faster."""
    constants = {i.name: i for i in graph.initializer}
    maxima = {node.output[0]: node for node in graph.node if node.op_type == "Max"}
    for node in graph.node:
        if node.op_type != "Min":
            continue
        inner, high = bound(node, constants)
        value, low = bound(maxima[inner], constants) if inner in maxima else (None, None)
        if high and low and value:
            node.op_type = "Clip"
            node.input[:] = [value, low, high]


def bound(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> tuple[str | None, str | None]:
    """What is bounded and the scalar that bounds it, where it is that."""
    scalars = [name for name in node.input if name in constants and not constants[name].dims]
    others = [name for name in node.input if name not in scalars]
    return (others[0], scalars[0]) if len(scalars) == len(others) == 1 else (None, None)


def sizes_before_convolutions(graph: onnx.GraphProto) -> None:
    """A size that a convolution keeps is read before it: onnxruntime would bring all that comes after into another
    layout and back for it. JAX reads lengths there, for which a CRNN takes a twentieth longer."""
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    producer = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        readers = [reader for reader in graph.node if node.output[0] in reader.input]
        whole = node.op_type == "Shape" and not any(a.name == "end" or a.i for a in node.attribute)
        conv = producer.get(node.input[0]) if whole else None
        if conv is not None and conv.op_type == "Relu":
            conv = producer.get(conv.input[0])
        if conv is None or conv.op_type != "Conv" or conv.input[1] not in constants or not readers:
            continue
        picked = [constants.get(r.input[1]) if r.op_type == "Gather" else None for r in readers]
        of_kept_axes = all(index is not None and (index % constants[conv.input[1]].ndim != 1).all() for index in picked)
        if of_kept_axes and keeps_size(conv, constants[conv.input[1]]):
            node.input[0] = conv.input[0]


def keeps_size(conv: onnx.NodeProto, weight: np.ndarray) -> bool:
    """Along all axes but that of the channels."""
    settings = {a.name: helper.get_attribute_value(a) for a in conv.attribute}
    axes = weight.ndim - 2
    pads, strides = settings.get("pads", [0] * 2 * axes), settings.get("strides", [1] * axes)
    spans = [
        gap * (size - 1) for gap, size in zip(settings.get("dilations", [1] * axes), weight.shape[2:], strict=True)
    ]
    padded = [before + after for before, after in zip(pads[:axes], pads[axes:], strict=True)]
    return settings.get("auto_pad", b"NOTSET") == b"NOTSET" and set(strides) == {1} and padded == spans


def fold_affine(model: onnx.ModelProto) -> None:
    """Per-channel Add, Sub, Mul and Div by constants after a Conv become part of its weights.

    torch leaves each batch normalisation as such a chain, which costs 40 % of an EfficientNet.
    """
    graph = model.graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    producer = {output: node for node in graph.node for output in node.output}
    readers = Counter(name for node in graph.node for name in node.input)
    outputs = {output.name for output in graph.output}
    folded: list[onnx.NodeProto] = []
    for node in graph.node:  # in topological order, so a chain folds link by link
        if node.op_type not in ("Add", "Sub", "Mul", "Div"):
            continue
        sides = [i for i, name in enumerate(node.input) if name in constants]
        if len(sides) != 1 or (node.op_type == "Div" and sides == [0]):
            continue
        source = node.input[1 - sides[0]]
        conv = producer.get(source)
        if conv is None or conv.op_type != "Conv" or readers[source] > 1 or source in outputs:
            continue
        parameters = [name for name in conv.input[1:] if name]
        if any(name not in constants for name in parameters):
            continue
        weight = constants[parameters[0]].astype(np.float64)
        value = per_channel(constants[node.input[sides[0]]], weight)
        if value is None:
            continue
        bias = constants[parameters[1]].astype(np.float64) if len(parameters) > 1 else np.zeros(len(weight))
        scale, shift = affine(node.op_type, value, constant_first=sides == [0])
        weight, bias = weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), bias * scale + shift
        names = [f"{node.output[0]}/weight", f"{node.output[0]}/bias"]
        for name, array in zip(names, (weight, bias), strict=True):
            constants[name] = array.astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(constants[name], name))
        conv.input[:] = [conv.input[0], *names]
        conv.output[0] = node.output[0]
        producer[node.output[0]] = conv
        folded.append(node)
    for node in folded:
        graph.node.remove(node)


def per_channel(value: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """[channels] if `value` broadcasts as one number per channel over a Conv's output, else None."""
    channels = len(weight)
    if value.ndim > weight.ndim:  # the output gains an axis
        return None
    shape = (1,) * (weight.ndim - value.ndim) + value.shape
    if value.size == 1:
        return np.full(channels, value.reshape(()), np.float64)
    if len(shape) == weight.ndim and shape[1] == value.size == channels:
        return value.reshape(-1).astype(np.float64)
    return None


def affine(kind: str, value: np.ndarray, constant_first: bool) -> tuple[np.ndarray, np.ndarray]:
    """(scale, shift) of y -> y + v, y - v, v - y, y * v or y / v."""
    one, zero = np.ones_like(value), np.zeros_like(value)
    if kind == "Add":
        return one, value
    if kind == "Sub":
        return (-one, value) if constant_first else (one, -value)
    return (value, zero) if kind == "Mul" else (1 / value, zero)


def drop_unused(model: onnx.ModelProto) -> None:
    """Nodes and constants that lead to no output."""
    graph = model.graph
    needed = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(node.input)
            needed.update(n for a in node.attribute for inner in a.g.node for n in inner.input)
    for initializer in [i for i in graph.initializer if i.name not in needed]:
        graph.initializer.remove(initializer)


def one_opset_a_domain(model: onnx.ModelProto, used: set[str]) -> None:
    """Quantisation tools refuse a model that names a domain twice."""
    versions = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(d, v) for d, v in versions.items() if d in used or d == "")


def halve(model: onnx.ModelProto) -> None:
    """Weights kept in float16, and cast to float32 while the file is opened: half the size at the same speed."""
    graph, casts = model.graph, []
    for initializer in graph.initializer:
        if initializer.data_type != TensorProto.FLOAT or len(initializer.dims) < 2:
            continue
        values, name = numpy_helper.to_array(initializer), initializer.name
        if not (np.abs(values) <= HALF_MOST).all():
            raise ExportError(
                f"expected weights of at most {HALF_MOST:g}, which float16 can hold, received {np.abs(values).max():g} "
                f"in {name}: export without --quantize fp16"
            )
        initializer.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
        casts.append(helper.make_node("Cast", [initializer.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def join(first: onnx.ModelProto, second: onnx.ModelProto) -> onnx.ModelProto:
    """first, then second on what it gives; the second's names get a prefix of their own."""
    first.ir_version = second.ir_version = max(first.ir_version, second.ir_version)
    ends = [(first.graph.output[0].name, second.graph.input[0].name)]
    joined = onnx.compose.merge_models(first, second, io_map=ends, prefix2="encoder/")
    one_opset_a_domain(joined, {node.domain for node in joined.graph.node})
    return joined


def sign(model: onnx.ModelProto, dimension: int) -> None:
    """The one signature: `waveform` [batch, samples] -> `embedding` [batch, dimension]."""
    graph = model.graph
    old = {graph.input[0].name: "waveform", graph.output[0].name: "embedding"}
    for node in graph.node:
        node.input[:] = [old.get(name, name) for name in node.input]
        node.output[:] = [old.get(name, name) for name in node.output]
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"]))
    graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dimension]))
    graph.name, graph.doc_string, model.doc_string, model.producer_name = "embedder", "", "", "kerascola"
