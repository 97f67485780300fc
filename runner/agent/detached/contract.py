"""The options and the answers of the verbs about what outlives a connection."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import PlanText, Positive, Rest, Spoken, Word


class HoldHost(NamedTuple):
    """Options of `hold-host`; `attach` is a plan whose detached command may still work."""

    resource: Word
    plan: PlanText
    who: Spoken
    attach: str = ""
    run: str = ""
    state: str = ""


class Detach(NamedTuple):
    """Options of `detach`: `then` are commands as JSON, `env` NAME=VALUE."""

    plan: str
    step: str
    packages: str = ""
    then: tuple[str, ...] = ()
    again: bool = False
    seen: bool = False
    within: Positive = 0
    state: str = ""
    run: str = ""
    root: str = ""
    env: tuple[str, ...] = ()
    argv: Rest = ()


class SeenNoted(NamedTuple):
    """Answer of `detach --seen`."""

    seen: bool


class FollowUp(NamedTuple):
    """A command that ran after the detached one."""

    argv: tuple[str, ...]
    exit: Optional[int] = None


class Changes(NamedTuple):
    """What became of packages: (name, old, new), (name, version), and (name, state) of those between two."""

    upgraded: tuple[tuple[str, str, str], ...] = ()
    installed: tuple[tuple[str, str], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    unfinished: tuple[tuple[str, str], ...] = ()


class DetachAnswer(NamedTuple):
    """Answer of `detach`: how the command ended. `exit` is None where nobody saw it, and `note` says why.

    `failed` are packages and why each failed, as their manager's own events say, in their order.
    `problem` says why the packages could not be compared. `conffiles` are files to look at, `gone`
    those of them beside which there is no file any more, `services` units that still run old files, `reboot` reasons
    for one, in words. `log` are the last of `lines`.
    """

    detached: bool
    exit: Optional[int] = None
    seconds: Optional[float] = None
    then: tuple[FollowUp, ...] = ()
    started: Optional[datetime] = None
    ended: Optional[datetime] = None
    note: str = ""
    log: tuple[str, ...] = ()
    lines: int = 0
    packages: Changes = Changes()
    failed: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    conffiles: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    pid1: bool = False
    reboot: tuple[str, ...] = ()


class ListDetached(NamedTuple):
    """Options of `detached`."""

    state: str = ""


class Detached(NamedTuple):
    """A command that was begun at a host. `exit` is None while it is `alive`, or where nobody saw its end.

    `seen`: a person knows how it ended.
    """

    plan: str
    step: str
    argv: tuple[str, ...] = ()
    started: Optional[datetime] = None
    ended: Optional[datetime] = None
    exit: Optional[int] = None
    alive: bool = False
    seen: bool = False

    @property
    def job(self) -> str:
        """The job whose step it is: ids are JOB/STEP."""
        return self.step.partition("/")[0]


class DetachedList(NamedTuple):
    """Answer of `detached`, newest first."""

    detached: tuple[Detached, ...]
