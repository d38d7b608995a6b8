"""Names by the million come in the order that paths have."""

import os
from pathlib import Path

from kerascola.audio import folder
from kerascola.audio.folder import matching, matching_names, sound_names, sounds

NAMES = [
    "b.wav",
    "a/z.wav",
    "a.b/c.FLAC",
    "a b.wav",
    "a/b/c.ogg",
    "a-1.mp3",
    "A.wav",
    "a/B.wav",
    ".wav",
    "x.txt",
    "a!/q.wav",
]


def test_names_are_those_of_paths_in_their_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    expected = sorted(Path(name) for name in NAMES if name not in ("x.txt", ".wav"))
    for place in (Path("."), tmp_path):
        found = sounds(place)
        assert found == [place / path for path in expected]
        assert list(sound_names(place)) == [str(path) for path in found] == list(map(os.fspath, found))
    for pattern in ("**/*.wav", "./a/*", "*"):
        assert matching(pattern) == sorted(matching(pattern)) != []
        assert list(matching_names(pattern)) == [str(path) for path in matching(pattern)]


def test_more_than_are_sorted_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "RUN", 7)
    paths = [tmp_path / str(n % 5) / f"{n * 13 % 40:02d}.wav" for n in range(40)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for link in ("again", "3/up"):
        (tmp_path / link).symlink_to(tmp_path / "2" if link == "again" else tmp_path, target_is_directory=True)
    assert sounds(tmp_path) == matching(str(tmp_path / "[0-9]" / "*.wav")) == sorted(paths)
    assert matching(str(tmp_path / "**" / "*.wav")) == sorted(paths)
    assert [path for path in matching(str(tmp_path / "**" / "**" / "*")) if path.suffix] == sorted(paths)
