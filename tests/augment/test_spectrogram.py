import numpy as np
import pytest
import scipy.ndimage
from augmented import check, drawn, run
from PIL import Image

from kerascola.augment import spectrogram as s
from kerascola.augment.augmentation import Sound
from kerascola.errors import RecipeError

FRAMES, BANDS = 53, 24
LOG10 = 1 / np.log(10)
SOUND = Sound((FRAMES, BANDS), 16000, LOG10)


@pytest.fixture(scope="module", params=[(), (3,)], ids=["plain", "three channels"])
def images(request) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(-2, 1, size=(4, FRAMES, BANDS, *request.param)).astype(np.float32)


def each_channel(oracle):
    """An oracle of [frames, bands] on as many channels as there are."""

    def on_all(x, p):
        if x.ndim == 2:
            return oracle(x, p)
        return np.stack([oracle(channel, p) for channel in np.moveaxis(x, -1, 0)], axis=-1)

    return on_all


@pytest.mark.parametrize("fill", ["zero", "min", "mean", "max", "noise"])
def test_spec_augment(images, fill):
    def oracle(x, p, noise=0.0):
        value = {
            "zero": np.zeros_like(x),
            "min": np.zeros_like(x) + x.min(axis=(0, 1)),
            "mean": np.zeros_like(x) + x.mean(axis=(0, 1)),
            "max": np.zeros_like(x) + x.max(axis=(0, 1)),
            "noise": x.mean(axis=(0, 1)) + x.std(axis=(0, 1)) * noise,
        }[fill]
        y = x.copy()
        for start, width in p["in_time"]:
            y[start : start + width] = value[start : start + width]
        for start, width in p["in_frequency"]:
            y[:, start : start + width] = value[:, start : start + width]
        return y

    check(s.SpecAugment(time_masks=2, frames=12, frequency_masks=3, bands=8, fill=fill), images, SOUND, oracle)


def test_bars_lie_within_and_take_every_width_and_place():
    augmentation = s.SpecAugment(time_masks=2, frames=10, frequency_masks=1, bands=6)
    rows = [augmentation.draw(np.random.default_rng(seed), SOUND) for seed in range(500)]
    for name, count, widest, length in (("in_time", 2, 10, FRAMES), ("in_frequency", 1, 6, BANDS)):
        bars = np.stack([row[name] for row in rows])
        assert bars.shape == (500, count, 2)
        starts, widths = bars[..., 0].ravel(), bars[..., 1].ravel()
        assert set(widths) == set(range(widest)), "whole, from 0 and below the widest, as in uclser20"
        assert starts.min() == 0 and (starts + widths).max() == length
        assert np.ptp(np.bincount(widths)) < 0.5 * len(widths) / widest


def test_no_masks_at_all(images):
    none = s.SpecAugment(time_masks=0, frequency_masks=0)
    np.testing.assert_array_equal(run(none, images, drawn(none, SOUND, 4)), images)
    assert set(drawn(s.SpecAugment(time_masks=0), SOUND, 1)[0]) == {"on", "in_frequency"}


def test_frame_mask(images):
    def oracle(x, p):
        return np.where(p["hidden"].reshape(-1, *[1] * (x.ndim - 1)), x.mean(axis=(0, 1)), x)

    check(s.FrameMask(), images, SOUND, oracle)


def test_frames_are_hidden_as_in_cola_pytorch():
    """With 0.1, or behind a hidden one with 1 - 0.9 * 0.8 = 0.28: in the long run h = 0.1 + 0.18 h of them."""
    mask = s.FrameMask(start=0.1, again=0.2)
    hidden = np.stack([mask.draw(np.random.default_rng(seed), SOUND)["hidden"] for seed in range(400)])
    assert hidden.mean() == pytest.approx(0.1 / 0.82, abs=0.006)
    assert hidden[:, 1:][hidden[:, :-1]].mean() == pytest.approx(0.28, abs=0.02)
    assert hidden[:, 1:][~hidden[:, :-1]].mean() == pytest.approx(0.1, abs=0.006)


def test_multiply(images):
    check(s.Multiply(by=(0.9, 1.1)), images, SOUND, lambda x, p: x * p["factor"])


def test_gaussian_noise(images):
    check(s.GaussianNoise(deviation=(0, 0.5)), images, SOUND, lambda x, p, noise: x + p["deviation"] * noise)


@pytest.mark.parametrize("fold, base", [(1.0, np.e), (LOG10, 10.0), (10 * LOG10 / 40, 10 ** (40 / 10))])
def test_mix_back(images, fold, base):
    """The formula of uclser20's code, in natural logarithms, in powers of ten and in 40 dB."""

    def oracle(x, p, other):
        if x.ndim == 3:
            return np.moveaxis([oracle(a, p, b) for a, b in zip(*np.moveaxis([x, other], -1, 1), strict=True)], 0, -1)
        fore, back = base**x, base**other
        scale = p["share"] * fore.sum() / back.sum()
        return np.log(fore * (1 - p["share"]) + scale * back) / np.log(base)

    check(s.MixBack(share=(0, 0.5)), images, Sound((FRAMES, BANDS), 16000, fold), oracle, atol=3e-5)


def test_mix_back_of_a_loud_and_a_quiet_sound_neither_overflows_nor_loses_it():
    loud, quiet = np.full((2, FRAMES, BANDS), [[[300.0]], [[-300.0]]], np.float32)
    mix = s.MixBack(share=(0.25, 0.25))
    rows = drawn(mix, Sound((FRAMES, BANDS), fold=1.0), 2)
    y = run(mix, np.stack([loud, quiet]), rows, other=np.stack([quiet, loud]))
    np.testing.assert_allclose(y, np.stack([loud, quiet]), atol=1e-4)  # flat behind flat: the energy is as it was
    steep = np.linspace(-500, 0, FRAMES * BANDS, dtype=np.float32).reshape(1, FRAMES, BANDS)
    assert np.isfinite(run(mix, steep, rows[:1], other=steep)).all(), "where neither has any power that float32 knows"


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resized_crop_is_pillow_s(images, interpolation):
    @each_channel
    def oracle(x, p):
        top, height, left, width = (int(v) for v in p["part"])
        part = Image.fromarray(x.astype(np.float32)).crop((left, top, left + width, top + height))
        how = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[interpolation]
        return np.asarray(part.resize((BANDS, FRAMES), how))

    crop = s.ResizedCrop(scale=(0.3, 1.0), ratio=(0.3, 0.9), interpolation=interpolation)
    check(crop, images, SOUND, oracle, atol=2e-5)


def test_parts_have_the_area_and_the_shape_that_was_asked_for():
    crop = s.ResizedCrop(scale=(0.2, 0.4), ratio=(0.4, 0.8))
    parts = np.stack([crop.draw(np.random.default_rng(seed), SOUND)["part"] for seed in range(400)]).T
    top, height, left, width = parts
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= FRAMES).all() and (left + width <= BANDS).all()
    share, ratio = height * width / (FRAMES * BANDS), width / height
    assert share.min() > 0.17 and share.max() < 0.43 and share.mean() == pytest.approx(0.3, abs=0.01)
    assert ratio.min() > 0.36 and ratio.max() < 0.88
    assert top.min() == 0 and (top + height).max() == FRAMES and len(np.unique(left)) > 10


def test_a_part_that_cannot_be_is_the_largest_in_the_middle():
    crop = s.ResizedCrop(scale=(1, 1), ratio=(1, 1))
    assert crop.sample(np.random.default_rng(0), SOUND)["part"] == [(FRAMES - BANDS) // 2, BANDS, 0, BANDS]


def test_time_warp(images):
    @each_channel
    def oracle(x, p):
        place = np.interp(np.arange(FRAMES), [0, p["to"], FRAMES - 1], [0, p["here"], FRAMES - 1])
        return np.stack([np.interp(place, np.arange(FRAMES), band) for band in x.T], axis=1)

    check(s.TimeWarp(frames=8), images, SOUND, oracle, atol=3e-5)


def test_blur_is_scipy_s(images):
    @each_channel
    def oracle(x, p):
        in_time = scipy.ndimage.correlate1d(x, p["taps"][0].astype(np.float64), axis=0, mode="mirror")
        return scipy.ndimage.correlate1d(in_time, p["taps"][1].astype(np.float64), axis=1, mode="mirror")

    check(s.Blur(reach=2, deviation=1.5), images, SOUND, oracle)


def test_blur_s_taps_are_gaussian_over_an_odd_number():
    rows = drawn(s.Blur(reach=2, deviation=1.0), SOUND, 50)
    seen = {tuple(np.round(taps, 4)) for row in rows for taps in row["taps"]}
    small = np.exp(-0.5 * np.arange(-1, 2) ** 2)
    wide = np.exp(-0.5 * np.arange(-2, 3) ** 2)
    expected = [[0, 0, 1, 0, 0], [0, *small / small.sum(), 0], wide / wide.sum()]
    assert seen == {tuple(np.round(np.float32(taps), 4)) for taps in expected}


def test_time_reversal(images):
    check(s.TimeReversal(), images, SOUND, lambda x, p: x[::-1])


def test_roll(images):
    def oracle(x, p):
        return np.roll(x, p["by"], axis=(0, 1))

    check(s.Roll(frames=30, bands=10), images, SOUND, oracle)
    by = np.stack([s.Roll(frames=30, bands=10).draw(np.random.default_rng(k), SOUND)["by"] for k in range(400)])
    assert by.min(axis=0).tolist() == [0, 0] and by.max(axis=0).tolist() == [30, 10]


@pytest.mark.parametrize(
    "augmentation, said",
    [
        (s.SpecAugment(frames=60), f"frames from 0 to {FRAMES}, received 60"),
        (s.SpecAugment(bands=30), f"bands from 0 to {BANDS}, received 30"),
        (s.TimeWarp(frames=26), "frames from 0 to 25, received 26"),
        (s.Blur(reach=24), "reach from 0 to 23, received 24"),
        (s.Roll(bands=25), f"bands from 0 to {BANDS}, received 25"),
    ],
)
def test_what_does_not_fit(augmentation, said):
    with pytest.raises(RecipeError, match=said):
        augmentation.check_for(SOUND)


def test_mix_back_needs_logarithms():
    with pytest.raises(RecipeError, match="expected the front end log_mel"):
        s.MixBack().check_for(Sound((FRAMES, BANDS)))
