"""The seal of plan.toml: that this runner wrote it, for this site, and that nobody has changed it since.

And its code: which plan it is, short enough for a person to say.
"""

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
# Of 0 and O, and of 1 and I, whoever hears or reads one cannot say which it was.
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE = 8


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
    """The seal of a plan's values. TypeError, ValueError or RecursionError where no plan can hold them."""
    content = json.dumps(values, sort_keys=True).encode("ascii")
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def holds(values: Mapping[str, Any], seal: object, key: bytes) -> bool:
    """Whether it is the seal of these values, made with this key; takes as long whatever is wrong with it."""
    try:
        return isinstance(seal, str) and hmac.compare_digest(of(values, key).encode(), seal.encode())
    except (TypeError, ValueError, RecursionError):  # a number may be longer than Python writes
        return False


def code(seal: str, key: bytes) -> str:
    """The code of the plan with this seal: two groups of four letters. Nobody who lacks the key can tell it."""
    digest = hmac.new(key, b"the code of plan " + seal.encode("ascii"), hashlib.sha256).digest()
    number = int.from_bytes(digest[:5], "big")
    letters = "".join(_LETTERS[number >> 5 * place & 31] for place in reversed(range(_CODE)))
    return f"{letters[:4]}-{letters[4:]}"


def is_code(typed: str, code: str) -> bool:
    """Whether a person has typed this code, in whatever case, with the hyphen, a blank or nothing between."""
    letters = "".join(typed.replace("-", " ").split()).upper()
    return hmac.compare_digest(letters.encode("ascii", "backslashreplace"), code.replace("-", "").encode("ascii"))


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
