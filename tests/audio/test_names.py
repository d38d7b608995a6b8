"""Names packed by the thousand read as they were written."""

import pytest

from kerascola.audio.names import BLOCK, Names

ODD = ["", "\0", "ÿ\xff", "a\nb", "\udcff\udc80 not UTF-8", "\ud800 of a list", "日本.wav"]


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_a_sequence_of_what_was_added(count):
    expected = [f"{n}{ODD[n % len(ODD)]}" for n in range(count)]
    names = Names(expected)
    assert len(names) == count and list(names) == list(names[:]) == [names[n] for n in range(count)] == expected
    assert names[::-7] == expected[::-7] and list(reversed(names)) == expected[::-1]
    with pytest.raises(IndexError):
        names[count]


def test_what_is_added_after_reading_is_read():
    names = Names(map(str, range(BLOCK - 1)))
    assert names[-1] == str(BLOCK - 2)
    for n in range(BLOCK - 1, 2 * BLOCK + 1):
        names.append(str(n))
        assert names[-1] == str(n) and names[0] == "0"


def test_a_million_take_a_tenth_of_their_length():
    names = Names(f"/data/recordings/{n // 1000:06d}/microphone-{n:08d}.flac" for n in range(20 * BLOCK))
    assert sum(map(len, names._blocks)) < sum(map(len, names)) / 10
