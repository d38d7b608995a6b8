import contracts
import numpy as np
import pytest
from keras import ops

from kerascola.augment import spectrogram, waveform
from kerascola.augment.augmentation import Sound
from kerascola.augment.chain import merge_views, others
from kerascola.augment.views import Views, crop


def test_each_row_is_cropped_at_its_own_start():
    clips = np.arange(3 * 50, dtype=np.float32).reshape(3, 50)
    starts = np.array([0, 7, 30], np.int32)
    received = contracts.numbers(crop(clips, starts, 20))
    expected = np.stack([clip[start : start + 20] for clip, start in zip(clips, starts, strict=True)])
    np.testing.assert_array_equal(received, expected)


CLIP, CROP = 1000, 100
SOUND, IMAGE = Sound((CROP,), 8000), Sound((9, 5), 8000, 1.0)


def starts(views: Views, clip: np.ndarray, count: int = 300) -> np.ndarray:
    return np.stack([views.starts(clip, np.random.default_rng(seed)) for seed in range(count)])


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(size=CLIP).astype(np.float32)


def test_random_crops_come_from_all_over_and_independently(noise):
    found = starts(Views(crop_samples=CROP, count=3), noise)
    assert found.shape == (300, 3) and found.dtype == np.int32
    assert found.min() < 20 and found.max() > CLIP - CROP - 20 and found.max() <= CLIP - CROP
    assert np.abs(np.corrcoef(found.T) - np.eye(3)).max() < 0.2


def test_near_crops_begin_within_a_distance_on_either_side(noise):
    found = starts(Views(crop_samples=CROP, count=3, kind="near", distance=50), noise)
    away = found[:, 1:] - found[:, :1]
    assert away.min() < -40 and away.max() > 40 and np.abs(away).max() <= 50
    assert found.min() >= 0 and found.max() <= CLIP - CROP
    assert found[:, 0].max() > 800 > 100 > found[:, 0].min()


def test_the_same_crop_again(noise):
    found = starts(Views(crop_samples=CROP, count=4, kind="same"), noise)
    assert (found == found[:, :1]).all() and len(np.unique(found)) > 100


@pytest.mark.parametrize("kind, distance", [("random", 0), ("near", 300), ("same", 0)])
def test_a_crop_of_digital_silence_is_drawn_again(kind, distance):
    clip = np.zeros(CLIP, np.float32)
    clip[400:405] = 1e-6  # very quiet is not silent
    found = starts(Views(crop_samples=CROP, kind=kind, distance=distance), clip)
    assert all(clip[s : s + CROP].any() for s in found.ravel())
    assert (found.min(), found.max()) == (301, 404), "all that hold something"
    assert np.ptp(np.bincount(found[:, 0], minlength=405)[301:]) < 15, "as often"


def test_a_silent_clip_is_left_as_it_is():
    assert (starts(Views(crop_samples=CROP), np.zeros(CLIP, np.float32)) <= CLIP - CROP).all()
    assert starts(Views(crop_samples=CLIP), np.zeros(CLIP, np.float32)).max() == 0


def key(seed: int):
    return lambda stream: np.random.default_rng([seed, stream])


def test_what_one_augmentation_draws_does_not_depend_on_the_others(noise):
    gain, fade, mask = waveform.Gain(), waveform.Fade(), spectrogram.SpecAugment(frames=5, bands=3)
    one = Views(crop_samples=CROP, waveform=(gain, fade), spectrogram=(mask,), sound=SOUND, image=IMAGE)
    other = Views(crop_samples=CROP, waveform=(fade, waveform.Noise(), fade), sound=SOUND, image=IMAGE)
    a, b = (views.draw(noise, np.random.default_rng(1), key(1)) for views in (one, other))
    assert a["waveform.1.rise"].shape == (2,) and a["spectrogram.0.in_time"].shape == (2, 2, 2)
    np.testing.assert_array_equal(a["waveform.1.rise"], b["waveform.0.rise"])
    assert not np.array_equal(b["waveform.0.rise"], b["waveform.2.rise"]), "a second one of the name has its own"
    assert a["waveform.1.rise"][0] != a["waveform.1.rise"][1], "each view has its own"
    assert {value.dtype.name for value in a.values()} == {"bool", "float32", "int32"}
    np.testing.assert_array_equal(a["starts"], b["starts"])


def test_what_is_for_positives_only_leaves_the_first_view_alone(noise):
    views = Views(crop_samples=CROP, count=3, waveform=(waveform.Gain(views="positive"),), sound=SOUND)
    assert views.draw(noise, np.random.default_rng(1), key(1))["waveform.0.on"].tolist() == [False, True, True]


def batch_of(views: Views, clips: np.ndarray) -> dict:
    drawn = [views.draw(clip, np.random.default_rng(k), key(k)) for k, clip in enumerate(clips)]
    return {name: ops.convert_to_tensor(np.stack([one[name] for one in drawn])) for name in drawn[0]}


def test_views_of_a_batch_are_those_of_each_clip():
    """The first views of all clips, then the second: cropped, then augmented in order, each with its own draw."""
    clips = np.random.default_rng(3).normal(size=(3, CLIP)).astype(np.float32)
    chain = (waveform.Gain(), waveform.Polarity(), waveform.TimeShift())
    views = Views(crop_samples=CROP, waveform=chain, sound=SOUND)
    batch = batch_of(views, clips)
    received = contracts.numbers(views.waveforms(ops.convert_to_tensor(clips), batch, None))
    b = {name: np.asarray(contracts.numbers(value)) for name, value in batch.items()}
    for view in range(2):
        for clip in range(3):
            x = clips[clip, int(b["starts"][clip, view]) :][:CROP] * b["waveform.0.factor"][clip, view]
            x = -x if b["waveform.1.on"][clip, view] else x
            np.testing.assert_allclose(received[3 * view + clip], np.roll(x, int(b["waveform.2.shift"][clip, view])))


def test_what_is_mixed_in_is_another_clip_of_the_same_view():
    """Each clip is a constant, so that its share in a mixture can be read off."""
    clips = np.repeat(np.float32([[1], [10], [100], [1000]]), CLIP, axis=1)
    views = Views(crop_samples=CROP, count=3, waveform=(waveform.Mix(snr_db=(20, 20)),), sound=SOUND)
    seen = set()
    for attempt in range(6):
        drawn = [views.draw(clip, np.random.default_rng(k), key(100 * attempt + k)) for k, clip in enumerate(clips)]
        partner = np.stack([one["waveform.0.partner"] for one in drawn])
        rows = contracts.numbers(others(merge_views(ops.convert_to_tensor(partner)), 3)).astype(int)
        for place, row in enumerate(rows):
            assert row // 4 == place // 4 and row != place
            seen.add((place % 4, row % 4))
    assert len(seen) == 12, "every pair"


def test_noise_is_added_to_all_views_but_the_first():
    clips = np.zeros((2, CLIP), np.float32)
    views = Views(crop_samples=CROP, count=3, noise=0.5)
    rng = np.random.default_rng(0)

    def normal(shape):
        return ops.convert_to_tensor(rng.normal(size=[int(n) for n in shape]).astype(np.float32))

    received = contracts.numbers(views.waveforms(ops.convert_to_tensor(clips), batch_of(views, clips), normal))
    assert not received[:2].any()
    assert received[2:].std() == pytest.approx(0.5, rel=0.1)
