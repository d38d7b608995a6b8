import numpy as np
import pytest
import references

from kerascola.dsp.mel import hz_to_mel, mel_matrix, mel_to_hz


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_the_scales_are_the_references_and_there_and_back(scale):
    hz = np.array([0.0, 20.0, 440.0, 999.9, 1000.0, 1000.1, 4000.0, 11025.0])
    # HTK's constant is 2595 to the base ten and 1127 to the base e, which differ in the sixth digit.
    np.testing.assert_allclose(hz_to_mel(hz, scale), [references.to_mel(f, scale) for f in hz], rtol=1e-5)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz, scale), scale), hz, atol=1e-9)


@pytest.mark.parametrize("norm", ["none", "slaney"])
@pytest.mark.parametrize("triangles", ["mel", "hz"])
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize(
    "size", [(64, 1024, 16000, 60.0, 7800.0), (40, 512, 8000, 0.0, 4000.0), (20, 301, 8000, 50.0, 3000.0)]
)
def test_the_matrix_is_the_references(size, scale, triangles, norm):
    received = mel_matrix(*size, scale, triangles, norm)
    np.testing.assert_allclose(received, references.mel_triangles(*size, scale, triangles, norm), atol=1e-9)


def test_slaneys_norm_makes_areas_of_one():
    matrix = mel_matrix(10, 1 << 16, 16000, 100.0, 7000.0, "htk", "hz", "slaney")
    np.testing.assert_allclose(matrix.sum(axis=0) * 16000 / (1 << 16), 1, rtol=1e-6)
