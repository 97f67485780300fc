"""The store's host is another machine: what it says of a sample or of dumps leads nowhere else, and proves nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.agent.answer import Refused
from runner.agent.database import sql, stored
from runner.agent.drill import came_back, compare, scratch, try_dumps

ONE, TIME = "2026-11-23T080000Z", "2026-11-23T070000Z"
SUMMARY = {"wrong": [], "tried": {"sample": 1, "canaries": 1, "snapshots": 1}, "recorded": 1, "unchecked": 0,
           "attributes": 1, "bytes": 1}  # fmt: skip
ROLES = "--\n-- PostgreSQL database cluster dump complete\n--\n"


class Told:
    """What a host says, as a step gets it; and what the step answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def says(self, *lines: Mapping[str, Any]) -> None:
        body = b"".join(json.dumps(each).encode() + b"\n" for each in lines)
        head = {"from": "drill/sample", "state": "done", "exit": 0, "bytes": len(body)}
        given = json.dumps(head).encode() + b"\n" + body + b"\n"
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))

    def answer(self) -> dict[str, Any]:
        return dict(json.loads(self._capsys.readouterr().out))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(monkeypatch, capsys)


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Path]:
    """The folder of a drill: nothing has come back yet. Beside it is a file of this host's own."""
    place = tmp_path / "plan"
    for each in (place, place / "files", place / "dumps"):
        each.mkdir(mode=0o700)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/passwd").write_text("root")
    yield place


def sampled(file: Path, **changes: Any) -> dict[str, Any]:
    """A line of `sample` that says of a file on this host just what it is."""
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        about = compare.about(folder, file.name.encode())
    finally:
        os.close(folder)
    content = hashlib.sha256(file.read_bytes()).hexdigest()
    line = {"snapshot": ONE, "path": file.name, "main": True, "canary": False, "started": ONE, "sha256": content}
    return {**line, **about, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"snapshot": "../../own"},
        {"snapshot": "/"},
        {"snapshot": "."},
        {"path": "../../../own/passwd"},
        {"path": "/etc/passwd"},
        {"path": "a//b"},
        {"path": "./passwd"},
        {"path": ["passwd"]},
        {"size": -1},
        {"size": True},
        {"xattrs": {"user.a": 1}},
        {"wrong": "no list"},
        {"main": 1},
    ],
)
def test_a_sample_that_leads_elsewhere_is_not_compared(plan: Path, told: Told, changes: dict[str, Any]) -> None:
    told.says(sampled(plan.parent / "own/passwd", **changes), SUMMARY)
    with pytest.raises(Refused, match="a line of the store's host cannot be"):
        compare.run((str(plan / "files"), "--source=/none"))


@pytest.mark.parametrize("lines", [(), ({"snapshot": ONE, "path": "", "main": False, "canary": False, "started": ""},)])
def test_a_sample_that_names_nothing_proves_nothing(plan: Path, told: Told, lines: tuple[dict[str, Any], ...]) -> None:
    given = [{**each, "wrong": [], "type": None} for each in lines]
    told.says(*given, SUMMARY)
    if not given:
        with pytest.raises(Refused, match="there is nothing in these snapshots to restore"):
            compare.run((str(plan / "files"), "--source=/none"))
    else:
        assert compare.run((str(plan / "files"), "--source=/none")) == 1


def test_a_name_that_the_store_says_nothing_of_proves_nothing(plan: Path, told: Told) -> None:
    told.says({"snapshot": ONE, "path": "a", "main": True, "canary": True, "started": ""}, SUMMARY)
    assert compare.run((str(plan / "files"), "--source=/none")) == 1
    assert [each["what"] for each in told.answer()["wrong"]] == ["the store does not say what it is"]


@pytest.mark.parametrize("link", [ONE, f"{ONE}/own"])
def test_a_folder_that_came_back_as_a_link_is_not_followed(plan: Path, told: Told, link: str) -> None:
    place = plan / "files" / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(plan.parent if link == ONE else plan.parent / "own")
    told.says(sampled(plan.parent / "own/passwd", path="own/passwd"), SUMMARY)
    assert compare.run((str(plan / "files"), "--source=/none")) == 1
    assert [each["path"] for each in told.answer()["wrong"]] == ["/own/passwd"]


@pytest.mark.parametrize("changes", [{"snapshot": "../own"}, {"path": "../x"}, {"path": "/etc/passwd"}])
def test_no_name_that_leads_elsewhere_is_asked_for(told: Told, changes: dict[str, str]) -> None:
    told.says({"snapshot": ONE, "path": "a", "type": "file", **changes})
    with pytest.raises(Refused, match="a line of the store's host cannot be"):
        scratch.bring(("--", "cat"))


def dumped(folder: Path, database: str = "babase") -> None:
    """A dump with its record and the roles, as they are in a folder of dumps."""
    home = folder / "databases" / database
    home.mkdir(parents=True)
    (home / f"{TIME}.dump").write_bytes(b"PGDMP")
    record = {"database": database, "dump": f"{TIME}.dump", "bytes": 5, "tables": {},
              "sha256": hashlib.sha256(b"PGDMP").hexdigest(), "server": "1.0"}  # fmt: skip
    (home / f"{TIME}.json").write_text(json.dumps(record))
    (folder / "globals").mkdir()
    (folder / "globals" / f"{TIME}.sql").write_text(ROLES)


def listed(**changes: str) -> list[dict[str, Any]]:
    """What `newest-dumps` says of such a folder, `var` in the snapshot."""
    line = {"what": "dump", "database": "babase", "snapshot": ONE, "path": f"var/databases/babase/{TIME}.dump",
            "type": "file", "time": TIME}  # fmt: skip
    roles = {**line, "what": "globals", "database": "", "path": f"var/globals/{TIME}.sql"}
    end = {"databases": ["babase"], "bytes": 5, "tried": {}, "none_yet": False}
    return [roles, {**line, **changes}, end]


@pytest.mark.parametrize(
    "changes",
    [{"snapshot": "../.."}, {"path": "../../own/x.dump"}, {"path": "/etc/passwd"}, {"what": "other"}, {"time": "x"}],
)
def test_a_dump_that_is_said_to_be_elsewhere_is_not_tried(plan: Path, told: Told, changes: dict[str, str]) -> None:
    told.says(*listed(**changes))
    with pytest.raises(Refused, match="a line of the store's host cannot be"):
        try_dumps.run((str(plan),))


def test_a_list_of_dumps_that_is_cut_off_proves_nothing(plan: Path, told: Told) -> None:
    told.says(*listed()[:-1])
    with pytest.raises(Refused, match="the list of dumps is cut off"):
        try_dumps.run((str(plan),))


@pytest.mark.parametrize("link", [ONE, f"{ONE}/var", f"{ONE}/var/databases", f"{ONE}/var/databases/babase"])
def test_a_dump_behind_a_folder_that_came_back_as_a_link_is_not_tried(plan: Path, told: Told, link: str) -> None:
    own = plan.parent / "real"
    dumped(own / ONE / "var")
    place = plan / "dumps" / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(own / link)
    told.says(*listed())
    assert try_dumps.run((str(plan),)) == 1
    assert f"{TIME}.dump: it did not come back: Not a directory" in [each["what"] for each in told.answer()["wrong"]]


@pytest.mark.parametrize("link", ["srv", "srv/dumps", "srv/dumps/databases", "srv/dumps/databases/babase"])
def test_a_dump_is_not_restored_through_a_link_in_what_was_received(tmp_path: Path, link: str) -> None:
    dumped(tmp_path / "own/srv/dumps")
    (tmp_path / "host").mkdir()
    # What is above is the host's own, and may be reached as it likes.
    (tmp_path / "way").symlink_to("host")
    tree = tmp_path / "host/tree"
    (tree / link).parent.mkdir(parents=True)
    (tree / link).symlink_to(tmp_path / "own" / link)
    way = f"srv/dumps/databases/babase/{TIME}.dump"
    with pytest.raises(NotADirectoryError), stored.opened(f"{tmp_path}/way/tree/./{way}", "ab"):
        pass
    digest = hashlib.sha256(b"PGDMP").hexdigest()
    with stored.opened(f"{tmp_path}/own/./{way}", digest) as dump:
        assert dump.record["database"] == "babase"
    with pytest.raises(NotADirectoryError), stored.opened(f"{tmp_path}/way/tree/{way}", digest):
        pass


def test_however_many_names_are_wrong_those_that_are_told_are_kept(plan: Path, told: Told) -> None:
    gone = sampled(plan.parent / "own/passwd")
    told.says(*({**gone, "path": str(number)} for number in range(300)), SUMMARY)
    assert compare.run((str(plan / "files"), "--source=/none")) == 1
    answer = told.answer()
    assert (answer["total"], len(answer["wrong"]), answer["files"]) == (300, compare.LISTED, 300)


def test_a_list_of_dumps_that_no_server_has_is_refused(plan: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(came_back, "MOST_LINES", 1)
    told.says(*listed())
    with pytest.raises(Refused, match="the list of dumps is longer than any"):
        try_dumps.run((str(plan),))


def test_roles_that_are_longer_than_any_are_not_read(plan: Path, told: Told) -> None:
    dumped(plan / "dumps" / ONE / "var")
    with (plan / "dumps" / ONE / f"var/globals/{TIME}.sql").open("ab") as roles:
        roles.truncate(1 << 40)
        roles.seek(0, os.SEEK_END)
        roles.write(ROLES.encode())
    told.says(*listed())
    assert try_dumps.run((str(plan),)) == 1
    assert [each["what"] for each in told.answer()["wrong"]] == ["the dump of the roles is missing, or cut off"]


def test_every_name_is_given_on(told: Told, tmp_path: Path) -> None:
    told.says(*({"snapshot": ONE, "path": str(number), "type": "file"} for number in range(20_000)), SUMMARY)
    out = tmp_path / "out"
    assert scratch.bring(("--", "sh", "-c", f"cat > {out}")) == 0
    assert out.read_text() == "".join(f"./{ONE}/{number}\0" for number in range(20_000))


def test_who_wants_no_names_says_how_it_ended(told: Told) -> None:
    told.says(*({"snapshot": ONE, "path": str(number), "type": "file"} for number in range(20_000)))
    assert scratch.bring(("--", "sh", "-c", "exec <&-; exit 7")) == 7


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE ROLE a; \\! id",
        "CREATE ROLE a WITH CONNECTION LIMIT 1E'\\' \\! id '",
        "GRANT a TO b /* ' */ \\! id '",
        "CREATE ROLE \u20acE'\\' \\! id '",
        "CREATE ROLE a WITH PASSWORD _'\\' x'",
        "COMMENT ON ROLE a IS 'no end",
        "ALTER ROLE a SET b TO :c",
    ],
)
def test_nothing_that_psql_could_take_for_its_own_command_is_given_to_it(statement: str) -> None:
    with pytest.raises(Refused, match="a statement holds more than can be checked"):
        sql.checked(statement)


def test_what_pg_dumpall_writes_is_given_to_psql() -> None:
    for statement in (
        "ALTER ROLE a SET search_path TO '$user', 'public'",
        "CREATE ROLE \"1E\" WITH PASSWORD E'a\\\\b' VALID UNTIL 'infinity'",
        "COMMENT ON ROLE a IS '\\! it''s / no : command'",
    ):
        assert sql.checked(statement) == statement
