"""Packs of objects as a server sends them, measured before anything in one is unpacked whole.

A pack of few bytes may stand for many: an object of zeros shrinks to a thousandth, and a difference can ask for the
same bytes again and again. The sizes that a pack states are what would be unpacked, so they are added up first.
https://git-scm.com/docs/pack-format
"""

import mmap
import zlib
from typing import BinaryIO, Final

from usage.diffs.deadline import Deadline
from usage.diffs.refusals import DiffRefused, Reason

MAX_OBJECT_BYTES: Final = 50_000_000
MAX_UNPACKED_BYTES: Final = 1_000_000_000
_HEAD_BYTES: Final = 12  # PACK, the version, the number of objects
_CHUNK: Final = 64 * 1024
_BY_OFFSET, _BY_NAME = 6, 7  # differences, by how they name what they differ from
_NAME_BYTES: Final = 20
_SIZES_BYTES: Final = 20  # two numbers at the start of a difference, ten bytes each at most


class MalformedPack(ValueError):
    """The bytes are no pack."""


def check_pack(pack: BinaryIO, *, deadline: Deadline) -> None:
    """Let pass what can be unpacked in memory.

    Raises:
        DiffRefused: an object, or all of them, would be too large, or there is no time left to find out.
        MalformedPack: it cannot be read.
    """
    pack.flush()
    if pack.tell() <= _HEAD_BYTES:
        return
    with mmap.mmap(pack.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place, unpacked = _HEAD_BYTES, 0
        for _ in range(int.from_bytes(content[8:_HEAD_BYTES], "big")):
            deadline.check()
            try:
                size, place = _measure_object(content, place, deadline)
            except (IndexError, zlib.error) as error:
                raise MalformedPack(str(error)) from error
            unpacked += size
            if unpacked > MAX_UNPACKED_BYTES:
                raise _too_large()


def _measure_object(content: mmap.mmap, place: int, deadline: Deadline) -> tuple[int, int]:
    """How many bytes an object keeps in memory, and where the next one begins."""
    kind = content[place] >> 4 & 7
    stated, place = _read_number(content, place, first_bits=4)
    if kind == _BY_OFFSET:
        _, place = _read_number(content, place)
    elif kind == _BY_NAME:
        place += _NAME_BYTES
    if stated > MAX_OBJECT_BYTES:
        raise _too_large()
    start, place = _skip_stream(content, place, stated, deadline)
    if kind not in (_BY_OFFSET, _BY_NAME):
        return stated, place
    _, after = _read_number(start, 0)
    made, _ = _read_number(start, after)
    if made > MAX_OBJECT_BYTES:
        raise _too_large()
    return stated + made, place


def _read_number(content: mmap.mmap | bytes, place: int, *, first_bits: int = 7) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and the place after it."""
    byte = content[place]
    number, shift = byte & ((1 << first_bits) - 1), first_bits
    while byte & 0x80:
        place += 1
        byte = content[place]
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > 64:
            raise MalformedPack("A number has no end.")
    return number, place + 1


def _skip_stream(content: mmap.mmap, place: int, stated: int, deadline: Deadline) -> tuple[bytes, int]:
    """The first bytes of a compressed stream of so many, and the place after it; no more than a chunk is kept."""
    inflater, start, size = zlib.decompressobj(), b"", 0
    while not inflater.eof:
        deadline.check()
        rest = inflater.unconsumed_tail
        given = rest or content[place : place + _CHUNK]
        if not given:
            raise MalformedPack("It ends too soon.")
        if not rest:
            place += len(given)
        piece = inflater.decompress(given, _CHUNK)
        size += len(piece)
        if size > stated:
            raise MalformedPack("An object is larger than it says.")
        if len(start) < _SIZES_BYTES:
            start += piece[:_SIZES_BYTES]
    return start, place - len(inflater.unused_data)


def _too_large() -> DiffRefused:
    return DiffRefused(
        reason=Reason.TOO_LARGE,
        field="repository",
        fault=f"its files have more than {MAX_OBJECT_BYTES // 1_000_000} MB each, or too many in all",
        remedy="Paste the diff.",
    )
