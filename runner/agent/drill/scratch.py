"""`drill-room`: the scratch folder of a drill, under the host's lock; `bring`: run what brings names into it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from .. import durable
from ..answer import Refused, reply
from ..arguments import PLAN, parse_as
from ..database.server import free
from ..frames import json_lines
from ..store import lock, owned, trash
from . import confined
from .contract import Bring, DrillRoom, NameLine, Needed, ScratchFolder
from .heard import line_as

INSIDE = ("files", "dumps", "cluster", "view")
PASSED = 0o711
_MIB = 1 << 20


def drill_room(argv: Sequence[str]) -> int:
    """Make FOLDER/PLAN with a place for files, dumps and a cluster; with `--remove` remove it again.

    The plan holds this host's lock on drills, so nobody uses what other plans left in FOLDER: it is removed too,
    after a server that runs in it was ended. Refused where no more than a twentieth of the disk (8 GiB at most) is
    free. `--measure` only checks that there is room beside that for the `bytes` in the last line on stdin: what is
    really to come back.
    """
    options = parse_as(DrillRoom, argv)
    folder, plan = Path(options.folder), options.plan
    if not folder.is_absolute() or not PLAN.fullmatch(plan):
        raise Refused(f"not a scratch folder and a plan: {options.folder!a}, {plan!a}", "see docs/store.md")
    own = lock.work(options.run, "drill", plan)
    removed = 0
    try:
        if options.measure:
            last = deque(json_lines(sys.stdin.buffer), maxlen=1)
            if not last or "bytes" not in last[0]:
                raise Refused(
                    "the list of what comes back is cut off", "see why the step before failed, and run it again"
                )
            _require(folder, line_as(Needed, last[0]).bytes)
        elif options.remove:
            removed = _remove(folder)
        else:
            durable.make_folders(folder.parent, PASSED)
            durable.make_folder(folder)
            owned.close(folder, only=PASSED)
            owned.require_folder(folder, f"name another `scratch`, a folder that only {owned.WHOSE} may write")
            removed = _remove(folder)
            _require(folder, 0)
            # What comes from the store may be anybody's. The scratch server sees its own folder from within its view.
            durable.make_folder(folder / plan)
            for name in INSIDE:
                durable.make_folder(folder / plan / name)
    finally:
        os.close(own)
    reply(ScratchFolder(str(folder / plan), removed, free(folder) if folder.is_dir() else 0))
    return 0


def floor(folder: Path) -> int:
    """How many bytes a drill leaves free on the disk of `folder`, whatever happens."""
    space = os.statvfs(folder)
    return min(space.f_blocks * space.f_frsize // 20, 8 << 30)


def _remove(folder: Path) -> int:
    count = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        # A restore of files names its folder after its plan too: a drill's has nothing but our own folders in it.
        folder_of_plan = PLAN.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        if folder_of_plan and all(each.name in INSIDE for each in path.iterdir()):
            _clear(path)
            count += 1
    return count


def _clear(path: Path) -> None:
    """Remove it, after what still runs in it was ended. Raises Refused where that cannot be."""
    if not confined.end(path / "cluster"):
        raise Refused(f"what a dump began in {path} cannot be ended", "end it by hand: ps -ef names its user by number")
    _, stuck = trash.empty(path.parent, path)
    if stuck:
        raise Refused(f"{stuck} names in {path} could not be removed", "is something mounted there?")
    path.rmdir()


def _require(folder: Path, need: int) -> None:
    there, last = free(folder), floor(folder)
    if there < last + need:
        # Rounded so that what is missing is seen.
        needs = f", and the drill needs {-(-need // _MIB):,} MiB" if need else ""
        less = "; less comes back where `most` is lower" if need else ""
        raise Refused(
            f"{folder}: {there // _MIB:,} MiB are free, the last {-(-last // _MIB):,} MiB must stay free{needs}",
            f"put `scratch` on a larger disk, or make room there{less}",
        )


def bring(argv: Sequence[str]) -> int:
    """Run the words after `--`, ended by nothing but its own end; its exit code is ours.

    On its stdin are the names in the frames on ours: of each line `./SNAPSHOT/PATH` and a NUL, as
    rsync --from0 --files-from=- wants it. Without any name nothing is run.
    """
    words = parse_as(Bring, argv).argv
    if not words:
        raise Refused("bring has no command to run", "see docs/store.md")
    # A name that begins with # or ; would be a comment, and one with - an option.
    lines = (line_as(NameLine, line) for line in json_lines(sys.stdin.buffer) if line.get("type"))
    names = (os.fsencode(f"./{line.snapshot}/{line.path}".rstrip("/")) + b"\0" for line in lines)
    first = next(names, None)
    if first is None:
        return 0
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        try:
            _feed(process, chain((first,), names))
        except BaseException:
            # Half of the names are not to be taken for all.
            process.kill()
            raise
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _feed(process: subprocess.Popen[bytes], names: Iterable[bytes]) -> None:
    """Give it one name after the other: however many there are, none is kept."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            for each in names:
                stdin.write(each)
