"""`note-boot`: write down which boot this is, for a reboot later in the same plan to be told from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from . import clock, durable
from .arguments import parse
from .layout import read_json
from .processes import boot_id
from .say import Refused, emit

STATE = "/var/lib/runner"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:._-]{0,199}")
KEPT = 50


def run(argv: Sequence[str]) -> int:
    """Note the boot under NAME, once: a second call, after the reboot too, changes nothing.

    So a plan that is taken up again after its reboot never mistakes the new boot for the old one.
    """
    call = parse(argv, words=1, one=("state",))
    path = _place(call.one["state"], call.words[0])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write_json(path, {"boot_id": boot_id(), "at": clock.now()})
        for old in sorted(path.parent.glob("*.json"), key=lambda one: one.stat().st_mtime_ns)[:-KEPT]:
            old.unlink(missing_ok=True)
    emit({"noted": noted(call.one["state"], call.words[0])})
    return 0


def noted(state: str, name: str) -> str:
    """The boot that was noted under `name`. Refused where none was."""
    found = str(read_json(_place(state, name)).get("boot_id") or "")
    if not found:
        raise Refused(f"no boot was noted as {name}", "run `runner-store note-boot` before the reboot")
    return found


def _place(state: str, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise Refused(f"not a name for a boot: {name!a}", "see docs/store.md")
    return Path(state or STATE) / "boots" / f"{name}.json"
