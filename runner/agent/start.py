"""Run the program, of what was compiled of it before where that is kept: to compile is most of what a start costs.

This file alone is compiled each time. What is kept is trusted as the program beside it is, so only where nobody but
root and this user can have written it, and it is what these sources are for this Python.
"""

from __future__ import annotations

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

Code = tuple[bool, bytes]


class Modules:
    """Finds the modules of the program: those `kept`; any other is compiled from the archive, and is `new`."""

    def __init__(self, archive: str, kept: dict[str, Code]) -> None:
        """`kept` are, by name, whether it is a package, and its code."""
        self._archive, self.kept = archive, kept
        self.new: dict[str, tuple[bool, CodeType]] = {}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if not name.startswith(PACKAGE):
            return None
        if name in self.kept:
            spec = ModuleSpec(name, self, is_package=self.kept[name][0])  # type: ignore[arg-type]
            if spec.submodule_search_locations is not None:
                spec.submodule_search_locations.append(f"{self._archive}/{name.replace('.', '/')}")
            return spec
        archived = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        if archived and archived.loader:
            code = archived.loader.get_code(name)  # type: ignore[attr-defined]
            self.new[name] = (archived.submodule_search_locations is not None, code)
            archived.loader = self  # type: ignore[assignment]
        return archived

    def create_module(self, spec: ModuleSpec) -> None:
        """As any module is made."""

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        name = module.__name__
        code = self.new[name][1] if name in self.new else marshal.loads(self.kept[name][1])  # noqa: S302
        exec(code, module.__dict__)  # noqa: S102  (as every loader does)


def run(program: str, sources: str) -> None:
    """Run the program installed as the file `program`, "" if it came by itself; `sources` is the SHA-256 of those."""
    program = program if program.startswith("/") else ""
    modules = Modules(sys.path[0], kept(program, sources) if program else {})
    sys.meta_path.insert(0, modules)
    from .__main__ import main  # noqa: PLC0415  (of what was compiled before)

    try:
        main()
    finally:
        if program and modules.new and sys.argv[1:2] and sys.argv[1] in KEEPERS:
            from . import compiled  # noqa: PLC0415  (once a version)

            compiled.keep(program, sources, modules)


def kept(program: str, sources: str) -> dict[str, Code]:
    """What is kept beside `program` of these sources for this Python; {} where there is none that can be trusted."""
    try:
        folder = os.open(folder_of(program), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return {}
    try:
        content = read(folder) if is_ours(os.fstat(folder)) else b""
    except OSError:
        content = b""
    finally:
        os.close(folder)
    start, code = content[: len(head(sources, b""))], content[len(head(sources, b"")) :]
    if start != head(sources, code):
        return {}
    known: dict[str, Code] = marshal.loads(code)  # noqa: S302  (ours, and whole)
    return known


def folder_of(program: str) -> str:
    """Where it is kept: as Python does, beside the file; of the installed one where it is in no snapshot."""
    return UNTIL_BOOT if program == INSTALLED else f"{program.rpartition('/')[0]}/{FOLDER}"


def read(folder: int) -> bytes:
    """All of the file that is kept in the open folder; b"" where others may have written it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(KEPT, flags, dir_fd=folder), "rb") as stream:
        status = os.fstat(stream.fileno())
        known = stat.S_ISREG(status.st_mode) and status.st_size <= MOST and is_ours(status)
        return stream.read() if known else b""


def is_ours(status: os.stat_result) -> bool:
    """Whether only root and this user can write it."""
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022


def head(sources: str, code: bytes) -> bytes:
    """What stands before the code: of which sources, for which Python; and a sum, as it may be cut off or rot."""
    return MAGIC_NUMBER + bytes.fromhex(sources) + zlib.crc32(code).to_bytes(4, "big")
