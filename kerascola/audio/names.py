"""Names of files by the million, in some ten bytes each: those that follow one another are much alike."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import overload

BLOCK = 1000  # names that are compressed together
BETWEEN = b"\xff"  # no byte of UTF-8, so that names may hold what they like


class Names(Sequence[str]):
    """To be added to, and read best in order: two blocks are kept open, where one ends and the next begins."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._blocks: list[bytes] = []
        self._last: list[str] = []
        self._open = lru_cache(maxsize=2)(opened)
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        self._last.append(name)
        if len(self._last) == BLOCK:
            self._blocks.append(closed(self._last))
            self._last = []

    def __len__(self) -> int:
        return BLOCK * len(self._blocks) + len(self._last)

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> list[str]: ...

    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self[each] for each in range(len(self))[number]]
        block, place = divmod(range(len(self))[number], BLOCK)
        return (self._last if block == len(self._blocks) else self._open(self._blocks[block]))[place]

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            yield from opened(block)
        yield from self._last


def closed(names: list[str]) -> bytes:
    # A name that is not UTF-8, or of a list that holds what no file is called, has surrogates.
    return zlib.compress(BETWEEN.join(name.encode(errors="surrogatepass") for name in names))


def opened(block: bytes) -> list[str]:
    return [name.decode(errors="surrogatepass") for name in zlib.decompress(block).split(BETWEEN)]
