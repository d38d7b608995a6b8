"""What is to be embedded: whole files once each, parts of files as often as a list says them."""

import random

from kerascola.audio.names import BLOCK
from kerascola.data.inputs import Inputs, Part, each_once


def test_whole_files_come_once_and_parts_as_often_as_they_are_said():
    rng = random.Random(0)
    parts = [Part(f"{rng.randrange(700)}.wav", *rng.choice([(), (), (0.0, 2.0), (1.0,)])) for _ in range(2 * BLOCK + 9)]
    seen: set[Part] = set()
    expected = [part for part in parts if part.start or part.end or not (part in seen or seen.add(part))]
    assert BLOCK < len(expected) < len(parts) - 300
    assert list(each_once(Inputs(parts))) == expected


def test_the_digest_is_of_every_path_and_part_in_order():
    parts = [Part("a.wav"), Part("b.wav", 1.0, 2.0), Part("b.wav"), Part("\udcff.wav")]
    others = [parts[:3], parts[::-1], [*parts[:3], Part("c.wav")], [Part("a.wav", 0.5), *parts[1:]]]
    assert len({Inputs(each).digest() for each in (parts, list(parts), *others)}) == 1 + len(others)
