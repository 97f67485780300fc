"""What came over the wire, read as words. No shell sees any of it."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..answer import Denied

# The longest that the runner sends has some names of snapshots in it.
LONGEST = 128 << 10
_TOKEN = re.compile(r"[0-9a-f]{32}")
# What the runner puts before each command for a login shell: `exec sh -c SCRIPT TOKEN COMMAND ...`. The script is not
# run here: what it does is done by `serve` itself.
_SHELL = ("exec", "sh", "-c")
_SCRIPT, _BEFORE = 3, 5
# `python3 -IS -c BOOT DIGEST SIZE PATH [VERB ...]`: a question to the program with that digest.
_PYTHON = ("python3", "-IS", "-c")
_QUESTION = 7
# What makes room for others while it works, and how it is asked for.
IDLE = ("ionice", "--class=idle", "nice", "--adjustment=19")
NICE = ("nice", "--adjustment=10")


class WireRequest(NamedTuple):
    """The words of a command, without what only says how it is begun.

    With `token` whoever asks wants it printed before the command begins. `digest` and `path` are of the program that is
    asked, where one is: "" for `path` where it would come along. `niceness` is that of the command; `idle` is for
    disks.
    """

    words: tuple[str, ...]
    token: str = ""
    digest: str = ""
    path: str = ""
    niceness: int = 0
    idle: bool = False


def read(command: str) -> WireRequest:
    """The request that a command line is. Denied where it is none that the runner makes."""
    import shlex  # noqa: PLC0415  (only here)

    if not command:
        raise Denied("this key opens no shell", "runner asks for what it needs")
    if len(command) > LONGEST:
        raise Denied("the command is too long", "runner asks for what it needs")
    try:
        words = tuple(shlex.split(command, posix=True))
    except ValueError:
        raise Denied("the command cannot be read", "runner asks for what it needs") from None
    token = ""
    if words[:3] == _SHELL:
        if len(words) <= _BEFORE or not _TOKEN.fullmatch(words[_SCRIPT + 1]):
            raise Denied("this key opens no shell", "runner asks for what it needs")
        token, words = words[_SCRIPT + 1], words[_BEFORE:]
    if words[:3] == _PYTHON and len(words) >= _QUESTION:
        _, _, _, _, digest, _, path, *verb = words
        return WireRequest(tuple(verb or ("probe",)), token, digest, path)
    for before, niceness in ((IDLE, 19), (NICE, 10)):
        if words[: len(before)] == before:
            return WireRequest(words[len(before) :], token, niceness=niceness, idle=before == IDLE)
    return WireRequest(words, token)
