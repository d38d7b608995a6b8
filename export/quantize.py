"""In how few bits an encoder is to be kept or computed, as asked for."""

from dataclasses import dataclass

from kerascola.data.recordings import Track, untracked
from kerascola.errors import ExportError
from kerascola.export.formats import QUANTIZED


@dataclass(frozen=True)
class Quantize:
    to: str | None = None  # one of QUANTIZED; none: float32
    calibrate: str | None = None  # of int8: recordings, as `kerascola probe --data` names them, or synthesised sounds
    labels: str | None = None  # of int8: recordings with labels, to judge by
    track: Track = untracked

    def __post_init__(self) -> None:
        if self.to not in (None, *QUANTIZED):
            raise ExportError(f"expected quantize of {' or '.join(QUANTIZED)}, received {self.to!r}")
        if (self.calibrate or self.labels) and self.to != "int8":
            raise ExportError("--calibrate and --labels are for --quantize int8: add it, or leave them out")


NOT_AT_ALL = Quantize()
