import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from kerascola.data.manifest import Row, rows
from kerascola.errors import DataError


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("loud/a.wav", "loud/deep/b.FLAC", "quiet/c.ogg", "d.mp3", "notes.txt"):
        path = tmp_path / "sounds" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def write(path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_folder_labels_by_its_sub_folders(place):
    found = [(str(row.path), row.labels) for row in rows("sounds")]
    assert found == [
        ("sounds/d.mp3", ()),
        ("sounds/loud/a.wav", ("loud",)),
        ("sounds/loud/deep/b.FLAC", ("loud",)),
        ("sounds/quiet/c.ogg", ("quiet",)),
    ]


def test_a_pattern_names_files(place):
    assert [row.path.name for row in rows("sounds/**/*.*")] == ["d.mp3", "a.wav", "b.FLAC", "c.ogg"]
    assert [row.path.name for row in rows("sounds/l*/*")] == ["a.wav"]


def test_a_table_says_all_of_a_recording(place):
    file = write(
        place / "list.csv",
        "\ufeffpath,label,split,group,start,end,note\nsounds/a.wav,cat,train,anna,1.5,2,x\n/abs/b.wav,,,,,,\n",
    )
    assert rows(file) == [
        Row(place / "sounds/a.wav", ("cat",), "train", "anna", start=1.5, end=2.0),
        Row(Path("/abs/b.wav")),
    ]


def test_lines_of_json_too(place):
    lines = [{"path": "a.wav", "label": 3, "split": None}, {"path": "b.wav", "label": None, "start": "0.25"}]
    file = write(place / "list.jsonl", "\n\n".join(map(json.dumps, lines)) + "\n")
    assert rows(file) == [Row(place / "a.wav", ("3",)), Row(place / "b.wav", start=0.25)]


def test_tables_of_parquet_too(place):
    columns = {"path": ["a.wav", "b.wav"], "label": [["dog", "rain"], None], "start": [0.5, None]}
    parquet.write_table(pyarrow.table(columns), place / "list.parquet")
    assert rows("list.parquet", multi=True) == [Row(Path("a.wav"), ("dog", "rain"), start=0.5), Row(Path("b.wav"))]
    (place / "list.parquet").write_text("no")
    with pytest.raises(DataError, match="line 1: not Parquet"):
        rows("list.parquet")


def test_labels_are_in_the_column_that_is_asked_for(place):
    file = write(place / "list.csv", "path,digit,speaker\na.wav,7,theo\n")
    assert rows(file)[0].labels == ()
    assert rows(file, "speaker")[0].labels == ("theo",)
    with pytest.raises(DataError, match=r"no column 'speeker'; did you mean 'speaker'\? It has path, digit, speaker"):
        rows(file, "speeker")


def test_spaces_and_nothings_in_a_table(place):
    file = write(place / "list.csv", "path , label, split\na.wav, cat ,train \nb.wav, ,\n")
    assert rows(file) == [Row(place / "a.wav", ("cat",), "train"), Row(place / "b.wav")]
    assert rows(write(place / "list.csv", "path,label\na.wav,dog;\n"), multi=True)[0].labels == ("dog",)
    assert rows(write(place / "list.jsonl", '{"path": "a.wav", "label": NaN, "split": NaN}\n'))[0].split == ""
    with pytest.raises(DataError, match="1 of 1 rows .*\n.*another number of cells"):
        rows(write(place / "list.csv", "path,label\na,b.wav,cat\n"), "species")


def test_several_labels_are_a_list_or_stand_between_semicolons(place):
    table = write(place / "list.csv", "path,label\na.wav,dog; rain\nb.wav,\n")
    assert [row.labels for row in rows(table, multi=True)] == [("dog", "rain"), ()]
    assert rows(table)[0].labels == ("dog; rain",)
    lines = write(place / "list.jsonl", '{"path": "a.wav", "label": ["dog", "rain"]}\n{"path": "b.wav", "label": []}\n')
    assert [row.labels for row in rows(lines, multi=True)] == [("dog", "rain"), ()]
    with pytest.raises(DataError, match=r"line 1: expected one label, received .*data.multi_label=true"):
        rows(lines)


def test_all_that_is_wrong_is_said_at_once_with_its_line(place):
    file = write(
        place / "list.csv",
        "path,start,end\n,0,1\na.wav,-1,\nb.wav,2,1\nc.wav,soon,\nd.wav,0,inf\ne.wav,0\nok.wav,0,1\n",
    )
    with pytest.raises(DataError) as error:
        rows(file)
    said = str(error.value)
    assert "6 of 7 rows" in said
    for line in (
        "line 2: expected a path",
        "line 3: expected start in seconds from 0, received '-1'",
        "line 4: expected start < end, received 2 and 1",
        "line 5: expected start in seconds from 0, received 'soon'",
        "line 6: expected end in seconds from 0, received 'inf'",
        "line 7: it has another number of cells",
    ):
        assert line in said
    with pytest.raises(DataError, match=r"line 1: not JSON: .*\n  line 2: expected an object, received b'\[1\]'"):
        rows(write(place / "list.jsonl", "{path\n[1]\n"))
    (place / "list.csv").write_bytes(b"path\n\xff\xfe.wav\n")
    with pytest.raises(DataError, match="not CSV in UTF-8"):
        rows(place / "list.csv")


@pytest.mark.parametrize(
    "data, said",
    [
        ("gone", "gone: no such folder or file: expected a folder, a pattern"),
        ("sounds/notes.txt", "this is a file: expected a folder, a pattern"),
        ("sounds/*.wav", r"sounds/\*.wav holds no audio file"),
    ],
)
def test_what_is_no_data(place, data, said):
    with pytest.raises(DataError, match=said):
        rows(data)


def test_a_list_of_nothing(place):
    with pytest.raises(DataError, match="holds no audio file"):
        rows(write(place / "list.csv", "path,label\n"))
