"""Names by the million come in the order that paths have."""

import os
from pathlib import Path

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
    for folder in (Path("."), tmp_path):
        found = sounds(folder)
        assert found == [folder / path for path in expected]
        assert sound_names(folder) == [str(path) for path in found] and os.fspath(found[0]) == sound_names(folder)[0]
    for pattern in ("**/*.wav", "./a/*", "*"):
        assert matching(pattern) == sorted(matching(pattern)) != []
        assert matching_names(pattern) == [str(path) for path in matching(pattern)]
