"""A run as the journal has it, and what tells one that goes on from one that was killed: its process, its boot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """One run in the journal; `ended` None and `alive` False means it was killed.

    `rebooted`: this machine was started again since it began.
    """

    id: str
    started: datetime
    ended: datetime | None
    verdict: str
    alive: bool
    rebooted: bool = False

    @property
    def cut_off(self) -> bool:
        """Whether it was killed: it has no end, or a report has mentioned that and given it its beginning for one."""
        return not self.alive and self.ended in (None, self.started)


def process(pid: int) -> str:
    """What distinguishes this process from every other with its number, before or after; "" if it is gone."""
    try:
        boot = boot_id()
        # proc(5): the command's name is in parentheses and may hold anything; the 22nd field is the start.
        about = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return f"{boot} {about[19].decode('ascii')}" if about[0] != b"Z" else ""


def boot_id() -> str:
    """What distinguishes this boot of this machine from every other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
