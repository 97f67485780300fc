"""What rsync does when it is called the plain way, and that it does not when we call it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.model.plan import Argv
from runner.tools import rsync
from tests.compare import differences, fingerprint, rsync_silent, shared, walk
from tests.trees import EPOCH, HOSTILE, NET_BIND, change_tree, make_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps owners and capabilities")
ITEM = re.compile(rb"(.{11})\|([0-9a-f ]*)\|([0-9]+)\|(.*?)//(.*)")


def run(argv: Sequence[str | Path], timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(argv, capture_output=True, check=False, env=environment, timeout=timeout)


def ends(source: Path, target: Path) -> rsync.Ends:
    return rsync.Ends(source=f"{source}/", target=f"{target}/")


def snapshot(source: Path, target: Path, *bases: Path, exclude: Argv = ()) -> bytes:
    target.mkdir()
    done = run(rsync.send(ends(source, target), link_dest=[str(base) for base in bases], exclude=exclude))
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def items(out: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """The names in what rsync printed, unescaped, with what it did and the checksum."""
    found = {}
    for line in out.splitlines():
        if match := ITEM.fullmatch(line):
            name = re.sub(rb"\\#([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), match[4])
            found[name.rstrip(b"/")] = (match[1], match[2].strip())
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    make_tree(folder, files=60)
    return folder


def test_a_snapshot_is_faithful_and_shares_what_did_not_change(source: Path, tmp_path: Path) -> None:
    sealed: list[Path] = []
    seen: list[object] = []
    for day in range(4):
        if day:
            change_tree(source, seed=day)
        folder = tmp_path / f"day{day}"
        snapshot(source, folder, *sealed[-1:])
        assert differences(source, folder) == []
        assert rsync_silent(source, folder) == ""
        assert [fingerprint(old) for old in sealed] == seen
        sealed.append(folder)
        seen.append(fingerprint(folder))
    names = [name for name, entry in walk(sealed[2]).items() if entry.kind != "folder"]
    assert len(shared(sealed[2], sealed[3])) > 0.9 * len(names)


def test_a_resume_in_place_changes_sealed_snapshots_and_a_fresh_folder_with_two_bases_does_not(
    source: Path, tmp_path: Path
) -> None:
    sealed, interrupted, naive = (tmp_path / name for name in ("sealed", "interrupted", "naive"))
    snapshot(source, sealed)
    (source / "sent before the cable was pulled").write_bytes(os.urandom(3_000_000))
    snapshot(source, interrupted, sealed)
    snapshot(source, naive, sealed)
    (source / "d0" / "large").chmod(0o4711)
    (source / "attributes" / "comment").chmod(0o600)
    before = fingerprint(sealed)

    resumed = tmp_path / "resumed"
    out = snapshot(source, resumed, sealed, interrupted)
    assert fingerprint(sealed) == before
    assert differences(source, resumed) == []
    assert b"sent before the cable was pulled" in shared(interrupted, resumed)
    assert b"sent before the cable was pulled" not in items(out)

    run(("rsync", "-aHAX", "--numeric-ids", f"--link-dest={sealed}", "--", f"{source}/", f"{naive}/"))
    assert fingerprint(sealed) != before, "rsync changed: one more thing to rely on"


def test_a_rewrite_within_the_second_is_seen(source: Path, tmp_path: Path) -> None:
    file = source / "same size"
    file.write_bytes(b"aaaa")
    os.utime(file, ns=(0, EPOCH * 10**9 + 1))
    snapshot(source, tmp_path / "one")
    file.write_bytes(b"bbbb")
    os.utime(file, ns=(0, EPOCH * 10**9 + 999_999_999))
    (tmp_path / "naive").mkdir()
    run(("rsync", "-aHAX", f"--link-dest={tmp_path / 'one'}", "--", f"{source}/", f"{tmp_path / 'naive'}/"))
    assert (tmp_path / "naive" / "same size").read_bytes() == b"aaaa"
    snapshot(source, tmp_path / "two", tmp_path / "one")
    assert (tmp_path / "two" / "same size").read_bytes() == b"bbbb"


def test_a_wrong_basis_is_no_error_but_a_full_copy(source: Path, tmp_path: Path) -> None:
    snapshot(source, tmp_path / "one")
    for target, basis in (("two", str(tmp_path / "no such folder")), ("three", "one")):
        done = run(rsync.send(ends(source, tmp_path / target), link_dest=[basis], exclude=()))
        assert done.returncode == 0
        assert b"--link-dest arg does not exist" in done.stderr
        assert shared(tmp_path / "one", tmp_path / target) == set()


def test_the_twenty_first_basis_is_refused_before_rsync_does(source: Path, tmp_path: Path) -> None:
    bases = [str(tmp_path / f"base{number}") for number in range(21)]
    with pytest.raises(ValueError, match="at most 20"):
        rsync.send(ends(source, tmp_path / "target"), link_dest=bases, exclude=())
    twenty = rsync.send(ends(source, tmp_path / "target"), link_dest=bases[:20], exclude=())
    assert run(twenty).returncode == 0
    one_more = (*twenty[:-3], f"--link-dest={bases[20]}", *twenty[-3:])
    assert run(one_more).returncode == 1


def test_hostile_names_are_told_apart_in_what_rsync_prints(source: Path, tmp_path: Path) -> None:
    out = snapshot(source, tmp_path / "snapshot")
    result = items(out)
    there = {name for name in walk(source) if name != b"."}
    assert {name for name in result if name != b"."} == there
    assert {b"odd/" + name for name in HOSTILE} <= set(result)
    # A terminal or a mail shows this as it is: of what is not printable only tab and DEL are left.
    assert re.fullmatch(rb"[\t\n -\x7f]*", out)


def test_the_checksum_that_rsync_prints_is_the_one_of_xxhsum(source: Path, tmp_path: Path) -> None:
    result = items(snapshot(source, tmp_path / "snapshot"))
    files = [name for name, entry in walk(source).items() if entry.kind == "file" and not entry.same_inode_as]
    sent = {name: result[name][1] for name in files if result[name][0].startswith(b">f")}
    assert len(sent) > 100
    for name in (b"d0/large", b"special/sparse", b"special/empty", b"odd/new\nline", b"odd/" + b"a" * 255):
        with open(os.path.join(os.fsencode(source), name), "rb") as file:  # noqa: PTH118, PTH123
            said_by = subprocess.run(["xxhsum", "-H2", "-"], stdin=file, capture_output=True, check=True)
        assert sent[name] == said_by.stdout.split()[0], name


def test_what_is_below_a_folder_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "s*[a]\\?"
    name = "st*re[1]?\\x **"
    store = source / "srv" / name
    near = ("stXre[1]?\\x **", "st*re1?\\x **", "st*re[1]Z\\x **", "st*re[1]?\\x ab", "st*re[1]?x **")
    kept = [source / "srv" / other / "kept" for other in (*near, name + " too")]
    for folder in (store / "inside" / "deep", store / ".hidden", *kept, source / "here" / "srv" / name / "kept"):
        folder.mkdir(parents=True)
    (store / "file").touch()
    snapshot(source, tmp_path / "snapshot", exclude=(rsync.below(str(source), str(store)),))
    assert differences(source, tmp_path / "snapshot", below=(f"srv/{name}",)) == []
    assert list((tmp_path / "snapshot" / "srv" / name).iterdir()) == []


@pytest.mark.parametrize("name", [os.fsdecode(name) for name in HOSTILE])
def test_a_store_of_any_name_can_be_left_out(name: str, tmp_path: Path) -> None:
    for folder in (name, "sibling", name[:-1] or "x"):
        (tmp_path / "source" / folder / "inside").mkdir(parents=True, exist_ok=True)
    source, copy = tmp_path / "source", tmp_path / "snapshot"
    snapshot(source, copy, exclude=(rsync.below(str(source), str(source / name)),))
    assert list((copy / name).iterdir()) == []
    assert differences(source, copy, below=(name,)) == []


@pytest.mark.parametrize("name", [os.fsdecode(name) for name in HOSTILE])
def test_a_file_of_any_name_can_be_left_out_alone(name: str, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "snapshot"
    for folder in (source, source / "deeper"):
        folder.mkdir()
        for file in (name, name[:-1] + "x", "x" + name[1:], name.replace("\\", "") or "x"):
            (folder / file).touch()
    snapshot(source, copy, exclude=(rsync.exactly(str(source), str(source / name)),))
    gone = [line for line in differences(source, copy) if "same_inode" not in line]
    assert gone == [f"{os.fsencode(name)!r} is missing"]


def test_the_pattern_of_a_store_below_the_root_of_the_machine_starts_at_that_root() -> None:
    assert rsync.below("/", "/srv/backups/") == "/srv/backups/*"
    assert rsync.below("/srv", "/srv") == "/*"


def test_a_store_inside_its_source_is_left_out_of_itself(source: Path, tmp_path: Path) -> None:
    store = source / "srv" / "store"
    store.mkdir(parents=True)
    (store / "older snapshot").mkdir()
    naive = store / "naive"
    naive.mkdir()
    run(("rsync", "-a", "--", f"{source}/", f"{naive}/"))
    assert (naive / "srv" / "store" / "older snapshot").exists()
    snapshot(source, store / "ours", exclude=(rsync.below(str(source), str(store)),))
    assert list((store / "ours" / "srv" / "store").iterdir()) == []


def test_holes_stay_holes(source: Path, tmp_path: Path) -> None:
    (tmp_path / "naive").mkdir()
    run(("rsync", "-a", "--", f"{source}/special/all hole", f"{tmp_path}/naive/"))
    assert (tmp_path / "naive" / "all hole").stat().st_blocks * 512 >= 8 << 20
    snapshot(source, tmp_path / "snapshot")
    assert (tmp_path / "snapshot" / "special" / "all hole").stat().st_blocks * 512 < 64 << 10


def test_links_survive_a_group_that_grows_and_one_that_splits(source: Path, tmp_path: Path) -> None:
    snapshot(source, tmp_path / "one")
    links = source / "links"
    (links / "a" / "!first").hardlink_to(links / "z" / "first")
    (links / "a" / "second").unlink()
    (links / "a" / "second").write_bytes(b"on its own now\n")
    snapshot(source, tmp_path / "two", tmp_path / "one")
    assert differences(source, tmp_path / "two") == []


def test_names_that_part_without_any_other_change_stay_one_inode(source: Path, tmp_path: Path) -> None:
    # Known and harmless to contents: with --link-dest each of the two finds the same basis.
    snapshot(source, tmp_path / "one")
    pair = source / "links" / "a" / "pair2"
    shutil.copy2(pair, source / "copy")
    (source / "copy").replace(pair)
    snapshot(source, tmp_path / "two", tmp_path / "one")
    assert differences(source, tmp_path / "two") == ["b'links/a/pair2': same_inode_as is b'links/a/pair1', not b''"]


@needs_root
def test_a_capability_that_was_dropped_does_not_come_back(source: Path, tmp_path: Path) -> None:
    program = "attributes/capability"
    snapshot(source, tmp_path / "one")
    os.removexattr(source / program, "security.capability")
    (tmp_path / "naive").mkdir()
    run(("rsync", "-aHA", f"--link-dest={tmp_path / 'one'}", "--", f"{source}/", f"{tmp_path / 'naive'}/"))
    assert os.getxattr(tmp_path / "naive" / program, "security.capability") == NET_BIND
    snapshot(source, tmp_path / "two", tmp_path / "one")
    assert "security.capability" not in os.listxattr(tmp_path / "two" / program)
    assert os.getxattr(tmp_path / "one" / program, "security.capability") == NET_BIND


def test_a_snapshot_folder_has_the_time_of_its_source_not_its_own(source: Path, tmp_path: Path) -> None:
    snapshot(source, tmp_path / "snapshot")
    assert (tmp_path / "snapshot").stat().st_mtime_ns == source.stat().st_mtime_ns == EPOCH * 10**9 + 1
