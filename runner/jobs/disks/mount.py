"""mount(8) and the folder under the mount: mounted from fstab, unwritable while nothing is mounted there."""

from __future__ import annotations

from dataclasses import dataclass

from runner.agent.arguments import argv
from runner.agent.disks.contract import MakeUnwritable
from runner.model.plan import Argv

# In a mount namespace of its own, gone with the process, what is mounted there can be taken away to reach
# the folder below; the host sees nothing of it. So a disk's own top folder is never made immutable.
_BELOW = 'set -eu; while mountpoint --quiet -- "$1"; do umount --lazy -- "$1"; done'
_LOOK = "; ".join(
    (
        _BELOW,
        'if [ ! -d "$1" ]; then echo missing; exit; fi',
        'flags=$(lsattr -d -- "$1" 2> /dev/null) || flags=unknown',
        'inside=$(find "$1" -mindepth 1 -maxdepth 1 -printf x -quit)',
        'printf "%s %s\\n" "${inside:-empty}" "${flags%% *}"',
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A mount point as it is under whatever is mounted there.

    `unwritable` is None where its filesystem has no such flag, which then cannot be set either.
    """

    exists: bool
    empty: bool = True
    unwritable: bool | None = None


def look(mount: str) -> Argv:
    """Tell whether the folder below the mount is there, empty and immutable. Changes nothing; needs root."""
    return ("unshare", "--mount", "--", "sh", "-c", _LOOK, "sh", mount)


def parse(text: str) -> Point | None:
    """Read what `look` printed; None where it makes no sense."""
    match text.split():
        case ["missing"]:
            return Point(exists=False)
        case [("empty" | "x") as inside, "unknown"]:
            return Point(exists=True, empty=inside == "empty")
        case [("empty" | "x") as inside, flags]:
            return Point(exists=True, empty=inside == "empty", unwritable="i" in flags)
        case _:
            return None


def make_unwritable(program: str, mount: str) -> Argv:
    """Make the folder below the mount immutable, so that nobody, root included, writes to it."""
    return (program, *argv("make-unwritable", MakeUnwritable(mount)))


def mount(point: str) -> Argv:
    """Mount what fstab says belongs at `point`."""
    return ("mount", "--", point)


def remount(point: str, options: tuple[str, ...]) -> Argv:
    """Give what is mounted at `point` these options too, beside those of fstab; nothing is unmounted."""
    return ("mount", "-o", f"remount,{','.join(options)}", "--", point)


def has_systemd() -> Argv:
    """Tell by the exit code, 0 or 1, whether systemd runs the host: sd_booted(3). Reads only."""
    return ("test", "-d", "/run/systemd/system")


def reread_fstab() -> Argv:
    """Have systemd read fstab anew; until then it may unmount at once what a former line does not name."""
    return ("systemctl", "daemon-reload")
