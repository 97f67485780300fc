"""How rsync ends when something is wrong, and what a second look or a restore says then."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from runner.model.plan import Argv
from runner.tools import rsync
from tests.compare import differences, fingerprint, rsync_silent, walk
from tests.contract.snapshots.test_rsync_traps import ends, items, run, snapshot
from tests.trees import make_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user, or a small filesystem")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    make_tree(folder, files=40)
    return folder


def look(source: Path, target: Path) -> subprocess.CompletedProcess[bytes]:
    return run(rsync.look(ends(source, target), exclude=()))


def on_small_disk(size: str, folder: Path, argv: Argv) -> subprocess.CompletedProcess[bytes]:
    """Run with a tmpfs of this size on `folder`; what still runs after five seconds is killed."""
    script = 'mount -t tmpfs -o "$0" tmpfs "$1"; shift; timeout -s KILL 5 "$@"'
    spaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL")
    return run((*spaces, "sh", "-c", script, size, folder, *argv), timeout=20)


@needs_root
def test_an_unreadable_file_is_exit_23_and_a_look_names_it(tmp_path: Path) -> None:
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(0o755)
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target, source / "closed"):
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    for name, mode in (("secret\nfile", 0o600), ("open", 0o644)):
        (source / name).write_text("x")
        (source / name).chmod(mode)
    os.chown(source / "closed", 0, 0)
    (source / "closed").chmod(0o700)
    done = run((*NOBODY, *rsync.send(ends(source, target), exclude=())))
    assert done.returncode == 23
    assert (target / "open").exists()
    assert not (target / "secret\nfile").exists()
    assert b"secret\\#012file" in look(source, target).stdout


def test_a_file_that_vanishes_is_exit_24_and_the_rest_is_there(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "a large one").write_bytes(os.urandom(1_500_000))
    for name in ("leaves", "stays"):
        (source / name).touch()
    command, *rest = rsync.send(ends(source, target), exclude=())
    with subprocess.Popen((command, "--bwlimit=1000", *rest), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as sender:
        while not list(target.glob(".a large one.*")):
            time.sleep(0.01)
        (source / "leaves").unlink()
        _, result = sender.communicate(timeout=20)
    assert sender.returncode == 24, result
    assert set(walk(target)) == {b".", b"a large one", b"stays"}
    assert (target / "a large one").read_bytes() == (source / "a large one").read_bytes()


@needs_root
def test_a_full_disk_is_exit_11(source: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    argv = rsync.send(ends(source, tmp_path / "disk"), exclude=())
    done = on_small_disk("size=200k", tmp_path / "disk", argv)
    assert done.returncode == 11


@needs_root
def test_out_of_inodes_is_exit_23_and_not_a_hang(tmp_path: Path) -> None:
    source, disk = tmp_path / "source", tmp_path / "disk"
    for folder in (disk, source / "a", source / "b", source / "c"):
        folder.mkdir(parents=True)
    (source / "a" / "h1").touch()
    (source / "a" / "h2").hardlink_to(source / "a" / "h1")
    (source / "c" / "h3").hardlink_to(source / "a" / "h1")
    for number in range(500):
        (source / "b" / str(number)).touch()
    ours = on_small_disk("nr_inodes=4", disk, rsync.send(ends(source, disk), exclude=()))
    assert ours.returncode == 23
    naive = on_small_disk("nr_inodes=4", disk, ("rsync", "-aH", "--timeout=2", "--", f"{source}/", f"{disk}/"))
    assert naive.returncode != 23, "the plain way does not hang any more"


def test_a_look_at_a_faithful_copy_says_nothing_at_all(source: Path, tmp_path: Path) -> None:
    snapshot(source, tmp_path / "copy")
    done = look(source, tmp_path / "copy")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("name", ["odd/new\nline", "odd/No space left on device (28)", "special/fifo", "special/up"])
def test_a_look_names_what_is_missing_and_what_is_too_much(name: str, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    snapshot(source, copy)
    before = fingerprint(source)
    (copy / name).unlink()
    (copy / "extra\nname").touch()
    result = look(source, copy).stdout.replace(b"\\#012", b"\n")
    assert b"|" + os.fsencode(name) + b"//" in result
    assert b"*deleting  |extra\nname//" in result
    assert fingerprint(source) == before
    assert (copy / "extra\nname").exists()
    assert not (copy / name).exists()


def test_a_look_does_not_see_another_content_under_the_same_time_but_a_verify_does(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    (source / "file").write_text("aaaa")
    snapshot(source, copy)
    moment = (source / "file").stat().st_mtime_ns
    (copy / "file").write_text("bbbb")
    os.utime(copy / "file", ns=(moment, moment))
    assert look(source, copy).stdout == b""
    where = rsync.Ends(source=f"{source}/./", target=f"{copy}/")
    assert b"file" in run(rsync.verify(where, parents=True)).stdout


def test_a_restore_brings_one_path_back_with_its_parents_and_keeps_what_it_overwrites(
    source: Path, tmp_path: Path
) -> None:
    kept, aside = tmp_path / "snapshot", tmp_path / "aside"
    snapshot(source, kept)
    before = fingerprint(kept)
    lost = source / "odd" / "in7"
    for file in lost.rglob("*"):
        if file.is_file():
            file.write_text("overwritten by mistake")
    (source / "odd" / "in8").rename(source / "odd" / "kept out of it")
    (source / "odd").chmod(0o700)
    for name in ("in7", "in8"):
        where = rsync.Ends(source=f"{kept}/./odd/{name}", target=f"{source}/")
        done = run(rsync.restore(where, aside=str(aside)))
        assert (done.returncode, done.stderr) == (0, b"")
        assert run(rsync.verify(where, parents=False)).stdout == b""
    assert differences(kept / "odd" / "in7", lost) == []
    assert differences(kept / "odd" / "in8", source / "odd" / "in8") == []
    assert (source / "odd").stat().st_mode & 0o777 == 0o700
    saved = [file for file in aside.rglob("*") if file.is_file()]
    assert [file.read_text() for file in saved] == ["overwritten by mistake"]
    assert fingerprint(kept) == before


def test_a_restore_into_an_empty_folder_is_the_whole_snapshot(source: Path, tmp_path: Path) -> None:
    snapshot(source, tmp_path / "snapshot")
    where = rsync.Ends(source=f"{tmp_path / 'snapshot'}/./", target=f"{tmp_path / 'back'}/")
    assert run(rsync.restore(where)).returncode == 0
    assert run(rsync.verify(where, parents=True)).stdout == b""
    assert differences(source, tmp_path / "back") == []
    assert rsync_silent(source, tmp_path / "back") == ""


@pytest.mark.alone
def test_half_of_a_large_file_is_kept_apart_and_used_by_the_next_send(tmp_path: Path) -> None:
    source, copy, parts = (tmp_path / name for name in ("source", "copy", "parts"))
    for folder in (source, parts):
        folder.mkdir()
    (source / "large").write_bytes(os.urandom(3_000_000))
    command, *rest = rsync.send(ends(source, copy), exclude=(), keep_parts=str(parts))
    with subprocess.Popen((command, "--bwlimit=1000", *rest), stdout=subprocess.PIPE) as sender:
        while not any(part.stat().st_size > 500_000 for part in copy.glob(".large.*")):
            time.sleep(0.01)
        sender.terminate()
        sender.communicate(timeout=20)
    assert sender.returncode in rsync.INTERRUPTED
    assert not (copy / "large").exists()
    assert (parts / "large").stat().st_size > 0
    done = run(rsync.send(ends(source, copy), exclude=(), keep_parts=str(parts)))
    assert done.returncode == 0
    assert differences(source, copy) == []
    assert set(items(done.stdout)) == {b".", b"large"}
    assert set(walk(copy)) == {b".", b"large"}
