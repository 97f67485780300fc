"""What is written anew is the old or the new for whoever looks: the file is replaced, never written in place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.agent import durable
from tests.contract.storehouse import ENVIRONMENT

OLD, NEW = b"old " * 5000, b"new " * 7000
WRITES: tuple[Callable[[Path], None], ...] = (
    lambda path: durable.write_file(path, NEW),
    lambda path: durable.write_json(path, {"new": "new" * 5000}),
)
SCRIPT = "import sys; from pathlib import Path; from runner.agent import durable; {}"
CALLS = re.compile(r"^(write|fsync|rename\w*)\((.*)\) += [0-9]", re.MULTILINE)
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to see every call")


@pytest.mark.parametrize("write", WRITES)
def test_who_has_the_old_file_open_reads_the_old_one_to_its_end(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    with path.open("rb") as reader:
        first = reader.read(100)
        write(path)
        assert first + reader.read() == OLD
        assert os.fstat(reader.fileno()).st_nlink == 0
        assert os.fstat(reader.fileno()).st_ino != path.stat().st_ino
    assert path.read_bytes().startswith((NEW, b'{\n "new"'))
    assert list(tmp_path.iterdir()) == [path]


def test_other_names_of_the_old_file_keep_what_it_was(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(OLD)
    other.hardlink_to(path)
    durable.write_file(path, NEW)
    assert (path.read_bytes(), other.read_bytes()) == (NEW, OLD)


def test_nobody_ever_reads_a_half_or_nothing(tmp_path: Path) -> None:
    path, seen, over = tmp_path / "file", set(), threading.Event()
    path.write_bytes(OLD)

    def look() -> None:
        while not over.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(300):
        durable.write_file(path, NEW if number % 2 else OLD)
    over.set()
    reader.join()
    assert seen <= {OLD, NEW}


def test_a_write_that_fails_half_way_leaves_the_old_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    with pytest.raises(ZeroDivisionError), durable.replacing(path) as stream:
        stream.write(NEW[:100])
        stream.flush()
        raise ZeroDivisionError
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_a_cut_left_is_not_written_through(tmp_path: Path) -> None:
    path, draft, elsewhere = tmp_path / "file", tmp_path / "file.tmp", tmp_path / "elsewhere"
    elsewhere.write_bytes(OLD)
    draft.symlink_to(elsewhere)
    durable.write_file(path, NEW, 0o600)
    assert (path.read_bytes(), elsewhere.read_bytes()) == (NEW, OLD)
    assert (path.is_symlink(), path.stat().st_mode & 0o777) == (False, 0o600)


@needs_strace
@pytest.mark.parametrize(
    ("call", "order"),
    [
        ("durable.write_file(path, b'new')", ["write file.tmp", "fsync file.tmp", "rename file", "fsync folder"]),
        ("durable.write_json(path, {})", ["write file.tmp", "fsync file.tmp", "rename file", "fsync folder"]),
        ("durable.point(path, 'target', path.with_name('draft'))", ["rename file", "fsync folder"]),
    ],
)
def test_the_disk_has_it_before_the_name_and_the_name_before_the_answer(
    tmp_path: Path, call: str, order: list[str]
) -> None:
    folder, trace = tmp_path / "folder", tmp_path / "trace"
    folder.mkdir()
    script = SCRIPT.format(f"path = Path(sys.argv[1]); {call}")
    strace = ("strace", "-qq", "-y", "-o", trace, "--trace=write,fsync,fdatasync,rename,renameat,renameat2")
    subprocess.run((*strace, sys.executable, "-B", "-c", script, folder / "file"), check=True, env=ENVIRONMENT)
    found = ((name, re.findall(r"[<\"]([^<>\"]*)[>\"]", about)) for name, about in CALLS.findall(trace.read_text()))
    seen = [(name, words[0 if name == "write" else -1]) for name, words in found]
    assert [f"{name} {Path(path).name}" for name, path in seen] == order


def test_a_link_points_elsewhere_over_a_draft_that_a_cut_left(tmp_path: Path) -> None:
    link, draft = tmp_path / "link", tmp_path / "draft"
    draft.symlink_to("before")
    durable.point(link, "target", draft)
    assert (str(link.readlink()), list(tmp_path.iterdir())) == ("target", [link])


def test_a_filesystem_that_can_be_synced_is_no_error(tmp_path: Path) -> None:
    durable.sync_filesystem(tmp_path)


@needs_strace
def test_a_filesystem_that_cannot_be_synced_says_why(tmp_path: Path) -> None:
    """What the disk answers is what a person must read: an error of 0 says that there was none."""
    script = SCRIPT.format("durable.sync_filesystem(Path(sys.argv[1]))")
    failing = ("strace", "-qq", "-o", "/dev/null", "--trace=syncfs", "--inject=syncfs:error=EIO")
    argv = (*failing, sys.executable, "-B", "-c", script, tmp_path)
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"OSError: [Errno 5] Input/output error: '{tmp_path}'"


def test_what_is_written_is_for_its_owner_alone_unless_said_otherwise(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        durable.write_file(tmp_path / "file", NEW)
        durable.write_json(tmp_path / "json", {})
        with durable.replacing(tmp_path / "replaced") as stream:
            stream.write(NEW)
        durable.make_folder(tmp_path / "folder")
        os.umask(0o077)
        durable.make_folder(tmp_path / "open", 0o755)
        durable.make_folder(tmp_path / "open", 0o700)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in tmp_path.iterdir()}
    assert modes == {"file": 0o600, "json": 0o600, "replaced": 0o600, "folder": 0o700, "open": 0o755}


@pytest.mark.parametrize("sync", [durable.sync_folder, durable.sync_filesystem])
def test_only_a_folder_is_opened_to_be_synced_and_it_is_closed_again(
    tmp_path: Path, sync: Callable[[Path], None]
) -> None:
    (tmp_path / "file").touch()
    before = list(Path("/proc/self/fd").iterdir())
    sync(tmp_path)
    with pytest.raises(NotADirectoryError):
        sync(tmp_path / "file")
    assert list(Path("/proc/self/fd").iterdir()) == before


def test_a_draft_that_is_gone_hides_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(ZeroDivisionError), durable.replacing(path):
        (tmp_path / "file.tmp").unlink()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
