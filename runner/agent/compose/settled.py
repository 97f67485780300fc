"""The answer of `settle`, read from its output, and whether what was composed agrees with it."""

from __future__ import annotations

import base64
import binascii
import json
import os
import posixpath
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..answer import Refused, plain, shown
from ..arguments import MOST
from ..frames import Frame
from ..look.contract import FolderAttributes, Settled
from .attributes import Attributes
from .contract.compose import ComposedFilesystem
from .missed import UNSTEADY


class Fates(NamedTuple):
    """Listed names of which the output says what is to become of them; see `look/contract.py`."""

    gone: frozenset[bytes] = frozenset()
    stays: frozenset[bytes] = frozenset()
    replaced: frozenset[bytes] = frozenset()


class SettledFilesystem(NamedTuple):
    """The last line of the output, and what the others say; `unsteady` is the first name that changed meanwhile."""

    answer: Settled
    fates: Fates
    unsteady: str = ""


def settled(frame: Frame, point: str, most: int = MOST) -> SettledFilesystem:
    """What the output says; Refused where it does not end as it should, such as one that is cut off.

    And where it speaks of more than `most` names: they are kept.
    """
    last, unsteady, kept = dict[str, Any](), "", 0
    named: dict[str, set[bytes]] = {kind: set() for kind in Fates._fields}
    try:
        for line in frame.lines():
            # All but the last, which is the answer, say something of a name.
            for kind in last.keys() & named.keys():
                named[kind].add(os.fsencode(_text(last[kind])))
                kept += 1
                if kept > most:
                    raise Refused(
                        f"more names of {shown(point)} are gone or stay, it is said, than the disk can have",
                        "look at the other end's runner-agent",
                    )
            if not unsteady and "path" in last:
                unsteady = _unsteady(last)
            last = json.loads(line)
        if frame.state != "done" or frame.exit != 0:
            raise ValueError
        names = Fates(**{kind: frozenset(paths) for kind, paths in named.items()})
        return SettledFilesystem(_settled(last), names, unsteady)
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        raise Refused(f"what {shown(point)} is at the source is not told to its end", "run the job again") from None


def _unsteady(line: Mapping[str, Any]) -> str:
    return _text(line["path"]) if line["cause"] in UNSTEADY else ""


def top_attributes(top: FolderAttributes) -> Attributes:
    """What the filesystem's top folder is to have; Refused where that is nothing a folder can have."""
    try:
        extended = {key: base64.b64decode(value, validate=True) for key, value in top.extended.items()}
    except (binascii.Error, ValueError):
        raise Refused("the extended attributes of a top folder cannot be read", "run the job again") from None
    return Attributes(top.mode & 0o7777, top.uid, top.gid, top.mtime_ns, extended)


def require_whole(composed: ComposedFilesystem, filesystem: SettledFilesystem, unsent: bytes) -> None:
    """Refused unless the names are as many as they were at the source, and all that is missing has a reason there.

    A name that is listed twice would not show in their number alone. One that was gone and came back before it was
    sent is there, and one more than was counted. The first that was not sent is `unsent`.
    """
    now, point = filesystem.answer, shown(composed.mount)
    missing = composed.missing - now.gone
    expected = now.names - missing
    if composed.names != expected:
        what = f"the copy of {point} has {composed.names} names, and at the source there were {expected}"
        raise _not_whole(what, composed.mount, filesystem)
    if missing > sum(now.counts.values()):
        first = f", such as {_path(composed.mount, os.fsdecode(unsent))}" if unsent else ""
        what = f"{missing} names of {point} were at the source and were not sent{first}"
        raise _not_whole(what, composed.mount, filesystem)


def _not_whole(what: str, mount: str, filesystem: SettledFilesystem) -> Refused:
    changed = sum(filesystem.answer.counts.get(cause, 0) for cause in UNSTEADY)
    if not changed:
        return Refused(what, "run the job again: it compares anew; no sealed snapshot was changed", again=True)
    first = f", such as {_path(mount, filesystem.unsteady)}" if filesystem.unsteady else ""
    return Refused(
        f"{what}; {changed} changed there meanwhile{first}",
        "run the job again when less changes there; no sealed snapshot was changed",
        again=True,
    )


def _path(mount: str, name: str) -> str:
    return plain(posixpath.join(mount, name))


def _settled(fields: Mapping[str, Any]) -> Settled:
    top = fields["top"]
    extended = {_text(key): _text(value) for key, value in top["extended"].items()}
    mode, uid, gid = (_count(top[key]) for key in ("mode", "uid", "gid"))
    attributes = FolderAttributes(mode, uid, gid, _whole(top["mtime_ns"]), extended)
    names, folders, size, listed, gone = (_count(fields[key]) for key in ("names", "folders", "size", "listed", "gone"))
    counts = {_text(key): _count(value) for key, value in fields["counts"].items()}
    ended, missed = (_count(fields[key]) for key in ("look_exit", "missed"))
    return Settled(names, folders, size, listed, gone, attributes, counts, ended, missed)


def _whole(value: object) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _count(value: object) -> int:
    number = _whole(value)
    if number < 0:
        raise ValueError
    return number


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError
    return value
