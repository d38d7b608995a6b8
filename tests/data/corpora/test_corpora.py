"""Each corpus in miniature, with the names that it is published under."""

import pytest
from corpora_in_miniature import TREES, grow

from kerascola.data.corpora import NAMES, corpus, records, write_list
from kerascola.data.manifest import Row, rows
from kerascola.errors import DataError


def test_every_corpus_is_here():
    assert sorted(TREES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_published_layout_becomes_records(name, tmp_path):
    files, expected = TREES[name]
    grow(tmp_path / "there", files)
    assert records(name, tmp_path / "there") == expected
    file = write_list(expected, tmp_path / "there", tmp_path / "lists.csv")
    found = rows(file, multi=name in ("audioset", "fsd50k"))
    assert [row.path for row in found] == [tmp_path / "there" / row["path"] for row in expected]
    first = expected[0]
    split, group = first.get("split", ""), first.get("group", "")
    labels = tuple(first["label"].split(";")) if first["label"] else ()
    assert found[0] == Row(tmp_path / "there" / first["path"], labels, split, group, first.get("fold", ""))

    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected the layout as published, with"):
        records(name, tmp_path / "empty")
    module = corpus(name)
    assert module.__doc__ and module.LICENCE and module.SOURCE.startswith("http")
    parts = getattr(module, "PARTS", {}).values()
    for archive in [one for last in (*module.ARCHIVES, *parts) for one in (*last.volumes, last)]:
        kind, _, digest = archive.checksum.partition(":")
        assert len(bytes.fromhex(digest)) == {"md5": 16, "sha1": 20, "sha256": 32}[kind]


def test_folds_become_splits(tmp_path):
    grow(tmp_path, TREES["esc50"][0])
    assert [row["split"] for row in records("esc50", tmp_path, "5")] == ["train", "test"]
    with pytest.raises(DataError, match="esc50 has the folds 1, 5, not '7'"):
        records("esc50", tmp_path, "7")
    grow(tmp_path / "music", TREES["gtzan"][0])
    with pytest.raises(DataError, match="gtzan has no folds, not '1'"):
        records("gtzan", tmp_path / "music", "1")


def test_unknown_names():
    with pytest.raises(DataError, match="unknown corpus 'esc-50'; did you mean 'esc50'"):
        corpus("esc-50")
