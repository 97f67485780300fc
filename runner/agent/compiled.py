"""Keep what was compiled of the program beside it, so that the next start need not do it again."""

from __future__ import annotations

import importlib
import marshal
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from . import durable
from .start import KEPT, KeptCode, Modules, Place, folder_of, head, is_ours, kept

# Of a module: whether it is a package, and its code, marshalled.
Code = tuple[bool, bytes]
# What only looks is asked every day, and keeps nothing itself.
DAILY = (
    "probe",
    "confined.looking",
    "confined.receiver",
    "host.mounts",
    "inventory.host",
    "look.changed",
    "snapshots.keep_room",
    "store.newest",
)


def keep(program: str, sources: str, modules: Modules, is_same: Callable[[], bool]) -> None:
    """Add what is new to what is kept. Where that cannot be written, it is compiled again each time.

    Nothing is kept where the program is not the same any more: what was read of it then is of another version.
    """
    for place in DAILY:
        importlib.import_module(f".{place}", __package__)
    if not is_same():
        return
    with suppress(OSError):
        durable.make_folders(Path(folder_of(program)))
        folder = os.open(folder_of(program), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if is_ours(os.fstat(folder)):
                # Another one may have kept its own meanwhile.
                _write(folder, sources, {**_all(kept(program, sources)), **_dumped(modules)})
        finally:
            os.close(folder)


def _all(known: KeptCode) -> dict[str, Code]:
    codes = {name: (place[0], known.code(name)) for name, place in known.places.items()}
    return {name: (package, code) for name, (package, code) in codes.items() if code is not None}


def _dumped(modules: Modules) -> dict[str, Code]:
    return {name: (package, marshal.dumps(code)) for name, (package, code) in modules.new.items()}


def _content(sources: str, codes: dict[str, Code]) -> bytes:
    """The head, the table of the modules, and behind it the code of each."""
    places: dict[str, Place] = {}
    start = 0
    for name, (package, code) in codes.items():
        places[name] = package, start, len(code), zlib.crc32(code)
        start += len(code)
    table = marshal.dumps(places)
    return b"".join((head(sources, table), table, *(code for _, code in codes.values())))


def _write(folder: int, sources: str, codes: dict[str, Code]) -> None:
    """In one move. What is left of a draft by a power cut or a full disk is no draft of the next."""
    content, draft = _content(sources, codes), f"{KEPT}.tmp"
    with suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(draft, flags, 0o600, dir_fd=folder), "wb") as stream:
            stream.write(content)
        os.rename(draft, KEPT, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
