"""runner-agent's verbs for a host as a whole: what outlives a connection, and the host as it is now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from runner.agent.arguments import argv as words
from runner.agent.detached.contract import Detach, DetachAnswer, Detached, DetachedList, HoldHost
from runner.agent.host.contract.sessions import Up
from runner.agent.packages.contract import LookOutdated, Outdated
from runner.model.plan import Argv, Check
from runner.tools import answers

# What its callers read, as the agent declares it.
__all__ = ["DetachAnswer", "Detached", "Outdated", "Up"]

# As probes: the program that probes answers them itself, so that nothing need be installed.
UP: Argv = ("runner-agent", "up")
OUTDATED: Argv = ("runner-agent", "outdated")
DETACHED: Argv = ("runner-agent", "detached")


def hold_host(
    program: str,
    resource: Literal["packages", "power", "dump", "drill", "restore-db"],
    plan: str,
    who: str,
    attach: str = "",
    run: str = "",
) -> Argv:
    """Take one of the locks of a host and keep it until stdin ends.

    `attach` is a plan whose detached command may still work: the holder waits for its end. `run` is the folder of
    the host's locks, "" for the usual one.
    """
    return (program, *words("hold-host", HoldHost(resource, plan, who, attach, run=run)))


def run(program: str, plan: str, step: str, argv: Sequence[str], packages: str = "", then: Sequence[Argv] = ()) -> Argv:
    """Run `argv` so that it comes to its end whatever becomes of the connection, then each of `then`,
    however it ended. `packages` says whose list of packages is compared (see jobs/packages), "" for
    none; it needs their lock.
    """
    after = tuple(json.dumps(list(each)) for each in then)
    return (program, *words("detach", Detach(plan, step, packages, after, argv=tuple(argv))))


def again(program: str, plan: str, step: str, within: int = 0) -> Argv:
    """Wait for the end of what was begun for that step (at most `within` seconds, where that is not 0)
    and print its answer. Begins nothing, stops nothing, needs no lock.
    """
    return (program, *words("detach", Detach(plan, step, again=True, within=within)))


def note_seen(program: str, plan: str, step: str) -> Argv:
    """Note at the host that a person knows how it ended."""
    return (program, *words("detach", Detach(plan, step, seen=True)))


def outdated(program: str, unit: str = "") -> Argv:
    """Print as JSON what is older than its files; with `unit` also `needs_restart`. Reads only."""
    return (program, *words("outdated", LookOutdated(unit=unit)))


def runs_new(program: str, host: str, unit: str) -> Check:
    """The claim that `unit` runs no file that was replaced."""
    return Check(
        host=host,
        argv=outdated(program, unit),
        field="needs_restart",
        relation="==",
        value=False,
        why=f"{unit} runs no old files",
    )


def parse_detached(text: str) -> tuple[Detached, ...] | None:
    """Read what `detached` printed, newest first; None where it is something else, and nobody knows what is begun."""
    answer = answers.read(text, DetachedList)
    return answer.detached if answer else None


def parse_outdated(text: str) -> Outdated | None:
    """Read what `outdated` printed; None where it is something else."""
    answer = answers.read(text, Outdated)
    return answer if answer and answer.kernel else None


def parse_up(text: str) -> Up | None:
    """Read what `up` printed; None where it is something else: an answer without a boot is none."""
    answer = answers.read(text, Up)
    return answer if answer and answer.boot_id else None
