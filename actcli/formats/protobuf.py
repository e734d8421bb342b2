"""The wire format of protocol buffers: fields of messages, read and written without a library.

A message is a sequence of fields. Each has a number and one of four types: a variable-length whole
number (varint), 8 bytes, 4 bytes, or bytes with their length. A text, a message within a message
and a packed list are all bytes with their length (https://protobuf.dev/programming-guides/encoding).
The reader copies nothing: it compares each length with the bytes that remain, and returns views.
"""

import struct
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from actcli.machine import require_memory

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # the types of fields
SIZES = {EIGHT_BYTES: 8, FOUR_BYTES: 4}
MAX_VARINT_BYTES = 10  # for 64 bits, 7 in a byte
MAX_FIELD_NUMBER = 2**29 - 1

# Fields in a whole file: reading takes about a microsecond for each. A large array is one field.
MAX_FIELDS = 2_000_000
CHUNK_BYTES = 1_000_000  # of a packed list that are read at a time

Value = int | memoryview
Field = tuple[int, Value]  # the number of a field, and a number or a view of bytes


class WireError(ValueError):
    """Bytes that are not a message; the text says why."""


class WireReader:
    """Reads the messages of one file, with a limit for the number of all their fields."""

    def __init__(self) -> None:
        self._fields = 0

    def fields(self, message: memoryview) -> Iterator[Field]:
        """Yield the fields of a message in their order; messages within it are views of bytes.

        Raises:
            WireError: the bytes are not a message, or the file has too many fields.
        """
        at = 0
        while at < len(message):
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise WireError(f"it has more than {MAX_FIELDS:,} fields")
            key, at = _varint(message, at)
            number, kind = key >> 3, key & 7
            if not 1 <= number <= MAX_FIELD_NUMBER:
                raise WireError(f"a field has the number {number}")
            if kind == VARINT:
                value, at = _varint(message, at)
                yield number, value
                continue
            if kind == BYTES:
                size, at = _varint(message, at)
            elif kind in SIZES:
                size = SIZES[kind]
            else:
                raise WireError(f"field {number} has the unknown type {kind}")
            if size > len(message) - at:
                raise WireError(
                    f"field {number} would have {size:,} bytes, but {len(message) - at:,} remain"
                )
            yield number, message[at : at + size]
            at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the whole number at a position, from 0 to 2**64 - 1, and the position after it."""
    number = 0
    for index, byte in enumerate(message[at : at + MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number & (2**64 - 1), at + index + 1
    raise WireError("a number does not end")


def signed(number: int) -> int:
    """Return the signed 64-bit number that a varint stands for."""
    return number - 2**64 if number >= 2**63 else number


def packed_varints(data: memoryview) -> NDArray[np.uint64]:
    """Return the numbers of a packed list of varints.

    Raises:
        WireError: the last number does not end, or a number has more than ten bytes.
        ActcliError: this machine has less memory than the numbers need.
    """
    require_memory(9 * len(data), "a packed list of whole numbers")
    raw = np.frombuffer(data, np.uint8)
    if len(raw) and raw[-1] >= 0x80:
        raise WireError("a number does not end")
    parts = [np.zeros(0, np.uint64)]
    start = 0
    while start < len(raw):
        ends = np.flatnonzero(raw[start : start + CHUNK_BYTES] < 0x80)
        if not len(ends):
            raise WireError("a number does not end")
        stop = start + int(ends[-1]) + 1
        parts.append(_whole_varints(raw[start:stop], ends))
        start = stop
    return np.concatenate(parts)


def _whole_varints(raw: NDArray[np.uint8], ends: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Return the numbers in some bytes, given the position of the last byte of each."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > MAX_VARINT_BYTES:
        raise WireError("a number does not end")
    numbers = np.zeros(len(ends), np.uint64)
    for index in range(longest):
        has = lengths > index
        bits = (raw[starts[has] + index] & 0x7F).astype(np.uint64)
        numbers[has] |= bits << np.uint64(7 * index)
    return numbers


def varint_field(number: int, value: int) -> bytes:
    """Return a field with a whole number, which may be negative."""
    return _as_varint(number << 3 | VARINT) + _as_varint(value % 2**64)


def float_field(number: int, value: float) -> bytes:
    """Return a field with a float32."""
    return _as_varint(number << 3 | FOUR_BYTES) + struct.pack("<f", value)


def bytes_field(number: int, *parts: bytes | memoryview) -> list[bytes | memoryview]:
    """Return a field with bytes, in parts: its head and the given parts, which are not copied."""
    size = sum(memoryview(part).nbytes for part in parts)
    return [_as_varint(number << 3 | BYTES) + _as_varint(size), *parts]


def text_field(number: int, text: str) -> bytes:
    """Return a field with a text."""
    return b"".join(bytes_field(number, text.encode("utf-8")))


def message_field(number: int, fields: Iterable[bytes | memoryview]) -> list[bytes | memoryview]:
    """Return a field with a message, in parts."""
    return bytes_field(number, *fields)


def _as_varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
