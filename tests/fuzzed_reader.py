"""Throws bytes at the reader: `python tests/fuzzed_reader.py FOLDER [EXAMPLES [SEED]]`.

A process of its own, as a decoder may take it down; FOLDER/input is what was read last.
"""

import io
import math
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from kerascola.audio.read import blocks, header, read
from kerascola.errors import AudioError

CAP = 256 << 20  # bytes beyond what the process has at the start
RATE = 16000
FORMATS = {
    "WAV": ("PCM_16", "PCM_24", "FLOAT", "IMA_ADPCM", "GSM610"),
    "FLAC": ("PCM_16", "PCM_24"),
    "OGG": ("VORBIS", "OPUS"),
    "MP3": ("MPEG_LAYER_III",),
    "AIFF": ("PCM_16",),
    "AU": ("PCM_16",),
    "CAF": ("PCM_16", "ALAC_16"),
    "W64": ("PCM_16",),
    "RF64": ("PCM_16",),
}
EXTREMES = [n for k in (0, 1, 7, 8, 10, 15, 16, 31, 32, 36, 62, 63, 64) for n in (2**k - 1, 2**k, 2**k + 1)]


def valid() -> list[bytes]:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2400, 2)).cumsum(axis=0) * 0.01
    files = []
    for format, subtypes in FORMATS.items():
        for subtype in subtypes:
            file = io.BytesIO()
            soundfile.write(file, sound[:, :1] if subtype == "GSM610" else sound, RATE, format=format, subtype=subtype)
            files.append(file.getvalue())
    return files


NUMBERS = st.one_of(st.sampled_from(EXTREMES), st.integers(0, 2**64 - 1))


class Field(NamedTuple):
    """A number in a header, and what it may well be."""

    usual: tuple[int, ...]
    width: int = 4
    order: str = "little"

    def written(self, value: int) -> bytes:
        return (value % 2 ** (8 * self.width)).to_bytes(self.width, self.order)


def headers() -> st.SearchStrategy[bytes]:
    """Of wav, rf64, au and flac, with noise behind them."""
    noise = np.random.default_rng(1).bytes(3000)
    wave = [
        b"WAVEfmt ",
        Field((16,)),
        Field((1, 3, 6, 17, 49), 2),
        Field((1, 2, 8, 1024), 2),
        Field((RATE,)),
        Field((0,)),
    ]
    wave += [Field((1, 2, 4, 36, 256), 2), Field((8, 16, 24, 32, 64), 2)]
    sizes = [Field((3000,), 8)] * 3
    stream = [Field((16, 4096), 2, "big")] * 2 + [bytes(6), Field((RATE << 44 | 15 << 36 | 2400,), 8, "big"), bytes(16)]
    return st.one_of(
        lying(b"RIFF", Field((3036,)), *wave, b"data", Field((3000,)), noise),
        lying(
            b"RF64\xff\xff\xff\xffWAVEds64",
            Field((28,)),
            *sizes,
            b"\0\0\0\0fmt ",
            *wave[1:],
            b"data\xff\xff\xff\xff",
            noise,
        ),
        lying(b".snd", *(Field(n, 4, "big") for n in ((24,), (3000,), (1, 3, 6, 23), (RATE,), (1, 2, 1024))), noise),
        lying(b"fLaC\x80\0\0\x22", *stream, noise),
    )


def lying(*parts: bytes | Field) -> st.SearchStrategy[bytes]:
    """A header in which up to three fields are not as they may be."""
    usual = st.tuples(*(st.just(0) if isinstance(part, bytes) else st.sampled_from(part.usual) for part in parts))
    lies = st.dictionaries(st.integers(0, len(parts) - 1), NUMBERS, max_size=3)

    def written(drawn) -> bytes:
        values = dict(enumerate(drawn[0])) | drawn[1]
        return b"".join(p if isinstance(p, bytes) else p.written(values[i]) for i, p in enumerate(parts))

    return st.tuples(usual, lies).map(written)


def edited(files: list[bytes]) -> st.SearchStrategy[bytes]:
    """Valid files with fields overwritten, stretches left out and doubled, and ends cut off."""
    place = st.one_of(st.integers(0, 100), st.integers(0, 4000))
    fields = [Field((), width, order) for width in (2, 4, 8) for order in ("little", "big")]
    written = st.one_of(st.binary(min_size=1, max_size=4), *(NUMBERS.map(field.written) for field in fields))
    edit = st.tuples(place, st.one_of(written, st.integers(-300, 300), st.none()))
    return st.tuples(st.sampled_from(files), st.lists(edit, min_size=1, max_size=5), st.booleans()).map(apply)


def apply(chosen) -> bytes:
    file, edits, checked = chosen
    for place, what in edits:
        place %= max(1, len(file))
        if what is None:
            file = file[:place]
        elif isinstance(what, bytes):
            file = file[:place] + what + file[place + len(what) :]
        else:
            file = file[:place] + file[max(0, place + what) :]
    return with_checksums(file) if checked else file


def with_checksums(file: bytes) -> bytes:
    """A page of an Ogg whose checksum is wrong is passed over, and its decoder not reached."""
    pages = bytearray(file)
    at = pages.find(b"OggS")
    while 0 <= at and at + 27 < len(pages):
        end = at + 27 + pages[at + 26]
        end += sum(pages[at + 27 : end])
        pages[at + 22 : at + 26] = bytes(4)
        pages[at + 22 : at + 26] = checksum(pages[at:end]).to_bytes(4, "little")
        at = pages.find(b"OggS", at + 4)
    return bytes(pages)


def checksum(page: bytes) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ TABLE[value >> 24 ^ byte]
    return value


def remainder(value: int) -> int:
    for _ in range(8):
        value = value << 1 ^ (0x104C11DB7 if value >> 31 else 0)
    return value


TABLE = [remainder(byte << 24) for byte in range(256)]


def look(data: bytes, file: Path) -> bool:
    """Whether there is sound in it."""
    file.write_bytes(data)
    heard = False
    for source in (str(file), data):
        for way in (told, lambda s: list(blocks(s)), lambda s: [read(s, RATE)], lambda s: [read(s, 8000, 0.05, 0.05)]):
            with suppress(AudioError):  # the one that it may raise
                for sound in way(source):
                    assert sound.dtype == np.float32 and sound.ndim == 1 and np.isfinite(sound).all()
                    heard = True
    return heard


def told(source) -> list:
    known = header(source)
    assert 0 < known.seconds < math.inf and known.rate > 0 and known.channels > 0
    return []


def throw(data: st.SearchStrategy[bytes], examples: int, start: int, file: Path) -> int:
    """In how many there was sound."""
    heard = []

    @seed(start)
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data)
    def look_at(data: bytes) -> None:
        heard.append(look(data, file))

    look_at()
    return sum(heard)


def main(folder: str, examples: str = "400", start: str = "0") -> None:
    magic = st.sampled_from([b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"FORM", b".snd", b"caff", b"riff", b""])
    kinds = {
        "bytes": st.tuples(magic, st.binary(max_size=400)).map(b"".join),
        "headers": headers(),
        "files": edited(valid()),
    }
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + CAP, taken + CAP))
    for kind, data in kinds.items():
        print(kind, throw(data, int(examples), int(start), Path(folder) / "input"))


if __name__ == "__main__":
    main(*sys.argv[1:])
