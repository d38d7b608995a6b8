import numpy as np
import pytest
import soundfile

from kerascola.data.recordings import Recordings
from kerascola.errors import AudioError, DataError
from kerascola.evaluation.metrics import judged, loss_and_accuracy
from kerascola.evaluation.scores import scores

RATE, WINDOW = 8000, 800


@pytest.fixture
def recordings(tmp_path):
    """From half a window to several and a rest."""
    for number, samples in enumerate((400, 800, 2400, 2700)):
        sound = np.random.default_rng(number).uniform(-0.5, 0.5, samples).astype(np.float32)
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE, subtype="FLOAT")
    return Recordings(tmp_path, RATE)


def logits(waveforms):
    """Which depend on all of a window, and on where its sound is."""
    assert waveforms.shape == (3, WINDOW)
    ramp = np.linspace(-1, 1, WINDOW)
    return np.stack([waveforms.sum(axis=1), waveforms @ ramp, 9 * np.abs(waveforms).mean(axis=1)], axis=1)


def windows_of(recordings, index):
    sound = np.zeros(max(WINDOW, len(recordings.whole(index))), np.float32)
    sound[: len(recordings.whole(index))] = recordings.whole(index)
    starts = list(range(0, len(sound) - WINDOW + 1, WINDOW))
    if starts[-1] + WINDOW < len(sound):
        starts.append(len(sound) - WINDOW)
    return [logits(np.stack([sound[s : s + WINDOW]] * 3))[0] for s in starts]


@pytest.mark.parametrize("average", ["logits", "probabilities"])
@pytest.mark.parametrize("multi", [False, True])
def test_a_clip_s_windows_are_averaged(recordings, average, multi):
    found = scores(logits, recordings, WINDOW, multi, average, batch=3)
    for index in range(len(recordings)):
        rows = np.array(windows_of(recordings, index), np.float64)
        assert len(rows) == [1, 1, 3, 4][index]

        def probable(x):
            return 1 / (1 + np.exp(-x)) if multi else np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

        expected = probable(rows.mean(axis=0)) if average == "logits" else probable(rows).mean(axis=0)
        np.testing.assert_allclose(found[index], expected, rtol=1e-5)


def test_numbers_of_one_label_a_clip():
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    said = np.array([0, 0, 0, 1, 1, 0, 0])
    found = judged(np.eye(4)[said], labels)
    assert found["accuracy"] == pytest.approx(4 / 7) and found["chance"] == pytest.approx(4 / 7)
    assert found["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    f1 = [2 * 3 / (2 * 3 + 2 + 1), 2 * 1 / (2 * 1 + 1 + 1), 0]  # 2 right / (2 right + wrong + missed)
    assert found["macro_f1"] == pytest.approx(np.mean(f1)) and found["clips"] == 7
    told = loss_and_accuracy(np.full((2, 4), 0.25), np.array([0, 3]))
    assert told == (pytest.approx(np.log(4)), 0.5)
    unread = np.vstack([np.eye(4)[said], np.full((1, 4), np.nan)])
    assert judged(unread, np.append(labels, 1)) == found


def test_numbers_of_several_labels():
    labels = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]], np.float32)
    said = np.array([[0.9, 0.4, 1], [0.8, 0.3, 1], [0.7, 0.2, 1], [0.1, 0.1, 1]])
    found = judged(said, labels)
    precisions = [(1 / 1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2]  # down the ranking; the third class tells nothing
    assert found["mean_average_precision"] == pytest.approx(np.mean(precisions))
    assert found["mean_auc"] == pytest.approx(np.mean([3 / 4, 2 / 4]))
    assert found["chance"] == pytest.approx(0.5)
    assert judged(said[:1], labels[:1]) == {"clips": 1}
    assert loss_and_accuracy(np.full((2, 3), 0.5), labels[:2]) == (pytest.approx(np.log(2)), pytest.approx(2 / 6))


def test_what_cannot_be_read_any_more_is_left_out_or_an_error(recordings):
    recordings.paths[1].write_text("gone bad")
    with pytest.raises(AudioError, match="1.wav"):
        scores(logits, recordings, WINDOW, False, batch=3)
    recordings.on_bad_file = "skip"
    with pytest.warns(UserWarning, match=r"left out, number 1: .*1\.wav"):
        found = scores(logits, recordings, WINDOW, False, batch=3)
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False, False]
    with pytest.raises(DataError, match="none of the 1 recordings to score can be read"):  # named once, above
        scores(logits, recordings.where(np.array([1])), WINDOW, False, batch=3)
