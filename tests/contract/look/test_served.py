"""A look for somebody with a key: he sees no store's names by it, and fills no disk with its records."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.look import bounds, places
from runner.agent.policy import hidden, limits, refusals
from tests.contract.look.looks import NO_RECORD, ONE, TWO, Looked, called
from tests.contract.storehouse import Said, frame
from tests.mounts import need_mounts

NOTED: list[str] = []


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looked]:
    """A source with the store of another key in it."""
    (tmp_path / "source/srv/other").mkdir(parents=True)
    (tmp_path / "source/srv/other/letter").touch()
    (tmp_path / "source/way").symlink_to("srv/other")
    monkeypatch.setattr(refusals, "note", lambda key, what: NOTED.append(what))
    monkeypatch.setattr(places, "SPARE", tmp_path / "spare")
    NOTED.clear()
    limits.bind("papio", {})
    hidden.hide([str(tmp_path / "source/srv/other")])
    hidden.show([str(tmp_path / "source")])
    yield Looked(source=tmp_path / "source", scans=tmp_path / "scans/q")
    limits._key.clear()
    hidden._places.clear()
    hidden._sources.clear()


def look(house: Looked, *words: str, given: bytes = b"", name: str = ONE, scans: str = "") -> tuple[int, bytes]:
    said = called("look", str(house.source), f"--scans={scans or house.scans}", f"--name={name}", *words, given=given)
    return said.code, said.out


def test_no_verb_that_looks_at_a_source_names_what_is_in_a_store(house: Looked) -> None:
    assert look(house)[0] == NO_RECORD
    compared = b"c" + b"d" + b"+" * 9 + b"|srv/other/guessed//\n"
    code, listed = look(house, f"--basis={TWO}", "--compared=c", given=frame("c", Said(code=0, out=compared)))
    assert code == 0 and b"./srv/other" in listed and b"letter" not in listed
    item = b">f+++++++++|"
    lines = b"".join(item + name + b"//\n" for name in (b"srv/other/letter", b"way/letter", b"srv"))
    said = called(
        "explain", str(house.source), "--since=2026-11-01T00:00:00Z", given=frame("c", Said(code=23, out=lines))
    )
    causes = [line.partition(b'"cause": "')[2].partition(b'"')[0] for line in said.out.splitlines()[:3]]
    assert causes[:2] == [b"vanished", b"vanished"] and causes[2] != b"vanished"
    said = called("walk", str(house.source), "--since=2099-11-01T00:00:00Z", given=frame("t", Said(code=0, out=b"")))
    assert said.answer["names"] == 4, "the top, srv, the link, and other as an empty folder"


def verbs(house: Looked, source: Path) -> Iterator[Said]:
    """Each verb that looks at a source, with this one."""
    records = (str(source), f"--scans={house.scans}", f"--name={ONE}")
    given = b">f+++++++++|way/letter//\n>f+++++++++|letter//\n"
    yield called("look", *records)
    yield called("changed", *records)
    yield called("settle", *records)
    yield called("walk", str(source), "--since=2099-11-01T00:00:00Z", given=frame("t", Said(code=0, out=b"")))
    yield called("explain", str(source), "--since=2026-11-01T00:00:00Z", given=frame("c", Said(code=23, out=given)))


def test_no_verb_that_looks_at_a_source_goes_elsewhere_by_a_link(house: Looked, tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/letter").touch()
    (house.source / "user").mkdir()
    (house.source / "user/way").symlink_to(tmp_path / "beside")
    os.lchown(house.source / "user/way", 1000, 1000)
    os.chown(house.source / "user", 1000, 1000)
    (house.source / "own").symlink_to(tmp_path / "beside")
    for source in ("user/way", "own", "srv/other"):
        for said in verbs(house, house.source / source):
            assert said.code == 1 and b"letter" not in said.out, (source, said)
    # Nobody but root has anything to say in /run.
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        (Path(folder) / "inner").symlink_to(house.source / "user")
        *_, walked, explained = verbs(house, Path(folder) / "inner")
    assert walked.answer["names"] == 2, "a link of root's own to what may be read"
    lines = [json.loads(line) for line in explained.out.splitlines()]
    assert [line["cause"] for line in lines[:2]] == ["vanished", "vanished"], "what is behind a link"


def test_no_key_writes_the_records_of_another_nor_of_the_hosts_own_runner(house: Looked) -> None:
    limits._key.clear()
    house.first(ONE)
    limits.bind("karl", {})
    house.first(ONE)
    limits.bind("papio", {})
    before = {path: path.read_bytes() for path in house.scans.parent.rglob("*.*") if path.is_file()}
    (house.source / "letter").write_text("changed")
    house.first(ONE)
    assert house.next(TWO, ONE) == [], "its own look saw that letter"
    assert len(before) == 4 and all(path.read_bytes() == content for path, content in before.items())
    for key in ("karl", ""):
        limits._key[:] = [key] if key else []
        assert b"letter" in house.next(TWO, ONE), key


def test_the_records_of_a_key_are_in_so_many_folders(house: Looked) -> None:
    for number in range(bounds.FOLDERS):
        (house.scans.parent / f".papio/{number}").mkdir(parents=True, mode=0o700)
    code, said = look(house)
    assert code == 1 and b"no more are made" in said and len(NOTED) == 1
    assert look(house, scans=str(house.scans.parent / "0"))[0] == NO_RECORD
    for number in range(bounds.FILES):
        (house.scans.parent / f".papio/1/{number}").touch()
    assert look(house, scans=str(house.scans.parent / "1"))[0] == 1


def test_the_records_of_a_key_leave_the_last_of_a_disk(house: Looked) -> None:
    need_mounts()
    disk = house.scans.parent
    disk.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", disk), check=True)
    try:
        (disk / "rubbish").write_bytes(bytes(os.statvfs(disk).f_bavail * 4096 - (1 << 20)))
        assert look(house)[0] == NO_RECORD
        assert not list(disk.rglob("*.scan"))
        assert len(list((house.source.parent / "spare/.papio").rglob("*.scan"))) == 1
    finally:
        subprocess.run(("umount", disk), check=True)
