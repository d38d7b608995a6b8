"""The ONNX file of a model -> a folder that OpenVINO reads, verified in float32."""

import tempfile
from pathlib import Path
from types import MappingProxyType

from kerascola.export.formats import check_installed
from kerascola.export.heads import Heads
from kerascola.export.onnx_file import Say, export_onnx
from kerascola.export.place import put
from kerascola.export.rebuilt import finish, run
from kerascola.export.verify import FLOAT16, FLOAT32, Measure
from kerascola.runtime.metadata import Metadata

# Weights stay as the ONNX file has them. OpenVINO's own way to float16 would take the front end's, too, and be wrong.
CONVERT = """
import sys
import openvino
openvino.save_model(openvino.Core().read_model(sys.argv[1]), sys.argv[2], compress_to_fp16=False)
"""


def export_openvino(
    measure: Measure, out: Path, say: Say = print, half: bool = False, heads: Heads = MappingProxyType({})
) -> Metadata:
    """The folder `out` is there, verified, when this returns, and not otherwise."""
    check_installed("openvino")
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=out.parent) as folder:
        onnx = Path(folder) / "model.onnx"
        export_onnx(measure.model, measure.metadata, onnx, say, half=half, heads=heads, measure=measure)
        made = Path(folder) / "model_openvino"
        metadata = convert(onnx, made, measure, say, half, heads)
        put(made, out)
    return metadata


def convert(onnx: Path, made: Path, measure: Measure, say: Say, half: bool, heads: Heads) -> Metadata:
    """A verified ONNX file -> the folder `made`."""
    say("reading the ONNX file with OpenVINO and comparing what it gives with Keras")
    made.mkdir()
    run(["-c", CONVERT, str(onnx), str(made / "model.xml")], "", "OpenVINO could not read the ONNX file")
    return finish("openvino", made, measure, FLOAT16 if half else FLOAT32, heads)
