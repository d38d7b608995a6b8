"""From a plain Keras file to what serves it: one verified artefact a format."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerascola.runtime.metadata import Metadata


def export(
    model: str | Path,
    out: str | Path,
    format: str = "onnx",
    say=print,
    quantize: str | None = None,
    calibrate: str | None = None,
    labels: str | None = None,
    heads: Mapping[str, str | Path] = MappingProxyType({}),
    overwrite: bool = False,
    *,
    sample_rate: int | None = None,
    window_samples: int | None = None,
    hop_samples: int | None = None,
    min_samples: int | None = None,
) -> "Metadata":
    """Export `model`, a file or a name of the zoo, to `out`, which is replaced if told to `overwrite`.

    `quantize`: "fp16", the encoder's weights in half the space, or "int8", its layers computed in 8 bits; then
    `calibrate` names recordings to calibrate on, and `labels` recordings with labels, to judge by.
    `heads`: Keras files by name, or one by "". Rate and samples replace or supply the metadata that the file lacks.
    """
    from kerascola.export.place import check_new

    check_new(Path(out), overwrite)

    from kerascola.export.artefact import export_file
    from kerascola.export.quantize import Quantize
    from kerascola.runtime.models import model_file

    known = {
        "sample_rate": sample_rate,
        "window_samples": window_samples,
        "hop_samples": hop_samples,
        "min_samples": min_samples,
    }
    asked = Quantize(quantize, calibrate, labels)
    return export_file(model_file(model, "keras"), Path(out), format, say, known, heads, asked)
