"""An older journal made like one of today. Here alone, and once, what a step is for is read from its id."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from runner.engine.aside import Unreadable
from runner.model.role import Role
from runner.model.run import Verdict

FORMAT = 3

# The last part of an id, as it was when ids were all that told what a step is for.
_NAMES = {
    "runner-agent": Role.PREPARE,
    "keep": Role.PIN,
    "keep-about": Role.KEEP,
    "read": Role.AUDIT,
    "measure-first": Role.MEASURE,
    "mounted": Role.DISK,
    "proven-files": Role.PROVEN,
    "proven-database": Role.PROVEN,
    "dumps-room": Role.ROOM,
    "dumps-copy": Role.COPY,
    "unwritable": Role.FOLDER,
    "reload": Role.FSTAB,
    "poweroff": Role.OFF,
    "reboot": Role.DOWN,
    "still": Role.IDLE,
    "refresh-first": Role.REFRESH_FIRST,
    "repair-first": Role.REPAIR,
    "hold-new": Role.HOLD,
}
# The beginnings of those that name what the step is about, or count.
_ABOUT = {
    "dump-": Role.DUMP,
    "identity-": Role.IDENTITY,
    "let-go-": Role.RELEASE,
    "release-": Role.RELEASE,
    "unmount-": Role.UNMOUNT,
    "mount-": Role.MOUNT,
    "check-": Role.CHECK,
    "put-off-": Role.PUT_OFF,
    "put-on-": Role.PUT_ON,
    "disk-": Role.MOUNTED,
    "runs-": Role.RUNS,
    "restart-": Role.RESTART,
}
_COUNTED = {
    "send-": Role.SEND,
    "look-": Role.LOOK,
    "resend-": Role.SEND,
    "recheck-": Role.LOOK,
    "compare-": Role.LOOK,
    "differ-": Role.DIFFER,
    "scan-": Role.SCAN,
    "changed-": Role.CHANGED,
    "settle-": Role.SETTLE,
    "explain-": Role.EXPLAIN,
    "walk-": Role.WALK,
    "expire-": Role.EXPIRE,
    "empty-": Role.EMPTY,
    "copy-": Role.COPY,
    "mounted-": Role.MOUNTED,
    "attach-": Role.ATTACH,
}
_PLAIN = {role.value: role for role in Role}
_BEFORE = "before"


def role_of(step: str) -> tuple[Role, str]:
    """The role and the subject of a step of an older journal, by its id (`job/name`)."""
    _, _, name = step.partition("/")
    prefix, _, last = name.rpartition("/")
    # A reboot that only came before what its job was for.
    subject = _BEFORE if prefix == _BEFORE else ""
    if last.endswith(("-told", "-seen")):
        return Role.SEEN, subject
    if role := _NAMES.get(last) or _PLAIN.get(last):
        return role, subject
    for beginning, role in _ABOUT.items():
        if last.startswith(beginning):
            return role, last.removeprefix(beginning)
    return next((role for beginning, role in _COUNTED.items() if last.startswith(beginning)), Role.STEP), subject


def require_known(db: sqlite3.Connection) -> None:
    """Unreadable for the journal of a newer runner."""
    there = _format(db)
    if there > FORMAT:
        raise Unreadable(f"it has format {there}, and this runner reads none later than {FORMAT}", newer=True)


def to_newest(db: sqlite3.Connection) -> None:
    """Add what the journal `db` lacks, in one transaction; nothing where it is of this format already.

    Several runners may open it at the same time.
    """
    if _format(db) == FORMAT and _has(db, "runs", "killed"):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if _format(db) < FORMAT:
            if not _has(db, "steps", "role"):
                _add_roles(db)
            _rename(db)
            db.execute(f"PRAGMA user_version = {FORMAT}")
        # Of no format of its own: a runner that does not know the column goes on with it.
        if not _has(db, "runs", "killed"):
            _mark_killed(db)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _format(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def _has(db: sqlite3.Connection, table: str, column: str) -> bool:
    return column in {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def _mark_killed(db: sqlite3.Connection) -> None:
    """Before, a run that was killed was one that failed when it began."""
    db.execute("ALTER TABLE runs ADD COLUMN killed INTEGER NOT NULL DEFAULT 0")
    db.execute("UPDATE runs SET killed = 1 WHERE ended = started AND verdict = ?", (Verdict.FAILED.value,))


def _add_roles(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE steps ADD COLUMN role TEXT NOT NULL DEFAULT 'step'")
    db.execute("ALTER TABLE steps ADD COLUMN subject TEXT NOT NULL DEFAULT ''")
    for plan, step in db.execute("SELECT plan, id FROM steps").fetchall():
        role, subject = role_of(step)
        db.execute(
            "UPDATE steps SET role = ?, subject = ? WHERE plan = ? AND id = ?", (role.value, subject, plan, step)
        )
    _each_plan(db, _with_roles)


def _with_roles(plan: dict[str, Any]) -> dict[str, Any]:
    steps = [(step, *role_of(step["id"])) for step in plan.get("steps", ())]
    return {**plan, "steps": [{**step, "role": role.value, "subject": subject} for step, role, subject in steps]}


def _rename(db: sqlite3.Connection) -> None:
    """Before format 3 idle was called still and detached carried; what was told has names of its own now."""
    db.execute("UPDATE steps SET role = ? WHERE role = 'still'", (Role.IDLE.value,))
    db.execute(
        "UPDATE steps SET result = json_set(json_remove(result, '$.carried'), '$.detached', json('true')) "
        "WHERE json_type(result, '$.carried') = 'true'"
    )
    _each_plan(db, _renamed)


def _renamed(plan: dict[str, Any]) -> dict[str, Any]:
    parts = {"steps": _renamed_step, "jobs": _renamed_job, "basis": _renamed_basis}
    return {key: [parts[key](part) for part in value] if key in parts else value for key, value in plan.items()}


def _renamed_step(step: dict[str, Any]) -> dict[str, Any]:
    keys = {"detached" if key == "carried" else key: value for key, value in step.items()}
    return {**keys, "role": Role.IDLE.value} if step.get("role") == "still" else keys


def _renamed_job(job: dict[str, Any]) -> dict[str, Any]:
    headline, *details = str(job.get("told", "")).split("\n")
    known = {key: value for key, value in job.items() if key != "told"}
    return {**known, "headline": headline, "details": details} if "told" in job else known


def _renamed_basis(basis: dict[str, Any]) -> dict[str, Any]:
    return {"description" if key == "told" else key: value for key, value in basis.items()}


def _each_plan(db: sqlite3.Connection, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    # What a run that went down with its machine has left to do is read again from its plans.
    unended = "SELECT plans.id, plan FROM plans JOIN runs ON runs.id = plans.run WHERE runs.ended IS NULL"
    for plan, text in db.execute(unended).fetchall():
        db.execute("UPDATE plans SET plan = ? WHERE id = ?", (json.dumps(change(json.loads(text))), plan))
