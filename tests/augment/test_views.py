import contracts
import numpy as np

from kerascola.augment.views import crop, unit_norm


def test_each_row_is_cropped_at_its_own_start():
    clips = np.arange(3 * 50, dtype=np.float32).reshape(3, 50)
    starts = np.array([0, 7, 30], np.int32)
    received = contracts.numbers(crop(clips, starts, 20))
    expected = np.stack([clip[start : start + 20] for clip, start in zip(clips, starts, strict=True)])
    np.testing.assert_array_equal(received, expected)


def test_unit_norm_is_that_of_the_whole_clip_and_silence_stays():
    clips = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    clips[2] = 0
    kept = clips.copy()
    received = contracts.numbers(unit_norm(clips))
    np.testing.assert_allclose(np.linalg.norm(received, axis=1), [1, 1, 0], atol=1e-5)
    np.testing.assert_array_equal(clips, kept)
