"""Packs from elsewhere: what would fill the memory is refused before it is unpacked."""

import struct
import zlib
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import BinaryIO

import pytest
from dulwich.objects import Blob
from dulwich.pack import UnpackedObject, write_pack_data
from dulwich.repo import Repo

from usage.diffs import packs
from usage.diffs.deadline import Deadline
from usage.diffs.packs import MalformedPack, check_pack
from usage.diffs.refusals import DiffRefused
from usage.tests.summaries.repositories import commit_files, make_repository

BLOB, BY_NAME = 3, 7
OpenPack = Callable[[bytes], BinaryIO]


def object_of(kind: int, content: bytes, *, stated: int | None = None, base: bytes = b"") -> bytes:
    """An object on the wire, which may say that it is larger than it is."""
    size = len(content) if stated is None else stated
    head, rest = [kind << 4 | size & 15], size >> 4
    while rest:
        head[-1] |= 0x80
        head.append(rest & 0x7F)
        rest >>= 7
    return bytes(head) + base + zlib.compress(content)


def pack_of(*objects: bytes) -> bytes:
    content = b"PACK" + struct.pack(">II", 2, len(objects)) + b"".join(objects)
    return content + sha1(content, usedforsecurity=False).digest()


@pytest.fixture
def open_pack(tmp_path: Path) -> OpenPack:
    def open_it(content: bytes) -> BinaryIO:
        file = (tmp_path / "incoming").open("w+b")
        file.write(content)
        return file

    return open_it


def check(pack: BinaryIO, *, seconds: float = 5) -> None:
    with pack:
        check_pack(pack, deadline=Deadline(seconds=seconds))


def test_a_real_pack_passes(tmp_path: Path, open_pack: OpenPack) -> None:
    repo = make_repository(tmp_path / "code")
    commit_files(repo, "Begin", {"a.py": b"one\n" * 5000, "empty": b""})
    commit_files(repo, "Second", {"a.py": b"one\n" * 5000 + b"two\n"})
    written: list[bytes] = []
    objects = list(repo.object_store.iterobjects_subset(list(repo.object_store)))
    unpacked = [
        UnpackedObject(one.type_num, sha=one.sha().digest(), decomp_chunks=one.as_raw_chunks()) for one in objects
    ]
    write_pack_data(written.append, iter(unpacked), num_records=len(unpacked), object_format=repo.object_format)

    check(open_pack(b"".join(written)))


def test_an_object_that_would_fill_the_memory_is_refused(open_pack: OpenPack) -> None:
    zeros = object_of(BLOB, bytes(packs.MAX_OBJECT_BYTES + 1))
    assert len(zeros) < 100_000

    with pytest.raises(DiffRefused) as refused:
        check(open_pack(pack_of(zeros)))

    assert (refused.value.reason, refused.value.is_passing) == ("diff_too_large", False)


def test_a_difference_that_would_make_one_is_refused(open_pack: OpenPack) -> None:
    base = Blob.from_string(b"x")
    makes_too_much = b"\x01" + b"\xff\xff\xff\xff\x7f"  # from one byte, so many
    pack = pack_of(object_of(BLOB, b"x"), object_of(BY_NAME, makes_too_much, base=base.sha().digest()))

    with pytest.raises(DiffRefused):
        check(open_pack(pack))


def test_many_objects_are_refused_together(open_pack: OpenPack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MAX_UNPACKED_BYTES", 250)
    one = object_of(BLOB, bytes(100))

    check(open_pack(pack_of(one, one)))
    with pytest.raises(DiffRefused):
        check(open_pack(pack_of(one, one, one)))


@pytest.mark.parametrize(
    "content",
    [
        pack_of(object_of(BLOB, bytes(100_000), stated=10)),
        pack_of(object_of(BLOB, b"abc"))[:15],
        pack_of(b"\x33no stream of zlib"),
        pack_of(b"\xff" * 40),
        b"PACK" + struct.pack(">II", 2, 1_000_000) + b"\x30",
    ],
    ids=["larger than it says", "cut off", "not compressed", "number without end", "fewer than it says"],
)
def test_what_is_no_pack_is_refused(open_pack: OpenPack, content: bytes) -> None:
    with pytest.raises(MalformedPack):
        check(open_pack(content))


def test_nothing_is_measured_when_the_time_is_over(open_pack: OpenPack) -> None:
    with pytest.raises(DiffRefused) as refused:
        check(open_pack(pack_of(object_of(BLOB, b"abc"))), seconds=0)

    assert refused.value.reason == "took_too_long"


def test_a_repository_takes_no_bomb(tmp_path: Path) -> None:
    """The file that a store gives for a pack that comes is one that can be measured."""
    with Repo.init_bare(str(tmp_path)) as repo:
        pack, _, drop = repo.object_store.add_pack()
        pack.write(pack_of(object_of(BLOB, b"abc")))
        check_pack(pack, deadline=Deadline(seconds=5))
        drop()
