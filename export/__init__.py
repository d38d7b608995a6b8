"""From a plain Keras file to what serves it: one verified artefact a format."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any


def export(
    model: str | Path,
    out: str | Path,
    format: str = "onnx",
    say=print,
    half: bool = False,
    heads: Mapping[str, str | Path] = MappingProxyType({}),
    int8=None,
    **known: Any,
):
    """Export `model`, a file or a name of the zoo; `known` fields replace or supply the metadata the file lacks.

    `half`: the encoder's weights in float16. `heads`: Keras files by name, or one by "".
    `int8`: a kerascola.export.calibration.Asked, for the encoder's layers in int8.
    """
    from kerascola.export.artefact import export_file
    from kerascola.runtime.models import model_file

    return export_file(model_file(model, "keras"), Path(out), format, say, known, half, heads, int8)
