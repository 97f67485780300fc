"""Who is logged in, what asks this host not to be shut down, which filesystems are being checked."""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .. import clock
from ..answer import plain, reply
from ..arguments import NoOptions, parse_as
from ..command import ask
from . import processes
from .contract.sessions import Inhibitor, Up, User
from .mounts import mounts, uuid_of

# utmp(5); most 64-bit machines keep the 32-bit times of their elder brothers.
SHORT = struct.Struct("=hxxi32s4s32s256s4xi2i36x")
LONG = struct.Struct("=hxxi32s4s32s256s4xq2q36x4x")
LONG_ON = ("aarch64", "riscv64", "loongarch64")
USER = 7
FIELDS = ("Name", "RemoteHost", "Timestamp", "Class", "TTY", "Display")

PATIENCE = 15


def users(root: Path) -> tuple[User, ...] | None:
    """Who sits at a terminal, from where, since when; None where that is not known."""
    try:
        data = (root / "run/utmp").read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError:
        return None
    # Whoever keeps it writes the boot into it first: an empty one is kept by nobody.
    if not data:
        return _by_logind() if (root / "run/systemd/seats").is_dir() and root == Path("/") else ()
    shape = LONG if platform.machine() in LONG_ON else SHORT
    whole = len(data) - len(data) % shape.size
    sessions = []
    for kind, pid, _, _, name, host, _, seconds, _ in shape.iter_unpack(data[:whole]):
        # Nobody removes the line of a session that was killed.
        if kind == USER and (root / f"proc/{pid}").exists():
            sessions.append(User(_cut(name), _cut(host), clock.at(seconds * 10**9)))
    return tuple(sessions)


def inhibitors(root: Path) -> list[Inhibitor]:
    """What blocks a shutdown, as logind keeps it. Delays are left out."""
    blocking = []
    for path in sorted((root / "run/systemd/inhibit").glob("*")):
        about = _pairs(path)
        if about.get("MODE", "").startswith("block") and "shutdown" in about.get("WHAT", "").split(":"):
            blocking.append(Inhibitor(*(plain(_unescaped(about.get(key, ""))) for key in ("WHO", "WHY", "WHAT"))))
    return blocking


def checking(root: Path) -> list[str]:
    """The devices that root has a check of under way, as they were named."""
    devices: set[str] = set()
    for process in processes.processes(root):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            mine = process.stat().st_uid in (0, os.geteuid())
        except OSError:
            continue
        program = words[0].rpartition(b"/")[2]
        if mine and (program == b"e2fsck" or program.startswith(b"fsck")):
            devices.update(plain(word) for word in words[1:] if word.startswith(b"/dev/"))
    return sorted(devices)


def _by_logind() -> tuple[User, ...] | None:
    """The sessions of logind, where there is no utmp: people have a terminal or a screen, a command has neither."""
    listed = ask(("loginctl", "list-sessions", "--no-legend"), timeout=10)
    ids = [line.split()[0] for line in listed.out.splitlines() if line.strip()]
    if listed.exit != 0 or not ids:
        return () if listed.exit == 0 else None
    fields = [f"--property={field}" for field in FIELDS]
    answer = ask(("env", "TZ=UTC", "loginctl", "show-session", *fields, *ids), timeout=10)
    # A session that ended meanwhile makes loginctl fail, and the others are printed all the same.
    return tuple(_sessions(answer.out)) if answer.exit is not None else None


def _sessions(text: str) -> Iterator[User]:
    for block in text.split("\n\n"):
        about = dict(line.partition("=")[::2] for line in block.splitlines())
        if about.get("Class") == "user" and (about.get("TTY") or about.get("Display")):
            # As in "Mon 2026-11-23 08:15:00 UTC".
            moment = about.get("Timestamp", "").split()
            yield User(
                plain(about.get("Name", "")),
                plain(about.get("RemoteHost", "")),
                clock.moment(f"{moment[1]}T{moment[2]}Z") if len(moment) == 4 else None,
            )


def _pairs(path: Path) -> Mapping[str, str]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    except OSError:
        return {}
    return dict(line.partition("=")[::2] for line in lines)


def _unescaped(text: str) -> str:
    # As C writes them, byte by byte: \n, \x20, \303\244.
    known = text.encode().decode("unicode_escape", "replace")
    return known.encode("latin-1", "replace").decode("utf-8", "replace")


def _cut(field: bytes) -> str:
    return plain(field.partition(b"\0")[0])


def run(argv: Sequence[str]) -> int:
    """Print the boot, the state of the system, failed units, users, inhibitors, mounts; see docs/store.md."""
    reply(read(argv))
    return 0


def read(argv: Sequence[str], root: str = "/") -> Up:
    """What `run` prints, of the host whose files are below `root`; changes nothing.

    `system` and `failed` are what systemd says, empty where it does not run.
    """
    parse_as(NoOptions, argv)
    top = Path(root)
    booted = processes.booted(top)
    systemd = (top / "run/systemd/system").is_dir()
    return Up(
        boot_id=processes.boot_id(top),
        kernel=platform.release(),
        system=_system() if systemd else "",
        failed=tuple(_failed()) if systemd else (),
        up_since=clock.at(booted * 10**9) if booted else None,
        users=users(top),
        systemd=systemd,
        inhibitors=tuple(inhibitors(top)),
        mounts=_mounts(),
        checking=tuple(checking(top)),
    )


def _system() -> str:
    # It ends with 1 for every state but `running`, and prints the state all the same.
    return plain(ask(("systemctl", "is-system-running"), timeout=PATIENCE).out.strip())


def _failed() -> list[str]:
    argv = ("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")
    lines = ask(argv, timeout=PATIENCE).out.splitlines()
    return [plain(line.split()[0]) for line in lines if line.split()]


def _mounts() -> dict[str, str]:
    """Where each filesystem that has a uuid is mounted: the whole of it, at its first place."""
    points: dict[str, str] = {}
    for mount in mounts():
        if mount.local and mount.root == "/":
            uuid = uuid_of(mount)
            if uuid:
                points.setdefault(uuid, mount.point)
    return points
