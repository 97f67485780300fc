"""Which process and which boot of this machine a run is of: what tells a run that goes on from one that was killed."""

from __future__ import annotations

from pathlib import Path


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
