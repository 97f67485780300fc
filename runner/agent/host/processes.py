"""What runs here: processes by number and start time, since numbers are used again. proc(5)."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

# In the environment of whatever only answers a question, and of what that starts: nobody need wait for it.
MARK = {"RUNNER_ASKS": "1"}
ENDED = (b"Z", b"X")
# capabilities(7)
_SYS_PTRACE = 19

_MARKS = frozenset(f"{name}={value}".encode() for name, value in MARK.items())
# Between its start and its environment a program has neither for some microseconds, or longer on a busy host.
_LOOKS, _BETWEEN = 5, 0.02


def boot_id(root: Path = Path("/")) -> str:
    """What the kernel calls this boot; "" if it does not say."""
    try:
        return (root / "proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def booted(root: Path = Path("/")) -> int:
    """When this boot began, in whole seconds since 1970 by the clock as it stands now; 0 if unknown."""
    try:
        lines = (root / "proc/stat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("btime ")), 0)


def started(pid: int) -> int:
    """When process `pid` started, in ticks since the boot; 0 if it has ended, reaped or not."""
    try:
        # The name comes in brackets and may hold anything, brackets too.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return 0 if fields[0] in ENDED else int(fields[19])
    except (OSError, IndexError, ValueError):
        return 0


def processes(root: Path = Path("/")) -> Iterator[Path]:
    """The folder of every process that runs now and was started in the pid namespace that we are in.

    Root may lack the right to see where one was started: that one is among them.
    Raises OSError where not even we are among them: then nothing is known of the others either.
    """
    if root == Path("/") and not (root / "proc/self/stat").exists():
        raise OSError(errno.ENOENT, "no process can be seen, so /proc is not mounted", "/proc")
    ours = _namespace(root / "proc/self")
    for entry in sorted((root / "proc").glob("[1-9]*")):
        if entry.name.isdigit() and _namespace(entry, ours) == ours:
            yield entry


def begun_with(*words: bytes) -> list[int]:
    """The processes that have these words after each other in their command; those that have ended by now are not."""
    wanted, pids = b"\0" + b"\0".join(words) + b"\0", list[int]()
    for process in processes():
        with contextlib.suppress(OSError):
            if wanted in (process / "cmdline").read_bytes():
                pids.append(int(process.name))
    return pids


def is_entered(folder: Path) -> bool:
    """Whether a process works in the folder or below it, or has something open there; or nobody can see that."""
    try:
        inside = f"{folder.resolve()}/"
        return not _sees() or any(
            f"{place}/".startswith(inside) for process in processes() for place in _places(process)
        )
    except OSError:
        return True


def _places(process: Path) -> Iterator[str]:
    """Where it works, and the paths of what it has open; it may end at any moment."""
    links = [process / "cwd", process / "root"]
    with contextlib.suppress(OSError):
        links += (process / "fd").iterdir()
    for link in links:
        with contextlib.suppress(OSError):
            yield str(link.readlink())


def _sees() -> bool:
    """Whether we are shown where other users' processes are: root is, unless that right was taken; others never are."""
    status = Path("/proc/self/status").read_text("ascii", "replace")
    held = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")), 0)
    return os.geteuid() != 0 or bool(held >> _SYS_PTRACE & 1)


def asked(process: Path) -> bool:
    """Whether a question started it, of this look at the host or of another: it only reads, and ends soon.

    Only of root's processes and our own is it believed. Raises OSError where that cannot be seen.
    """
    if process.stat().st_uid not in (0, os.geteuid()):
        return False
    for each in range(_LOOKS):
        if each:
            time.sleep(_BETWEEN)
        environment = (process / "environ").read_bytes()
        if environment:
            return _MARKS.issubset(environment.split(b"\0"))
    return False


def _namespace(process: Path, unseen: str = "") -> str:
    try:
        return str((process / "ns/pid").readlink())
    except PermissionError:
        return unseen if os.geteuid() == 0 else ""
    except OSError:
        return ""
