"""fstab(5): the line that mounts a disk at every boot, as it is, as it should be, and how it gets there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.agent.arguments import argv
from runner.agent.disks.contract import CountFstabLines, PutFstabLine
from runner.model.plan import Argv, Check

PATH = "/etc/fstab"
# nofail: the host comes up without the disk. nosuid, nodev: a snapshot holds every program and device that the
# host ever had. Pass 2: checked at boot when its time has come, after the root filesystem.
OPTIONS = ("noatime", "nodev", "nosuid", "nofail")
_AGAINST = frozenset(("atime", "relatime", "strictatime", "dev", "suid", "defaults", "fail", "noauto", "ro"))
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, kw_only=True, slots=True)
class FstabEntry:
    """One line of fstab; `line` is the line itself, `mount` where it mounts, in plain text."""

    line: str
    source: str
    mount: str
    type: str
    options: tuple[str, ...]
    check: str


def show() -> Argv:
    """Print the file. Reads only."""
    return ("cat", "--", PATH)


def parse(text: str) -> tuple[FstabEntry, ...]:
    """Read the file's entries; comments and lines with fewer than four words are passed over."""
    entries = []
    # Not splitlines: a form feed or a Unicode line separator ends no line of this file.
    for line in text.split("\n"):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if len(words) >= 4 and not words[0].startswith("#"):
            mount = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), words[1])
            entries.append(
                FstabEntry(
                    line=line,
                    source=words[0],
                    mount=mount.rstrip("/") or "/",
                    type=words[2],
                    options=tuple(words[3].split(",")),
                    check=words[5] if len(words) > 5 else "0",
                )
            )
    return tuple(entries)


def uuid_of(entry: FstabEntry) -> str:
    """The UUID by which `entry` finds its filesystem, lower case; "" where it is found in another way."""
    name, _, value = entry.source.partition("=")
    return value.strip('"').lower() if name == "UUID" else ""


def right(entry: FstabEntry, uuid: str, filesystem: str) -> bool:
    """Whether `entry` mounts that filesystem as it should be: found by its UUID, checked, not missed."""
    return (
        uuid_of(entry) == uuid
        and entry.type in (filesystem, "auto")
        and entry.check == "2"
        and set(OPTIONS) <= set(entry.options)
        and not (_AGAINST - {"defaults"}) & set(entry.options)
    )


def line(uuid: str, mount: str, filesystem: str, entry: FstabEntry | None = None) -> str:
    """The line as it should be; options of `entry`, the line there is, stay where they do not contradict."""
    present = entry.options if entry else ()
    options = (*OPTIONS, *(option for option in present if option not in _AGAINST and option not in OPTIONS))
    return f"UUID={uuid} {escaped(mount)} {filesystem} {','.join(options)} 0 2"


def put(program: str, old: str, new: str, path: str = PATH) -> Argv:
    """Put the line `new` in the place of `old`, which must be there once; at the end where `old` is ""."""
    return (program, *argv("put-fstab-line", PutFstabLine(new, old, path)))


def absent(host: str, program: str, mount: str, path: str = PATH) -> Check:
    """The claim that no line of the file mounts anything at `mount`."""
    return Check(
        host=host,
        argv=(program, *argv("fstab-lines", CountFstabLines(mount, path))),
        field="fstab_lines",
        relation="==",
        value=0,
        why=f"{path} has no line for {mount} yet",
    )


def escaped(mount: str) -> str:
    r"""A mount point as the file has it: blank, tab, line feed and backslash as `\040` and so on."""
    return re.sub(r"[ \t\n\\]", lambda char: f"\\{ord(char[0]):03o}", mount)
