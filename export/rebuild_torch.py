"""The program that torch writes of a plain Keras file that was loaded under it."""

import logging
import re
from pathlib import Path

import keras
import torch as pytorch
from torch.export import Dim, ExportedProgram
from torch.utils._sympy.value_ranges import ValueRanges

from kerascola.export.formats import NotMade

ROOM = 8  # times the least length: traced where no axis is down to one


class Forward(pytorch.nn.Module):
    """Keras's own forward takes *args, to which no dynamic shapes can be given."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.call = [model]  # in a list, as torch would write the weights of a part twice

    def forward(self, waveform):
        return self.call[0](waveform, training=False)


def torch(model: keras.Model, out: Path, least: int) -> None:
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    model.eval().requires_grad_(False)
    module = Forward(model).eval()
    with pytorch.no_grad():
        program = pytorch.export.export(
            module,
            (pytorch.randn(3, ROOM * least + 1),),
            dynamic_shapes={"waveform": {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}},
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    unbind(program)
    for node in program.graph.nodes:
        for told in ("stack_trace", "nn_module_stack", "from_node"):  # of the machine that wrote it
            node.meta.pop(told, None)
    program.example_inputs = None
    pytorch.export.save(program, out)


def unbind(program: ExportedProgram) -> None:
    """Without what tracing supposes of sizes: that none is one, which does not change what is computed.

    That one is a certain number does change it: then a loop over time was written out. (Remainders are of wholes.)
    """
    checks = [node for node in program.graph.nodes if "_assert_scalar" in str(node.target)]
    if any(re.search(r"expression Eq\((?!Mod).*, \d+\)", str(node.args[1])) for node in checks):
        raise NotMade("torch.export cannot hold this model for any length: it writes the loop of a recurrent layer out")
    for node in checks:
        program.graph.erase_node(node)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    for size, span in program.range_constraints.items():
        program.range_constraints[size] = ValueRanges(1, span.upper)
