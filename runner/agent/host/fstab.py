"""fstab(5) as it stands: which line is for a device, and whether a boot checks what it mounts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from ..answer import Refused
from .mounts import mounts, number_of, unescaped

FSTAB = Path("/etc/fstab")


class MountLine(NamedTuple):
    """One entry; `device` and `number` are "" and 0 where the device is not there. `passno` is the last column."""

    device: str
    number: int
    mount: str
    type: str
    options: tuple[str, ...]
    passno: int


def fstab(path: Path) -> tuple[MountLine, ...]:
    """The entries for filesystems on devices of this host; empty where there is no such file. Raises OSError."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return ()
    lines = map(_line, rows(text))
    return tuple(line for line in lines if line is not None)


def rows(text: bytes) -> Iterator[list[bytes]]:
    """The words of every line of a table, without comments and empty lines."""
    # Not splitlines, and not any space: a form feed ends no line of this file and no word.
    for line in text.split(b"\n"):
        words = [word for word in re.split(rb"[ \t]+", line) if word]
        if words and not words[0].startswith(b"#"):
            yield words


def unmounted(path: Path, table: Path = FSTAB) -> str:
    """The mount point of fstab that `path` (resolved) lies below and where nothing is mounted; "" without one.

    What is made below it would be hidden once its disk is there. Refused where the table cannot be read.
    """
    try:
        text = table.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as problem:
        error = (
            f"{table} cannot be read ({problem.strerror}), so nobody knows what is to be mounted above {str(path)!a}"
        )
        raise Refused(error, f"see what is wrong with {table}") from problem
    there = {mount.point for mount in mounts()}
    points = {unescaped(row[1]).rstrip("/") for row in rows(text) if len(row) > 1 and row[1].startswith(b"/")}
    # What is mounted is not looked at: a dead network filesystem would never answer.
    declared = {Path(point).resolve() for point in points - there if point}
    above = (point for point in (path, *path.parents) if point in declared and point != Path("/"))
    return next((str(point) for point in above if str(point) not in there), "")


def _line(words: list[bytes]) -> Optional[MountLine]:  # noqa: UP045
    if len(words) < 4:
        return None
    source, mount, kind = (unescaped(word) for word in words[:3])
    if not source.startswith("/dev/") and "=" not in source:
        return None
    last = words[5] if len(words) > 5 else b"0"
    device = source if source.startswith("/") else _device(source)
    return MountLine(
        device=device,
        number=number_of(device),
        mount=mount.rstrip("/") or "/",
        type=kind,
        options=tuple(os.fsdecode(words[3]).split(",")),
        passno=int(last) if last.isdigit() else 0,
    )


def _device(tag: str) -> str:
    name, _, value = tag.partition("=")
    folder = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid"}.get(name)
    link = Path("/dev/disk") / folder / value.strip('"') if folder else None
    if link is not None and link.exists():
        return str(link)
    from ..command import ask  # noqa: PLC0415  (slow to load; who has a store on a disk only wants the mount points)

    answer = ask(("findfs", tag.replace('"', "")), timeout=10)
    return answer.out.strip() if answer.exit == 0 else ""
