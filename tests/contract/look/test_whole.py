"""A filesystem that is sent whole is looked at first: the second day goes by that record, or knows that it cannot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.look.looks import COPY, NO_RECORD, ONE, TWO, Looked, called, compare, last
from tests.contract.storehouse import ENVIRONMENT, Said, frame

NOT_NEEDED = b'{"from": "again", "state": "not needed", "exit": null, "bytes": 0}\n\n'


@dataclass(frozen=True, kw_only=True)
class SentWhole(Looked):
    """The same, and its copy."""

    copy: Path

    def send(self, *options: str) -> Said:
        argv = (*COPY, "--no-human-readable", "--stats", "--out-format=%i|%C|%l|%n//%L", *options)
        done = subprocess.run(
            (*argv, "--", f"{self.source}/", f"{self.copy}/"), check=False, capture_output=True, env=ENVIRONMENT
        )
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)

    def walk(self, sent: Said, comparison: Said | None = None) -> Said:
        given = frame("send", sent) + (frame("again", comparison) if comparison else NOT_NEEDED)
        words = (f"--scans={self.scans}", f"--name={ONE}", "--looked=again")
        walked = called("walk", str(self.source), "--since=2000-01-01T00:00:00Z", *words, given=given)
        assert walked.code == 0, walked
        return walked


@pytest.fixture
def house(tmp_path: Path) -> SentWhole:
    (tmp_path / "source/folder").mkdir(parents=True)
    for name in ("a", "b", "folder/c", "folder/e"):
        (tmp_path / "source" / name).write_text("text")
    made = SentWhole(source=tmp_path / "source", scans=tmp_path / "scans", copy=tmp_path / "copy")
    assert made.look(ONE).code == NO_RECORD
    return made


def test_a_source_that_nobody_changed_is_not_walked_again_and_its_record_is_one_to_go_by(house: SentWhole) -> None:
    sent = house.send()
    # All of it is younger than `--since`: whoever walked would require nothing.
    assert last(house.walk(sent)) == {"names": 6, "young": 0}
    assert house.next(TWO, ONE) == []


CHANGES: dict[str, tuple[Callable[[Path], object], list[bytes]]] = {
    "content": (lambda top: (top / "a").write_text("next"), [b"a"]),
    "mode": (lambda top: (top / "folder/c").chmod(0o600), [b"folder/c"]),
    "renamed": (lambda top: (top / "a").rename(top / "z"), [b"a", b"z"]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", [False, True])
def test_what_changes_between_the_look_and_the_end_of_the_transfer_is_listed_by_the_next(
    house: SentWhole, change: str, after: bool
) -> None:
    act, listed = CHANGES[change]
    sent = house.send() if after else None
    act(house.source)
    house.walk(sent or house.send())
    assert house.next(TWO, ONE) == listed


@pytest.mark.parametrize(
    "change", [lambda top: (top / "new").touch(), lambda top: (top / "a").unlink()], ids=["came", "went"]
)
def test_where_names_came_or_went_before_rsync_listed_them_there_is_no_record(
    house: SentWhole, change: Callable[[Path], object]
) -> None:
    change(house.source)
    there = sum(1 for _ in house.source.rglob("*")) + 1
    sent = house.send()
    names_ = last(house.walk(sent))["names"]
    # Those that went are not missed, and what came is no excuse for another that is.
    assert names_ == (6 if there > 6 else 0)
    assert house.look(TWO, ONE).code == NO_RECORD


def test_fewer_names_than_the_look_counted_are_walked_again_and_told_folder_by_folder(house: SentWhole) -> None:
    sent = house.send("--exclude=/folder/c")
    words = (f"--scans={house.scans}", f"--name={ONE}", "--looked=again", "--since=2100-01-01T00:00:00Z")
    walked = called("walk", str(house.source), *words, given=frame("send", sent) + NOT_NEEDED)
    assert [(line["path"], line["names"]) for line in walked.lines[:-1]] == [(".", 3), ("folder", 2)]
    assert last(walked) == {"names": 6, "young": 0}
    assert house.look(TWO, ONE).code == NO_RECORD


def test_what_was_not_sent_as_it_is_is_listed_again_whatever_the_record_says(house: SentWhole) -> None:
    sent = house.send()
    (house.copy / "folder/c").unlink()
    compared = compare(house.source, house.copy)
    assert compared.out
    house.walk(sent, compared)
    assert house.next(TWO, ONE) == [b"folder", b"folder/c"]


def test_a_comparison_that_did_not_end_or_cannot_be_read_is_refused(house: SentWhole) -> None:
    sent = house.send()
    for comparison in (Said(code=12, out=b"", err=b""), Said(code=0, out=b">f+++++++++|", err=b"")):
        words = (f"--scans={house.scans}", f"--name={ONE}", "--looked=again", "--since=2100-01-01T00:00:00Z")
        given = frame("send", sent) + frame("again", comparison)
        assert called("walk", str(house.source), *words, given=given).code == 1
    assert house.look(TWO, ONE).code == NO_RECORD


def test_without_a_look_that_can_be_used_the_names_are_counted(house: SentWhole) -> None:
    house.place(ONE).write_bytes(os.urandom(99))
    sent = house.send()
    words = (f"--scans={house.scans}", f"--name={ONE}", "--looked=again", "--since=2100-01-01T00:00:00Z")
    assert last(called("walk", str(house.source), *words, given=frame("send", sent) + NOT_NEEDED))["names"] == 6
    assert house.look(TWO, ONE).code == NO_RECORD
