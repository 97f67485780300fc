"""`probe`: everything a plan needs to know about this host and its stores, read in one go."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import importlib
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import clock, trust
from .answer import Refused, emit, table
from .arguments import NoOptions, parse_as
from .command import ask
from .detached import records
from .host import machine, processes
from .host.mounts import filesystems, inside, stand_ins
from .store.inspect import inspect_store

VERSION = re.compile(r"rsync +version v?([0-9][0-9.]*)")

PROGRAM = "runner-agent"
# The module whose `read` answers, imported where it is asked for: every import costs before the answer.
READERS: Mapping[str, str] = {
    "up": "host.sessions",
    "outdated": "packages.outdated",
    "detached": "detached.records",
    "idle": "power.idle",
    "boot-checks": "power.boot_checks",
    "databases": "database.databases",
    "dumps": "database.dumps",
    "restored": "snapshots.restored",
    "in-newest": "snapshots.find",
    "chain": "history.standing",
}


# What is there for everybody, and stays so.
_EVERYBODYS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (they are only named)


def run(argv: Sequence[str]) -> int:
    """Answer the request on stdin; creates, locks and changes nothing.

    The request and the answer are described in docs/store.md; what cannot be read is left at its
    empty value, and a store that cannot be used says why.
    """
    parse_as(NoOptions, argv)
    try:
        request = json.loads(sys.stdin.buffer.read())
    except ValueError:
        request = None
    if isinstance(request, list) and all(isinstance(each, dict) for each in request):
        for each in request:
            emit(_answer_or_error(each))
            sys.stdout.flush()
        return 0
    if not isinstance(request, dict):
        raise Refused("the request on stdin is no JSON object", "see docs/store.md")
    _require_closed(request)
    emit(answer(request))
    return 0


def _answer_or_error(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer, or why there is none: what is wrong with one of several hosts hides no other."""
    try:
        _require_closed(request)
        return answer(request)
    except Refused as refused:
        return {"error": refused.error, "do": refused.do}


def _require_closed(request: Mapping[str, Any]) -> None:
    """Refused where others may change the agent that is installed here, or what it keeps: it is not to be run."""
    program, state = str(request.get("program", "")), "" if request.get("root") else records.STATE
    places = [place for path in (program, state) if path for place in trust.exposures(path)]
    if places:
        first = places[0]
        raise Refused(
            f"others may change what {PROGRAM} is run from there: {first.path}: {first.who}",
            f"there: {' && '.join(dict.fromkeys(map(_closing, places)))}",
        )


def _closing(place: trust.Exposure) -> str:
    """The command that closes it: a folder from which programs are run is nobody's to make names in but root's."""
    if place.command or place.path in _EVERYBODYS:
        return place.command or f"keep it in another folder than {place.path}"
    return f"chmod go-w {shlex.quote(place.path)}"


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one request, whatever it asks; see docs/store.md."""
    commands = request.get("commands", ())
    root = str(request.get("root", ""))
    folders = tuple(request.get("stand_ins", ()))
    played = bool(root or folders)
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        rsync = pool.submit(_rsync)
        # What is read of a store's history comes after the store: a line of it says then why that was otherwise.
        late = [each for each in commands if tuple(each["argv"][:2]) == (PROGRAM, "chain")]
        readings = [(str(each["id"]), pool.submit(_reading, each)) for each in commands if each not in late]
        stores = {str(each["name"]): table(inspect_store(each)) for each in request.get("stores", ())}
        readings += [(str(each["id"]), pool.submit(_reading, each)) for each in late]
        seen = stand_ins(folders or (root,), root) if played else filesystems()
        return {
            "name": str(request.get("host", "")),
            "uid": os.getuid(),
            "machine": machine.machine_id(),
            "boot_id": _text("/proc/sys/kernel/random/boot_id"),
            "kernel": os.uname().release,
            "now": clock.now(),
            "served": "",
            "attempts": () if played else _attempts(),
            "program": _digest(str(request.get("program", ""))),
            "former": _former(str(request.get("former", ""))),
            "rsync": rsync.result(),
            "filesystems": table(seen),
            "inside": table(inside(folders or (root,)) if played else ()),
            "stores": stores,
            "readings": {key: future.result() for key, future in readings},
        }


def _reading(command: Mapping[str, Any]) -> dict[str, Any]:
    return _once(tuple(command["argv"]), float(command.get("timeout", 20)))


@functools.lru_cache(maxsize=None)  # noqa: UP033
def _once(argv: tuple[str, ...], timeout: float) -> dict[str, Any]:
    """What a command says: of this machine the same for each host that is a folder of it."""
    return reading(argv) if argv[:1] == (PROGRAM,) else dict(ask(argv, timeout=timeout)._asdict())


@functools.lru_cache(maxsize=None)  # noqa: UP033
def _rsync() -> dict[str, Any]:
    # Some have the option in an older version than it came with: only rsync itself tells.
    answer = ask(("rsync", "--trust-sender", "-VV"), timeout=10)
    trusts = answer.exit == 0
    if not trusts:
        answer = ask(("rsync", "-VV"), timeout=10)
    try:
        about = json.loads(answer.out)
        sums = [str(name) for name in about["checksum_list"] if name != "none"]
        return {"version": str(about["version"]), "checksums": sums, "trusts": trusts}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {**_from_prose(answer.out or ask(("rsync", "--version"), timeout=10).out), "trusts": trusts}


def _from_prose(text: str) -> dict[str, Any]:
    """The version output of rsync before 3.2.4: prose, with a list of checksums since 3.2.0."""
    version = VERSION.search(text)
    sums = re.search(r"Checksum list:\n +(.*)\n", text)
    checksums = [name for name in sums[1].split() if name != "none"] if sums else []
    return {"version": version[1] if version else "", "checksums": checksums}


def _attempts() -> Any:  # noqa: ANN401
    """What somebody with a key tried here in vain; the room of that is loaded where there is anything."""
    if not Path("/var/lib/runner/served").exists():
        return ()
    from .policy import refusals  # noqa: PLC0415

    return table(refusals.noted())


def _digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError:
        return ""


def _former(path: str) -> bool:
    """Whether the file is there and nothing works from it: what is at work reads the rest of itself from it."""
    try:
        if not path or not Path(path).is_file() or any(command.alive for command in _reader("detached")(()).detached):
            return False
    except OSError:
        return False
    return not any(path.encode() in _words(process) for process in processes.processes())


def _words(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def reading(argv: Sequence[str]) -> dict[str, Any]:
    """What `runner-agent VERB ...` would have printed, as a reading; nothing need be installed for it."""
    if len(argv) < 2 or argv[1] not in READERS:
        return _section(1, {"error": f"a probe may ask for: {', '.join(READERS)}", "do": "see docs/store.md"})
    try:
        return _section(0, table(_reader(argv[1])(argv[2:])))
    except Refused as refused:
        return _section(refused.code, {"error": refused.error, "do": refused.do})
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as problem:
        # What one of them cannot understand, such as a damaged record, does not hide the others.
        return _section(1, {"error": f"{type(problem).__name__}: {ascii(str(problem))}", "do": "look at the host"})


def _reader(verb: str) -> Callable[[Sequence[str]], Any]:
    read: Callable[[Sequence[str]], Any] = importlib.import_module(f".{READERS[verb]}", __package__).read
    return read


def _section(code: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    return {"exit": code, "out": json.dumps(answer) + "\n", "err": ""}
