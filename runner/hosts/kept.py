"""What is made of the runner's own modules: made once, and kept where Python keeps what it compiles of them."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

from runner.model.errors import Exposed
from runner.tools import private, trust

_DIGEST = hashlib.sha256().digest_size


def kept(module: Path, name: str, of: bytes, make: Callable[[], bytes]) -> bytes:
    """What `make` gives, kept as `name` beside what is compiled of `module`, for as long as it is made of `of`.

    It is made anew where nothing whole of `of` is kept, where others may have changed that, and where nothing can be.
    """
    source = hashlib.sha256(of).digest()
    try:
        path = Path(cache_from_source(str(module))).with_name(name)
        closed = not trust.exposures((str(path),), (str(path.parent),))
    except (NotImplementedError, Exposed):
        return make()
    if closed and (content := _read(path, source)):
        return content
    content = make()
    # A folder that Python has not made is one that it was not to make.
    if closed and path.parent.is_dir() and not sys.dont_write_bytecode:
        with suppress(OSError):
            private.put(path, source + hashlib.sha256(content).digest() + content)
    return content


def _read(path: Path, source: bytes) -> bytes:
    """What is kept there of this source; b"" where that is nothing, or not whole."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            whole = file.read()
    except OSError:
        return b""
    content = whole[2 * _DIGEST :]
    return content if whole[: 2 * _DIGEST] == source + hashlib.sha256(content).digest() else b""
