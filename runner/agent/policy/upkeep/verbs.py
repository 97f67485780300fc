"""The verbs of the jobs that upgrade packages and end a host, and with which arguments a key may have them. Pure, but
for the detached work and the disks, of which this host knows more than what is asked."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...arguments import PLAN
from ..rights import Rights
from ..verdict import Allowed, Rule, denied, elsewhere, of_store

if TYPE_CHECKING:
    from .here import Here

_UNIT = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9:_.@\\-]{0,199}")
# A package's name is never an option, whatever is asked with it.
_CHANGE = re.compile(r"[A-Za-z0-9_][^\s=]*=[^\s=]*=[A-Za-z0-9_][^\s=]*")
_POWER_LOCKS = ("power", "packages", "dump", "drill", "restore-db")
# So much is begun in a day at most: each keeps a folder of its own until somebody has seen its end.
_BEGUN, _DAY = 40, 86_400


def _of_host(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    resource = given.resource
    fits = resource == "packages" if not rights.power else resource in _POWER_LOCKS
    if not (rights.power or rights.packages) or not fits or elsewhere(given, ""):
        raise denied(rights, f"the {resource[:20]} of this host")
    return Allowed()


def _after_boot(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    # Where there is no systemd, the name of a unit is that of a program that is run.
    if not rights.power or (given.unit and not _UNIT.fullmatch(given.unit)):
        raise denied(rights, f"look for {given.look[:20]!a} after a boot")
    return Allowed()


def _as_planned(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    if not rights.packages or given.env or not all(map(_CHANGE.fullmatch, given.changes)):
        raise denied(rights, "ask for these packages of this host")
    return Allowed()


def _with_power(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    if not rights.power:
        raise denied(rights, "the power of this host")
    return of_store(rights, given)


def _in_use(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    from . import disks  # noqa: PLC0415  (few ask)

    own = all(disks.is_own_mount(rights, folder) for folder in given.folder)
    if not rights.power or not own or not (set(given.store) <= set(rights.stores)):
        raise denied(rights, "see who uses that disk")
    if given.device and not disks.is_device(given.device):
        raise denied(rights, f"a disk called {given.device[:60]!a}")
    return Allowed()


def detaches(rights: Rights, given: Any, here: Here | None = None) -> Allowed:  # noqa: ANN401
    """Only what a job has go on without its connection, under its own plan; and what was begun for this very key."""
    from ...detached import records  # noqa: PLC0415  (few ask)
    from ...store.layout import read_json  # noqa: PLC0415
    from . import commands  # noqa: PLC0415
    from .here import HERE  # noqa: PLC0415

    if not (rights.power or rights.packages) or given.then or given.env or given.root or elsewhere(given, ""):
        raise denied(rights, "have that go on here")
    if not PLAN.fullmatch(given.plan):
        raise denied(rights, f"a plan called {given.plan[:40]!a}")
    place = records.place_of(given.state, given.plan, given.step)
    if place.began.exists() and read_json(place.began).get("by") != rights.name:
        raise denied(rights, "what was not begun for it")
    if (given.again or given.seen) and not given.argv:
        return Allowed()
    commands.require(rights, given.argv, commands.DETACHED, given.packages, here or HERE)
    now = time.time()
    begun = [each for each in records.places(given.state) if read_json(each.began).get("by") == rights.name]
    if len([each for each in begun if abs(now - each.began.stat().st_mtime) < _DAY]) >= _BEGUN:
        raise denied(rights, f"begin more than {_BEGUN} commands a day")
    return Allowed()


# As in allowed.py.
VERBS: Mapping[str, tuple[str, Rule]] = {
    "hold-host": ("detached.contract:HoldHost", _of_host),
    "returned": ("power.contract:LookAfterBoot", _after_boot),
    "as-planned": ("packages.contract:AskAsPlanned", _as_planned),
    "release": ("store.contract.hold:Release", _with_power),
    "take-over": ("store.contract.hold:TakeOver", _with_power),
    "in-use": ("power.contract:InUse", _in_use),
    "detach": ("detached.contract:Detach", detaches),
}
