"""Every way the runner stops before or instead of a run, each with its exit code.

RunnerError                 1   this machine lacks something, or a file of the state cannot be used
├── ConfigError             2   jobs.toml is wrong: every problem at once
├── UsageError              2   the command line asks for something that is not there
├── Exposed                 2   others may change what the runner runs or obeys
├── FactsIncomplete         3   no host could be read, so nothing can be planned
├── PlanRefused             4   a finding refuses the plan, or it is above the ceiling
├── HookFailed              4   a planning hook failed
│   └── HookUnfit           2   a hook of jobs.toml cannot be imported, or is no plugin
├── StalePlan               5   jobs.toml, a store or a host changed since the review
├── GoingDown               0   the machine that the runner is on is being rebooted, as planned
├── ReportUndelivered       6   the run is recorded, but its report reached nobody
└── Busy                   75   another run holds a lock

Each is built once with fields, and its text says what to do next.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

BUG = 70

_REMEDIES = {
    errno.ENOSPC: "free room there",
    errno.EDQUOT: "free room there: this user may not use more of it",
    errno.EROFS: "its filesystem is read-only: look for errors of its disk, then remount it",
    errno.EACCES: "it is another user's: run this as the user who owns it, or in a checkout of your own",
}
_REMEDIES[errno.EPERM] = _REMEDIES[errno.EACCES]

EXIT_CODES: dict[int, str] = {
    0: "done, or nothing to do",
    1: "a step failed",
    2: "jobs.toml or the command line is wrong, or others may change a file that the runner obeys",
    3: "attention: a person must act",
    4: "the plan was refused",
    5: "the plan is stale: something changed since it was made",
    6: "the report could not be delivered",
    BUG: "a bug in the runner",
    75: "busy: another run holds the lock",
}


class RunnerError(Exception):
    """A reason to stop that a person can act on; `code` is the exit code of the process."""

    code = 1

    def __init__(self, text: str, *, do: str = "", command: str = "") -> None:
        """`text` says what is wrong, `do` what to do next, `command` how, to be copied (both may be empty)."""
        super().__init__(text)
        self.text = text
        self.do = do
        self.command = command

    def __str__(self) -> str:
        """Give the problem and, on a line of its own, what to do next."""
        advice = f"{self.do} {self.command}".strip()
        return f"{self.text}\n  -> {advice}" if advice else self.text


def remedy(problem: OSError) -> str:
    """What to do where a file of ours cannot be read or written: its cause decides, and not where it was noticed."""
    return _REMEDIES.get(problem.errno or 0, "look at that file, its folder and its disk")


class ConfigError(RunnerError):
    """jobs.toml cannot be used; `problems` holds every reason, one line each."""

    code = 2

    def __init__(self, path: str, problems: Sequence[str], *, do: str = "") -> None:
        """`problems` are complete lines: place, key path, what is wrong, what is allowed."""
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join((f"{path}: {count}", *self.problems)), do=do)


class UsageError(RunnerError):
    """The command line names a job, host, store or snapshot that does not exist."""

    code = 2


class Exposed(RunnerError):
    """Others than root and the user that runs this may change a file that it runs or obeys; nothing was done."""

    code = 2


class FactsIncomplete(RunnerError):
    """No host that the plan needs could be read."""

    code = 3


class PlanRefused(RunnerError):
    """The plan may not run: a finding refuses it, or its effect is above the ceiling."""

    code = 4


class HookFailed(RunnerError):
    """A hook failed while planning, or brings what does not fit; nothing was run."""

    code = 4


class HookUnfit(HookFailed):
    """A hook cannot be imported, or is no plugin; `why` is the reason, without the hook's name."""

    code = 2

    def __init__(self, hook: str, why: str, *, do: str) -> None:
        """`hook` is its name in jobs.toml."""
        super().__init__(f"hooks.{hook}: {why}", do=do)
        self.why = why


class StalePlan(RunnerError):
    """What the plan was made from is no longer true; nothing was run."""

    code = 5


class GoingDown(RunnerError):
    """A plan reboots the machine that the runner is on; after the boot the next run goes on with it."""

    code = 0


class ReportUndelivered(RunnerError):
    """The run ended and is recorded, but its report did not reach anyone."""

    code = 6

    def __init__(self, text: str, *, do: str = "", command: str = "", passing: bool = False) -> None:
        """`passing`: whoever was to take it may do so in a minute, without anybody's help."""
        super().__init__(text, do=do, command=command)
        self.passing = passing


class Busy(RunnerError):
    """Another run holds the lock; `text` says who and since when."""

    code = 75
