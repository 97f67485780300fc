"""Checksums of open files, made by the library, by the program, or by Python alone: the same from each."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.agent import regular
from runner.agent.retention.contents import BATCH_FILES
from runner.agent.snapshots import xxhash
from runner.agent.snapshots.checksum import Checksums, OpenFile
from runner.agent.snapshots.sums import SumLine

pytestmark = pytest.mark.skipif(shutil.which("xxhsum") is None, reason="needs xxhsum")

SIZES = (0, 1, 240, 241, regular.CHUNK - 1, regular.CHUNK, regular.CHUNK + 1, 3 * regular.CHUNK + 17)


def none() -> None:
    return None


# How xxh128 is made: what stands in for the library's loader.
WAYS: dict[str, Callable[[], xxhash.Xxh128 | None]] = {"library": xxhash.load, "program": none}


def by_program(path: Path) -> str:
    return subprocess.run(("xxhsum", "-H2", path), capture_output=True, check=True, text=True).stdout[:32]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_makes_the_sums_of_files_of_every_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    assert xxhash.load() is not None
    monkeypatch.setattr(xxhash, "load", WAYS[way])
    sums, files = Checksums(), []
    for size in SIZES:
        path = tmp_path / str(size)
        path.write_bytes(os.urandom(size))
        right = SumLine("xxh128", by_program(path), size, b"x")
        wrong = right._replace(checksum="0" * 32)
        for lines in ((right,), (wrong,), (wrong, right), (wrong._replace(algorithm="md5"), wrong)):
            files.append(OpenFile(os.open(path, os.O_RDONLY), lines))
    try:
        assert sums.agree(files) == [True, False, True, False] * len(SIZES)
        assert sums.unchecked == 0
    finally:
        for file in files:
            os.close(file.descriptor)


def test_a_whole_batch_goes_to_one_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xxhash, "load", none)
    path = tmp_path / "file"
    path.write_bytes(b"text")
    line = SumLine("xxh128", by_program(path), 4, b"file")
    files = [OpenFile(os.open(path, os.O_RDONLY), (line,)) for _ in range(BATCH_FILES)]
    try:
        assert Checksums().agree(files) == [True] * BATCH_FILES
    finally:
        for file in files:
            os.close(file.descriptor)


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_read_does_not_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(xxhash, "load", WAYS[way])
    # Not even root reads what a folder's descriptor shows.
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        line = SumLine("xxh128", xxhash.OF_NOTHING, 0, b"file")
        md5 = SumLine("md5", "d41d8cd98f00b204e9800998ecf8427e", 0, b"file")
        assert Checksums().agree([OpenFile(folder, (line, md5))]) == [False]
    finally:
        os.close(folder)


def test_a_library_that_is_not_there_or_is_another_one_is_not_used() -> None:
    assert xxhash.load("libnothing-of-this-name.so.0") is None
    assert xxhash.load("libc.so.6") is None


def test_without_library_and_program_only_md5_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xxhash, "load", none)
    monkeypatch.setattr("runner.agent.snapshots.checksum.ENVIRONMENT", {"PATH": str(tmp_path)})
    path = tmp_path / "file"
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fast, slow = SumLine("xxh128", "0" * 32, 0, b"file"), SumLine("md5", "0" * 32, 0, b"file")
        sums = Checksums()
        assert sums.agree([OpenFile(descriptor, (fast,)), OpenFile(descriptor, (fast, slow))]) == [True, False]
        assert (sums.unchecked, sums.can_check((fast,)), sums.can_check((fast, slow))) == (1, False, True)
    finally:
        os.close(descriptor)
