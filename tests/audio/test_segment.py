import numpy as np
import pytest

from kerascola.audio.segment import windows
from kerascola.errors import AudioError


@pytest.mark.parametrize(
    "samples, window, hop, starts",
    [
        (10, 10, 10, [0]),
        (3, 10, 10, [0]),  # shorter than a window
        (20, 10, 10, [0, 10]),
        (21, 10, 10, [0, 10, 11]),  # the rest
        (20, 10, 5, [0, 5, 10]),
        (22, 10, 5, [0, 5, 10, 12]),
        (25, 10, 20, [0, 15]),  # hop beyond the window: a gap, and still the end
        (40, 10, 20, [0, 20, 30]),
    ],
)
def test_starts(samples, window, hop, starts):
    np.testing.assert_array_equal(windows(samples, window, hop), starts)


def test_every_sample_is_heard_and_no_start_comes_twice():
    random = np.random.default_rng(0)
    for _ in range(200):
        window = int(random.integers(1, 50))
        samples, hop = int(random.integers(window, 300)), int(random.integers(1, window + 1))
        starts = windows(samples, window, hop)
        heard = np.zeros(samples, bool)
        for start in starts:
            assert 0 <= start <= samples - window
            heard[start : start + window] = True
        assert heard.all()
        assert (np.diff(starts) > 0).all()


@pytest.mark.parametrize("samples, window, hop", [(0, 10, 10), (10, 0, 10), (10, 10, 0), (10, 10, -1)])
def test_nothing_to_cut(samples, window, hop):
    with pytest.raises(AudioError, match="at least one sample"):
        windows(samples, window, hop)
