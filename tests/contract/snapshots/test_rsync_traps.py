"""What rsync does when it is called the plain way, and that it does not when we call it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.model.plan import Argv
from runner.tools import rsync
from tests.compare import differences, fingerprint, rsync_silent, shared, walk
from tests.contract.over_a_shell import over_a_shell
from tests.trees import EPOCH, HOSTILE, NET_BIND, change_tree, deep, make_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps owners and capabilities")
ITEM = re.compile(rb"(.{11})\|([0-9a-f ]*)\|([0-9]+)\|(.*?)//(.*)")


def run(argv: Sequence[str | Path], timeout: float = 60, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(argv, capture_output=True, check=False, env=environment, timeout=timeout, input=given)


def ends(source: Path, target: Path) -> rsync.Ends:
    return rsync.Ends(source=f"{source}/", target=f"{target}/")


def snapshot(source: Path, target: Path, exclude: Argv = ()) -> bytes:
    """Copy the source whole."""
    target.mkdir(exist_ok=True)
    done = run(rsync.send(ends(source, target), exclude=exclude))
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def send(source: Path, target: Path, *bases: Path, names: Iterable[bytes] | None = None) -> bytes:
    """Send these names, or all; its top folder is not sent, but has all that the source's has."""
    target.mkdir(exist_ok=True)
    listed = [name for name in walk(source) if name != b"."] if names is None else names
    given = b"".join(b"./" + name + b"\0" for name in listed)
    for argv in (
        rsync.send_listed(over_a_shell(ends(source, target)), exclude=(), bases=[str(base) for base in bases]),
        rsync.send_again(over_a_shell(ends(source, target)), exclude=()),
    ):
        done = run(argv, given=given)
        assert (done.returncode, done.stderr) == (0, b"")
    shutil.copystat(source, target)
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


def test_what_is_sent_is_faithful_and_shares_nothing_with_what_is_sealed(source: Path, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    snapshot(source, sealed)
    assert differences(source, sealed) == []
    assert rsync_silent(source, sealed) == ""
    before = fingerprint(sealed)
    for day in range(1, 4):
        change_tree(source, seed=day)
        send(source, tmp_path / f"day{day}", sealed)
        assert differences(source, tmp_path / f"day{day}") == []
        assert rsync_silent(source, tmp_path / f"day{day}") == ""
        assert shared(sealed, tmp_path / f"day{day}") == set()
    assert fingerprint(sealed) == before


def test_rsync_changes_sealed_files_where_it_may_write_beside_them_and_there_it_never_does(
    source: Path, tmp_path: Path
) -> None:
    sealed, apart, naive = (tmp_path / name for name in ("sealed", "apart", "naive"))
    snapshot(source, sealed)
    run(("rsync", "-aHAX", "--numeric-ids", f"--link-dest={sealed}", "--", f"{source}/", f"{naive}/"))
    (source / "d0" / "large").chmod(0o4711)
    (source / "attributes" / "comment").chmod(0o600)
    before = fingerprint(sealed)
    # A transfer that is cut off and repeated: in place, whatever is there already.
    for _ in range(2):
        send(source, apart, sealed)
    assert fingerprint(sealed) == before
    assert differences(source, apart) == []
    run(("rsync", "-aHAX", "--numeric-ids", f"--link-dest={sealed}", "--", f"{source}/", f"{naive}/"))
    assert fingerprint(sealed) != before, "rsync changed: one more thing to rely on"


def test_a_whole_copy_that_was_cut_off_is_taken_up_in_place(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (source / "sent before the cable was pulled").write_bytes(os.urandom(3_000_000))
    snapshot(source, copy)
    (copy / "gone from the source since").touch()
    (copy / "d0" / "large").unlink()
    (source / "attributes" / "comment").chmod(0o600)
    out = snapshot(source, copy)
    assert b"sent before the cable was pulled" not in items(out)
    assert items(out)[b"d0/large"][0].startswith(b">f")
    assert differences(source, copy) == []


@needs_root
def test_what_a_link_a_device_or_a_fifo_has_beside_its_target_comes_with_the_second_pass(tmp_path: Path) -> None:
    source, sealed, naive = (tmp_path / name for name in ("source", "sealed", "naive"))
    source.mkdir()
    (source / "link").symlink_to("nowhere")
    os.mkfifo(source / "fifo")
    os.mknod(source / "device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    names = (b"link", b"fifo", b"device")
    for name in names:
        os.setxattr(source / os.fsdecode(name), "trusted.own", b"1", follow_symlinks=False)
    snapshot(source, sealed)
    naive.mkdir()
    given = b"".join(b"./" + name + b"\0" for name in names)
    run(rsync.send_listed(over_a_shell(ends(source, naive)), exclude=(), bases=[str(sealed)]), given=given)
    assert not any(os.listxattr(naive / os.fsdecode(name), follow_symlinks=False) for name in names), (
        "rsync keeps them now: the second pass has one reason less"
    )
    send(source, tmp_path / "sent", sealed)
    assert differences(source, tmp_path / "sent") == []


def test_only_what_is_listed_is_sent_and_what_is_gone_is_no_error(source: Path, tmp_path: Path) -> None:
    send(source, tmp_path / "sent", names=(b"d0/large", b"gone", b"gone/too", b"odd/in7"))
    there = {name for name in walk(tmp_path / "sent") if name != b"."}
    assert there == {b"d0", b"d0/large", b"odd", b"odd/in7"}
    # The top folder itself would bring all names in it.
    (tmp_path / "naive").mkdir()
    run(rsync.send_listed(ends(source, tmp_path / "naive"), exclude=(), bases=[]), given=b"./.\0")
    assert len(walk(tmp_path / "naive")) > 2


@pytest.mark.parametrize("trusts", [True, False])
def test_a_long_name_that_is_pulled_by_a_list_comes_where_rsync_need_not_look_it_up(
    tmp_path: Path, trusts: bool
) -> None:
    # 3.5.0 reads 2,048 bytes at once, and of a name in three pieces forgets the first: it refuses what it looks up.
    source, target, names = (tmp_path / name for name in ("source", "target", "names"))
    for folder in (source, target):
        folder.mkdir()
    deep(source, 17, "n" * 200)
    above, path = ("/".join(["n" * 200] * levels) for levels in (7, 17))
    names.write_text(f"./{above}\0./{path}\0")
    pull = replace(over_a_shell(ends(source, target)), trusts=trusts)
    with names.open() as listed:
        argv = rsync.send_listed(pull, exclude=(), bases=())
        done = subprocess.run(argv, stdin=listed, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0 or not trusts, done.stderr
    # Whether another rsync refuses it or not, it is not missing without a word.
    assert (path.encode() in walk(target)) == (done.returncode == 0)


def test_names_that_rsync_takes_for_remarks_are_sent(source: Path, tmp_path: Path) -> None:
    names = [b"odd/" + name for name in HOSTILE]
    send(source, tmp_path / "sent", names=names)
    assert set(names) <= set(walk(tmp_path / "sent"))


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
    assert b"same size" in run(rsync.look(ends(source, tmp_path / "one"), exclude=())).stdout
    # And where size and time are the same what is listed is sent all the same.
    os.utime(file, ns=(0, EPOCH * 10**9 + 1))
    send(source, tmp_path / "two", tmp_path / "one", names=[b"same size"])
    assert (tmp_path / "two" / "same size").read_bytes() == b"bbbb"


def test_a_wrong_basis_is_no_error_but_a_full_copy(source: Path, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    there = over_a_shell(ends(source, tmp_path / "two"))
    argv = rsync.send_listed(there, exclude=(), bases=[str(tmp_path / "no such folder")])
    done = run(argv, given=b"./d0/large\0")
    assert done.returncode == 0
    assert b"--copy-dest arg does not exist" in done.stderr
    assert (tmp_path / "two" / "d0" / "large").exists()


def test_the_twenty_first_basis_is_refused_before_rsync_does(source: Path, tmp_path: Path) -> None:
    bases = [str(tmp_path / f"base{number}") for number in range(21)]
    there = over_a_shell(ends(source, tmp_path / "target"))
    with pytest.raises(ValueError, match="at most 20"):
        rsync.send_listed(there, exclude=(), bases=bases)
    twenty = rsync.send_listed(there, exclude=(), bases=bases[:20])
    assert run(twenty, given=b"./d0\0").returncode == 0
    one_more = (*twenty[:-3], f"--copy-dest={bases[20]}", *twenty[-3:])
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
    send(source, tmp_path / "two", tmp_path / "one")
    assert differences(source, tmp_path / "two") == []


def test_names_that_part_without_any_other_change_are_not_seen_by_rsync(source: Path, tmp_path: Path) -> None:
    # Known and harmless to contents: the record of a look shows it by the inode, and by it alone.
    snapshot(source, tmp_path / "one")
    pair = source / "links" / "a" / "pair2"
    shutil.copy2(pair, source / "copy")
    (source / "copy").replace(pair)
    shutil.copystat(tmp_path / "one" / "links" / "a", source / "links" / "a")
    shutil.copystat(tmp_path / "one", source)
    assert run(rsync.look(ends(source, tmp_path / "one"), exclude=())).stdout == b""


@needs_root
def test_a_capability_that_was_dropped_does_not_come_back(source: Path, tmp_path: Path) -> None:
    program = "attributes/capability"
    snapshot(source, tmp_path / "one")
    os.removexattr(source / program, "security.capability")
    (tmp_path / "naive").mkdir()
    run(("rsync", "-aHA", f"--link-dest={tmp_path / 'one'}", "--", f"{source}/", f"{tmp_path / 'naive'}/"))
    assert os.getxattr(tmp_path / "naive" / program, "security.capability") == NET_BIND
    send(source, tmp_path / "two", tmp_path / "one")
    assert "security.capability" not in os.listxattr(tmp_path / "two" / program)
    assert os.getxattr(tmp_path / "one" / program, "security.capability") == NET_BIND


def test_a_snapshot_folder_has_the_time_of_its_source_not_its_own(source: Path, tmp_path: Path) -> None:
    snapshot(source, tmp_path / "snapshot")
    assert (tmp_path / "snapshot").stat().st_mtime_ns == source.stat().st_mtime_ns == EPOCH * 10**9 + 1


@pytest.mark.parametrize("whole", ["--whole-file", "--no-whole-file"])
def test_a_rotten_basis_gives_a_sound_file_though_it_has_the_same_size_and_time(tmp_path: Path, whole: str) -> None:
    """Over a connection the rotten file is the basis of a delta, and what is made of it must be right all the same."""
    source, basis, target = (tmp_path / name for name in ("source", "basis", "target"))
    source.mkdir()
    content = os.urandom(300_000)
    (source / "file").write_bytes(content)
    snapshot(source, basis)
    before = (basis / "file").stat()
    (basis / "file").write_bytes(content[:150_000] + bytes([content[150_000] ^ 1]) + content[150_001:])
    os.utime(basis / "file", ns=(before.st_atime_ns, before.st_mtime_ns))
    target.mkdir()
    argv = rsync.send_listed(over_a_shell(ends(source, target)), exclude=(), bases=[str(basis)])
    done = run((argv[0], whole, *argv[1:]), given=b"./file\0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (target / "file").read_bytes() == content
    matched = re.search(rb"Matched data: ([0-9]+)", done.stdout)
    assert matched and (int(matched[1]) > 200_000) == (whole == "--no-whole-file")
