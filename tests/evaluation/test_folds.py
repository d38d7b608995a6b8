import numpy as np
import pytest

from kerascola.data.recordings import Recordings
from kerascola.errors import DataError
from kerascola.evaluation.folds import folds_of

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")


class Listed(Recordings):
    """What a list says, without its files."""

    def __init__(self, labels, splits=None, groups=None, folds=None, origins=None) -> None:
        count = len(labels)
        self.source = "list.csv"
        self.labels = np.array(labels)
        self.classes = tuple("abcdefgh"[: int(self.labels.max()) + 1 if self.labels.ndim == 1 else len(labels[0])])
        self.splits, self.groups, self.folds = (np.array(x or [""] * count) for x in (splits, groups, folds))
        self.origins = np.array(origins or [f"{n}.wav" for n in range(count)], object)
        self.paths, self.starts, self.seconds, self.rates = (
            self.origins,
            np.zeros(count),
            np.ones(count),
            np.ones(count),
        )


def parts(folds) -> list[tuple[str, list[int], list[int], list[int]]]:
    return [(fold.name, fold.train.tolist(), fold.valid.tolist(), fold.test.tolist()) for fold in folds]


def test_the_splits_of_the_list():
    listed = Listed([0, 1, 0, 1, 0, -1, 1], ["train", "train", "valid", "test", "test", "train", ""])
    with pytest.warns(UserWarning) as said:
        assert parts(folds_of(listed, None)) == [("test", [0, 1], [2], [3, 4])]
    texts = [str(one.message) for one in said]
    assert any("1 recordings without a label" in text for text in texts)
    assert any("1 recordings are of no split" in text for text in texts)
    with pytest.raises(DataError, match="the splits train, valid: expected one named train and one to test on"):
        folds_of(Listed([0, 1], ["train", "valid"]), None)
    with pytest.warns(UserWarning, match="tested on test; not looked at: other"):
        folds_of(Listed([0, 1, 0, 1], ["train", "train", "test", "other"]), None)


def test_a_share_is_held_out_of_each_class():
    (fold,) = folds_of(Listed([0] * 20 + [1] * 10), None, share=0.2)
    assert sorted([*fold.train, *fold.test]) == list(range(30))
    assert np.bincount(np.array([0] * 20 + [1] * 10)[fold.test]).tolist() == [4, 2]


def test_each_value_of_a_column_is_tested_on_in_turn():
    listed = Listed([0, 1, 0, 1, 0, 1], folds=["x", "x", "y", "y", "z", ""])
    with pytest.warns(UserWarning, match="1 recordings are of no fold"):
        found = folds_of(listed, "pair")
    assert parts(found) == [("x", [2, 3, 4], [], [0, 1]), ("y", [0, 1, 4], [], [2, 3]), ("z", [0, 1, 2, 3], [], [4])]
    with pytest.raises(DataError, match="expected two folds or more in the column pair, received x"):
        folds_of(Listed([0, 1], folds=["x", "x"]), "pair")


@pytest.mark.parametrize("multi", [False, True])
def test_numbered_folds_test_every_clip_once_and_part_no_group(multi):
    labels = [n % 3 for n in range(60)]
    groups = [f"g{n // 3 % 7}" for n in range(60)]
    listed = Listed(np.eye(3)[labels] if multi else labels, groups=groups)
    found = folds_of(listed, "4", seed=1)
    assert sorted(n for fold in found for n in fold.test) == list(range(60))
    for fold in found:
        assert sorted([*fold.train, *fold.test]) == list(range(60))
        assert not {groups[n] for n in fold.train} & {groups[n] for n in fold.test}
    other = folds_of(listed, "4", seed=2)
    assert parts(found) == parts(folds_of(listed, "4", seed=1)) != parts(other)


def test_pieces_of_a_file_stay_together():
    listed = Listed([0, 0, 1, 1] * 5, origins=[f"{n // 4}.wav" for n in range(20)])
    for fold in folds_of(listed, "5"):
        assert len({n // 4 for n in fold.test}) == 1 and len(fold.test) == 4


def test_classes_are_dealt_evenly_and_a_rare_one_does_not_stop_it():
    labels = np.array([0] * 40 + [1] * 20 + [2])
    with pytest.warns(UserWarning, match="classes that are tested on without a recording to train on: c"):
        found = folds_of(Listed(labels), "4")
    for fold in found:
        assert np.bincount(labels[fold.test], minlength=3)[:2].tolist() == [10, 5]
    with pytest.raises(DataError, match="--folds of 2 to 61"):
        folds_of(Listed(labels), "62")


def test_rows_of_several_labels_go_by_the_rarest():
    labels = np.zeros((60, 3), np.float32)
    labels[:50, 0] = labels[:20, 1] = labels[:5, 2] = 1
    for fold in folds_of(Listed(labels), "5"):
        assert labels[fold.test].sum(axis=0).tolist() == [10, 4, 1]


def test_what_cannot_be_judged_is_said():
    with pytest.raises(DataError, match="no labels"):
        folds_of(Listed([-1, -1]), None)
    with pytest.raises(DataError, match="expected recordings of two classes to train on and some to test on"):
        folds_of(Listed([0, 0, 0, 0], ["train", "train", "test", "test"]), None)


def test_what_training_knows_of_the_test_is_said():
    splits, groups = ["train", "train", "test", "test"], ["anna", "ben", "anna", "carl"]
    with pytest.warns(UserWarning, match="test: 1 groups in training that are also tested on: anna"):
        folds_of(Listed([0, 1, 0, 1], splits, groups), None)
    with pytest.warns(UserWarning, match="test: 1 files in training that are also tested on"):
        folds_of(Listed([0, 1, 0, 1], splits, origins=["a.wav", "b.wav", "a.wav", "c.wav"]), None)
