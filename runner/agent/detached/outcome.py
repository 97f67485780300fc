"""How a carried command ended, from what its folder says and from the host as it is now."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import durable
from ..answer import Refused
from ..host import processes
from ..packages import changed
from ..packages.installed import changes, installed, listed
from ..packages.outdated import condition
from ..store.layout import read_json
from .conffiles import conffiles
from .output import Output
from .records import Carriage

RESTARTED = "the command ended without an answer: the machine was restarted in the middle"
KILLED = "the command ended without an answer: what looked after it was killed"


def conclude(place: Carriage) -> Mapping[str, Any]:
    """Write the answer and give it; call it only for what has ended, by the one who has its lock.

    `exit` is null where nobody saw the end; the packages are compared all the same.
    """
    began, child = read_json(place.began), read_json(place.child)
    code = child.get("exit")
    note = ""
    if code is None:
        note = KILLED if began.get("boot_id") == processes.boot_id() else RESTARTED
    answer = {
        "carried": True,
        "exit": code,
        "seconds": child.get("seconds"),
        "then": child.get("then", []),
        "started": began.get("started"),
        "ended": child.get("ended"),
        "note": note,
        **_said(place, child),
        **_changed(place, began),
    }
    with contextlib.suppress(FileNotFoundError):
        place.room.unlink()
    durable.write_json(place.ended, answer, 0o600)
    return answer


def _said(place: Carriage, child: Mapping[str, Any]) -> dict[str, Any]:
    if "log" in child:
        return {"log": child["log"], "lines": child["lines"]}
    try:
        return Output(place.output).close()
    except OSError:
        return {"log": [], "lines": 0}


def _changed(place: Carriage, began: Mapping[str, Any]) -> dict[str, Any]:
    before = read_json(place.before)
    root = str(began.get("root") or "/")
    known = before.get("conffiles", {})
    told: dict[str, Any] = {
        "packages": {"upgraded": [], "installed": [], "removed": [], "unfinished": []},
        "problem": "",
        "conffiles": sorted(path for path, mark in conffiles(root).items() if known.get(path) != mark),
    }
    try:
        lines = listed(str(began.get("packages", "")), began.get("env", {}))
        if before.get("packages") and not lines:
            raise Refused("the list of packages is empty now")
    except Refused as refused:
        return {**told, "problem": refused.error, **_condition(Path(root))}
    told["packages"] = changes(installed(before.get("packages", [])), installed(lines))
    fresh = [each[::2] for each in told["packages"]["upgraded"]] + told["packages"]["installed"]
    # The folder of all that is kept is the one above `carried`.
    with contextlib.suppress(OSError):
        changed.remember(place.folder.parent.parent, fresh)
    return {**told, **_condition(Path(root))}


def _condition(root: Path) -> dict[str, Any]:
    # How the command ended matters more than what it left to be restarted.
    try:
        return condition(root)
    except OSError as problem:
        return {"services": [], "pid1": False, "reboot": [], "problem": f"not looked at: {problem.strerror}"}


def code_of(answer: Mapping[str, Any]) -> int:
    """The exit code that says how the command ended; 1 where nobody saw it."""
    code = answer.get("exit")
    return code if isinstance(code, int) and 0 <= code < 256 else 1
