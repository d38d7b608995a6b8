"""Clean-up on small graphs made by hand: as many nodes fewer as expected, the same numbers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from kerascola.errors import ExportError
from kerascola.export import graph

pytestmark = pytest.mark.once("graphs made by hand, without Keras")

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(4, 3, 3, 3))
BIAS = RNG.normal(size=4)
CHANNELS = RNG.uniform(0.5, 2, (1, 4, 1, 1))
Link = tuple[str, list[str], str]  # operator, inputs, output


def convolution(links: list[Link], constants: dict, outputs: tuple[str, ...] = ("y",), bias=True) -> onnx.ModelProto:
    """x [batch, 3, 6, 6] -> Conv -> c -> links."""
    conv = helper.make_node("Conv", ["x", "w", "b"] if bias else ["x", "w"], ["c"])
    nodes = [conv, *(helper.make_node(kind, inputs, [output]) for kind, inputs, output in links)]
    rank = 5 if any("deep" in inputs for _, inputs, _ in links) else 4
    held = {"w": WEIGHT, **({"b": BIAS} if bias else {}), **constants}
    proto = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 6, 6])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name in outputs],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in held.items()],
    )
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, x: np.ndarray | None = None) -> list[np.ndarray]:
    x = np.random.default_rng(1).normal(size=(2, 3, 6, 6)).astype(np.float32) if x is None else x
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def check_fold(model: onnx.ModelProto, kinds: list[str]) -> None:
    """fold_affine leaves these operators and the same outputs."""
    before = run(model)
    graph.fold_affine(model)
    graph.drop_unused(model)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == kinds
    for received, expected in zip(run(model), before, strict=True):
        assert received.shape == expected.shape
        np.testing.assert_allclose(received, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("constant", [1.7, [0.6], CHANNELS, CHANNELS[0]], ids=["scalar", "one", "4-d", "3-d"])
@pytest.mark.parametrize(
    "kind, inputs", [(k, i) for k in ("Add", "Sub", "Mul") for i in (["c", "k"], ["k", "c"])] + [("Div", ["c", "k"])]
)
def test_one_affine_map_folds(kind, inputs, constant, bias):
    check_fold(convolution([(kind, inputs, "y")], {"k": constant}, bias=bias), ["Conv"])


def test_a_chain_folds_link_by_link():
    """Batch normalisation as torch leaves it."""
    links = [
        ("Sub", ["c", "mean"], "d"),
        ("Div", ["d", "deviation"], "e"),
        ("Mul", ["gamma", "e"], "f"),
        ("Sub", ["beta", "f"], "y"),
    ]
    names = ("mean", "deviation", "gamma", "beta")
    check_fold(convolution(links, {n: RNG.uniform(0.5, 2, (1, 4, 1, 1)) for n in names}), ["Conv"])


def test_what_comes_after_stays():
    links = [("Mul", ["c", "k"], "d"), ("Relu", ["d"], "e"), ("Add", ["e", "k"], "y")]
    check_fold(convolution(links, {"k": CHANNELS}), ["Conv", "Relu", "Add"])


def test_shared_weights_are_not_changed_for_the_other():
    links = [("Mul", ["c", "k"], "d"), ("Conv", ["x", "w", "b"], "e")]
    model = convolution(links, {"k": CHANNELS}, outputs=("d", "e"))
    check_fold(model, ["Conv", "Conv"])


@pytest.mark.parametrize(
    "links, outputs",
    [
        ([("Mul", ["c", "k"], "d"), ("Relu", ["c"], "e")], ("d", "e")),
        ([("Mul", ["c", "k"], "d")], ("c", "d")),
        ([("Div", ["k", "c"], "d")], ("d",)),
        ([("Mul", ["c", "c"], "d")], ("d",)),
        ([("Add", ["c", "rows"], "d")], ("d",)),
        ([("Add", ["c", "columns"], "d")], ("d",)),
        ([("Add", ["c", "batch"], "d")], ("d",)),
        ([("Mul", ["c", "deep"], "d")], ("d",)),
        ([("Relu", ["c"], "r"), ("Mul", ["r", "k"], "d")], ("d",)),
    ],
    ids=["two readers", "an output", "1 / y", "y * y", "rows", "4 columns", "batch", "rank 5", "not a convolution"],
)
def test_what_must_not_fold(links, outputs):
    constants = {
        "k": CHANNELS,
        "rows": RNG.normal(size=(1, 1, 4, 1)),
        "columns": RNG.normal(size=4),
        "batch": RNG.normal(size=(2, 4, 1, 1)),
        "deep": RNG.normal(size=(1, 1, 1, 1, 1)),
    }
    check_fold(convolution(links, constants, outputs), ["Conv", *(kind for kind, _, _ in links)])


def test_a_constant_side_that_is_computed_does_not_fold():
    links = [("ReduceMean", ["x"], "m"), ("Mul", ["c", "m"], "y")]
    check_fold(convolution(links, {}), ["Conv", "ReduceMean", "Mul"])


@pytest.mark.parametrize(
    "links, kinds",
    [
        ([("Max", ["c", "low"], "m"), ("Min", ["m", "high"], "y")], ["Conv", "Clip"]),
        ([("Max", ["low", "c"], "m"), ("Min", ["high", "m"], "y")], ["Conv", "Clip"]),
        ([("Max", ["c", "low"], "m"), ("Min", ["m", "each"], "y")], ["Conv", "Max", "Min"]),
        ([("Max", ["c", "each"], "m"), ("Min", ["m", "high"], "y")], ["Conv", "Max", "Min"]),
        ([("Min", ["c", "high"], "m"), ("Max", ["m", "low"], "y")], ["Conv", "Min", "Max"]),
        ([("Max", ["c", "low"], "m"), ("Min", ["m", "c"], "y")], ["Conv", "Max", "Min"]),
    ],
)
def test_a_maximum_bounded_by_a_scalar_is_a_clip(links, kinds):
    model = convolution(links, {"low": 0.0, "high": 0.4, "each": CHANNELS})
    before = run(model)
    graph.bounds_as_clips(model.graph)
    graph.drop_unused(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == kinds
    np.testing.assert_array_equal(run(model), before)


@pytest.mark.parametrize(
    "settings, kernel",
    [
        ({}, (4, 3, 5)),
        ({"kernel_shape": [5], "strides": [3], "pads": [1, 4]}, (4, 3, 5)),
        ({"dilations": [2], "group": 3}, (6, 1, 4)),
    ],
    ids=["plain", "strided and padded", "dilated depthwise"],
)
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_over_time_is_one_over_an_image(settings, kernel, bias):
    model, x = over_time(settings, kernel, bias)
    [before] = run(model, x)
    tidied = graph.tidy(model)
    onnx.checker.check_model(tidied, full_check=True)
    assert [node.op_type for node in tidied.graph.node] == ["Unsqueeze", "Conv", "Squeeze"]
    assert {len(i.dims) for i in tidied.graph.initializer if i.name.endswith("weight_2d")} == {4}
    [after] = run(tidied, x)
    assert after.shape == before.shape
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings, computed", [({"auto_pad": "SAME_LOWER"}, False), ({}, True)])
def test_where_the_padding_or_the_kernel_is_not_known_it_stays_over_time(settings, computed):
    model, x = over_time(settings, (4, 3, 5), bias=False, computed=computed)
    [before] = run(model, x)
    graph.lines_as_images(model.graph)
    assert "Unsqueeze" not in {node.op_type for node in model.graph.node}
    np.testing.assert_array_equal(run(model, x)[0], before)


def over_time(settings: dict, kernel: tuple[int, ...], bias: bool, computed=False):
    """x [batch, 3, 20] -> Conv -> y, and an x; with `computed`, the kernel is worked out from x."""
    nodes = [helper.make_node("Conv", ["x", "v" if computed else "w", *["b"] * bias], ["y"], **settings)]
    if computed:
        nodes[:0] = [helper.make_node("ReduceMax", ["x"], ["m"]), helper.make_node("Mul", ["w", "m"], ["v"])]
    held = {"w": RNG.normal(size=kernel), **({"b": RNG.normal(size=kernel[0])} if bias else {})}
    proto = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 3)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in held.items()],
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model, np.random.default_rng(1).normal(size=(2, 3, 20)).astype(np.float32)


@pytest.mark.parametrize(
    ("settings", "index", "moves"),
    [
        ({"pads": [1, 1, 1, 1]}, 2, True),
        ({"pads": [0, 2, 2, 0]}, [0, -1], True),
        ({"pads": [2, 2, 2, 2], "dilations": [2, 2]}, 3, True),
        ({"pads": [1, 1, 1, 1]}, [0, 1], False),  # the channels are others
        ({"pads": [1, 1, 1, 1], "strides": [2, 1]}, 0, False),
        ({"pads": [1, 1, 0, 1]}, 0, False),
        ({"auto_pad": "SAME_UPPER"}, 0, False),
    ],
)
@pytest.mark.parametrize("relu", [True, False])
def test_a_size_that_a_convolution_keeps_is_read_before_it(settings, index, moves, relu):
    after = "r" if relu else "c"
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], **settings),
        *([helper.make_node("Relu", ["c"], ["r"])] if relu else []),
        helper.make_node("Shape", [after], ["shape"], start=0),
        helper.make_node("Gather", ["shape", "index"], ["size"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
            [helper.make_tensor_value_info(name, kind, None) for name, kind in ((after, 1), ("size", 7))],
            [
                numpy_helper.from_array(WEIGHT.astype(np.float32), "w"),
                numpy_helper.from_array(np.array(index, np.int64), "index"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    before = run(model)
    graph.sizes_before_convolutions(model.graph)
    (shape,) = (node for node in model.graph.node if node.op_type == "Shape")
    assert shape.input[0] == ("x" if moves else after)
    for received, expected in zip(run(model), before, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_unused_nodes_and_constants_go():
    model = convolution([("Relu", ["c"], "y"), ("Mul", ["c", "k"], "d"), ("Neg", ["d"], "e")], {"k": 2, "left": 3})
    graph.drop_unused(model)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu"]
    assert {i.name for i in model.graph.initializer} == {"w", "b"}


def test_tidy_folds_constants_and_keeps_one_opset_a_domain():
    model = convolution([("Add", ["k", "k"], "two"), ("Mul", ["c", "two"], "d"), ("Identity", ["d"], "y")], {"k": 2})
    model.opset_import.extend([helper.make_opsetid("ai.onnx", 18), helper.make_opsetid("com.microsoft", 1)])
    before = run(model)
    tidied = graph.tidy(model)
    assert [node.op_type for node in tidied.graph.node] == ["Conv"]
    assert [(o.domain, o.version) for o in tidied.opset_import] == [("", 18)]
    np.testing.assert_allclose(run(tidied)[0], before[0], rtol=1e-5, atol=1e-5)


def test_join_runs_one_after_the_other():
    """Both call their tensors alike."""
    first = convolution([("Relu", ["c"], "y")], {})
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", "a", "b", "d"]) for n in ("x", "y")]
    nodes = [helper.make_node("Mul", ["x", "w"], ["c"]), helper.make_node("Neg", ["c"], ["y"])]
    weight = [numpy_helper.from_array(np.float32(3), "w")]
    second = helper.make_model(
        helper.make_graph(nodes, "second", ends[:1], ends[1:], weight),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    expected = -3 * run(first)[0]
    joined = graph.join(first, second)
    onnx.checker.check_model(joined)
    np.testing.assert_allclose(run(joined)[0], expected, rtol=1e-6)


def test_sign_renames_the_ends_only():
    model = convolution([("Relu", ["c"], "y")], {})
    graph.sign(model, 7)
    ends = {n: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for n, v in names(model).items()}
    assert ends == {"waveform": ["batch", "samples"], "embedding": ["batch", 7]}
    conv, relu = model.graph.node
    assert (conv.input[0], relu.output[0]) == ("waveform", "embedding") and conv.output[0] == relu.input[0] == "c"


def names(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    return {value.name: value for value in (*model.graph.input, *model.graph.output)}


def test_halved_weights_give_nearly_the_same_at_half_the_size():
    model = convolution([("Mul", ["c", "k"], "y")], {"k": CHANNELS})
    [before], size = run(model), len(model.graph.initializer[0].raw_data)
    graph.halve(model)
    onnx.checker.check_model(model)
    [after] = run(model)
    assert 0 < np.abs(after - before).max() < 2e-3 * np.abs(before).max()
    held = {i.name.removesuffix("/half"): i for i in model.graph.initializer}
    assert len(held["w"].raw_data) == size / 2
    assert held["b"].data_type == TensorProto.FLOAT  # one number a channel: nothing to be won


def test_weights_beyond_float16_are_not_halved():
    model = convolution([("Mul", ["c", "k"], "y")], {"k": CHANNELS * 1e5})
    with pytest.raises(ExportError, match=r"weights of at most 65504, .* received [\d.e+]+ in k: export without"):
        graph.halve(model)
