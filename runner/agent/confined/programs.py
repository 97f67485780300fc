"""Where among the programs of the host nothing is that one of them needs, so that nobody is lent it by the way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .view import LOCAL


def beyond(program: str, lent: Sequence[str], cache: Path = Path("/etc/ld.so.cache")) -> tuple[str, ...]:
    """Those of `/usr/local` and `/opt` that `program` can do without, and that nobody has lent.

    Of `/usr/local` the folders of programs and libraries are seen all the same. `cache` is where the loader has noted
    libraries.
    """
    places = (f"{folder}/{program}" for folder in os.get_exec_path())
    real = os.path.realpath(next(filter(os.path.exists, places), ""))
    away = [] if real.startswith("/usr/local/") and not real.startswith(LOCAL) else ["/usr/local"]
    if not real.startswith("/opt/") and not _has_libraries("/opt/", cache):
        away.append("/opt")
    return tuple(each for each in away if not any(f"{each}/".startswith(f"{above.rstrip('/')}/") for above in lent))


def _has_libraries(folder: str, cache: Path) -> bool:
    try:
        return folder.encode() in cache.read_bytes()
    except FileNotFoundError:
        return False
