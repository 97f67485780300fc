"""fstab(5) as it stands: which line is for a device, and whether a boot checks what it mounts."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple, Optional

from ..command import ask
from .mounts import number_of, unescaped


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
    # Not splitlines: a form feed ends no line of this file.
    lines = (_line(line) for line in text.split(b"\n"))
    return tuple(line for line in lines if line is not None)


def _line(line: bytes) -> Optional[MountLine]:  # noqa: UP045
    words = [word for word in re.split(rb"[ \t]+", line) if word]
    if len(words) < 4 or words[0].startswith(b"#"):
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
    answer = ask(("findfs", tag.replace('"', "")), timeout=10)
    return answer.out.strip() if answer.exit == 0 else ""
