"""Whoever is root at the store and tampers with it is found out by a head that an old message has, on the disk alone."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.agent.history.line import Broken, ChainLine, Story, head_of
from tests.contract.history.chains import against, chain, findings, head, told
from tests.contract.retention.test_expire import expire, verb
from tests.contract.storehouse import Storehouse, copied, filled

NAMES = tuple(f"2026-11-{day}T010000Z" for day in range(20, 25))
ONE, TWO, THREE, FOUR, FIVE = NAMES
AUDIT = ("audit", "--every", "1", "--bytes", "1000000000", "--seconds", "60")
RECORDS = ".runner/records"
Found = list[tuple[str, str, list[str]]]


def change(source: Path, name: str) -> None:
    (source / "folder").mkdir(exist_ok=True)
    (source / "folder/day").write_text(name)
    (source / "folder/b\udcff").write_text("not UTF-8")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """Five snapshots, four of them listed by an audit, the first expired."""
    house = filled(tmp_path_factory.mktemp("ready"), NAMES[:4], change)
    assert verb(house, *AUDIT).code == 0
    assert house.snapshot(FIVE, FOUR).code == 0
    assert expire(house, ONE).code == 0
    assert verb(house, "reap").code == 0
    return house


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def rewritten(house: Storehouse, keep: Callable[[ChainLine], bool]) -> None:
    """The chain anew, each line following from the one before, of those that are kept."""
    before, raw = "0" * 64, b""
    for number, line in enumerate(filter(keep, told(house)), 1):
        each = line._replace(number=number, before=before).raw
        raw, before = raw + each, hashlib.sha256(each).hexdigest()
    chain(house).write_bytes(raw)


def swap(one: Path, two: Path) -> None:
    one.rename(one.with_name("between"))
    two.rename(one)
    one.with_name("between").rename(two)


def edit(path: Path) -> None:
    """Change what it says and keep its size and time."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(12)
        stream.write(b"~")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def linked(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real").name)


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def planted(root: Path) -> None:
    """A snapshot that nobody made."""
    shutil.copytree(root / FIVE, root / "2026-11-25T010000Z", symlinks=True)
    shutil.copy(root / RECORDS / f"{FIVE}.json", root / RECORDS / "2026-11-25T010000Z.json")


def retaken(root: Path) -> None:
    """A tree that was changed, and its list of names made to fit."""
    (root / TWO / "folder/day").write_text("forged")
    path = root / RECORDS / f"{TWO}.names.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"/x\n"))


def swapped(root: Path) -> None:
    swap(root / THREE, root / FOUR)
    for end in (".json", ".sums.gz", ".gone.gz", ".names.gz"):
        swap(root / RECORDS / f"{THREE}{end}", root / RECORDS / f"{FOUR}{end}")


TAMPERED: dict[str, tuple[Callable[[Path], object], set[tuple[str, str]]]] = {
    "a record edited": (lambda root: edit(root / RECORDS / f"{TWO}.json"), {("changed", f"{RECORDS}/{TWO}.json")}),
    "a record removed": (
        lambda root: (root / RECORDS / f"{TWO}.json").unlink(), {("gone", f"{RECORDS}/{TWO}.json")}),
    "a record that is a link": (lambda root: linked(root / RECORDS / f"{TWO}.json"), {("changed", f"{RECORDS}/{TWO}.json")}),
    "a record that is a FIFO": (
        lambda root: replaced(root / RECORDS / f"{TWO}.json", os.mkfifo), {("changed", f"{RECORDS}/{TWO}.json")}),
    "checksums changed": (
        lambda root: (root / RECORDS / f"{TWO}.sums.gz").write_bytes(gzip.compress(b"")), {("changed", f"{RECORDS}/{TWO}.sums.gz")}),
    "the newest one's checksums": (
        lambda root: edit(root / RECORDS / f"{FIVE}.sums.gz"), {("changed", f"{RECORDS}/{FIVE}.sums.gz")}),
    "what is gone since changed": (
        lambda root: edit(root / RECORDS / f"{THREE}.gone.gz"), {("changed", f"{RECORDS}/{THREE}.gone.gz")}),
    "names taken away": (
        lambda root: (root / RECORDS / f"{TWO}.names.gz").unlink(), {("gone", f"{RECORDS}/{TWO}.names.gz")}),
    "names of one that was not listed": (
        lambda root: (root / RECORDS / f"{FIVE}.names.gz").write_bytes(b""), {("unknown", f"{RECORDS}/{FIVE}.names.gz")}),
    "a tree changed, its names made to fit": (retaken, {("changed", f"{RECORDS}/{TWO}.names.gz")}),
    "a file of a tree": (
        lambda root: os.utime(root / TWO / "folder/day", ns=(0, 1)), {("attributes", "folder/day")}),
    "a name of a tree": (
        lambda root: (root / TWO / "folder/new").touch(), {("added", "folder/new"), ("attributes", "folder")}),
    "a snapshot removed": (
        lambda root: shutil.rmtree(root / TWO), {("gone", ".")}),
    "a snapshot removed with all": (
        lambda root: (shutil.rmtree(root / TWO), [path.unlink() for path in (root / RECORDS).glob(f"{TWO}*")]),
        {("gone", "."), *(("gone", f"{RECORDS}/{TWO}{end}") for end in (".json", ".sums.gz", ".gone.gz", ".names.gz"))}),
    "a snapshot that is a link": (
        lambda root: ((root / TWO).rename(root.parent / "away"), (root / TWO).symlink_to(root.parent / "away")), {("gone", ".")}),
    "two snapshots in each other's place": (
        swapped, {("changed", f"{RECORDS}/{name}{end}") for name in (THREE, FOUR) for end in (".json", ".sums.gz", ".names.gz")}),
    "a snapshot under another name": (
        lambda root: (root / TWO).rename(root / "2026-11-22T020000Z"), {("gone", ".")}),
    "one that nobody made": (planted, {("unknown", ".")}),
    "one that expired": (
        lambda root: (shutil.copytree(root / TWO, root / ONE), (root / RECORDS / f"{ONE}.json").write_text("{}")), {("unknown", ".")}),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_tampered_with_is_named(house: Storehouse, how: str) -> None:
    known = head(house)
    assert findings(house, known) == []
    tamper, expected = TAMPERED[how]
    tamper(house.root)
    listed = findings(house, known)
    same = expected - {(kind, path) for kind, path, _ in listed}
    assert not same, listed
    # Of two that are in each other's place, or of a tree that was changed where others share its files, more is told.
    assert {(kind, path) for kind, path, _ in listed} == expected or how.startswith(("two", "a tree", "checksums")), (
        listed
    )


def test_a_head_of_every_day_is_one_to_go_by(house: Storehouse) -> None:
    raw = chain(house).read_bytes().splitlines(keepends=True)
    for number, line in enumerate(raw, 1):
        assert findings(house, f"{number}:{hashlib.sha256(line).hexdigest()}") == []
    early = against(house, f"2:{hashlib.sha256(raw[1]).hexdigest()}").answer
    assert early["written"] == told(house)[1].time
    assert [(each["event"], each["snapshot"]) for each in early["since"]] == [
        *(("sealed", name) for name in NAMES[1:]), ("expired", ONE)
    ]  # fmt: skip
    assert (early["snapshots"], early["unlisted"], early["lines"]) == (4, [FIVE], len(raw))


REWRITTEN: dict[str, Callable[[ChainLine], bool]] = {
    "the expiry left out": lambda line: line.event != "expired",
    "a seal left out": lambda line: line.name != THREE,
    "the end cut off": lambda line: line.number < 9,
    "begun anew": lambda line: line.number == 1,
}


@pytest.mark.parametrize("how", REWRITTEN)
def test_a_chain_that_was_written_anew_has_not_that_head(house: Storehouse, how: str) -> None:
    known = head(house)
    rewritten(house, REWRITTEN[how])
    refused = against(house, known)
    assert refused.code == 1 and "is not the chain that this head is of" in refused.answer["error"]


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "a byte": lambda raw: raw.replace(b"sealed", b"sealec", 1),
    "two lines swapped": lambda raw: b"".join(raw.splitlines(keepends=True)[each] for each in (0, 2, 1, 3, 4, 5)),
    "a huge line": lambda raw: b"x" * 3_000_000 + raw,
    "not UTF-8": lambda raw: raw[:300] + b"\xff\xfe\0" + raw[303:],
    "empty": lambda raw: b"",
    "only newlines": lambda raw: b"\n" * 100_000,
    "a digest": lambda raw: raw.replace(b"record=", b"record=0", 1),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_chain_that_was_changed_is_refused(house: Storehouse, how: str) -> None:
    known = head(house)
    chain(house).write_bytes(BROKEN[how](chain(house).read_bytes()))
    refused = against(house, known)
    assert refused.code == 1 and ("broken" in refused.answer["error"] or how == "empty"), refused


def test_a_seal_that_is_said_not_to_have_been_was_one_where_its_head_was_answered(house: Storehouse) -> None:
    # The newest was sealed, its head was mailed; then it goes, and the chain says that it never was.
    name = "2026-11-25T010000Z"
    known = house.snapshot(name, FIVE).answer["head"]
    shutil.rmtree(house.root / name)
    for path in (house.root / RECORDS).glob(f"{name}*"):
        path.unlink()
    assert verb(house, "set-aside", THREE, "--min", "1").code == 0
    assert told(house)[-2].event == "undone"
    assert findings(house, known) == [("undone", ".", [name])]
    # Nor does it follow for whoever asks for what came since.
    first, *_ = house.call("chain", str(house.root), "--known", known).answer["lines"]
    assert first.split()[3:] == ["undone", name]
    with pytest.raises(Broken):
        Story(head_of(known), FIVE).tell(f"{first}\n".encode())


@pytest.mark.skipif(shutil.which("xxhsum") is None, reason="needs xxhsum")
def test_contents_that_were_forged_with_size_and_time_are_found_by_reading_them(house: Storehouse) -> None:
    known = head(house)
    words = ("audit", str(house.root), "--against", known, "--contents")
    fine = house.call(*words)
    assert (fine.code, fine.answer["total"], fine.answer["unchecked"]) == (0, 0, 0) and fine.answer["read_files"] > 4
    edit(house.root / TWO / "folder/day")
    assert findings(house, known) == []
    said = house.call(*words)
    assert said.code == 3
    assert [(each["kind"], each["path"]) for each in said.answer["findings"]] == [("content", "folder/day")]


def test_what_lies_aside_is_compared_too(house: Storehouse) -> None:
    assert verb(house, "set-aside", THREE, "--min", "1").code == 0
    known = head(house)
    edit(house.root / f".aside/records/{THREE}.json")
    assert findings(house, known) == [("changed", f".aside/records/{THREE}.json", [THREE])]
    assert verb(house, "bring-back", THREE).code == 0
    assert findings(house, known) == [("changed", f"{RECORDS}/{THREE}.json", [THREE])]


def test_nothing_is_said_of_a_store_that_is_worked_on_and_of_none(house: Storehouse, tmp_path: Path) -> None:
    known = head(house)
    with house.held():
        refused = against(house, known)
        assert refused.code == 75 and refused.answer["holder"]["plan"] == house.plan
    for text in ("", "x", f"0:{'a' * 64}", f"1:{'a' * 63}"):
        assert against(house, text).code == 1
    assert house.call("audit", str(tmp_path / "none"), "--against", known).code == 1


def test_a_chain_says_which_lines_it_has_since_a_head(house: Storehouse) -> None:
    raw = chain(house).read_text().splitlines()
    early = f"3:{told(house)[3].before}"
    answer = house.call("chain", str(house.root), "--known", early).answer
    assert answer == {"head": head(house), "lines": raw[3:], "broken": ""}
    assert house.call("chain", str(house.root)).answer["lines"] == raw
    assert house.call("chain", str(house.root), "--known", head(house)).answer["lines"] == []
    # It is asked by a number alone: whether that line is the same is seen by whoever has the head.
    assert house.call("chain", str(house.root), "--known", f"3:{'a' * 64}").answer["lines"] == raw[3:]
    # What the last line says is not done yet.
    with chain(house).open("ab") as stream:
        last = told(house)[-1]
        digest = head(house).partition(":")[2]
        stream.write(last._replace(number=last.number + 1, before=digest, event="expired", name=FIVE, digests={}).raw)
    assert house.call("chain", str(house.root), "--known", early).answer["lines"] == raw[3:]
    chain(house).write_text("x\n")
    answer = house.call("chain", str(house.root), "--known", early).answer
    assert answer["broken"] and (answer["head"], answer["lines"]) == ("", [])
