"""Protobuf's encoding, as far as a file must be looked at before another's parser is let loose on it.

What two parsers might read in two ways is refused: a field twice that should be there once, a field of another kind
than it should be, groups, numbers and lengths that go beyond the end.
"""

from collections.abc import Mapping
from typing import Any

from kerascola.errors import ModelError

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # how a value is written
VARINTS, FOURS = 8, 9  # one of them each time, or many as BYTES
MANY = {VARINTS: (VARINT, BYTES), FOURS: (FOUR, BYTES)}

SMALL = 4096  # bytes

Bytes = memoryview | bytes
Found = dict[int, list[Any]]  # for each time that a field is there an int, or the bytes


def fields(message: Bytes, asked: Mapping[int, int]) -> Found:
    """Those that are `asked` for, which maps their numbers to how they are written; others are passed over."""
    if len(message) < SMALL:
        message = bytes(message)  # of which a byte is had sooner
    found: Found = {}
    at, end = 0, len(message)
    while at < end:
        key, at = (message[at], at + 1) if message[at] < 128 else varint(message, at)
        number, kind, begin = key >> 3, key & 7, at
        if kind == BYTES:
            size, begin = (message[at], at + 1) if at < end and message[at] < 128 else varint(message, at)
            at = begin + size
        elif kind == VARINT:
            value, at = (message[at], at + 1) if at < end and message[at] < 128 else varint(message, at)
        elif kind in (EIGHT, FOUR):
            at += 8 if kind == EIGHT else 4
        else:
            raise ModelError(f"a value of the kind {kind}")
        if at > end:
            raise ModelError(f"{at - end} bytes too few")
        if number in asked:
            if kind != asked[number] and kind not in MANY.get(asked[number], ()):
                raise ModelError(f"field {number} of the kind {kind}")
            found.setdefault(number, []).append(value if kind == VARINT else message[begin:at])
        elif not 0 < number < 1 << 29:
            raise ModelError(f"a field of the number {number}")
    return found


def varint(message: Bytes, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128 and value < 1 << 64:
            return value, at
        shift += 7
    raise ModelError("a number that does not end")


def once(found: Found, number: int, default: int | bytes = b"") -> Any:
    values = found.get(number, (default,))
    if len(values) > 1:
        raise ModelError(f"field {number} twice")
    return values[0]


def signed(found: Found, number: int) -> list[int]:
    """Of VARINTS, as int64."""
    numbers = []
    for value in found.get(number, ()):
        at = 0
        if isinstance(value, int):
            numbers.append(value)
        else:
            while at < len(value):
                one, at = varint(value, at)
                numbers.append(one)
    return [one - (one >> 63 << 64) for one in numbers]


def text(value: Bytes) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise ModelError(f"text that is not UTF-8: {bytes(value[:40])!r}") from None
