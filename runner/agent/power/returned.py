"""`came-back`: is the host back from its reboot, with everything there as before; `page`: does a page answer."""

from __future__ import annotations

import http.client
import ssl
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..answer import FAILED, Refused, emit, plain
from ..arguments import parse_as
from ..command import CommandAnswer, ask
from ..host import processes, sessions
from ..host.mounts import mounts, uuid_of
from ..packages import outdated
from . import check_times
from .contract import CameBack, Page

SETTLED = ("running", "degraded")
ANSWERS = 10
# Where distributions put it when it is not on the path.
SERVERS = ("usr/pgsql-*/bin/pg_isready", "usr/lib/postgresql/*/bin/pg_isready")

PATIENCE = 20
# A page that asks for a password is there.
UNAUTHORIZED = 401


def came_back(argv: Sequence[str]) -> int:
    """Look at what the first word names, and print it as true or false with the reason; exit 1 for false.

    `back` (`--was`), `settled`, `kernel` (`--is`; else the newest installed), `mounted`
    (`--at`, `--uuid`, `--writable`), `active` (`--unit`), `units` (`--known`, repeated) and `database`. Reads only.
    """
    options = parse_as(CameBack, argv)
    look = LOOKS.get(options.look)
    if look is None:
        raise Refused(f"nothing to look at: {plain(options.look)}", f"there are: {', '.join(LOOKS)}")
    answer = look(options)
    emit({options.look: "error" not in answer, **answer})
    return FAILED if "error" in answer else 0


def _back(options: CameBack) -> dict[str, Any]:
    before, now = options.was, processes.boot_id()
    if not before or not now:
        return _no("which boot this is cannot be told", "look at the host")
    if now == before:
        return _no("it answers, but is still in the boot from before", "see on its console why it stays up")
    return {"boot_id": now, "booted": processes.booted()}


def _settled(options: CameBack) -> dict[str, Any]:
    found = sessions.read(())
    told = {"system": found["system"], "failed": found["failed"]}
    if found["checking"]:
        which = ", ".join(plain(str(one)) for one in found["checking"])
        return {**_no(f"still checking {which}", "let it finish: it must not be switched off"), **told}
    if found["systemd"] and found["system"] not in SETTLED:
        do = "run `systemctl list-jobs` there: what is it waiting for"
        return {**_no(f"systemd says that it is {found['system'] or 'not to be asked'}", do), **told}
    return {**told, "checks": check_times.whole(), **_since()}


def _since() -> dict[str, Any]:
    """When the boot was over as systemd saw it, in seconds since 1970 as the clock stands now."""
    argv = ("systemctl", "show", "--value", "--property=FinishTimestampMonotonic")
    text, booted = ask(argv, timeout=ANSWERS).out.strip(), processes.booted()
    took = int(text) if text.isascii() and text.isdigit() else 0
    return {"up": booted + took // 10**6} if booted and took else {}


def _kernel(options: CameBack) -> dict[str, Any]:
    found = outdated.read(())["kernel"]
    wanted, running = options.is_ or found["newest"], found["running"]
    if not wanted:
        return _no("which kernel should run cannot be told", "see there that /boot is mounted and what it has")
    if running != wanted:
        error = f"the kernel that runs is {plain(running)}, not {plain(wanted)}"
        do = "look at what the boot loader starts (grub.cfg, its default), then reboot again"
        return {**_no(error, do), "running": running}
    return {"running": running}


def _mounted(options: CameBack) -> dict[str, Any]:
    point, wanted = options.at, options.uuid.lower()
    found = [mount for mount in mounts() if mount.point == point]
    if not found:
        do = "see `systemctl --failed` and dmesg there: a check that failed, or the disk is away"
        return _no(f"nothing is mounted at {plain(point)}", do)
    uuid = uuid_of(found[-1])
    if wanted and uuid != wanted:
        other = uuid or "one without a UUID"
        return _no(f"another filesystem is mounted at {plain(point)}: {other}", "attach the right disk")
    if options.writable and found[-1].read_only:
        return _no(f"{plain(point)} is mounted read-only", "look for disk errors in dmesg")
    return {"uuid": uuid}


def _active(options: CameBack) -> dict[str, Any]:
    unit = options.unit
    if Path("/run/systemd/system").is_dir():
        answer = ask(("systemctl", "is-active", "--", unit), timeout=ANSWERS)
    else:
        answer = ask(("service", unit.removesuffix(".service"), "status"), timeout=ANSWERS)
    if answer.exit == 0:
        return {}
    return _no(f"{plain(unit)} does not run: {_first(answer)}", f"run `systemctl status {plain(unit)}` there")


def _units(options: CameBack) -> dict[str, Any]:
    found = sessions.read(())
    if found["systemd"] and (not found["system"] or (found["system"] == "degraded" and not found["failed"])):
        return _no("systemd does not say which units failed", "run `systemctl --failed` there")
    new = [unit for unit in found["failed"] if unit not in options.known]
    if new:
        named = ", ".join(plain(str(unit)) for unit in new[:ANSWERS])
        return _no(f"failed since the boot: {named}", "run `systemctl --failed` there")
    return {}


def _database(options: CameBack) -> dict[str, Any]:
    places = sorted(str(place) for pattern in SERVERS for place in Path("/").glob(pattern))
    said = ""
    for program in ("pg_isready", *places[-1:]):
        answer = ask((program, f"--timeout={ANSWERS}"), timeout=ANSWERS + 5)
        if answer.exit == 0:
            return {}
        # What a server says is worth more than that there is no such program.
        said = _first(answer) if answer.exit is not None or not said else said
    return _no(f"the database does not answer: {said}", "look at PostgreSQL's log there")


def _first(answer: CommandAnswer) -> str:
    lines = (answer.out.strip() or answer.err.strip()).splitlines()
    return plain(lines[0]) if lines else "it says nothing"


def _no(error: str, do: str) -> dict[str, Any]:
    return {"error": error, "do": do}


LOOKS: Mapping[str, Callable[[CameBack], dict[str, Any]]] = {
    "back": _back,
    "settled": _settled,
    "kernel": _kernel,
    "mounted": _mounted,
    "active": _active,
    "units": _units,
    "database": _database,
}


def page(argv: Sequence[str]) -> int:
    """Print whether URL answers: with 2xx, 3xx (which is not followed) or 401. Exit 1 where it does not.

    Asked without a proxy and without credentials; a certificate that is not good is no answer.
    """
    answer = read(argv)
    emit(answer)
    return 0 if answer["answers"] else FAILED


def read(argv: Sequence[str]) -> dict[str, Any]:
    """As `came_back`, without printing. Refused where URL is none."""
    url = parse_as(Page, argv).url
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_url(url) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise _no_url(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, port, timeout=PATIENCE)
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        connection.request("GET", target, headers={"User-Agent": "runner", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ssl.CertificateError, ValueError) as problem:
        return _not(f"{plain(url)} does not answer: {plain(str(problem) or type(problem).__name__)}")
    finally:
        connection.close()
    if 200 <= status < 400 or status == UNAUTHORIZED:
        return {"answers": True, "status": status}
    return {**_not(f"{plain(url)} answers {status}"), "status": status}


def _not(error: str) -> dict[str, Any]:
    return {"answers": False, "error": error, "do": "look at the web server of that host"}


def _no_url(url: str) -> Refused:
    return Refused(f"not the address of a page: {plain(url)}", "write it as http://host/path, without a password")
