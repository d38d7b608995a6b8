import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import islice

import numpy as np
import pytest
import soundfile

from kerascola.augment.views import Views
from kerascola.data.pipeline import Batches
from kerascola.data.recordings import Recordings
from kerascola.errors import AudioError, DataError

RATE, CLIP, CROP = 8000, 800, 320
VIEWS = Views(crop_samples=CROP)
LENGTHS = [100, 319, 320, 500, 800, 801, 2000, 4000, 400, 700, 1200]  # shorter than a crop to longer than a clip


def level(index: int) -> float:
    """What file `index` begins at: tells which file a sample is from."""
    return (index + 1) / 16


@pytest.fixture
def folder(tmp_path):
    """File n rises from level(n) by less than the next file's, so each sample says whence it comes."""
    for index, length in enumerate(LENGTHS):
        ramp = level(index) + np.arange(length) / 2**17
        soundfile.write(tmp_path / f"{index:02}.wav", ramp, RATE, subtype="FLOAT")
    return Recordings(tmp_path, RATE)


def take(batches: Batches, count: int, step: int = 0) -> list[dict[str, np.ndarray]]:
    with closing(batches.from_step(step)) as stream:
        return list(islice(stream, count))


def source(clip: np.ndarray) -> tuple[int, int, np.ndarray]:
    """(file, its first sample, the sound without padding)."""
    sound = clip[clip != 0]
    index = int(sound[0] * 16) - 1
    return index, round((sound[0] - level(index)) * 2**17), sound


def test_clips_are_stretches_and_crops_lie_within(folder):
    seen = {}
    for batch in take(Batches(folder, 4, CLIP, VIEWS, seed=1), 60):
        assert batch["clips"].shape == (4, CLIP) and batch["clips"].dtype == np.float32
        assert batch["starts"].shape == (4, 2) and batch["starts"].dtype == np.int32
        for clip, starts in zip(batch["clips"], batch["starts"], strict=True):
            index, begin, sound = source(clip)
            length = LENGTHS[index]
            ramp = level(index) + np.arange(begin, begin + len(sound)) / 2**17
            np.testing.assert_allclose(sound, ramp, atol=1e-7)
            assert len(sound) == min(length, CLIP) and 0 <= begin <= max(0, length - CLIP)
            held = max(len(sound), CROP)  # sound and, for a short file, the silence that centres it
            offset = int(np.flatnonzero(clip)[0])
            assert offset == max(0, CROP - length) // 2
            assert (starts >= 0).all() and (starts + CROP <= held).all()
            seen.setdefault(index, []).append((begin, *starts))
    assert set(seen) == set(range(len(LENGTHS)))
    for index, places in seen.items():
        begins, first, second = map(set, zip(*places, strict=True))
        assert (len(begins) > 5) == (LENGTHS[index] > CLIP + 1), index  # elsewhere there is no choice
        if LENGTHS[index] >= 400:
            assert len(first) > 5 and len(second) > 5 and any(a != b for _, a, b in places)
    first_half = sum(begin < 1600 for begin, _, _ in seen[7])
    assert 0.25 < first_half / len(seen[7]) < 0.75  # of the longest file, stretches from all over


def test_a_pass_holds_each_clip_at_most_once_and_leaves_out_the_remainder(folder):
    batches = Batches(folder, 4, CLIP, VIEWS, seed=0)
    assert batches.steps_per_pass == 2
    passes = []
    for step in range(0, 20, 2):
        clips = [clip for s in (step, step + 1) for _, clip in batches.keys(s)]
        assert len(set(clips)) == 8
        passes.append(tuple(clips))
    assert len(set(passes)) == 10
    assert set(sum(passes, ())) == set(range(11))  # what one pass leaves out another has


def test_the_keys_are_what_a_batch_holds(folder):
    batches = Batches(folder, 4, CLIP, VIEWS, seed=3)
    for step, batch in enumerate(take(batches, 5)):
        assert [source(clip)[0] for clip in batch["clips"]] == [clip for _, clip in batches.keys(step)]


@pytest.mark.parametrize("workers, skip", [(0, 1), (0, 2), (0, 5), (1, 2), (2, 5)])
def test_starting_at_a_step_is_skipping_what_comes_before(folder, skip, workers):
    straight = take(Batches(folder, 4, CLIP, VIEWS, seed=5), 9)[skip:]
    batches = Batches(folder, 4, CLIP, VIEWS, seed=5, workers=workers)
    for a, b in zip(straight, take(batches, 9 - skip, skip), strict=True):
        np.testing.assert_array_equal(a["clips"], b["clips"])
        np.testing.assert_array_equal(a["starts"], b["starts"])


def test_seeds_differ(folder):
    one, other = (take(Batches(folder, 4, CLIP, VIEWS, seed=s), 1)[0] for s in (0, 1))
    assert not np.array_equal(one["clips"], other["clips"])


def test_too_few_clips(folder):
    with pytest.raises(DataError, match=r"a batch of 12 needs as many clips.*has 11.*train\.batch_size=11"):
        Batches(folder, 12, CLIP, VIEWS, seed=0)
    assert Batches(folder, 11, CLIP, VIEWS, seed=0).steps_per_pass == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_deleted_in_the_middle_stops_the_run(folder, workers):
    batches = Batches(folder, 11, CLIP, VIEWS, seed=0, workers=workers)
    folder.paths[4].unlink()
    with pytest.raises(AudioError, match=r"04\.wav"):
        take(batches, 1)


@pytest.mark.parametrize("workers", [0, 1])
def test_or_is_named_once_and_replaced_by_the_next(folder, workers):
    folder.on_bad_file = "skip"
    batches = Batches(folder, 11, CLIP, VIEWS, seed=0, workers=workers)
    folder.paths[4].unlink()
    with pytest.warns(UserWarning) as told:
        taken = take(batches, 3)
    assert [str(w.message).partition("04.wav")[0] for w in told] == [f"left out, number 1: {folder.paths[4].parent}/"]
    for batch in taken:
        assert sorted(source(clip)[0] for clip in batch["clips"]) == [0, 1, 2, 3, 5, 5, 6, 7, 8, 9, 10]
    for path in folder.paths:
        path.unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"no file can be read any more: .*\.wav"):
        take(batches, 1)


def test_labels_are_those_of_the_files_that_were_read(folder):
    labels = np.arange(len(LENGTHS), dtype=np.int32) * 10 - 1
    folder.on_bad_file = "skip"
    batches = Batches(folder, 4, CLIP, VIEWS, seed=2, labels=labels)
    assert "labels" not in take(Batches(folder, 4, CLIP, VIEWS, seed=2), 1)[0]
    folder.paths[4].unlink()
    with pytest.warns(UserWarning, match=r"left out, number 1: .*04\.wav"):
        taken = take(batches, 8)
    for batch in taken:
        assert batch["labels"].dtype == np.int32
        assert batch["labels"].tolist() == [labels[source(clip)[0]] for clip in batch["clips"]]


def test_reading_needs_no_keras():
    code = "import sys, kerascola.data.pipeline; assert not {'keras', 'tensorflow', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


KILLED = """
import os, signal, sys
import multiprocessing
from kerascola.augment.views import Views
from kerascola.data.pipeline import Batches
from kerascola.data.recordings import Recordings

if __name__ == "__main__":
    batches = Batches(Recordings(sys.argv[1], 8000), 4, 800, Views(crop_samples=320), 0, workers=1)
    stream = batches.from_step(0)
    next(stream)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_of_a_run_that_is_killed_end_with_it(folder, tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), folder.source]
    killed = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    (worker,) = map(int, killed.stdout.split())
    deadline = time.monotonic() + 20
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert killed.returncode == -signal.SIGKILL and not alive(worker)


def test_a_worker_that_is_killed_is_said(folder):
    with closing(Batches(folder, 4, CLIP, VIEWS, seed=0, workers=1).from_step(0)) as stream:
        next(stream)
        (worker,) = multiprocessing.active_children()
        worker.kill()
        with pytest.raises(DataError, match="a process that reads recordings was ended.*fewer --workers"):
            list(islice(stream, 1000))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
