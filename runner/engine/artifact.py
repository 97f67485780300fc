"""The program at the disk as one file: a zip that python3 runs, the same bytes for the same sources."""

from __future__ import annotations

import functools
import io
import zipfile
from pathlib import Path

_MADE = (1980, 1, 1, 0, 0, 0)
_DOOR = "from runner_agent.__main__ import main\n\nmain()\n"

# Runs the program without installing it: `python3 -I -c BOOT LENGTH [VERB ...]` reads the file from
# stdin, keeps it in memory, and leaves the rest of stdin to the verb (probe, unless another is named).
# Unbuffered, so that nothing more is read.
BOOT = (
    "import os,sys;f=os.memfd_create('runner-store');n=int(sys.argv[1]);"
    "[os.write(f,b)for b in iter(lambda:os.read(0,min(65536,n-os.fstat(f).st_size)),b'')];"
    "os.fstat(f).st_size==n or sys.exit('the program was cut off');"
    "sys.path.insert(0,'/proc/self/fd/%d'%f);sys.argv[1:]=sys.argv[2:]or['probe'];"
    "from runner_agent.__main__ import main;main()"
)


@functools.cache
def runner_store() -> bytes:
    """The file to install as `runner-store`; it needs python3, 3.9 or later, and nothing else."""
    folder = Path(__file__).parent.parent / "agent"
    names = {
        f"runner_agent/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*.py")
    }
    names["__main__.py"] = _DOOR.encode()
    stream = io.BytesIO()
    stream.write(b"#!/usr/bin/env python3\n")
    # It travels with every question, perhaps over a slow line.
    with zipfile.ZipFile(stream, "a") as archive:
        for name in sorted(names):
            entry = zipfile.ZipInfo(name, _MADE)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, names[name], zipfile.ZIP_DEFLATED)
    return stream.getvalue()
