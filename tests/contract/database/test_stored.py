"""Dumps as they lie in a folder: what is not there, and what nobody can look at."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from runner.agent import tree
from runner.agent.answer import Refused
from runner.agent.database import load, restore, stored
from runner.agent.database.contract import DatabaseServer, encoded

AT = "2026-11-22T070000Z"


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """A folder of dumps with one dump of babase."""
    home = tmp_path / "databases" / encoded("babase")
    home.mkdir(parents=True)
    (home / f"{AT}.dump").write_bytes(b"PGDMP")
    record = {"database": "babase", "dump": f"{AT}.dump", "sha256": "ab", "bytes": 5, "tables": {"public.a": 3}}
    (home / f"{AT}.json").write_text(json.dumps(record))
    return tmp_path


def test_a_folder_without_roles_has_none(dumps: Path) -> None:
    assert stored.newest(str(dumps), "/", "babase").globals is None


def test_roles_of_a_length_that_no_server_has_are_not_read_and_keep_no_dump_from_being_restored(dumps: Path) -> None:
    (dumps / "globals").mkdir()
    with (dumps / "globals" / f"{AT}.sql").open("wb") as roles:
        roles.truncate(1 << 40)
    error = f"the dump of the roles '{AT}.sql' is longer than 16777216 bytes"
    found = stored.newest(str(dumps), "/", "babase")
    assert (found.record.dump, found.globals, found.passed, found.no_roles) == (f"{AT}.dump", None, (), error)
    with pytest.raises(Refused, match="is longer than 16777216 bytes"):
        stored.content(str(dumps / "globals" / f"{AT}.sql"), "ab")


class Slow(io.FileIO):
    """A file of which a call gives a little: as read(2) may, from a network's filesystem or when a signal comes."""

    def readinto(self, buffer: Any) -> int | None:
        return super().readinto(memoryview(buffer)[:7])

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7 if size is None or size > 7 else size) or b""


def test_a_file_that_is_given_in_pieces_is_read_whole(dumps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (dumps / "globals").mkdir()
    (dumps / "globals" / f"{AT}.sql").write_text("CREATE ROLE reader;\nCREATE ROLE writer;\n")

    def opened(descriptor: int, mode: str, buffering: int = -1) -> Any:
        return Slow(descriptor, mode) if buffering == 0 else io.BufferedReader(Slow(descriptor, mode))

    monkeypatch.setattr(os, "fdopen", opened)
    found = stored.newest(str(dumps), "/", "babase")
    assert found.globals is not None and found.globals.roles == ("reader", "writer")
    assert found.record.tables == 1


def test_a_record_of_a_thousand_lists_in_each_other_is_one_that_cannot_be_read(dumps: Path) -> None:
    (dumps / "databases/babase" / f"{AT}.json").write_text("[" * 200_000)
    with pytest.raises(Refused, match=f"no dump of 'babase' is whole: {AT}: the record '{AT}.json' cannot be read"):
        stored.newest(str(dumps), "/", "babase")


@pytest.mark.parametrize("name", ["databases", "globals"])
def test_a_folder_that_nobody_can_look_at_is_not_an_empty_one(
    dumps: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tree.folder

    def folder(parent: int, wanted: bytes) -> int:
        if wanted == os.fsencode(name):
            raise OSError(errno.EIO, "Input/output error", wanted)
        return real(parent, wanted)

    monkeypatch.setattr(tree, "folder", folder)
    with pytest.raises(OSError, match="Input/output error"):
        stored.newest(str(dumps), "/", "babase")


@pytest.mark.parametrize("damage", [{"tables": 5}, {"tables": {"public.a": "many"}}, {"roles": 1}, {"size": "large"}])
def test_a_record_that_is_none_is_refused_wherever_it_is_read(dumps: Path, damage: dict[str, object]) -> None:
    file = dumps / "databases/babase" / f"{AT}.json"
    record = {**json.loads(file.read_text()), **damage}
    file.write_text(json.dumps(record))
    with pytest.raises(Refused, match="its record cannot be read"):
        stored.head(record)
    with pytest.raises(Refused, match=f"{AT}: its record cannot be read"):
        stored.newest(str(dumps), "/", "babase")


def test_a_pg_restore_that_does_not_end_is_named(dumps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps = dumps / "sleeps"
    sleeps.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeps.chmod(0o755)
    monkeypatch.setattr(load, "_READ", 0.2)
    with stored.opened(str(dumps / f"databases/babase/{AT}.dump"), "ab") as dump, pytest.raises(Refused) as refused:
        restore.read(DatabaseServer(), str(sleeps), dump, "back")
    assert refused.value.error == "pg_restore had not read the dump after 0.2 s and was stopped"
