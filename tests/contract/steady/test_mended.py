"""What no record and no quick check shows is right in the next snapshot: rot that an audit found, and a sly edit."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.compare import differences
from tests.contract.site import Place
from tests.contract.storehouse import filled

AUDIT = """
[jobs.audit-papio]
kind = "audit"
store = "papio"
every = "1d"
"""
HOSTILE = b"-rf\n\xff\\#012*"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """One snapshot, sealed and audited."""
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    for name in (b"text", b"left", b"mode", b"gone", b"linked", HOSTILE, b"folder/inner"):
        (tree / os.fsdecode(name)).write_bytes(b"text of " + name)
    (tree / "other").hardlink_to(tree / "linked")
    made = Place(folder=tmp_path / "site", trees=(tree,))
    made.declare(AUDIT)
    for job in ("backup-papio", "audit-papio"):
        assert made.runner("run", job).code == 0
    return made


def flip(path: Path) -> None:
    """Change one byte and nothing else that anybody could see."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(b"T")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def backed_up(place: Place) -> list[str]:
    """Make a snapshot, which has exactly what the tree has; the steps that read what audits found."""
    ran = place.runner("run", "backup-papio")
    assert ran.code == 0 and "had not shown" not in ran.out, ran.out
    (tree,) = place.trees
    copy = place.copy_of(tree)
    assert differences(tree, copy) == []
    assert (copy / "linked").stat().st_ino == (copy / "other").stat().st_ino
    steps = "SELECT id FROM steps WHERE id LIKE '%/damaged-%' AND plan = (SELECT max(plan) FROM steps)"
    return [row["id"] for row in place.rows(steps)]


@pytest.mark.skipif(shutil.which("xxhsum") is None, reason="needs xxhsum")
def test_what_an_audit_found_in_the_newest_is_right_in_the_next_and_is_sent_once(place: Place) -> None:
    (tree,) = place.trees
    copy, copy_name = place.copy_of(tree), place.sealed[-1].name
    for name in ("text", "left", "other", os.fsdecode(HOSTILE)):
        flip(copy / name)
    (copy / "mode").chmod(0o777)
    (copy / "gone").unlink()
    shutil.rmtree(copy / "folder")
    (copy / "added").write_text("by whoever wrote to it")
    (tree / "left").unlink()
    damaged = {path: path.read_bytes() for path in copy.iterdir()}
    said = place.runner("run", "audit-papio")
    assert said.code == 3 and "the next snapshot compares" in said.out, said.out
    assert backed_up(place) == ["backup-papio/damaged-1"]
    (*_, plan) = place.rows("SELECT plan FROM plans ORDER BY id")
    assert f"damaged that {copy_name} may have: compare {tree} with it" in plan["plan"]
    # The one that is damaged stays as it is: nobody writes to a sealed snapshot.
    assert {path: path.read_bytes() for path in copy.iterdir()} == damaged
    # Who plans within ten minutes may not know of it, and is compared once more; as on the next day:
    state = place.store / ".runner/audit.json"
    state.write_text(state.read_text().replace(json.loads(state.read_text())["damaged"][0][2], copy_name))
    # It is found again, and nothing more is to be mended.
    said = place.runner("run", "audit-papio")
    assert said.code == 3 and "the next snapshot compares" not in said.out, said.out
    assert backed_up(place) == []


def test_an_edit_that_keeps_size_and_time_is_right_in_the_next_though_the_record_is_lost(tmp_path: Path) -> None:
    first, second = "2010-11-20T010000Z", "2010-11-21T010000Z"
    house = filled(tmp_path, [first])
    # Nobody looked at what was sent whole.
    assert not house.scans.exists()
    flip(house.source / "old")
    assert house.snapshot(second, first).code == 0
    assert [(house.root / name / "old").read_text() for name in (first, second)] == ["old", "Tld"]
