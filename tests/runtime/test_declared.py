"""Files that are not to be opened, each for its own reason, and what opens all the same."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from onnx_models import METADATA, write_network_model, write_statistics_model

from kerascola import Embedder
from kerascola.errors import ModelError
from kerascola.runtime.declared import declared

AXES = ["batch", "samples"]
DATA = numpy_helper.from_array(np.zeros(4, np.float32), "w")


@pytest.fixture
def refused(tmp_path):
    """`refused(model, reason)`: by the file's name and for that reason, and not by onnxruntime."""

    def check(model: onnx.ModelProto | bytes, reason: str) -> None:
        path = tmp_path / "bad.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        with pytest.raises(ModelError, match=f"bad.onnx: expected an ONNX model.*{reason}.*again") as raised:
            Embedder(path)
        assert len(str(raised.value)) < 600 and "\n" not in str(raised.value)

    return check


def a_model(weights: TensorProto = DATA, nodes: list[onnx.NodeProto] | None = None, **known) -> onnx.ModelProto:
    """The mean over samples, plus weights."""
    given = [helper.make_node("Mul", ["w", "w"], ["embedding"])] if nodes is None else nodes
    ends = [helper.make_tensor_value_info(*end) for end in (("waveform", 1, AXES), ("embedding", 1, ["batch", 4]))]
    graph = helper.make_graph(given, "g", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10, **known)
    helper.set_model_props(model, METADATA.to_props())
    return model


def tensor(dims: list[int], raw: bytes = bytes(16), kind: int = TensorProto.FLOAT) -> TensorProto:
    return TensorProto(name="w", data_type=kind, dims=dims, raw_data=raw)


def elsewhere(**entries: str) -> TensorProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        weights.external_data.add(key=key, value=value)
    return weights


def nested(inside: onnx.NodeProto, depth: int = 1) -> onnx.NodeProto:
    for number in range(depth):
        branch = helper.make_graph([inside], f"branch {number}", [], [])
        inside = helper.make_node("If", ["w"], ["x"], then_branch=branch, else_branch=branch)
    return inside


def constant(weights: TensorProto) -> onnx.NodeProto:
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.add(name="value", type=AttributeProto.TENSOR).t.CopyFrom(weights)
    return node


@pytest.mark.parametrize("place", ["../w.bin", "w.bin", "/etc/passwd", "link.bin", "*/_ORT_MEM_ADDR_/*", ""])
@pytest.mark.parametrize("where", ["weights", "node", "branch"])
def test_weights_in_another_file_are_refused(refused, tmp_path, place, where):
    (tmp_path / "w.bin").write_bytes(bytes(16))
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    weights = elsewhere(location=place, offset="0", length="16") if place else elsewhere()
    nodes = {"weights": None, "node": [constant(weights)], "branch": [nested(constant(weights), 2)]}[where]
    refused(
        a_model(weights if where == "weights" else DATA, nodes), f"weights in another file, '{place}'".replace("*", ".")
    )


def test_that_it_is_another_file_is_seen_without_the_flag_for_it(refused):
    weights = tensor([4])
    weights.external_data.add(key="location", value="x")
    refused(a_model(weights), "weights in another file, 'x'")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (helper.make_node("Evil", ["waveform"], ["embedding"], domain="evil"), "operator 'Evil' of 'evil'"),
        (helper.make_node("Add", ["w", "w"], ["embedding"], domain="ai.onnx.contrib"), "'Add' of 'ai.onnx.contrib'"),
        (helper.make_node("EPContext", ["w"], ["embedding"], domain="com.microsoft"), "'EPContext' of 'com.microsoft'"),
    ],
)
@pytest.mark.parametrize("depth", [0, 3])
def test_operators_of_others_are_refused(refused, node, said, depth):
    refused(a_model(nodes=[nested(node, depth)]), said)


VARIADIC = {
    (schema.domain, schema.name)
    for schema in onnx.defs.get_all_schemas_with_history()
    if schema.domain in ("", "ai.onnx.ml")
    and any(one.option == onnx.defs.OpSchema.FormalParameterOption.Variadic for one in schema.inputs)
}


@pytest.mark.parametrize(("domain", "kind"), sorted(VARIADIC - {("", "Loop"), ("", "Scan"), ("", "SequenceMap")}))
@pytest.mark.parametrize("depth", [0, 2])
def test_inputs_that_are_left_out_of_a_list_are_refused(refused, domain, kind, depth):
    """Where they may be left out onnxruntime says so itself; here it would take the process down."""
    node = helper.make_node(kind, ["w", ""], ["embedding"], domain=domain)
    refused(a_model(nodes=[nested(node, depth)]), f"the operator {kind} without one of its inputs")


def test_operators_that_the_file_defines_are_refused(refused):
    function = helper.make_function("mine", "F", ["x"], ["y"], [helper.make_node("Abs", ["x"], ["y"])], [])
    refused(a_model(functions=[function]), "operators that the file defines itself")


def test_graphs_far_inside_each_other_are_refused(refused):
    refused(a_model(nodes=[nested(helper.make_node("Abs", ["w"], ["x"]), 9)]), "graphs inside each other, more than 8")


@pytest.mark.parametrize(
    "weights",
    [
        tensor([5]),
        tensor([3]),
        tensor([4, 4]),
        tensor([2**40]),
        tensor([2**32, 2**32]),
        tensor([-4]),
        tensor([-2, -2]),
        tensor([0, 2**62], b""),
        tensor([2**31 - 1], b""),
        tensor([4], bytes(16), TensorProto.DOUBLE),
        tensor([33], bytes(16), TensorProto.INT4),
        tensor([1] * 65, bytes(4)),
        tensor([], bytes(16)),
        TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], raw_data=bytes(16), float_data=[1.0] * 4),
        TensorProto(name="w", data_type=TensorProto.INT64, dims=[2**20], int64_data=[1, 2, 3]),
    ],
)
@pytest.mark.parametrize("where", ["weights", "branch"])
def test_shapes_that_the_bytes_do_not_have_are_refused(refused, weights, where):
    model = a_model(weights) if where == "weights" else a_model(nodes=[nested(constant(weights))])
    refused(model, "weights of the shape")


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.UNDEFINED, 99])
def test_weights_that_are_no_numbers_are_refused(refused, kind):
    refused(a_model(tensor([4], kind=kind)), f"weights of the type {kind}")


def test_sparse_weights_are_refused(refused):
    values, places = numpy_helper.from_array(np.ones(1, np.float32), "s"), numpy_helper.from_array(np.array([1]), "i")
    sparse = helper.make_sparse_tensor(values, places, [2**30])
    model = a_model()
    model.graph.sparse_initializer.append(sparse)
    refused(model, "sparse weights")
    refused(a_model(nodes=[helper.make_node("Constant", [], ["c"], sparse_value=sparse)]), "sparse weights")


SIZES = {
    "ConstantOfShape": ["sizes"],
    "Expand": ["w", "sizes"],
    "Tile": ["w", "sizes"],
    "Pad": ["w", "sizes"],
    "OneHot": ["w", "sizes", "w"],
    "Range": ["zero", "sizes", "one"],
    "HannWindow": ["sizes"],
}


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("written", ["raw", "numbers", "node", "attribute"])
@pytest.mark.parametrize("depth", [0, 2])
def test_tensors_that_a_file_has_made_stay_small(refused, kind, written, depth):
    sizes = [2**14, 2**13] if kind in ("ConstantOfShape", "Expand", "Tile") else [2**26 + 1]
    as_tensor = {
        "raw": numpy_helper.from_array(np.array(sizes), "sizes"),
        "numbers": helper.make_tensor("sizes", TensorProto.INT32, [len(sizes)], sizes),
    }.get(written, DATA)
    node = nested(helper.make_node(kind, SIZES[kind], ["embedding"]), depth)
    beside = {
        "node": [helper.make_node("Constant", [], ["sizes"], value=numpy_helper.from_array(np.array(sizes)))],
        "attribute": [helper.make_node("Constant", [], ["sizes"], value_ints=sizes)],
    }.get(written, [])
    refused(a_model(as_tensor, [*beside, node]), f"the operator {kind} that makes more than 67108864 numbers")


def made_by(kind: str, *constants: object, **attributes: object) -> onnx.ModelProto:
    """The embedding is what the operator makes of them; None is left out."""
    names = ["" if one is None else f"c{place}" for place, one in enumerate(constants)]
    model = a_model(nodes=[helper.make_node(kind, names, ["embedding"], **attributes)])
    tensors = [
        numpy_helper.from_array(np.asarray(one), f"c{place}") for place, one in enumerate(constants) if names[place]
    ]
    model.graph.initializer.extend(tensors)
    return model


ONES = np.ones((2, 2), np.float32)
IMAGE = ONES[None, None]
FLOATS, DOUBLES = np.float32([0, 1e10, 1]), np.float64([0, 1e10, 1])


@pytest.mark.parametrize(
    "model",
    [
        made_by("Range", -130_000_000, 0, 1),
        made_by("Range", 130_000_000, 0, -1),
        made_by("Range", 0, 1000, np.float32(1e-6)),
        made_by("Range", *FLOATS),
        made_by("Range", *DOUBLES),
        made_by("Range", *FLOATS[[0, 0, 0]]),
        made_by("Range", *np.float32([0, np.inf, 1])),
        made_by("Range", *np.float32([0, np.nan, 1])),
        made_by("Range", *np.int32([2**31 - 1, -(2**31), -2])),
        made_by("Pad", ONES, [0, 0, 20_000, 25_000]),
        made_by("Pad", ONES, [20_000, 0, 0, 25_000]),
        made_by("Pad", ONES, [0, 2**26], None, [1]),
        made_by("Pad", ONES, pads=[0, 0, 20_000, 25_000]),
        made_by("Expand", np.ones((2**14, 1)), [1, 2**13]),
        made_by("Tile", np.ones(2**14), [2**13]),
        made_by("OneHot", np.zeros(2**14, int), 2**13, [0, 1]),
        made_by("OneHot", np.zeros(2**14, int), np.float32(2**13), [0, 1]),
        made_by("Resize", IMAGE, None, None, [1, 1, 2**14, 2**13]),
        made_by("Resize", IMAGE, None, np.float32([1, 1, 2**12, 2**13])),
        made_by("Resize", IMAGE, np.float32([1, 1, 2**12, 2**13])),
        made_by("Upsample", IMAGE, np.float32([1, 1, 2**12, 2**13])),
        made_by("Upsample", IMAGE, scales=[1.0, 1.0, 4096.0, 8192.0]),
        made_by("MaxUnpool", IMAGE, np.zeros((1, 1, 2, 2), int), [1, 1, 2**14, 2**13], kernel_shape=[2, 2]),
        made_by("RoiAlign", IMAGE, np.zeros((1, 4)), [0], output_height=2**14, output_width=2**13),
        made_by("MelWeightMatrix", 2**14, 2**13, 16000, np.float32(0), np.float32(8000)),
        made_by("DFT", np.ones((1, 4, 1)), 2**26, axis=1),
        made_by("CenterCropPad", ONES, [2**14, 2**13]),
        made_by("Col2Im", ONES, [2**14, 2**13], [1, 1]),
        made_by("AffineGrid", np.ones((1, 2, 3)), [1, 1, 2**14, 2**13]),
    ],
    ids=lambda model: model.graph.node[0].op_type,
)
def test_what_an_operator_makes_is_reckoned_from_all_that_says_how_much(refused, model):
    kind = model.graph.node[0].op_type
    refused(model, f"the operator {kind} that makes more than 67108864 numbers")


@pytest.mark.parametrize("written", ["float_data", "double_data", "int32_data", "uint64_data", "value_float"])
def test_how_much_may_be_written_in_many_ways(refused, written):
    kinds = {"float_data": TensorProto.FLOAT, "double_data": TensorProto.DOUBLE, "int32_data": TensorProto.INT32}
    limit = helper.make_tensor("limit", kinds.get(written, TensorProto.UINT64), [], [2**27])
    nodes = [helper.make_node("Range", ["zero", "limit", "one"], ["embedding"])]
    if written == "value_float":
        limit = DATA
        nodes.insert(0, helper.make_node("Constant", [], ["limit"], value_float=float(2**27)))
    refused(a_model(limit, nodes), "the operator Range that makes more")


def test_it_is_the_sum_that_stays_small(refused):
    """onnxruntime would keep all of them, each of which could be."""
    sizes = numpy_helper.from_array(np.array([2**24]), "sizes")
    made = [helper.make_node("ConstantOfShape", ["sizes"], [f"x{number}"]) for number in range(5)]
    refused(a_model(sizes, made), "the operator ConstantOfShape that makes more .* with what others make")
    refused(a_model(sizes, [nested(one) for one in made]), "the operator ConstantOfShape that makes more")


def test_what_depends_on_the_sound_counts_by_its_constants(tmp_path):
    nodes = [
        helper.make_node("Pad", ["waveform", "pads"], ["padded"]),
        helper.make_node("Range", ["start", "limit", "step"], ["ramp"]),
        helper.make_node("ReduceMean", ["padded"], ["mean"], keepdims=1),
        helper.make_node("Expand", ["mean", "sizes"], ["wide"]),
        helper.make_node("Tile", ["wide", "twice"], ["wider"]),
        helper.make_node("Add", ["wider", "ramp"], ["embedding"]),
    ]
    constants = {"pads": np.array([0, 8000, 0, 8000]), "sizes": np.array([1, 64]), "twice": np.array([1, 2])}
    constants |= {"start": np.float32(1280), "limit": np.float32(0), "step": np.float32(-10)}
    model = a_model(nodes=nodes)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    path = tmp_path / "good.onnx"
    path.write_bytes(model.SerializeToString())
    assert declared(path) == METADATA.to_props()


OPENED = """
import sys
from kerascola import Embedder
Embedder(sys.argv[1], threads=1)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not say how much memory was taken")
def test_products_of_constants_are_left_for_when_it_runs(tmp_path):
    """A small file of which onnxruntime could make 1 GB as it opens it."""
    column, row = np.ones((2**14, 1), np.float32), np.ones((1, 2**14), np.float32)
    nodes = [
        helper.make_node("MatMul", ["column", "row"], ["product"]),
        helper.make_node("ReduceMax", ["product"], ["largest"], keepdims=1),
        helper.make_node("ReduceMean", ["waveform"], ["mean"], keepdims=1),
        helper.make_node("Add", ["mean", "largest"], ["sum"]),
        helper.make_node("Add", ["sum", "w"], ["embedding"]),
    ]
    model = a_model(nodes=nodes)
    model.graph.initializer.extend([numpy_helper.from_array(column, "column"), numpy_helper.from_array(row, "row")])
    path = tmp_path / "outer.onnx"
    path.write_bytes(model.SerializeToString())
    done = subprocess.run([sys.executable, "-c", OPENED, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2**19  # kB


def test_two_constants_of_one_name_are_refused(refused):
    """Which of them counts is for onnxruntime to say."""
    model = a_model(nodes=[helper.make_node("ConstantOfShape", ["w"], ["embedding"])])
    model.graph.initializer.append(DATA)
    refused(model, "two constants of the name 'w'")
    beside = helper.make_node("Constant", [], ["w"], value_ints=[4])
    refused(a_model(nodes=[beside, helper.make_node("ConstantOfShape", ["w"], ["embedding"])]), "two constants")


def test_noise_stays_small(refused):
    node = helper.make_node("RandomNormal", [], ["embedding"], shape=[2**15, 2**15])
    refused(a_model(nodes=[node]), "the operator RandomNormal that makes more")


@pytest.mark.parametrize("place", ["input", "output", "value_info"])
@pytest.mark.parametrize("shape", [[2**40], [2**20, 2**20], [-1, 4], [1] * 65])
def test_declared_shapes_are_bounded(refused, place, shape):
    model = a_model()
    getattr(model.graph, place).append(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))
    refused(model, "a tensor of the shape")


def test_metadata_is_bounded(refused):
    model = a_model()
    model.metadata_props.add(key="more", value="x" * 2**20)
    refused(model, "bytes of metadata, of at most 1048576")
    model = a_model()
    model.metadata_props.add(key="sample_rate", value="8000")
    refused(model, "metadata that says 'sample_rate' twice")


def of_length(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, 128 | len(content) & 127, len(content) >> 7]) + content


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: b"", "0 bytes"),
        (lambda file: b"hello", "a value of the kind"),
        (lambda file: file[:-1], "bytes too few"),
        (lambda file: file + b"\x0b", "a value of the kind 3"),
        (lambda file: file + b"\x02\x00", "a field of the number 0"),
        (lambda file: file + b"\x08" + b"\xff" * 10, "a number that does not end"),
        (lambda file: file + b"\x08\x80", "a number that does not end"),
        (lambda file: file + b"\x38\x01", "field 7 of the kind 0"),
        (lambda file: file + of_length(7, b""), "field 7 twice"),  # parsers put the two together
        (lambda file: file + of_length(14, of_length(1, b"\xff")), "text that is not UTF-8"),
        (lambda file: file + b"\x72\xff\xff\xff\xff\x0f", "bytes too few"),
    ],
)
def test_what_parsers_may_read_in_two_ways_is_refused(refused, change, said):
    refused(change(a_model().SerializeToString()), said)


def test_a_field_twice_hides_nothing(refused):
    """The last counts: a harmless domain, and then another one."""
    node = helper.make_node("Abs", ["w"], ["x"], domain="ai.onnx").SerializeToString() + of_length(7, b"evil")
    graph = a_model().graph.SerializeToString() + of_length(1, node)
    refused(of_length(7, graph), "field 7 twice")


def test_a_file_beyond_what_a_protobuf_can_be_is_not_read(refused, tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(ModelError, match="huge.onnx: expected an ONNX model.*2147483648 bytes, of at least 1"):
        Embedder(path)


def test_all_that_is_needed_is_allowed(tmp_path):
    """Weights in each way, graphs inside nodes, computed shapes; and it says what onnx reads of it."""
    for write in (write_network_model, write_statistics_model):
        path = write(tmp_path / "good.onnx")
        assert declared(path) == {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        assert Embedder(path).embed(np.ones(9000, np.float32), 16000).shape == (4,)


KINDS = [kind for kind in range(1, 27) if kind != TensorProto.STRING]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 3, 8, 1000])
def test_numbers_of_every_type_are_as_large_as_onnx_writes_them(tmp_path, refused, kind, count):
    values = np.arange(count) % 2
    as_numbers = helper.make_tensor("w", kind, [count], values)
    raw = numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(kind)), "w")
    path = tmp_path / "typed.onnx"
    for weights, too_many in ((as_numbers, 64 * count + 512), (raw, count + 4)):  # of 2 bits, four are in a byte
        path.write_bytes(a_model(weights).SerializeToString())
        assert declared(path) == METADATA.to_props()
        weights.dims[0] = too_many
        refused(a_model(weights), "weights of the shape")
