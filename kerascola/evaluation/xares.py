"""X-ARES' encoder (github.com/jimbozhang/xares), which it finds in a file of one's own and makes without arguments:

    from kerascola.evaluation import xares

    class OurEncoder(xares.KerascolaEncoder):
        def __init__(self):
            super().__init__("model.onnx")

    python -m xares.run our_encoder.py tasks/*.py

It keeps what it computed by the name of the class: another model, another name.
"""

import os

import torch

from kerascola.evaluation.encoder import HOP, open_encoder
from kerascola.evaluation.hear import get_timestamp_embeddings


class KerascolaEncoder(torch.nn.Module):
    """[n, samples] -> float32 [n, t, dimension] of an .onnx or a .keras file, a vector each `hop_size_in_ms`."""

    def __init__(self, model: str | os.PathLike[str]) -> None:
        super().__init__()
        self.embed = open_encoder(model)
        self.sampling_rate, self.output_dim = self.embed.sample_rate, self.embed.dimension
        self.hop_size_in_ms = HOP

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        return get_timestamp_embeddings(audio, self)[0]
