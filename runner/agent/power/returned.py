"""`returned`: is the host back from its reboot, with everything there as before; `page`: does a page answer."""

from __future__ import annotations

import http.client
import platform
import ssl
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..answer import FAILED, Refused, plain, reply
from ..arguments import parse_as
from ..command import CommandAnswer, ask
from ..host import processes, sessions
from ..host.mounts import mounts, uuid_of
from ..packages import kernels
from . import check_times
from .contract import LookAfterBoot, Page, PageAnswer, Returned

SETTLED = ("running", "degraded")
ANSWERS = 10
# Where distributions put it when it is not on the path.
SERVERS = ("usr/pgsql-*/bin/pg_isready", "usr/lib/postgresql/*/bin/pg_isready")

PATIENCE = 20
# A page that asks for a password is there.
UNAUTHORIZED = 401


def run(argv: Sequence[str]) -> int:
    """Look at what the first word names, and print whether it is as it should be; exit 1 where it is not.

    `back` (`--was`), `settled`, `kernel` (`--is`; else the newest installed), `mounted`
    (`--at`, `--uuid`, `--writable`), `active` (`--unit`), `units` (`--known`, repeated) and `database`. Reads only.
    """
    options = parse_as(LookAfterBoot, argv)
    look = LOOKS.get(options.look)
    if look is None:
        raise Refused(f"nothing to look at: {plain(options.look)}", f"there are: {', '.join(LOOKS)}")
    answer = look(options)
    reply(answer)
    return 0 if answer.returned else FAILED


def _back(options: LookAfterBoot) -> Returned:
    before, now = options.was, processes.boot_id()
    if not before or not now:
        return Returned(error="it is not known which boot this is", do="look at the host")
    if now == before:
        error = "it answers, but is still in the boot from before"
        return Returned(error=error, do="see on its console why it stays up")
    return Returned(True, boot_id=now, booted=processes.booted() or None)


def _settled(options: LookAfterBoot) -> Returned:
    up = sessions.read(())
    answer = Returned(system=up.system, failed=up.failed)
    if up.checking:
        error = f"still checking {', '.join(up.checking)}"
        return answer._replace(error=error, do="let it finish: it must not be switched off")
    if up.systemd and up.system not in SETTLED:
        do = "run `systemctl list-jobs` there: what is it waiting for"
        error = f"systemd says that it is {up.system}" if up.system else "systemd does not answer"
        return answer._replace(error=error, do=do)
    return answer._replace(returned=True, checks=check_times.whole(), up=_boot_over())


def _boot_over() -> int | None:
    """When the boot was over as systemd saw it, in seconds since 1970 as the clock stands now."""
    argv = ("systemctl", "show", "--value", "--property=FinishTimestampMonotonic")
    text, booted = ask(argv, timeout=ANSWERS).out.strip(), processes.booted()
    took = int(text) if text.isascii() and text.isdigit() else 0
    return booted + took // 10**6 if booted and took else None


def _kernel(options: LookAfterBoot) -> Returned:
    running, due = platform.release(), options.is_ or kernels.newest(Path("/"))
    if not due:
        error = "it is not known which kernel should run"
        return Returned(error=error, do="see there that /boot is mounted and which kernels it has")
    if running != due:
        error = f"the kernel that runs is {plain(running)}, not {plain(due)}"
        do = "look at what the boot loader starts (grub.cfg, its default), then reboot again"
        return Returned(error=error, do=do, running=running)
    return Returned(True, running=running)


def _mounted(options: LookAfterBoot) -> Returned:
    point, due = options.at, options.uuid.lower()
    mount = next((mount for mount in reversed(mounts()) if mount.point == point), None)
    if mount is None:
        do = "see `systemctl --failed` and dmesg there: a check that failed, or the disk is away"
        return Returned(error=f"nothing is mounted at {plain(point)}", do=do)
    uuid = uuid_of(mount)
    if due and uuid != due:
        error = f"another filesystem is mounted at {plain(point)}: {uuid or 'one without a UUID'}"
        return Returned(error=error, do="attach the right disk")
    if options.writable and mount.read_only:
        return Returned(error=f"{plain(point)} is mounted read-only", do="look for disk errors in dmesg")
    return Returned(True, uuid=uuid)


def _active(options: LookAfterBoot) -> Returned:
    unit = options.unit
    if Path("/run/systemd/system").is_dir():
        answer = ask(("systemctl", "is-active", "--", unit), timeout=ANSWERS)
    else:
        answer = ask(("service", unit.removesuffix(".service"), "status"), timeout=ANSWERS)
    if answer.exit == 0:
        return Returned(True)
    error = f"{plain(unit)} does not run: {_first(answer)}"
    return Returned(error=error, do=f"run `systemctl status {plain(unit)}` there")


def _units(options: LookAfterBoot) -> Returned:
    up, do = sessions.read(()), "run `systemctl --failed` there"
    if up.systemd and (not up.system or (up.system == "degraded" and not up.failed)):
        return Returned(error="systemd does not say which units failed", do=do)
    new = [unit for unit in up.failed if unit not in options.known]
    if new:
        return Returned(error=f"failed since the boot: {', '.join(new[:ANSWERS])}", do=do)
    return Returned(True)


def _database(options: LookAfterBoot) -> Returned:
    places = sorted(str(place) for pattern in SERVERS for place in Path("/").glob(pattern))
    output = ""
    for program in ("pg_isready", *places[-1:]):
        answer = ask((program, f"--timeout={ANSWERS}"), timeout=ANSWERS + 5)
        if answer.exit == 0:
            return Returned(True)
        # What a server says is worth more than that there is no such program.
        output = _first(answer) if answer.exit is not None or not output else output
    return Returned(error=f"the database does not answer: {output}", do="look at PostgreSQL's log there")


def _first(answer: CommandAnswer) -> str:
    lines = (answer.out.strip() or answer.err.strip()).splitlines()
    return plain(lines[0]) if lines else "it says nothing"


LOOKS: Mapping[str, Callable[[LookAfterBoot], Returned]] = {
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

    It is asked without a proxy and without credentials; a certificate that is not good is no answer.
    """
    answer = look_at_page(parse_as(Page, argv).url)
    reply(answer)
    return 0 if answer.answers else FAILED


def look_at_page(url: str) -> PageAnswer:
    """Ask for `url`. Refused where it is no address of a page."""
    do = "look at the web server of that host"
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
        error = f"{plain(url)} does not answer: {plain(str(problem) or type(problem).__name__)}"
        return PageAnswer(error=error, do=do)
    finally:
        connection.close()
    if 200 <= status < 400 or status == UNAUTHORIZED:
        return PageAnswer(True, status)
    return PageAnswer(False, status, f"{plain(url)} answers {status}", do)


def _no_url(url: str) -> Refused:
    return Refused(f"not the address of a page: {plain(url)}", "write it as http://host/path, without a password")
