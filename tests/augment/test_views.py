import contracts
import numpy as np

from kerascola.augment.views import crop


def test_each_row_is_cropped_at_its_own_start():
    clips = np.arange(3 * 50, dtype=np.float32).reshape(3, 50)
    starts = np.array([0, 7, 30], np.int32)
    received = contracts.numbers(crop(clips, starts, 20))
    expected = np.stack([clip[start : start + 20] for clip, start in zip(clips, starts, strict=True)])
    np.testing.assert_array_equal(received, expected)
