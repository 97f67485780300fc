"""What is proven: written by a drill alone, shown to a plan, and kept from expiring."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contract.retention.test_expire import NAMES, copied, expire, facts, ready
from tests.contract.storehouse import PROGRAM, Said, Storehouse

pytestmark = pytest.mark.long

__all__ = ["ready"]


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def proven(house: Storehouse, name: str, at: str = "2026-11-25T02:00:00+00:00", sort: str = "files") -> Said:
    last = json.dumps({"tried": {"sample": 7, "canaries": 2}}).encode() + b"\n"
    head = json.dumps({"from": "drill/sample", "state": "done", "exit": 0, "bytes": len(last)}).encode()
    return house.call("proven", str(house.root), sort, name, f"--at={at}", given=head + b"\n" + last + b"\n")


def test_what_is_proven_is_told_with_what_was_tried(house: Storehouse) -> None:
    assert proven(house, NAMES[1]).answer == {"proven": "files", "snapshot": NAMES[1], "kept": False}
    assert proven(house, NAMES[3], sort="database").code == 0
    known = facts(house)
    assert known["proven"] == {
        "files": {"snapshot": NAMES[1], "at": "2026-11-25T02:00:00+00:00"},
        "database": {"snapshot": NAMES[3], "at": "2026-11-25T02:00:00+00:00"},
    }
    assert {snapshot["name"]: snapshot["proven"] for snapshot in known["sealed"] if snapshot["proven"]} == {
        NAMES[1]: ["files"], NAMES[3]: ["database"],
    }  # fmt: skip
    assert json.loads((house.root / ".runner/proven.json").read_text())["files"]["canaries"] == 2


def test_the_last_proven_snapshot_is_not_expired_until_a_newer_one_is_proven(house: Storehouse) -> None:
    assert proven(house, NAMES[0]).code == 0
    output = expire(house, NAMES[0])
    assert (output.code, output.answer["error"]) == (
        1, f"{NAMES[0]} is the last snapshot that was proven to come back",
    )  # fmt: skip
    assert expire(house, NAMES[1]).code == 0
    assert proven(house, NAMES[4], "2026-11-26T02:00:00+00:00").code == 0
    assert expire(house, NAMES[0]).code == 0


def test_each_sort_keeps_its_own(house: Storehouse) -> None:
    assert proven(house, NAMES[0], sort="database").code == 0
    assert proven(house, NAMES[4]).code == 0
    assert expire(house, NAMES[0]).code == 1


def test_a_proof_is_replaced_by_a_newer_one_only(house: Storehouse) -> None:
    assert proven(house, NAMES[2], "2001-11-25T02:00:00+00:00").code == 0
    for name, at in ((NAMES[4], "2001-11-24T02:00:00+00:00"), (NAMES[1], "2001-11-26T02:00:00+00:00")):
        assert proven(house, name, at).answer == {"proven": "files", "snapshot": NAMES[2], "kept": True}
    assert proven(house, NAMES[2], "2001-11-26T02:00:00+00:00").answer["kept"] is False
    # Where that snapshot is no more, what is there is better than nothing.
    shutil.rmtree(house.root / NAMES[2])
    assert proven(house, NAMES[1], "2001-11-27T02:00:00+00:00").answer["kept"] is False


def test_a_proof_of_a_time_that_has_not_come_is_replaced(house: Storehouse) -> None:
    """A clock that was ahead wrote it: it would keep every later one from being noted for as long."""
    assert proven(house, NAMES[2], "2098-11-25T02:00:00+00:00").code == 0
    assert proven(house, NAMES[2], "2001-11-26T02:00:00+00:00").answer["kept"] is False


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"files": 1}\n\0', '{"files": 1}', '{"files": {"snapshot": "2026-11-21T010000Z"}}']
)
def test_a_damaged_note_lets_nothing_expire_and_the_next_drill_writes_it_anew(house: Storehouse, text: str) -> None:
    path = house.root / ".runner/proven.json"
    path.write_text(text)
    assert facts(house)["proven"] == {}
    assert "cannot be understood" in expire(house, NAMES[0]).answer["error"]
    assert proven(house, NAMES[4]).code == 0
    assert expire(house, NAMES[0]).code == 0


@pytest.mark.parametrize(
    ("name", "sort", "at"),
    [
        ("2020-01-01T000000Z", "files", "2026-11-25T02:00:00+00:00"),
        ("../x", "files", "2026-11-25T02:00:00+00:00"),
        (NAMES[0], "all", "2026-11-25T02:00:00+00:00"),
        (NAMES[0], "files", "yesterday"),
    ],
)
def test_only_a_sealed_snapshot_can_be_proven(house: Storehouse, name: str, sort: str, at: str) -> None:
    assert proven(house, name, at, sort).code == 1
    assert not (house.root / ".runner/proven.json").exists()


@pytest.mark.parametrize("last", [b"", b"nonsense", b"[]", b"{}", b'{"tried": 7}', b'{"tried": [7]}', b"[" * 9999])
def test_what_was_tried_may_be_damaged_and_is_then_not_told(house: Storehouse, last: bytes) -> None:
    whole = b'{"tried": {"sample": 7}}\n'
    given = b""
    for number, line in enumerate((whole, last + b"\n")):
        head = {"from": f"drill/{number}", "state": "done", "exit": 0, "bytes": len(line)}
        given += json.dumps(head).encode() + b"\n" + line + b"\n"
    at = "2026-11-25T02:00:00+00:00"
    assert house.call("proven", str(house.root), "files", NAMES[1], f"--at={at}", given=given).code == 0
    kept = json.loads((house.root / ".runner/proven.json").read_text())["files"]
    assert kept == {"snapshot": NAMES[1], "at": at, "sample": 7}


def test_it_is_written_while_a_snapshot_is_being_made(house: Storehouse) -> None:
    with house.held("another plan"):
        assert proven(house, NAMES[4]).code == 0


def test_all_snapshots_of_a_drill_are_kept_while_they_are_read(house: Storehouse) -> None:
    argv = (*PROGRAM, "reading", str(house.root), NAMES[0], NAMES[2])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as reader:
        assert reader.stdin and reader.stdout and json.loads(reader.stdout.readline())["held"] is True
        for name in (NAMES[0], NAMES[2]):
            assert "is being read" in expire(house, name).answer["error"]
        assert expire(house, NAMES[1]).code == 0
        reader.stdin.close()
    assert expire(house, NAMES[2]).code == 0
    output = house.call("reading", str(house.root), NAMES[3], "2020-01-01T000000Z")
    assert (output.code, "no sealed snapshot" in output.answer["error"]) == (1, True)


def test_however_much_is_said_to_be_tried_what_is_kept_can_be_read(house: Storehouse) -> None:
    frames = []
    for number in range(3000):
        tried = {**{f"{number}-{each}": "v" * 280 for each in range(20)}, "k" * 5000: 1, "at": "never", "snapshot": "x"}
        last = json.dumps({"tried": tried}).encode() + b"\n"
        head = json.dumps({"from": f"s{number}", "state": "done", "exit": 0, "bytes": len(last)}).encode()
        frames.append(head + b"\n" + last + b"\n")
    argv = ("proven", str(house.root), "files", NAMES[1], "--at=2026-11-25T02:00:00+00:00")
    assert house.call(*argv, given=b"".join(frames)).code == 0
    assert (house.root / ".runner/proven.json").stat().st_size < 100_000
    assert facts(house)["proven"]["files"] == {"snapshot": NAMES[1], "at": "2026-11-25T02:00:00+00:00"}
    assert expire(house, NAMES[0]).code == 0


def test_what_is_too_long_to_be_read_lets_nothing_expire_and_one_command_ends_that(house: Storehouse) -> None:
    """A version before this one wrote it."""
    path = house.root / ".runner/proven.json"
    path.write_text(json.dumps({"files": {"snapshot": NAMES[1], "at": "2026-11-25T02:00:00Z", "x": "y" * (2 << 20)}}))
    output = expire(house, NAMES[0])
    assert output.code == 1
    command = output.answer["do"].partition(": ")[2].partition(";")[0]
    subprocess.run(command.split(), check=True)
    assert expire(house, NAMES[0]).code == 0
