"""`kerascola embed --out NAME.parquet`: what is in the tables, and what is said."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import soundfile
from bulk_for_tests import HOP, LENGTHS, PATHS, RATE, WINDOW, embed, shards, sounds_in, table
from onnx_models import METADATA, statistics, write_statistics_model
from pyarrow import parquet

from kerascola import Embedder
from kerascola.cli import main

pytestmark = pytest.mark.once("an ONNX file, which no backend runs")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return sounds_in(tmp_path)


def windows_of(samples: int) -> list[tuple[int, int]]:
    """From the definition: full ones at every hop, and one that ends where the sound does if they leave a rest."""
    if samples <= WINDOW:
        return [(0, samples)]
    found = [(start, start + WINDOW) for start in range(0, samples - WINDOW + 1, HOP)]
    return found + [(samples - WINDOW, samples)] * (found[-1][1] < samples)


def test_a_row_for_each_file(place, capsys):
    assert embed("sounds") == 0
    rows = table()
    assert list(rows) == ["path", "start", "end", "embedding"]
    assert rows["path"] == PATHS and rows["start"] == [0.0] * 10
    assert rows["end"] == [samples / RATE for samples in LENGTHS]
    embedder = Embedder("model.onnx")
    np.testing.assert_allclose(rows["embedding"], [embedder.embed(path) for path in PATHS], atol=1e-6)
    schema = parquet.read_schema("e.parquet/part-00000.parquet")
    assert schema.field("embedding").type == pyarrow.list_(pyarrow.float32(), 4)
    assert json.loads(schema.metadata[b"kerascola.model"])["sample_rate"] == RATE
    errors = parquet.read_table("e.run/errors.parquet")
    assert errors.num_rows == 0 and errors.column_names == ["path", "start", "end", "error"]
    assert "10 embeddings of 4 numbers from 10 files" in capsys.readouterr().out
    assert shards() == ["part-00000.parquet"]


def test_a_row_for_each_window(place):
    assert embed("sounds", "--frames", "--batch-size", "3", "--shard-windows", "12") == 0
    rows = table()
    expected = [(path, *span) for path, samples in zip(PATHS, LENGTHS, strict=True) for span in windows_of(samples)]
    assert rows["path"] == [path for path, _, _ in expected]
    assert rows["start"] == [start / RATE for _, start, _ in expected]
    assert rows["end"] == [end / RATE for _, _, end in expected]
    for (path, start, end), vector in zip(expected, rows["embedding"], strict=True):
        window = soundfile.read(path, dtype="float32")[0][start:end]
        padded = np.pad(window, (0, max(0, METADATA.min_samples - len(window))))
        np.testing.assert_allclose(vector, statistics(padded), atol=1e-6)
    assert len(shards()) > 1


def test_half_precision(place):
    assert embed("sounds", "--dtype", "float16") == 0 and embed("sounds", out="f.parquet") == 0
    assert parquet.read_schema("e.parquet/part-00000.parquet").field("embedding").type.value_type == pyarrow.float16()
    half, full = (np.array(table(name)["embedding"]) for name in ("e.parquet", "f.parquet"))
    np.testing.assert_array_equal(half, full.astype(np.float16))


def test_numbers_that_half_precision_does_not_hold_are_an_error(place):
    soundfile.write("sounds/3.wav", np.full(9000, 1e3, np.float32), RATE, "FLOAT")  # its power is 1e6
    assert embed("sounds", "--dtype", "float16") == 1
    assert table()["path"] == PATHS[:3] + PATHS[4:]
    errors = table("e.run/errors.parquet")
    assert errors["path"] == ["sounds/3.wav"] and "--dtype float32" in errors["error"][0]


def test_what_cannot_be_embedded_stands_in_a_table_beside(place, capsys, any_name):
    Path("sounds/4.wav").write_text("no sound")
    soundfile.write("sounds/6.wav", np.zeros(9000), RATE)  # -inf by the logarithm
    write_statistics_model(Path("model.onnx"), logarithm=True)
    for number in (0, 1, 2, 3, 5, 7, 8, 9):
        soundfile.write(PATHS[number], np.random.default_rng(number).uniform(0.1, 0.5, LENGTHS[number]), RATE)
    os.rename("sounds/7.wav", os.fsdecode(b"sounds/7\xff.wav"))
    assert embed("sounds", "gone.wav", "--shard-windows", "6") == 1
    assert table()["path"] == [*(PATHS[n] for n in (0, 1, 2, 3, 5)), "sounds/7\\xff.wav", PATHS[8], PATHS[9]]
    errors = table("e.run/errors.parquet")
    assert errors["path"] == ["sounds/4.wav", "sounds/6.wav", "gone.wav"]
    assert errors["start"] == [0.0] * 3 and errors["end"] == [None] * 3
    for error, reason in zip(errors["error"], ("libsndfile", "finite", "No such file"), strict=True):
        assert reason in error
    said = capsys.readouterr()
    assert "3 files skipped" in said.out and "skipped sounds/6.wav: " in said.err
    assert shards() == sorted(os.listdir("e.run/errors.parquet"))


def test_nothing_readable(place, capsys):
    assert embed("gone.wav") == 1
    assert table()["path"] == [] and table("e.run/errors.parquet")["path"] == ["gone.wav"]


def test_a_name_of_nothing_is_refused_before_anything_is_written(place, capsys):
    """So that the name put right is not another corpus than the one that was begun."""
    before = sorted(os.listdir())
    for wrong in ("synn", "sounds/0.wv"):
        assert embed("sounds", wrong) == 1
        assert f"{wrong}: no such file or folder" in capsys.readouterr().err
    assert sorted(os.listdir()) == before
    assert embed("sounds") == 0


def test_a_file_that_breaks_off_gives_no_rows(place, monkeypatch):
    """It is known at its end, when windows of it have been embedded."""
    from kerascola.audio import read

    def breaks_off(sound, name, frames, mono=read._mono):
        for number, block in enumerate(mono(sound, name, 4000)):
            if name == PATHS[4] and number == 6:
                raise read.AudioError(f"{name}: damaged")
            yield block

    monkeypatch.setattr(read, "_mono", breaks_off)
    assert embed("sounds", "--frames") == 1
    assert list(dict.fromkeys(table()["path"])) == PATHS[:4] + PATHS[5:]
    assert table("e.run/errors.parquet")["error"] == [f"{PATHS[4]}: damaged"]


def test_lists_say_which_parts(place):
    Path("list.csv").write_text(
        "path,start,end,label\nsounds/4.wav,0.25,1.5,a\nsounds/9.wav,,,b\nsounds/4.wav,1,,c\nsounds/0.wav,9,,d\n"
    )
    assert embed("list.csv", "--frames") == 1
    rows = table()
    assert rows["path"] == [PATHS[4]] * 4 + [PATHS[9]] * 6 + [PATHS[4]] * 3
    assert rows["start"][:4] == [0.25, 0.5, 0.75, 1.0] and rows["end"][:4] == [0.75, 1.0, 1.25, 1.5]
    assert rows["start"][-3:] == [1.0, 1.25, 31_000 / RATE - 0.5]
    sound = soundfile.read(PATHS[4], dtype="float32")[0]
    np.testing.assert_allclose(rows["embedding"][1], statistics(sound[8000:16000]), atol=1e-6)
    errors = table("e.run/errors.parquet")
    assert (errors["path"], errors["start"]) == ([PATHS[0]], [9.0])


def test_packed_recordings_are_embedded_as_they_were(place):
    assert main(["data", "pack", "sounds", "--to", "packed", "--rate", str(RATE)]) == 0
    assert embed("packed") == 0 and embed("sounds", out="f.parquet") == 0
    packed, plain = table(), table("f.parquet")
    np.testing.assert_allclose(packed["embedding"], plain["embedding"], atol=1e-4)
    np.testing.assert_allclose(np.subtract(packed["end"], packed["start"]), plain["end"])


def test_shards_end_with_the_file_that_fills_them(place):
    assert embed("sounds", "--shard-windows", "5") == 0
    rows, held = table(), []
    for name in shards():
        paths = parquet.read_table(f"e.parquet/{name}")["path"].to_pylist()
        held.append([len(windows_of(LENGTHS[PATHS.index(path)])) for path in paths])
    assert all(sum(counts) >= 5 > sum(counts[:-1]) for counts in held[:-1]) and len(held) > 3
    assert rows["path"] == PATHS


def test_rows_are_written_a_group_at_a_time(place, monkeypatch):
    assert embed("sounds", "--frames", out="f.parquet") == 0
    monkeypatch.setattr("kerascola.data.embedding_table.GROUP", 4 * 4 * 3)  # three rows
    assert embed("sounds", "--frames") == 0
    groups = parquet.ParquetFile("e.parquet/part-00000.parquet").metadata
    assert groups.num_row_groups > 5
    assert all(3 <= groups.row_group(n).num_rows < 6 for n in range(groups.num_row_groups - 1))
    assert table() == table("f.parquet")


def test_embeddings_do_not_depend_on_shards(place):
    assert embed("sounds", "--shard-windows", "1") == 0 and embed("sounds", out="f.parquet") == 0
    assert len(shards()) == len(PATHS)
    np.testing.assert_allclose(table()["embedding"], table("f.parquet")["embedding"], atol=1e-6)


def test_more_errors_than_are_said(place, capsys):
    for n in range(30):
        Path(f"gone{n}.wav").symlink_to("nowhere.wav")
    assert embed(*(f"gone{n}.wav" for n in range(30))) == 1
    error = capsys.readouterr().err
    assert error.count("skipped gone") == 20 and "skipped more, which the table of errors names" in error
    assert len(table("e.run/errors.parquet")["path"]) == 30


def test_progress_says_how_fast_and_how_long(place, monkeypatch, capsys):
    from kerascola.cli import progress

    monkeypatch.setattr(progress, "SECONDS", 0.0)
    assert embed("sounds") == 0
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"10 of 10 files, [\d.]+ files/s, \S+ audio hours/s, 0:00:00 left", lines[-1])
    assert len(lines) > 10
