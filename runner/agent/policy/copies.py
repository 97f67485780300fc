"""What an rsync at the other end asks of the one that is begun for it here: its words, read and judged.

With --protect-args its client sends most of them in the stream, where rsync would take any option at all: one that
begins a program, writes a log, or is a server of its own. So they are read here, and rsync is begun with those that the
runner's commands make (`tools/rsync.py`), and no others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple, Tuple  # noqa: UP035

from ..answer import Denied, Refused
from ..arguments import PATH
from .verdict import DO

_PROGRAM, _SENDS = ("rsync", "--server"), ("rsync", "--server", "--sender")
# Those that come before the stream, and what both ends can: rsync(1), --protect-args.
_LETTERS = re.compile(r"-s(?P<short>[bnlHogDtpAXrcIRxS]*)(?P<can>e[0-9]*\.[0-9]*[A-Za-z]*)?")
_BOTH = r"--numeric-ids|--ignore-errors|--timeout=[0-9]{1,6}|--checksum-choice=[a-z0-9]{1,16}"
# rsync's own words for the options of the runner, of 3.1.3 to 3.5.0.
_RECEIVES = re.compile(
    rf"{_BOTH}|--delete|--delete-excluded|--force|--super|--stats|--log-format=(?:%i|%i%I|%o|X)"
    r"|(?:-@|--modify-window=)-?[0-9]{1,6}"
)
_READS = re.compile(rf"{_BOTH}|--ignore-missing-args|--files-from=-|--from0|--no-implied-dirs")
# With a place in the next word; whoever sends does nothing with that of what a restore replaces.
_KEEPS, _COMPARES, _REPLACED = "--partial-dir", "--copy-dest", "--backup-dir"
_MOST_BYTES, _MOST_WORDS = 64 << 10, 80


class AskedCopy(NamedTuple):
    """What is to be begun: the whole command, and the places in it, without a slash at their ends.

    `place` is what is sent, or where it is received; halves are kept in `keeps`, and it is compared with `compares`.
    """

    argv: Tuple[str, ...]  # noqa: UP006
    place: str
    sends: bool
    looks: bool
    keeps: Tuple[str, ...] = ()  # noqa: UP006
    compares: Tuple[str, ...] = ()  # noqa: UP006


def asked(begun: Sequence[str], descriptor: int = 0) -> AskedCopy:
    """What the words `begun`, and those that come over `descriptor`, ask for. Denied where the runner never asks so.

    Of what comes not a byte is taken that is for rsync.
    """
    require_begun(begun)
    return judged(begun, _words(descriptor))


def require_begun(begun: Sequence[str]) -> None:
    """Denied where these are not the words with which the runner's rsync begins one, whose others are in the stream."""
    program = _SENDS if tuple(begun[: len(_SENDS)]) == _SENDS else _PROGRAM
    if tuple(begun[: len(program)]) != program or len(begun) != len(program) + 1 or not _LETTERS.fullmatch(begun[-1]):
        raise _denied("no rsync but the server that the runner begins")


def judged(begun: Sequence[str], words: Sequence[str]) -> AskedCopy:
    """The copy that was asked for in these words. Pure."""
    *program, letters = begun
    match = _LETTERS.fullmatch(letters)
    sends = "--sender" in program
    short, can = (match["short"], match["can"] or "") if match else ("", "")
    if tuple(words[:1]) != ("rsync",) or tuple(words[-2:-1]) != (".",) or (not sends and "b" in short):
        raise _denied("no rsync as the runner begins one")
    place = _place(words[-1])
    plain, places = _READS if sends else _RECEIVES, (_REPLACED,) if sends else (_KEEPS, _COMPARES)
    named: dict[str, list[str]] = {each: [] for each in (_KEEPS, _COMPARES, _REPLACED)}
    options = list(words[1:-2])[::-1]
    while options:
        word = options.pop()
        if word in places and options:
            named[word].append(_place(options.pop()))
        elif not plain.fullmatch(word):
            raise _denied(f"rsync may not be told {word[:40]!a}")
    # Its words are before it: nothing is taken from the stream.
    letter = (f"-{short}{can}",) if short or can else ()
    argv = (*program, *letter, *words[1:])
    return AskedCopy(argv, place, sends, "n" in short, tuple(named[_KEEPS]), tuple(named[_COMPARES]))


def is_in(place: str, folder: str) -> bool:
    """Whether a place is this folder or below it."""
    return place == folder or place.startswith(f"{folder.rstrip('/')}/")


def _words(descriptor: int) -> tuple[str, ...]:
    """The words that come, each with a NUL, up to an empty one."""
    taken = bytearray()
    # One by one: what comes after them is rsync's.
    while not taken.endswith(b"\0\0"):
        byte = os.read(descriptor, 1)
        if not byte:
            raise Refused("rsync's arguments do not end", "run the plan again")
        taken += byte
        if len(taken) > _MOST_BYTES:
            raise _denied("no rsync with so many arguments")
    words = tuple(map(os.fsdecode, bytes(taken[:-2]).split(b"\0")))
    if len(words) > _MOST_WORDS:
        raise _denied("no rsync with so many arguments")
    return words


def _place(word: str) -> str:
    """A path in the words, without what says only how it is meant: a slash at its end, and where kept parents begin."""
    path = word.replace("/./", "/", 1)
    path = (path[:-2] if path.endswith("/.") else path).rstrip("/") or "/"
    if not word.startswith("/") or not PATH.fullmatch(path):
        raise _denied(f"rsync may not be told {word[:40]!a}")
    return path


def _denied(what: str) -> Denied:
    return Denied(what, DO)
