"""`put-fstab-line`: one line of fstab replaced or added; `fstab-lines`: how many there are for a mount point."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .. import durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..host.fstab import rows
from ..host.mounts import unescaped
from .contract import CountFstabLines, FstabLinePut, FstabLines, PutFstabLine


def put(argv: Sequence[str]) -> int:
    """Put `--new` in the place of `--old`, which must be there once; at the end where that is "".

    All other lines stay byte for byte, and the file has its mode, owner and attributes; it is replaced in one
    move, so that no moment exists without a whole fstab. Refused where it is not there.
    """
    options = parse_as(PutFstabLine, argv)
    file, old, new = Path(options.file).resolve(), os.fsencode(options.old), os.fsencode(options.new)
    if not new or b"\n" in new + old:
        raise Refused(f"not a line of fstab: {options.new!a}", "see docs/store.md")
    # For another job of ours. The file gets a new inode, so the folder is locked.
    with durable.alone(file.parent):
        content = _changed(file.read_bytes(), old, new, str(file))
        status = file.stat()
        with durable.replacing(file) as stream:
            stream.write(content)
            stream.flush()
            shutil.copystat(file, f"/proc/self/fd/{stream.fileno()}")
            os.fchown(stream.fileno(), status.st_uid, status.st_gid)
            os.fchmod(stream.fileno(), status.st_mode & 0o7777)
            # systemd goes by its time to say that it has an older one.
            os.utime(stream.fileno())
    reply(FstabLinePut(options.new))
    return 0


def _changed(content: bytes, old: bytes, new: bytes, name: str) -> bytes:
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if not old:
        return b"".join(line + b"\n" for line in (*lines, new))
    hits = lines.count(old)
    if hits != 1:
        raise Refused(f"{name} has the line {hits} times: {os.fsdecode(old)!a}", "make a new plan")
    return b"".join((new if line == old else line) + b"\n" for line in lines)


def count(argv: Sequence[str]) -> int:
    """Print how many lines of fstab, beside comments, are for the mount point. Reads only."""
    options = parse_as(CountFstabLines, argv)
    entries = (row for row in rows(Path(options.file).read_bytes()) if len(row) > 1)
    reply(FstabLines(sum(unescaped(row[1]) == options.mount for row in entries)))
    return 0
