import warnings

import numpy as np
import pytest
import soundfile

from kerascola import recipes
from kerascola.data.sets import of_known_labels, to_finetune, to_pretrain
from kerascola.errors import DataError


@pytest.fixture
def table(tmp_path):
    """A list of short sounds, each a file of its own, written of rows of label, split and group."""
    for number in range(24):
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * np.ones(160), 16000)

    def write(rows, name="list.csv", first=0) -> str:
        lines = [f"{first + n}.wav,{label},{split},{group}" for n, (label, split, group) in enumerate(rows)]
        (tmp_path / name).write_text("\n".join(["path,label,split,group", *lines]) + "\n")
        return str(tmp_path / name)

    return write


RECIPE = recipes.load("cola")
SPLITS = [
    ("a", "train", ""),
    ("b", "train", ""),
    ("a", "valid", ""),
    ("b", "test", ""),
    ("b", "test", ""),
    ("a", "", ""),
]


def test_pretraining_takes_the_split_train_and_says_so(table):
    data = table(SPLITS)
    with pytest.warns(UserWarning, match="2 of 6 recordings: those of the split train. See data.split"):
        assert len(to_pretrain(RECIPE.data, data, 16000)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(to_pretrain(recipes.load("cola", ["data.split=test"]).data, data, 16000)) == 2
        assert len(to_pretrain(RECIPE.data, table([("", "a", ""), ("", "b", "")]), 16000)) == 2
    with pytest.raises(DataError, match="no recording of the split 'tst': it has test, train, valid"):
        to_pretrain(recipes.load("cola", ["data.split=tst"]).data, table(SPLITS), 16000)


def test_finetuning_goes_by_the_splits(table):
    with pytest.warns(UserWarning, match="1 recordings are of no split"):
        sets = to_finetune(RECIPE, table(SPLITS), 16000)
    assert {name: part.labels.tolist() for name, part in sets.items()} == {
        "train": [0, 1],
        "valid": [0],
        "test": [1, 1],
    }
    with pytest.raises(DataError, match="has the splits dev, test: expected one named train"):
        to_finetune(RECIPE, table([("a", "dev", ""), ("b", "test", "")]), 16000)


def test_without_splits_a_share_is_held_out_or_another_list_tested_on(table):
    data = table([(label, "", "") for label in "ab" * 10])
    sets = to_finetune(RECIPE, data, 16000)
    assert [len(sets["train"]), len(sets["test"])] == [16, 4] and sorted(sets["test"].labels.tolist()) == [0, 0, 1, 1]
    sets = to_finetune(RECIPE, data, 16000, table([("b", "", "")], "other.csv", first=20))
    assert len(sets["train"]) == 20 and sets["test"].labels.tolist() == [1]
    with pytest.raises(DataError, match="labels that training had not: c"):
        to_finetune(RECIPE, data, 16000, table([("c", "", "")], "other.csv", first=20))


def test_groups_stay_together_or_are_said_to_leak(table):
    sets = to_finetune(RECIPE, table([(label, "", group) for label in "ab" for group in "uvwxy" for _ in "12"]), 16000)
    assert not set(sets["train"].groups) & set(sets["test"].groups) and len(sets["test"]) == 4
    with pytest.warns(UserWarning, match="1 groups in training that are also tested on: u"):
        to_finetune(RECIPE, table([("a", "train", "u"), ("b", "train", "v"), ("b", "test", "u")]), 16000)


def test_what_a_classifier_cannot_learn_of(table):
    with pytest.raises(DataError, match="has no labels: they are the names of the sub-folders"):
        to_finetune(RECIPE, table([("", "", "")] * 4), 16000)
    one = to_finetune(RECIPE, table([("a", "train", ""), ("a", "train", ""), ("b", "test", "")]), 16000)["train"]
    with pytest.raises(DataError, match=r"expected recordings of two classes to train on, received 2 of 1"):
        of_known_labels(one, 1.0, 0)


def test_known_labels_are_a_share_and_absent_classes_are_said(table):
    rows = [(label, "train", "") for label in "ab" * 10] + [("", "train", ""), ("c", "test", "")]
    sets = to_finetune(RECIPE, table(rows), 16000)
    with pytest.warns(UserWarning) as said:
        part = of_known_labels(sets["train"], 0.3, 0)
    assert np.bincount(part.labels).tolist() == [3, 3]
    texts = [str(warning.message) for warning in said]
    assert any("1 recordings without a label are left out" in text for text in texts)
    assert any("classes without a recording to train on: c" in text for text in texts)


def test_parts_of_a_file_stay_together(table, tmp_path):
    lines = [f"{n // 4}.wav,{'ab'[n % 2]},{0.002 * (n % 4)},{0.002 * (n % 4) + 0.002}" for n in range(40)]
    (tmp_path / "parts.csv").write_text("\n".join(["path,label,start,end", *lines]))
    sets = to_finetune(RECIPE, str(tmp_path / "parts.csv"), 16000)
    assert len(sets["test"]) == 8 and not set(sets["train"].paths) & set(sets["test"].paths)


def test_files_that_were_trained_on_are_named(table):
    data = table([(label, "", "") for label in "ab" * 5])
    with pytest.warns(UserWarning, match=r"2 files in training that are also tested on: .*/0.wav, .*/1.wav"):
        to_finetune(RECIPE, data, 16000, table([("a", "", ""), ("b", "", "")], "other.csv"))


def test_a_list_of_training_alone_has_a_share_held_out(table):
    sets = to_finetune(RECIPE, table([(label, "train", "") for label in "ab" * 5] + [("a", "dev", "")]), 16000)
    assert {name: len(part) for name, part in sets.items()} == {"train": 8, "dev": 1, "test": 2}


def test_another_list_s_own_split_is_tested_on(table):
    data = table([("a", "train", ""), ("b", "train", ""), ("b", "test", "")])
    other = table([("a", "test", ""), ("b", "train", "")], "other.csv", first=20)
    with pytest.warns(UserWarning, match="its own split test is passed over for .*other.csv"):
        sets = to_finetune(RECIPE, data, 16000, other)
    assert [path.name for path in sets["test"].paths] == ["20.wav"]


def test_splits_without_labels(table):
    rows = [("a", "train", ""), ("b", "train", ""), ("a", "test", "")]
    with pytest.warns(UserWarning, match="no recording of the split more has a label"):
        assert set(to_finetune(RECIPE, table([*rows, ("", "more", "")]), 16000)) == {"train", "test"}
    with pytest.raises(DataError, match="expected labels of the recordings of valid, received none"):
        to_finetune(RECIPE, table([*rows, ("", "valid", "")]), 16000)
    with pytest.raises(DataError, match="expected splits whose names may be in a file's, received 'a/b'"):
        to_finetune(RECIPE, table([*rows, ("a", "a/b", "")]), 16000)
