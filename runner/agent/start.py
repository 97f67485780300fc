"""Run the program, of what was compiled of it before where that is kept: to compile is most of what a start costs.

This file alone is compiled each time. What is kept is trusted as the program beside it is, so only where nobody but
root and this user can have written it, and it is what these sources are for this Python.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import stat
import sys
import zlib
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import MAGIC_NUMBER
from types import CodeType, ModuleType

PACKAGE = "runner_agent"
FOLDER, KEPT = "__pycache__", "runner-agent.pyc"
INSTALLED, UNTIL_BOOT = "/usr/local/sbin/runner-agent", "/run/runner/compiled"
MOST = 16 << 20
# What writes to its host anyway, and so may keep what was compiled: to look at a host leaves nothing there.
KEEPERS = ("begin", "clone", "compose", "hold", "keep-about", "look", "reap", "seal", "settle", "walk")

# What importing raises where the program was replaced while it worked: then nothing is kept, and the work is done.
REPLACED = (ImportError, OSError, EOFError, SyntaxError, ValueError, zlib.error)
# Of a module that is kept: whether it is a package; where behind the table its code begins, how long it is, its sum.
Place = tuple[bool, int, int, int]


class KeptCode:
    """The modules that are kept, by name; the code of each is read from the open file when it is asked for."""

    def __init__(self, places: dict[str, Place], file: int = -1, behind: int = 0) -> None:
        self.places, self._file, self._behind = places, file, behind

    def code(self, name: str) -> bytes | None:
        """The code of a module; None where it is not kept whole."""
        if name not in self.places:
            return None
        _, start, size, checksum = self.places[name]
        code = os.pread(self._file, size, self._behind + start)
        return code if zlib.crc32(code) == checksum else None


NOTHING = KeptCode({})


class Modules:
    """Finds the modules of the program: those `kept`; any other is compiled from the archive, and is `new`."""

    def __init__(self, archive: str, kept: KeptCode) -> None:
        self._archive, self._kept = archive, kept
        self.new: dict[str, tuple[bool, CodeType]] = {}
        self._codes: dict[str, CodeType] = {}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if not name.startswith(PACKAGE):
            return None
        code = self._kept.code(name)
        if code is not None:
            self._codes[name] = marshal.loads(code)  # noqa: S302  (ours, and whole)
            spec = ModuleSpec(name, self, is_package=self._kept.places[name][0])  # type: ignore[arg-type]
            if spec.submodule_search_locations is not None:
                spec.submodule_search_locations.append(f"{self._archive}/{name.replace('.', '/')}")
            return spec
        archived = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        if archived and archived.loader:
            self._codes[name] = archived.loader.get_code(name)  # type: ignore[attr-defined]
            self.new[name] = archived.submodule_search_locations is not None, self._codes[name]
            archived.loader = self  # type: ignore[assignment]
        return archived

    def create_module(self, spec: ModuleSpec) -> None:
        """As any module is made."""

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        exec(self._codes.pop(module.__name__), module.__dict__)  # noqa: S102  (as every loader does)


def run(program: str, sources: str) -> None:
    """Run the program installed as the file `program`, "" if it came by itself; `sources` is the SHA-256 of those."""
    # What is imported stays: whoever looked through it would find nothing to remove. Before a verb works it is enabled.
    gc.disable()
    program = program if program.startswith("/") else ""
    begun_as = _identity(program)
    modules = Modules(sys.path[0], kept(program, sources) if program else NOTHING)
    sys.meta_path.insert(0, modules)
    from .__main__ import work  # noqa: PLC0415  (of what was compiled before)

    try:
        code = work()
    finally:
        if program and modules.new and sys.argv[1:2] and sys.argv[1] in KEEPERS:
            with contextlib.suppress(*REPLACED):
                from . import compiled  # noqa: PLC0415  (once a version)

                compiled.keep(program, sources, modules, lambda: begun_as == _identity(program))
    # All is written. To take everything apart that was imported would cost as much again as a third of the imports.
    if sys.stderr:
        # What cannot be said any more does not change how it ended.
        with contextlib.suppress(OSError):
            sys.stderr.flush()
    os._exit(code)


def _identity(program: str) -> tuple[int, ...]:
    """Which file it is; () for none. Of one that was put in its place meanwhile the wrong bytes would be read."""
    try:
        status = os.stat(program)  # noqa: PTH116  (pathlib is slow to load)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def kept(program: str, sources: str) -> KeptCode:
    """What is kept beside `program` of these sources for this Python; nothing where there is none to be trusted."""
    try:
        folder = os.open(folder_of(program), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return NOTHING
    try:
        return read(folder, sources) if is_ours(os.fstat(folder)) else NOTHING
    except OSError:
        return NOTHING
    finally:
        os.close(folder)


def folder_of(program: str) -> str:
    """Where it is kept: as Python does, beside the file; of the installed one where it is in no snapshot."""
    return UNTIL_BOOT if program == INSTALLED else f"{program.rpartition('/')[0]}/{FOLDER}"


def read(folder: int, sources: str) -> KeptCode:
    """What is kept in the open folder; nothing where others may have written it, or it is of another version."""
    file = os.open(KEPT, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode) and status.st_size <= MOST and is_ours(status):
        start = os.read(file, len(head(sources, b"")))
        # The head says how long the table of the modules is, and the code of each lies behind that.
        table = os.read(file, min(MOST, int.from_bytes(start[-4:], "big")))
        if start == head(sources, table):
            return KeptCode(marshal.loads(table), file, len(start) + len(table))  # noqa: S302  (ours, and whole)
    os.close(file)
    return NOTHING


def is_ours(status: os.stat_result) -> bool:
    """Whether only root and this user can write it."""
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022


def head(sources: str, table: bytes) -> bytes:
    """What stands before the table: of which sources, for which Python; the sum and the length of the table."""
    numbers = zlib.crc32(table), len(table)
    return MAGIC_NUMBER + bytes.fromhex(sources) + b"".join(each.to_bytes(4, "big") for each in numbers)
