"""An Embedder in a service: shared by threads, forked, sent to other processes, closed; batches, and reading ahead."""

import io
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onnx_models import LABELS, METADATA, head_alone, with_heads, write_network_model, write_statistics_model

from kerascola import Embedder, Head
from kerascola.errors import KerascolaError, ModelError
from kerascola.runtime import ahead
from kerascola.runtime.binding import MOST_SHAPES
from kerascola.runtime.metadata import Classes

pytestmark = pytest.mark.once("onnxruntime alone")
RATE, WINDOW = METADATA.sample_rate, METADATA.window_samples
HAS_FORK = hasattr(os, "fork")


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


@pytest.fixture
def model(tmp_path) -> Path:
    return write_network_model(tmp_path / "model.onnx")


@pytest.fixture
def files(tmp_path) -> list[Path]:
    paths = [tmp_path / f"{number}.flac" for number in range(20)]
    for number, path in enumerate(paths):
        soundfile.write(path, noise(3000 + 500 * number, number), 22050)
    return paths


def test_threads_may_share_one(model, tmp_path):
    with_heads(tmp_path / "heads.onnx", {"": Classes(LABELS)})
    clips = [noise(9000 + 100 * seed, seed) for seed in range(6)]
    for path in (model, tmp_path / "heads.onnx"):
        embed = Embedder(path, batch_size=3, threads=2)

        def all_of(embed: Embedder) -> list[np.ndarray]:
            found = [embed(clips, RATE), embed(clips[0], RATE), embed.frames(clips[1], RATE)[0]]
            found += [vector for _, vector in embed.each(clips, RATE)]
            return [*found, embed.classify(clips, RATE)[1]] if embed.metadata.heads else found

        expected = all_of(embed)
        with ThreadPoolExecutor(8) as threads:
            for found in threads.map(all_of, [embed] * 12):
                for one, right in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(one, right)


def in_child(work: Callable[[], bool], leave: Callable[[int], None]) -> int:
    """The exit code of a fork: 0 where the work gave True."""
    child = os.fork()
    if not child:
        code = 3
        try:
            code = 0 if work() else 1
        finally:
            leave(code)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


@pytest.mark.skipif(not HAS_FORK, reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_opens_the_file_again(tmp_path, monkeypatch):
    path = write_network_model(tmp_path / "model.onnx")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    embed, head = Embedder(path.name, threads=2), Head(head_alone(tmp_path / "head.onnx"))
    clip, rows = noise(30_000), np.ones((2, 4), np.float32)
    expected, scores, first = embed(clip, RATE), head(rows)[1], embed.session

    def work() -> bool:
        os.chdir("elsewhere")
        same = np.array_equal(embed(clip, RATE), expected) and np.array_equal(head(rows)[1], scores)
        return same and embed.session is not first

    assert in_child(work, os._exit) == 0
    os.utime(path, ns=(1, 1))

    def other() -> bool:
        with pytest.raises(ModelError, match="as it was before this process was forked.*Open the model after the fork"):
            embed(clip, RATE)
        return True

    assert in_child(other, os._exit) == 0
    np.testing.assert_array_equal(embed(clip, RATE), expected)  # the parent goes on
    embed.close()

    def closed() -> bool:
        with pytest.raises(ModelError, match="closed"):
            embed(clip, RATE)
        return True

    assert in_child(closed, os._exit) == 0


FORKS = """
import os, sys
import numpy as np
from kerascola import Embedder
embed = Embedder(sys.argv[1], threads=2)
clip = np.ones(30000, np.float32)
right = embed(clip, 16000)
children = []
for work in range(2):
    child = os.fork()
    if not child:
        if work:
            assert np.array_equal(embed(clip, 16000), right)
        sys.exit(7)  # as a server's worker ends: what is left is freed
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


@pytest.mark.skipif(not HAS_FORK, reason="this system has no fork")
def test_a_child_ends_as_any_process_does(model):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS, str(model)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[7, 7]", done.stderr


WHILE_OTHERS_READ = """
import os, signal, sys, threading
from kerascola import Embedder
embed, files = Embedder(sys.argv[1], threads=1), sys.argv[2:]
def read():
    while True:
        embed(files)
for _ in range(4):
    threading.Thread(target=read, daemon=True).start()
embed(files)
for number in range(40):
    child = os.fork()
    if not child:
        signal.alarm(30)  # ends one that hangs
        embed(files)
        os._exit(0)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        print("child", number, "ended by", code, flush=True)
        break
else:
    print("all ended", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not HAS_FORK, reason="this system has no fork")
def test_a_child_reads_files_though_others_did_as_it_was_forked(model, tmp_path):
    """One in three hung, as long as soundfile's lock was that of the parent."""
    paths = [tmp_path / f"{number}.wav" for number in range(8)]
    for number, path in enumerate(paths):
        soundfile.write(path, noise(2000, number), RATE)
    command = [sys.executable, "-W", "ignore", "-c", WHILE_OTHERS_READ, model, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "all ended", done.stderr


def embedding(embed: Embedder, clip: np.ndarray) -> np.ndarray:
    return embed(clip, RATE)


def test_it_is_sent_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_network_model(tmp_path / "model.onnx")
    embed = Embedder("model.onnx", threads=1, batch_size=(2, 4))
    sent = pickle.dumps(embed)
    assert len(sent) < 1000
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    other = pickle.loads(sent)
    assert (other.pinned, other.session.get_session_options().intra_op_num_threads) == ((2, 4), 1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(embedding, (embed, noise(9000)))
    np.testing.assert_array_equal(found, embed(noise(9000), RATE))
    head = pickle.loads(pickle.dumps(Head(head_alone(tmp_path / "head.onnx"))))
    assert head(np.ones((1, 4), np.float32))[0] == LABELS


def test_what_is_closed_says_so(tmp_path):
    path = with_heads(tmp_path / "model.onnx", {"": Classes(LABELS)})
    with Embedder(path) as embed:
        stream = embed.stream(RATE)
        embed.warm_up()
    embed.close()  # once more is no error
    assert embed.dimension == 4  # what it says of itself stays
    for call in (
        lambda: embed(noise(9000), RATE),
        lambda: embed([]),
        lambda: embed("gone.wav"),
        lambda: embed.frames(noise(9000), RATE),
        lambda: embed.classify(noise(9000), RATE),
        lambda: embed.each([]),
        lambda: embed.stream(RATE),
        lambda: stream(noise(9000)),
        embed.warm_up,
        embed.__enter__,
        lambda: pickle.dumps(embed),
    ):
        with pytest.raises(ModelError, match="expected an open Embedder, received one that was closed. Open another"):
            call()
    with Head(head_alone(tmp_path / "head.onnx")) as head:
        head(np.ones(4, np.float32))
    with pytest.raises(ModelError, match="expected an open Head"):
        head(np.ones(4, np.float32))


def shapes_of(monkeypatch, embed: Embedder, work: Callable[[], object]) -> list[tuple[int, ...]]:
    """Of what onnxruntime is given."""
    shapes, batch = [], Embedder.batch
    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "batch", lambda self, w: shapes.append((b := batch(self, w)).shape) or b)
        work()
    return shapes


def test_batches_have_pinned_sizes(model, monkeypatch):
    embed, free = Embedder(model, batch_size=[8, 1, 4]), Embedder(model, batch_size=8)
    assert embed.batch_size == 8 and Embedder(model, batch_size=np.int64(4)).batch_size == 4
    assert Embedder(model, batch_size=(np.int32(2), 4)).pinned == (2, 4)
    clips = [noise(samples, seed) for seed, samples in enumerate([8000, 20_000, 30_001, 90_000, 5000, 5000, 300] * 3)]
    shapes = shapes_of(monkeypatch, embed, lambda: embed(clips, RATE))
    assert {size for size, _ in shapes} == {8, 4}
    assert shapes_of(monkeypatch, embed, lambda: embed(noise(20_000), RATE)) == [(4, WINDOW)]
    assert shapes_of(monkeypatch, embed, lambda: embed.frames(noise(44_000), RATE)) == [(8, WINDOW), (4, WINDOW)]
    np.testing.assert_allclose(embed(clips, RATE), free(clips, RATE), atol=1e-6)
    np.testing.assert_allclose(embed.frames(clips[3], RATE)[0], free.frames(clips[3], RATE)[0], atol=1e-6)
    assert shapes_of(monkeypatch, embed, embed.warm_up) == [(1, WINDOW), (4, WINDOW), (8, WINDOW)]
    assert shapes_of(monkeypatch, free, free.warm_up) == [(1, WINDOW), (8, WINDOW)]


@pytest.mark.parametrize("sizes", [(), (0, 8), (1, 2.5), ("8",), None, (True,), np.int64(0), np.float32(4)])
def test_sizes_that_cannot_be(model, sizes):
    with pytest.raises(KerascolaError, match="batch_size"):
        Embedder(model, batch_size=sizes)


def test_files_are_decoded_in_threads_while_those_before_are_embedded(model, files, monkeypatch):
    monkeypatch.setattr(ahead, "SOUNDS", 8)
    decoders, runs = set(), []
    portion, run = ahead.portion, Embedder.run
    monkeypatch.setattr(ahead, "portion", lambda s: (decoders.add(threading.get_ident()), portion(s))[1])
    monkeypatch.setattr(Embedder, "run", lambda self, *w: (runs.append(threading.get_ident()), run(self, *w))[1])
    embed = Embedder(model, batch_size=4)
    together = embed(files)
    assert set(runs) == {threading.get_ident()} and decoders and not decoders & set(runs)
    np.testing.assert_allclose(together, [embed(path) for path in files], atol=1e-6)
    assert [index for index, _ in embed.each(iter(files))] == list(range(20))
    np.testing.assert_array_equal([vector for _, vector in embed.each(map(str, files))], together)


def test_one_long_file_is_decoded_ahead_and_a_short_one_is_not(model, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "SAMPLES", 20_000)
    embed, begun, reads = Embedder(model), threading.active_count(), []
    soundfile.write(tmp_path / "long.wav", noise(200_000), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "short.wav", noise(9000), RATE, subtype="FLOAT")
    read_ahead = ahead.read_ahead
    monkeypatch.setattr(ahead, "read_ahead", lambda sounds: reads.append(1) or read_ahead(sounds))
    for name, count in (("short", 0), ("long", 1)):
        vectors, _ = embed.frames(tmp_path / f"{name}.wav")
        np.testing.assert_allclose(embed(tmp_path / f"{name}.wav"), vectors.mean(axis=0), atol=1e-6)
        assert len(reads) == count
    assert threading.active_count() == begun


def test_an_array_may_be_filled_anew_and_a_file_closed(model):
    embed = Embedder(model, batch_size=4)
    sounds = [noise(9000, seed) for seed in range(20)]

    def refilled():
        room = np.empty(9000, np.float32)
        for sound in sounds:
            room[:] = sound
            yield room, RATE

    def closed():
        for sound in sounds:
            with io.BytesIO() as file:
                soundfile.write(file, sound, RATE, format="WAV", subtype="FLOAT")
                yield file

    def one_dict():
        said: dict = {}
        for sound in sounds:
            file = io.BytesIO()
            soundfile.write(file, sound, RATE, format="WAV", subtype="FLOAT")
            said["bytes"] = file.getvalue()
            yield said

    right = embed(sounds, RATE)
    for clips in (refilled(), closed(), one_dict()):
        np.testing.assert_allclose([vector for _, vector in embed.each(clips)], right, atol=1e-6)


def test_no_thread_is_left_where_one_stops(model, files):
    begun = threading.active_count()
    each = Embedder(model).each(files)
    next(each)
    each.close()
    assert threading.active_count() == begun


def test_places_that_stay_give_the_same(model, monkeypatch):
    free, embed = (Embedder(model, batch_size=(4, 16), io_binding=bound) for bound in (False, True))
    clips = [noise(samples, samples) for samples in (*range(5000, 5012), 8000, 20_000, 90_000)]
    right = free(clips, RATE)
    for _ in range(2):
        found = embed(clips, RATE)
        np.testing.assert_array_equal(found, right)
    assert len(embed._bound.places) == MOST_SHAPES
    first = embed.run([clips[0]])
    kept = first.copy()
    embed.run([clips[0] / 2])
    np.testing.assert_array_equal(first, kept)  # the next run does not write into what was given
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(embed, [clips] * 8, [RATE] * 8):
            np.testing.assert_array_equal(found, right)
    embed.warm_up()
    embed.close()
    with pytest.raises(ModelError, match="closed"):
        embed(clips, RATE)


@pytest.mark.skipif(not HAS_FORK, reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_places_that_stay_are_made_again_in_a_child(model):
    embed = Embedder(model, threads=2, io_binding=True)
    right = embed(noise(9000), RATE)
    assert in_child(lambda: np.array_equal(embed(noise(9000), RATE), right), os._exit) == 0


@pytest.mark.parametrize("said", [None, "0"])
def test_onnxruntime_sends_nothing_to_its_maker_unless_asked(said):
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    program = "import kerascola, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment |= {"ORT_DISABLE_TELEMETRY": said} if said else {}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == (said or "1"), done.stderr


def test_a_statistics_model_gives_the_same_by_any_batch(tmp_path):
    clips = [noise(5000 + 3000 * seed, seed) for seed in range(9)]
    path = write_statistics_model(tmp_path / "model.onnx")
    np.testing.assert_allclose(
        Embedder(path, batch_size=(16,))(clips, RATE), Embedder(path, batch_size=1)(clips, RATE), atol=1e-6
    )
