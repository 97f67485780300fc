"""What somebody with a key tried here and was refused: kept for the keepers, bounded whatever is tried."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import clock, durable, regular
from ..answer import Refused, plain, reply, table
from ..arguments import parse_as
from .contract.refused import ListRefused, RefusedAttempt, RefusedList

FOLDER = Path("/var/lib/runner/served")
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, Refused)
KEPT = 50
# In ASCII: each of 50 fits then, whatever was asked, into what is read.
_WIDEST = 200
_MORE = "more, of other sorts"
_LONGEST = 64 << 10
_UNREAD = "what was noted here before cannot be read; it is kept as {}"


def run(argv: Sequence[str]) -> int:
    """Print what was refused; with `--forget` it is told no more. For a person on this host: no key has it."""
    options = parse_as(ListRefused, argv)
    attempts = noted()
    if options.forget:
        forget()
    reply(RefusedList(attempts))
    return 0


def note(key: str, what: str, folder: Path = FOLDER) -> None:
    """Note that it was refused now. Where that cannot be written, it is refused all the same."""
    with contextlib.suppress(OSError), locked(folder):
        known = list(_known(folder))
        now, what = clock.at(time.time_ns()), _narrow(what)
        same = next((each for each in known if (each.key, each.what) == (key, what)), None)
        if same:
            known[known.index(same)] = same._replace(last=now, times=same.times + 1)
        else:
            known = _bounded([*known, RefusedAttempt(key, what, now, now, 1)])
        durable.write_json(_file(folder), {"attempts": table(known)})


def _bounded(known: list[RefusedAttempt]) -> list[RefusedAttempt]:
    """The first and the last of them, and in one what was between: much that is harmless hides nothing so."""
    if len(known) <= KEPT:
        return known
    first, between, last = known[: KEPT // 2 - 1], known[KEPT // 2 - 1 : -KEPT // 2], known[-KEPT // 2 :]
    more = RefusedAttempt(
        between[-1].key,
        _MORE,
        between[0].first,
        max(each.last for each in between),
        sum(each.times for each in between),
    )
    return [*first, more, *last]


def noted(folder: Path = FOLDER) -> tuple[RefusedAttempt, ...]:
    """What was refused until now, the oldest first; none where nothing was.

    Where that cannot be read, this is the one thing that there is to tell. Reads only.
    """
    try:
        return _read(folder)
    except UNREADABLE:
        return (_unread(_file(folder), _file(folder)),)


def _known(folder: Path) -> tuple[RefusedAttempt, ...]:
    """As `noted`; what cannot be read is put aside first, so that nothing takes its place."""
    try:
        return _read(folder)
    except UNREADABLE:
        aside = _file(folder).with_name(f"refused-{time.time_ns()}.json")
        unread = _unread(_file(folder), aside)
        _file(folder).rename(aside)
        return (unread,)


def _read(folder: Path) -> tuple[RefusedAttempt, ...]:
    """Raises one of UNREADABLE. Nothing where whoever asks is not root, and may not look."""
    try:
        content = regular.content(_file(folder), _LONGEST)
    except (FileNotFoundError, PermissionError):
        return ()
    return tuple(_bounded([_attempt(each) for each in json.loads(content)["attempts"]]))


def _unread(path: Path, kept: Path) -> RefusedAttempt:
    try:
        when = clock.at(path.lstat().st_mtime_ns)
    except OSError:
        when = clock.at(time.time_ns())
    return RefusedAttempt("", _UNREAD.format(kept), when, when, 1)


def _narrow(what: str) -> str:
    return plain(plain(what, _WIDEST).encode("ascii", "backslashreplace"), _WIDEST)


def forget(folder: Path = FOLDER) -> None:
    """Remove all that is noted; for a person on this host who has seen it."""
    with locked(folder):
        _file(folder).unlink(missing_ok=True)


def _attempt(each: Any) -> RefusedAttempt:  # noqa: ANN401
    first, last = (clock.at(clock.nanoseconds(str(each[when]))) for when in ("first", "last"))
    return RefusedAttempt(str(each["key"])[:_WIDEST], _narrow(str(each["what"])), first, last, int(each["times"]))


def _file(folder: Path) -> Path:
    return folder / "refused.json"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else writes in this folder, which is made, while the block runs. Raises OSError."""
    durable.make_folders(folder)
    with durable.alone(folder):
        yield
