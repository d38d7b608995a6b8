import numpy as np
import pytest
import references

from kerascola.dsp.windows import COSINES, taper


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("length", [1, 2, 5, 400, 401])
@pytest.mark.parametrize("name", COSINES)
def test_tapers_are_scipys(name, length, periodic):
    windows = pytest.importorskip("scipy.signal.windows", reason="SciPy comes with JAX and librosa")
    expected = windows.get_window({"rectangular": "boxcar"}.get(name, name), length, fftbins=periodic)
    np.testing.assert_allclose(taper(name, length, periodic), expected, atol=1e-15)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("name", COSINES)
def test_tapers_are_the_references(name, periodic):
    for length in (2, 5, 660):
        np.testing.assert_allclose(taper(name, length, periodic), references.taper(name, length, periodic), atol=1e-15)


def test_a_periodic_hann_window_is_symmetric_about_its_middle_and_overlaps_to_one():
    window = taper("hann", 400)
    assert window[0] == 0 and window[200] == 1
    np.testing.assert_allclose(window[1:], window[1:][::-1], atol=1e-15)
    np.testing.assert_allclose(window + np.roll(window, 200), 1, atol=1e-15)
