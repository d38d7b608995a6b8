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
    quantize: str | None = None,
    calibrate: str | None = None,
    labels: str | None = None,
    heads: Mapping[str, str | Path] = MappingProxyType({}),
    **known: Any,
):
    """Export `model`, a file or a name of the zoo; `known` fields replace or supply the metadata the file lacks.

    `quantize`: "fp16", the encoder's weights in half the space, or "int8", its layers computed in 8 bits; then
    `calibrate` names recordings to calibrate on, and `labels` recordings with labels, to judge by.
    `heads`: Keras files by name, or one by "".
    """
    from kerascola.export.artefact import export_file
    from kerascola.export.quantize import Quantize
    from kerascola.runtime.models import model_file

    asked = Quantize(quantize, calibrate, labels)
    return export_file(model_file(model, "keras"), Path(out), format, say, known, heads, asked)
