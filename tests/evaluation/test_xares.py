import numpy as np
import pytest
import torch
from onnx_models import METADATA, statistics

from kerascola.evaluation import xares


@pytest.mark.parametrize("suffix", ["onnx", "keras"])
def test_what_its_checker_asks(model, suffix):
    """A module whose class is called so, made without arguments, and what it says of itself."""
    path = model(suffix)

    class OurEncoder(xares.KerascolaEncoder):
        def __init__(self):
            super().__init__(path)

    encoder = OurEncoder().to("cpu")
    assert isinstance(encoder, torch.nn.Module) and xares.KerascolaEncoder.__name__.endswith("Encoder")
    assert (encoder.sampling_rate, encoder.output_dim, encoder.hop_size_in_ms) == (16000, 4, 50)
    audio = torch.randn(2, 50000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = encoder(audio).to("cpu").detach()
    assert found.shape == (2, 3125 // 50 + 1, 4) and found.dtype == torch.float32
    window, frame = METADATA.window_samples, 30  # around 1.5 s
    middle = audio[1, 24000 - window // 2 :][:window].numpy()
    np.testing.assert_allclose(found[1, frame], statistics(middle), atol=1e-5)
