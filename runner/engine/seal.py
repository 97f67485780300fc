"""The seal of plan.toml: that this runner wrote it, for this site, and that nobody has changed it since."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.model.errors import PlanRefused, RunnerError, remedy

_LENGTH = 32


def key_of(state: Path) -> bytes:
    """The key of the site whose state folder this is: nobody else reads it, and it is made when there is none."""
    path = state / "plan.key"
    try:
        return _read(path) if path.exists() else _make(path)
    except OSError as error:
        raise RunnerError(
            f"{path}, the key that seals plans, cannot be used: {error.strerror}", do=remedy(error)
        ) from error


def of(values: Mapping[str, Any], key: bytes) -> str:
    """The seal of a plan's values. TypeError or RecursionError where they are nothing that a plan can hold."""
    content = json.dumps(values, sort_keys=True).encode("ascii")
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def holds(values: Mapping[str, Any], seal: object, key: bytes) -> bool:
    """Whether it is the seal of these values, made with this key; takes as long whatever is wrong with it."""
    try:
        return isinstance(seal, str) and hmac.compare_digest(of(values, key).encode(), seal.encode())
    except (TypeError, RecursionError):
        return False


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        key = file.read(_LENGTH + 1)
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o077 or len(key) != _LENGTH:
        raise PlanRefused(
            f"{path}, the key that seals plans, was within others' reach or is damaged",
            do="make another, then plan again:",
            command=shlex.join(("rm", "--", str(path))),
        )
    return key


def _make(path: Path) -> bytes:
    """Another runner may make it at the same moment: the first one counts, and none is ever seen half written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{os.urandom(8).hex()}.key")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_LENGTH))
            file.flush()
            os.fsync(descriptor)
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return _read(path)
