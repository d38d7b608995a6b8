"""Parameters that make no front end are refused, and what each one says of lengths and shapes is so."""

from math import inf, nan

import keras
import pytest

from kerascola.dsp.leaf import Leaf
from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.spec import FrontEnd, Waveform
from kerascola.dsp.spectra import Spectra
from kerascola.errors import RecipeError
from kerascola.frontends.frontend import features

IN_DB = {"log": "db", "reference": "max"}


@pytest.mark.parametrize(
    ("kind", "change", "expected", "received"),
    [
        (LogMel, {"sample_rate": 0}, "sample_rate and level_samples from 1", "0 and 16000"),
        (LogMel, {"level_samples": 0}, "sample_rate and level_samples from 1", "16000 and 0"),
        (LogMel, {"level": "loud"}, "level of rms, peak, none", "'loud'"),
        (Waveform, {"level": "loud"}, "level of rms, peak, none", "'loud'"),
        (LogMel, {"hop": 500}, "0 < hop <= window <= fft", "hop 500, window 400, fft 1024"),
        (LogMel, {"hop": 0}, "0 < hop <= window <= fft", "hop 0"),
        (LogMel, {"window": 2000}, "0 < hop <= window <= fft", "window 2000"),
        (LogMel, {"high_hz": 9000.0}, "high_hz <= sample_rate / 2 = 8000", "high_hz 9000"),
        (LogMel, {"low_hz": 7800.0}, "low_hz < high_hz", "low_hz 7800, high_hz 7800"),
        (LogMel, {"low_hz": -1.0}, "0 <= low_hz", "low_hz -1"),
        (LogMel, {"mels": 0}, "mels from 1", "0"),
        (LogMel, {"mels": 4097}, "mels from 1 to 4096", "4097"),
        (LogMel, {"fft": 2**40}, "fft of at most 65536", str(2**40)),
        (LogMel, {"floor": 0.0}, "0 < floor < ceiling", "floor 0.0, ceiling 100000000.0"),
        (LogMel, {"ceiling": 1e-5}, "0 < floor < ceiling", "ceiling 1e-05"),
        (LogMel, {"deviation": 0.0}, "deviation > 0", "0"),
        (LogMel, {"deviation": nan}, "a finite deviation", "nan"),
        (LogMel, {"mean": inf}, "a finite mean", "inf"),
        (
            LogMel,
            {"taper": "kaiser"},
            "taper of rectangular, hann, hamming, blackman, nuttall, blackmanharris",
            "'kaiser'",
        ),
        (LogMel, {"centre": "left"}, "centre of none, reflect, zeros", "'left'"),
        (LogMel, {"power": 3}, "power of 1, 2", "3"),
        (LogMel, {"scale": "bark"}, "scale of htk, slaney", "'bark'"),
        (LogMel, {"triangles": "round"}, "triangles of mel, hz", "'round'"),
        (LogMel, {"norm": "area"}, "norm of none, slaney", "'area'"),
        (LogMel, {"log": "log2"}, "log of ln, log10, db", "'log2'"),
        (LogMel, {"floor_by": "max"}, "floor_by of clip, add", "'max'"),
        (LogMel, {"reference": "mean"}, "reference of none, max", "'mean'"),
        (
            LogMel,
            {"range_db": 80.0},
            "range_db > 0 with `log: db` and `reference: max`",
            "range_db 80, log ln, reference none",
        ),
        (LogMel, {"range_db": 80.0, "log": "db"}, "`reference: max`", "reference none"),
        (LogMel, {"range_db": 0.0, **IN_DB}, "range_db > 0", "range_db 0"),
        (Spectra, {"hop": 4096}, "0 < hop <= window", "hop 4096"),
        (Spectra, {"centre": "left"}, "centre of none, reflect, zeros", "'left'"),
        (Spectra, {"low_hz": 0.0}, "low_hz above 0", "0"),
        (Spectra, {"high_hz": 8001.0}, "sample_rate / 2 = 8000", "high_hz 8001"),
        (Spectra, {"bands": 0}, "bands from 1", "0, 1e-05 and 0.001"),
        (Spectra, {"floor": 0.0}, "floor > 0", "128, 0 and 0.001"),
        (Spectra, {"phase_floor": 1.0}, "0 < phase_floor < 1", "128, 1e-05 and 1"),
        (Spectra, {"window": 64, "hop": 32, "low_hz": 60.0, "high_hz": 200.0}, "a bin of a 64-point", "60 and 200"),
        (Leaf, {"window": 400}, "an odd window from 3", "40, 160 and 400"),
        (Leaf, {"window": 1}, "an odd window from 3", "40, 160 and 1"),
        (Leaf, {"filters": 0}, "filters and hop from 1", "0, 160 and 401"),
        (Leaf, {"hop": 0}, "filters and hop from 1", "40, 0 and 401"),
        (Leaf, {"high_hz": 8001.0}, "sample_rate / 2 = 8000", "high_hz 8001"),
        (Leaf, {"memory": 1}, "memory from 2 frames", "1"),
        (SincNet, {"window": 400}, "an odd window from 3", "40, 160 and 400"),
        (SincNet, {"least_low_hz": 0.0}, "least_low_hz and least_band_hz above 0", "0 and 50"),
        (SincNet, {"least_band_hz": 4000.0}, "well under sample_rate / 2 = 8000", "50 and 4000"),
    ],
)
def test_parameters_that_make_no_front_end_are_refused(kind, change, expected, received):
    with pytest.raises(RecipeError) as error:
        kind(**change)
    before, _, after = str(error.value).partition("received ")
    assert expected in before and received in after


def test_bands_without_a_bin_are_refused():
    with pytest.raises(RecipeError, match="300 mels leave bands without a single bin of a 1024-point .* larger fft"):
        LogMel(mels=300)


SPECS = {
    **PRESETS,
    "zeros": LogMel(centre="zeros"),
    "odd": LogMel(window=401, hop=161, fft=1001, centre="reflect"),
    "whole-window hop": LogMel(window=400, hop=400, centre="reflect"),
    "one-sample window": LogMel(window=1, hop=1, fft=1024, centre="zeros"),
    "spectra": Spectra(),
    "spectra, not centred": Spectra(centre="none"),
    "leaf": Leaf(),
    "leaf, long hop": Leaf(hop=500),
    "sincnet": SincNet(),
    "waveform": Waveform(),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_least_samples_give_that_many_frames_and_no_fewer_do(spec: FrontEnd):
    """Symbolically, which compiles nothing; a mirrored end may ask for more than one frame needs."""
    model = features(spec)
    assert model.output.shape == (None, None, *spec.shape)

    def frames(samples: int) -> int:
        batch, count, *shape = model(keras.KerasTensor((2, samples), "float32")).shape
        assert (batch, *shape) == (2, *spec.shape)
        return count

    least = spec.samples(1)
    assert least >= 1 and frames(least) >= 1
    for count in (1, 2, 98):
        samples = spec.samples(count)
        if samples == least:
            assert frames(samples) >= count
        else:
            assert (frames(samples), frames(samples - 1)) == (count, count - 1)
