"""A record that is not whole, not of this source, not settled: never an empty list, and gone."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from runner.agent.look import look
from runner.agent.look.entries import ENTRY
from runner.agent.look.listing import is_below
from runner.agent.look.places import ScanFolder
from runner.agent.look.record import END, FOLDER, Scan, ScanHeader, ScanWriter, Unusable, new_digest
from tests.contract.look.looks import NO_RECORD, ONE, THREE, TWO, Looked, called, last, names
from tests.contract.storehouse import ENVIRONMENT, NOBODY, PROGRAM, execute


@pytest.fixture
def house(tmp_path: Path) -> Looked:
    (tmp_path / "source/folder").mkdir(parents=True)
    (tmp_path / "source/folder/file").write_text("text")
    return Looked(source=tmp_path / "source", scans=tmp_path / "scans")


def _refused(house: Looked, *kinds: str) -> str:
    """The look finds no record, says why, and removes what it could not use."""
    looked = house.look(TWO, ONE)
    assert (looked.code, looked.out) == (NO_RECORD, b""), looked
    assert house.records() == [f"{TWO}.scan"]
    (why,) = looked.err.decode().splitlines()
    assert why.startswith("no record to compare with: ") and why.isprintable()
    return why


def test_a_record_that_is_cut_off_anywhere_is_none(house: Looked) -> None:
    house.first()
    path = house.place(ONE)
    whole = path.read_bytes()
    places = ScanFolder(str(house.scans), str(house.source))
    header = ScanHeader(**json.loads(whole.split(b"\n")[0]))
    assert places.known(header, settled=True).scan.close() is None
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(Unusable):
            places.known(header, settled=True)
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        with pytest.raises(Unusable):
            places.known(header, settled=True)
    path.write_bytes(whole[:-5])
    assert "cut off" in _refused(house)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda path: path.unlink(), "none"),
    "garbage": (lambda path: path.write_bytes(os.urandom(4000)), "cut off"),
    "empty": (lambda path: path.write_bytes(b""), "cut off"),
    "a link": (lambda path: path.rename(path.parent / "x") and path.symlink_to("x"), "cannot be read"),
    "a fifo": (lambda path: (path.unlink(), os.mkfifo(path, 0o600)), "no regular file"),
    "a folder": (lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()), "no regular file"),
    "endless": (lambda path: os.truncate(path, 1 << 40), "cut off"),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "cut off"),
    "another's to write": (lambda path: path.chmod(0o666), "others may have written it"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_record_is_removed_and_a_look_begins_anew(house: Looked, bad: str) -> None:
    house.first()
    spoil, why = BAD[bad]
    spoil(house.place(ONE))
    (house.scans / "x").unlink(missing_ok=True)
    assert why in _refused(house)
    assert house.settle(TWO).code == 0
    assert house.next(THREE, TWO) == []


def test_a_record_of_another_machine_source_format_or_snapshot_is_none(house: Looked, tmp_path: Path) -> None:
    for number in range(4):
        house.first()
        path, note = house.place(ONE), house.place(ONE, "again")
        if number == 0:
            with mock.patch.object(look, "machine_id", lambda: "0" * 31 + "1"):
                assert "machine" in _refused(house)
        elif number == 1:
            other = tmp_path / "other"
            house.source.rename(other)
            moved = Looked(source=other, scans=house.scans)
            assert moved.look(TWO, ONE).code == NO_RECORD
            # Those of other filesystems stay.
            assert path.exists() and note.exists()
            other.rename(house.source)
            path.rename(moved.place(TWO).with_name(moved.place(TWO).name.replace(TWO, ONE)))
            other.mkdir()
            assert moved.look(TWO, ONE).code == NO_RECORD
            moved.place(TWO).unlink()
        elif number == 2:
            path.rename(path.with_name(path.name.replace(ONE, THREE)))
            note.rename(note.with_name(note.name.replace(ONE, THREE)))
            assert house.look(TWO, THREE).code == NO_RECORD
        else:
            with mock.patch.object(look, "FORMAT", 2):
                assert "format" in _refused(house)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"gone", b"goes")),
        lambda path: path.write_bytes(b"[]\n"),
        lambda path: path.write_bytes(b""),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
    ],
)
def test_a_record_is_no_basis_without_what_was_settled_with_it(house: Looked, spoil: Callable[[Path], object]) -> None:
    house.first()
    (house.source / "gone").touch()
    listed = house.look(TWO, ONE)
    (house.source / "gone").unlink()
    assert house.settle(TWO, listed).code == 0
    spoil(house.place(TWO, "again"))
    looked = house.look(THREE, TWO)
    assert (looked.code, looked.out) == (NO_RECORD, b"")


def test_what_was_settled_belongs_to_one_look_only(house: Looked) -> None:
    house.first()
    note = house.place(ONE, "again").read_bytes()
    (house.source / "more").touch()
    house.look(ONE)
    assert house.records() == [f"{ONE}.scan"]
    place = house.place(ONE)
    place.with_suffix(".again").write_bytes(note)
    place.with_suffix(".again").chmod(0o600)
    assert house.look(TWO, ONE).code == NO_RECORD


def test_a_record_that_was_forged_whole_ends_the_look_and_is_gone(house: Looked) -> None:
    house.first()
    place = house.place(ONE)
    real = ScanWriter.folder

    def forged(self: ScanWriter, packed: object) -> None:
        real(self, packed._replace(names=packed.names + 1))  # type: ignore[attr-defined]

    with mock.patch.object(ScanWriter, "folder", forged):
        house.first()
    (house.source / "new").touch()
    looked = house.look(TWO, ONE)
    assert looked.code == 1 and b"the record is damaged" in looked.out
    assert not place.exists() and not place.with_name(f"{place.name}.tmp").exists()


def test_what_a_killed_look_left_is_removed_and_so_are_old_records(house: Looked) -> None:
    house.first()
    place = house.place(ONE)
    for old in (place.name.replace(ONE, THREE), f"{place.name}.tmp", place.name.replace(ONE, TWO) + ".tmp"):
        place.with_name(old).write_bytes(b"x")
    (house.scans / "another's").write_bytes(b"x")
    house.next(TWO, ONE)
    assert house.records() == ["", *(f"{name}.{kind}" for name in (ONE, TWO) for kind in ("again", "scan"))]


def test_the_folder_is_ours_alone_or_the_look_is_refused(house: Looked, tmp_path: Path) -> None:
    os.umask(0o022)
    house.first()
    assert oct(house.scans.stat().st_mode) == "0o40700"
    assert {oct(path.stat().st_mode) for path in house.scans.iterdir()} == {"0o100600"}
    house.scans.chmod(0o777)
    for refused in (house.look(TWO, ONE), house.settle(ONE)):
        assert refused.code == 1 and "others may change" in refused.answer["error"]
    house.scans.chmod(0o700)
    house.scans.rename(tmp_path / "real")
    house.scans.symlink_to("real")
    assert "is a link" in house.look(TWO, ONE).answer["error"]


def test_a_comparison_is_due_after_so_many_looks_by_record(house: Looked) -> None:
    house.first()
    house.next(TWO, ONE)
    assert names(house.look(THREE, TWO, "--most=2")) == []
    assert house.look(THREE, TWO, "--most=1").code == NO_RECORD
    # Both the record and the comparison are used then.
    assert house.records() == [f"{TWO}.again", f"{TWO}.scan", f"{THREE}.scan"]


def test_an_empty_source_has_a_record(tmp_path: Path) -> None:
    house = Looked(source=tmp_path / "source", scans=tmp_path / "scans")
    house.source.mkdir()
    assert last(house.first())["names"] == 1
    assert house.next(TWO, ONE) == []
    (house.source / "new").touch()
    assert house.next(THREE, TWO) == [b"new"]


def test_a_source_that_is_not_there_is_refused_and_the_record_stays(house: Looked, tmp_path: Path) -> None:
    house.first()
    house.source.rename(tmp_path / "away")
    refused = house.look(TWO, ONE)
    assert (refused.code, refused.answer["error"]) == (1, f"'{house.source}': No such file or directory")
    assert house.records() == [f"{ONE}.again", f"{ONE}.scan"]
    (tmp_path / "away").rename(house.source)
    assert house.next(TWO, ONE) == []


@pytest.fixture
def roots_folder() -> Iterator[None]:
    """As it is once root's runner has run here: its folder until the next boot is there, for root alone."""
    folder, made = Path("/run/runner"), False
    if os.geteuid() == 0:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            made = True
    yield
    if made:
        # Another test may have found a use for it meanwhile.
        with contextlib.suppress(OSError):
            folder.rmdir()


@pytest.mark.usefixtures("roots_folder")
def test_an_ordinary_user_looks_at_what_he_may() -> None:
    before: tuple[str, ...] = ()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        home = Path(folder)
        (home / "source/closed").mkdir(parents=True)
        (home / "source/file").touch()
        (home / "source/closed").chmod(0)
        if os.geteuid() == 0:
            before = NOBODY
            for path in (home, home / "source", home / "source/file"):
                os.chown(path, 65534, 65534)
        words = (str(home / "source"), f"--scans={home}/scans", f"--name={ONE}")
        assert execute((*before, *PROGRAM, "look", *words)).code == NO_RECORD
        closed, settled = execute((*before, *PROGRAM, "settle", *words)).lines
        assert (closed["path"], closed["cause"], settled["names"]) == ("closed", "unreadable", 3)
        (home / "source/closed").chmod(0o700)


def test_memory_does_not_grow_with_the_names_that_there_are(tmp_path: Path) -> None:
    # What a look keeps of a folder is gone with it: thousands of folders take no more than some.
    source, scans = tmp_path / "source", tmp_path / "scans"
    for number in range(40):
        (source / f"d{number}").mkdir(parents=True)
        for other in range(40):
            (source / f"d{number}/e{other}").mkdir()
    script = (
        "import resource, sys; from runner.agent import __main__ as agent; agent._run(sys.argv[1:]);"
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))"
    )
    most = []
    for top in (source / "d0", source):
        argv = (sys.executable, "-c", script, "look", str(top), f"--scans={scans}", f"--name={ONE}")
        done = subprocess.run(argv, check=True, capture_output=True, env={**ENVIRONMENT, "LC_ALL": "C.UTF-8"})
        most.append(int(done.stderr.splitlines()[-1]))
    assert most[1] < most[0] + 2048


def test_the_end_of_a_record_says_how_long_it_is(house: Looked) -> None:
    house.first()
    content = house.place(ONE).read_bytes()
    start, sums, listed, _, _ = END.unpack(content[-END.size :])
    assert start + sums + listed + END.size == len(content)


def test_a_snapshot_is_not_its_own_basis(house: Looked) -> None:
    assert called("look", str(house.source), f"--scans={house.scans}", f"--name={ONE}", f"--basis={ONE}").code == 1


def _forge(path: Path, sums: Callable[[dict[str, Any]], object], folders: bytes = b"", states: bytes = b"") -> None:
    """Write the record anew with other sums and folders, whole by its digest, as its owner could."""
    content = path.read_bytes()
    start, length, listed, _, mark = END.unpack(content[-END.size :])
    fields = json.loads(content[start : start + length])
    sums(fields)
    head, text = content[: content.index(b"\n") + 1], json.dumps(fields).encode()
    body = folders or content[len(head) : start]
    sizes = len(head) + len(body), len(text), len(states)
    digest = new_digest()
    for piece in (head, body, text, states, END.pack(*sizes, bytes(32), mark)):
        digest.update(piece)
    path.write_bytes(head + body + text + states + END.pack(*sizes, digest.digest(), mark))


HUGE = 10**4000
SUMS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a text for a count": lambda sums: sums.update(names="2"),
    "a text for the row": lambda sums: sums.update(row="x"),
    "huge": lambda sums: sums.update(names=HUGE, size=HUGE),
    "more names": lambda sums: sums.update(names=sums["names"] + 1),
    "a number for the digest": lambda sums: sums.update(digest=7),
    "no top": lambda sums: sums.update(top=None),
    "a list of tops": lambda sums: sums.update(top=[sums["top"]]),
    "attributes that are none": lambda sums: sums["top"]["extended"].update(x=[1]),
    "a closed folder that is none": lambda sums: sums.update(closed=[["a", ["b"], 1, 1]]),
    "a closed folder too much": lambda sums: sums.update(closed=[["a"]]),
    "one more": lambda sums: sums.update(more=1),
    "one less": lambda sums: sums.pop("size"),
}


@pytest.mark.parametrize("forged", SUMS)
def test_sums_that_were_forged_are_none_and_the_next_look_goes_on(house: Looked, forged: str) -> None:
    house.first()
    _forge(house.place(ONE), SUMS[forged])
    _note_of(house)
    (house.source / "new").touch()
    _goes_on_after(house)


def _note_of(house: Looked) -> None:
    """What was settled with the record is that of the forged one too."""
    with contextlib.suppress(Unusable):
        scan = Scan(house.place(ONE))
        ScanFolder(str(house.scans), str(house.source)).note(ONE, scan, ())
        scan.close()


def _goes_on_after(house: Looked) -> None:
    """There is no list that lacks a change; the forged record is gone after one look, and all is well after it."""
    looked = house.look(TWO, ONE)
    assert (looked.code, looked.out) == (NO_RECORD, b"") or (looked.code == 1 and looked.answer["do"]), looked
    assert not list(house.scans.glob(f"*{ONE}*"))
    assert house.look(TWO, ONE).code == NO_RECORD
    assert house.settle(TWO).code == 0
    assert house.next(THREE, TWO) == []


def _folder(
    path: bytes, *names: bytes, count: int | None = None, row: tuple[int, ...] = (0o100644, 0, 0, 0, 1, 1, 1, 1)
) -> bytes:
    block = ENTRY.pack(*row) * len(names) + b"\0".join(names)
    return FOLDER.pack(len(names) if count is None else count, 0, len(path), len(block)) + path + block


FOLDERS = {
    "a way out": _folder(b"", b".."),
    "itself": _folder(b"", b"."),
    "two in one": _folder(b"", b"../../etc/passwd"),
    "nothing": _folder(b"", b"", b"a"),
    "no such folder": _folder(b"../../etc", b"passwd"),
    "absolute": _folder(b"/etc", b"passwd"),
    "more than there are": _folder(b"", b"a", count=2**32 - 1),
    "less than there are": _folder(b"", b"a", b"b", count=1),
    "cut off": _folder(b"", b"a")[:-1],
    "a block without an end": FOLDER.pack(1, 0, 0, 2**32 - 1) + bytes(60),
    "a million long": _folder(b"", b"x" * 1_000_000),
    "deep": _folder(b"/".join([b"d"] * 30_000), b"x"),
    "a hundred thousand levels": b"".join(_folder(b"/".join([b"d"] * level), b"d") for level in range(0, 30_000, 500)),
}


def _counted(folders: bytes) -> int:
    """How many names they say that they have."""
    place = count = 0
    while place + FOLDER.size <= len(folders):
        names, _, path, block = FOLDER.unpack_from(folders, place)
        place, count = place + FOLDER.size + path + block, count + names
    return count


@pytest.mark.parametrize("forged", FOLDERS)
def test_folders_that_were_forged_lead_nowhere(house: Looked, forged: str) -> None:
    house.first()
    _forge(house.place(ONE), lambda sums: sums.update(names=1 + _counted(FOLDERS[forged])), FOLDERS[forged])
    _note_of(house)
    (house.source / "new").touch()
    looked = house.look(TWO, ONE)
    if looked.code == 0:
        # A list of names below the top, with all that changed and all that the record is silent about.
        assert {b"new", b"folder"} <= set(names(looked)) and all(map(is_below, names(looked)))
        assert b"x" * 1_000_000 not in looked.out
    else:
        assert not list(house.scans.glob(f"*{ONE}*"))
        assert house.look(TWO, ONE).code == NO_RECORD
        assert house.settle(TWO).code == 0
        assert house.next(THREE, TWO) == []


@pytest.mark.parametrize("text", [b"..", b"../x", b"a/../../x", b"/etc/passwd", b"", b"\0\0", b"x" * 5000, b"./a"])
def test_what_was_noted_and_is_no_name_is_never_listed(house: Looked, text: bytes) -> None:
    house.first()
    scan = Scan(house.place(ONE))
    ScanFolder(str(house.scans), str(house.source)).note(ONE, scan, [text])
    scan.close()
    (house.source / "new").touch()
    looked = house.look(TWO, ONE)
    if looked.code == 0:
        assert b"new" in names(looked) and all(map(is_below, names(looked)))
    else:
        _goes_on_after(house)


def test_a_record_that_was_made_later_than_now_is_none(house: Looked) -> None:
    house.first()
    hour = 3600 * 10**9
    real = time.time_ns
    with mock.patch.object(look, "time", mock.Mock(time_ns=lambda: real() - hour)):
        assert "clock" in _refused(house)


def test_the_records_of_two_stores_that_were_exchanged(house: Looked, tmp_path: Path) -> None:
    other = Looked(source=house.source, scans=tmp_path / "other")
    house.first()
    (house.source / "folder/file").write_text("another text")
    other.first()
    for kind in ("scan", "again"):
        one, two = house.place(ONE, kind), other.place(ONE, kind)
        one.rename(tmp_path / "kept")
        two.rename(one)
        (tmp_path / "kept").rename(two)
    # Both are of this source and of a snapshot of that name, and neither is believed.
    for each in (house, other):
        assert each.look(TWO, ONE).code == NO_RECORD
