"""A pack is trained on as the recordings that it was made from."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
import soundfile

from kerascola.audio.read import read
from kerascola.augment.views import Views
from kerascola.cli import main
from kerascola.data.check import check
from kerascola.data.files import alone
from kerascola.data.pack import pack
from kerascola.data.pipeline import Batches
from kerascola.data.recordings import Recordings
from kerascola.errors import DataError

RATE = 8000
SECONDS = [0.4, 2.5, 1.0, 0.1, 3.2, 1.7]


@pytest.fixture
def place(tmp_path):
    """Recordings at several rates and formats, in two classes, and a list of them with parts and columns of its own."""
    rng = np.random.default_rng(0)
    lines = ["path,label,start,end,split,group,microphone"]
    for n, seconds in enumerate(SECONDS):
        rate, suffix = [(8000, "wav"), (16000, "flac"), (44100, "ogg")][n % 3]
        path = tmp_path / f"sounds/{'ab'[n % 2]}/{n}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * rng.standard_normal((round(seconds * rate), 1 + n % 2)), rate)
        lines.append(f"{path.relative_to(tmp_path)},{n},,,{'train' if n < 4 else 'test'},g{n},m{n % 2}")
    lines.append("sounds/a/4.flac,piece,0.5,1.25,train,g4,")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    return tmp_path


def test_it_holds_what_the_recordings_hold(place):
    about = pack(str(place / "list.csv"), place / "packed", RATE)
    assert about["recordings"] == 7 and about["left_out"] == [] and len(about["shards"]) == 1
    packed, plain = Recordings(place / "packed", RATE), Recordings(place / "list.csv", RATE)
    assert len(packed) == len(plain) == 7 and packed.classes == plain.classes
    for name in ("labels", "splits", "groups"):
        np.testing.assert_array_equal(getattr(packed, name), getattr(plain, name))
    assert packed.origins.tolist() == plain.origins.tolist()
    assert packed.seconds[6] == 0.75
    np.testing.assert_allclose(packed.seconds, plain.seconds, atol=1.5 / RATE)
    for n in range(7):
        np.testing.assert_allclose(packed.whole(n)[: 70 * 80], plain.whole(n)[: 70 * 80], atol=0.6 / 2**15 + 1e-6)
    a, b = packed.stretch(4, 0.5, 0.3), plain.stretch(4, 0.5, 0.3)
    np.testing.assert_allclose(a, b, atol=2e-5)
    np.testing.assert_allclose(packed.whole(6), read(place / "sounds/a/4.flac", RATE, 0.5, 0.75), atol=2e-5)


def test_its_list_has_every_column(place):
    pack(str(place / "list.csv"), place / "packed", RATE)
    rows = [json.loads(line) for line in (place / "packed/packed.jsonl").read_text().splitlines()]
    assert [row["microphone"] for row in rows] == ["m0", "m1", "m0", "m1", "m0", "m1", ""]
    assert rows[1]["packed_from"] == str(place / "sounds/b/1.flac") and rows[1]["path"] == "00000.array_record"
    assert (rows[6]["packed_from_start"], rows[6]["packed_from_end"]) == ("0.5", "1.25")
    assert Recordings(place / "packed", RATE, label="microphone").classes == ("m0", "m1")


def test_a_folder_s_classes_stay(place):
    pack(str(place / "sounds"), place / "packed", RATE)
    packed = Recordings(place / "packed", RATE)
    assert packed.classes == ("a", "b") and sorted(packed.labels.tolist()) == [0, 0, 0, 1, 1, 1]


def test_one_shard_for_all_is_no_leak(place):
    lines = (place / "list.csv").read_text().splitlines()[:-1]
    (place / "list.csv").write_text("\n".join(lines))
    pack(str(place / "list.csv"), place / "packed", RATE)
    found = check(str(place / "packed"), decode=True)
    assert not found.fatal and found.recordings == 6 and found.files == 1
    assert main(["data", "check", str(place / "packed")]) == 0


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_are_as_large_as_asked_and_the_same_every_time(place, monkeypatch):
    from kerascola.data import pack as module

    monkeypatch.setattr(module, "MEGABYTE", 20_000)
    one = pack(str(place / "sounds"), place / "one", RATE, shard_megabytes=2)
    assert len(one["shards"]) > 2 and one["recordings"] == len(SECONDS)
    assert all(len(content) < 2.2 * 65536 for name, content in bytes_of(place / "one").items() if "record" in name)
    pack(str(place / "sounds"), place / "two", RATE, shard_megabytes=2)
    assert bytes_of(place / "one") == bytes_of(place / "two")
    for n in range(len(SECONDS)):
        packed, plain = Recordings(place / "one", RATE), Recordings(place / "sounds", RATE)
        np.testing.assert_allclose(packed.stretch(n, 0.1, 0.5), plain.stretch(n, 0.1, 0.5), atol=2e-5)


SLOWLY = """
import sys, time
from kerascola.data import pack as module
module.MEGABYTE = 20_000
stream = module.stream
def slow(*args):
    time.sleep(0.15)
    yield from stream(*args)
module.stream = slow
module.pack(sys.argv[1], sys.argv[2], 8000, shard_megabytes=2)
"""


def test_killed_and_started_again_it_ends_with_the_same_bytes(place):
    command = [sys.executable, "-c", SLOWLY, str(place / "sounds")]
    subprocess.run([*command, str(place / "whole")], check=True)
    kills = 0
    while not (place / "killed/packed.jsonl").exists():
        process = subprocess.Popen([*command, str(place / "killed")])
        before = len(list(place.glob("killed/*.array_record")))
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(place.glob("killed/*.array_record"))) > before:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        process.wait()
    assert kills >= 2
    assert bytes_of(place / "killed") == bytes_of(place / "whole")


def test_done_already(place):
    said = []
    first = pack(str(place / "sounds"), place / "packed", RATE, say=said.append)
    assert "MB are free" in said[0]
    before = {path: path.stat().st_mtime_ns for path in (place / "packed").glob("*_record")}
    assert pack(str(place / "sounds"), place / "packed", RATE, say=said.append) == first
    assert "all of its 1 shards are there and whole" in said[1]
    assert before == {path: path.stat().st_mtime_ns for path in (place / "packed").glob("*_record")}


def test_labels_may_change_without_decoding_anew(place):
    pack(str(place / "list.csv"), place / "packed", RATE)
    before = (place / "packed/00000.array_record").stat().st_mtime_ns
    (place / "list.csv").write_text((place / "list.csv").read_text().replace("piece", "another"))
    pack(str(place / "list.csv"), place / "packed", RATE)
    assert Recordings(place / "packed", RATE).classes == Recordings(place / "list.csv", RATE).classes
    assert (place / "packed/00000.array_record").stat().st_mtime_ns == before


@pytest.mark.parametrize("harm", ["gone", "cut", "flipped", "of another"])
def test_a_damaged_shard_is_made_anew(place, harm):
    pack(str(place / "sounds"), place / "packed", RATE)
    before, shard = bytes_of(place / "packed"), place / "packed/00000.array_record"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    if harm == "gone":
        shard.unlink()
    elif harm == "of another":
        pack(str(place / "sounds/a/*.wav"), place / "other", RATE)
        shutil.copy(place / "other/00000.array_record", shard)
    else:
        shard.write_bytes(content if harm == "flipped" else content[:70_000])
    pack(str(place / "sounds"), place / "packed", RATE)
    assert bytes_of(place / "packed") == before


def test_lists_keep_what_their_cells_mean(place):
    """JSON's lists, missing values and text that a CSV would break."""
    known = {"path": "sounds/a/0.wav", "label": ["x;y", "z"], "split": None, "note": "a\r\nb," * 30_000, "n": 3}
    records = [known, {"path": "sounds/b/1.flac", "label": float("nan"), "split": float("nan")}]
    (place / "list.jsonl").write_text("\n".join(map(json.dumps, records)))
    pack(str(place / "list.jsonl"), place / "packed", RATE)
    packed, plain = (Recordings(place / name, RATE, multi=True) for name in ("packed", "list.jsonl"))
    assert packed.classes == plain.classes == ("x;y", "z") and packed.labels.tolist() == plain.labels.tolist()
    assert packed.splits.tolist() == ["", ""]
    with pytest.raises(DataError, match="expected one label"):
        Recordings(place / "packed", RATE)
    kept = json.loads((place / "packed/packed.jsonl").read_text().splitlines()[0])
    assert kept["note"] == known["note"] and kept["n"] == 3


def test_relative_paths_are_found_from_elsewhere(place, monkeypatch):
    monkeypatch.chdir(place)
    pack("sounds", "packed", RATE)
    assert Recordings("packed", RATE).origins[0] == str(place / "sounds/a/0.wav")


def test_one_process_at_a_time(place):
    (place / "packed").mkdir()
    with alone(place / "packed/.lock", "expected"), pytest.raises(DataError, match="another process is packing"):
        pack(str(place / "sounds"), place / "packed", RATE)


def test_an_unfinished_pack_says_so(place):
    pack(str(place / "sounds"), place / "packed", RATE)
    (place / "packed/packed.jsonl").unlink()
    with pytest.raises(DataError, match="packing is not finished"):
        Recordings(place / "packed", RATE)


def test_the_model_s_rate_is_asked_for_at_once(place):
    pack(str(place / "sounds"), place / "packed", RATE)
    with pytest.raises(DataError, match="at 16000 Hz.*a pack at 8000 Hz"):
        Recordings(place / "packed", 16000, on_bad_file="skip")


def test_workers_read_packs(place):
    pack(str(place / "sounds"), place / "packed", RATE)
    recordings = Recordings(place / "packed", RATE)
    recordings.whole(0)  # this process has a reader, which no other can have
    views = Views(crop_samples=400, count=1)
    taken = []
    for workers in (0, 1):
        with closing(Batches(recordings, 4, 800, views, 0, workers=workers).from_step(0)) as stream:
            taken.append([next(stream)["clips"] for _ in range(2)])
    np.testing.assert_array_equal(*taken)


@pytest.mark.parametrize("size", [0, -5])
def test_sizes_that_cannot_be(place, size):
    with pytest.raises(DataError, match="expected shards of 1 megabyte or more"):
        pack(str(place / "sounds"), place / "packed", RATE, shard_megabytes=size)


def test_a_folder_of_something_else_is_left_alone(place):
    pack(str(place / "sounds"), place / "packed", RATE)
    before = bytes_of(place / "packed")
    with pytest.raises(DataError, match="it differs in the rate"):
        pack(str(place / "sounds"), place / "packed", 16000)
    os.utime(place / "sounds/a/0.wav", (0, 0))
    with pytest.raises(DataError, match="it differs in recordings"):
        pack(str(place / "sounds"), place / "packed", RATE)
    with pytest.raises(DataError, match="is not empty"):
        pack(str(place / "sounds"), place, RATE)
    with pytest.raises(DataError, match="is packed already"):
        pack(str(place / "packed"), place / "again", RATE)
    assert bytes_of(place / "packed") == before


def test_bad_files_fail_or_are_left_out_by_name(place, capsys):
    (place / "sounds/a/none.wav").write_bytes(b"")
    flac = place / "sounds/a/4.flac"
    content = bytearray(flac.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    flac.write_bytes(content)
    with pytest.raises(DataError, match=r"none\.wav(.|\n)*--on-bad-file skip"):
        pack(str(place / "sounds"), place / "packed", RATE)
    assert not (place / "packed").exists()
    with pytest.warns(UserWarning, match=r"none\.wav"):
        command = ["data", "pack", str(place / "sounds"), "--to", str(place / "packed"), "--on-bad-file", "skip"]
        assert main(command) == 0
    said = capsys.readouterr()
    about = json.loads((place / "packed/pack.json").read_text())
    assert [name in reason for name, reason in zip(("none.wav", "4.flac"), about["left_out"], strict=True)] == [
        True
    ] * 2
    assert all(f"left out: {reason}" in said.err for reason in about["left_out"])
    assert f"{about['recordings']} recordings" in said.out
    packed = Recordings(place / "packed", 16000)
    assert len(packed) == about["recordings"] == len(SECONDS) + 1 - len(about["left_out"])
    plain = Recordings(place / "sounds", 16000, on_bad_file="skip")
    for n, origin in enumerate(packed.origins):  # what came behind the broken one is at its place
        m = plain.origins.tolist().index(origin)
        np.testing.assert_allclose(packed.stretch(n, 0.05, 0.9), plain.stretch(m, 0.05, 0.9), atol=2e-5)


def test_too_little_space_is_said_before(place, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1000))
    with pytest.raises(DataError, match="MB of free space"):
        pack(str(place / "sounds"), place / "packed", RATE)


def test_a_disk_that_forgets_is_found_out(place, monkeypatch):
    from kerascola.data import shards

    monkeypatch.setattr(shards, "digest", lambda path: "another")
    with pytest.raises(DataError, match="what was written is not what is read"):
        pack(str(place / "sounds"), place / "packed", RATE)
    assert not list(place.glob("packed/*.array_record")) and not list(place.glob("packed/.partial*"))


def test_memory_does_not_grow_with_a_file(tmp_path):
    """Ten minutes are 38 MB as float32 at the rate of the pack."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 16000, 1) as file:
        for _ in range(600):
            file.write(0.1 * rng.standard_normal(16000))
    code = """
import resource, sys
from kerascola.data.pack import pack
from kerascola.data.pipeline import Batches
from kerascola.data.shards import array_record
array_record()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pack(sys.argv[1], sys.argv[2], 16000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "*.wav"), str(tmp_path / "packed")]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 20_000, grown  # kB
