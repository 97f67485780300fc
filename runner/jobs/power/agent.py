"""A host's power: how it is rebooted and switched off, what is asked before, and what when it is back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runner.agent.arguments import argv as words
from runner.agent.power.contract import AskIdle, Idle, LookAfterBoot, Page
from runner.agent.store.contract.hold import TakeOver
from runner.model.plan import Argv, Check
from runner.model.site import Host
from runner.model.text import whole_number
from runner.tools import agent
from runner.tools.answers import read

# Before this version systemctl does not ask inhibitors when nobody sits at a terminal, and cannot be made to.
_ASKS = 248
_VERSION = re.compile(r"systemd ([0-9]{1,5})\b")
# Who is connected beside the one who asks; what PostgreSQL itself keeps running belongs to no database.
_SESSIONS = "SELECT 'sessions ' || (count(*) - 1) FROM pg_stat_activity WHERE datname IS NOT NULL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Boot:
    """The boot before a reboot, as its kernel calls it; `program` is where runner-agent is on the host."""

    program: str
    id: str


def version() -> Argv:
    """Print the version of systemd. Reads only."""
    return ("systemctl", "--version")


def parse_version(text: str) -> int:
    """Read what `version` printed; 0 where it makes no sense."""
    version = _VERSION.match(text)
    return int(version[1]) if version else 0


def reboot(systemd: int | None) -> Argv:
    """Reboot under this version of systemd, None where it does not run the host.

    Returns before the host goes down. Where systemd can be told to, it refuses if somebody inhibits it.
    """
    return _end(systemd, "reboot", ("shutdown", "-r", "now"))


def poweroff(systemd: int | None) -> Argv:
    """Switch the host off, really: `halt` leaves it on under systemd. Otherwise as `reboot`."""
    return _end(systemd, "poweroff", ("shutdown", "-h", "-P", "now"))


def _end(systemd: int | None, verb: str, plain: Argv) -> Argv:
    if systemd is None:
        return plain
    return ("systemctl", verb, *(("--check-inhibitors=yes",) if systemd >= _ASKS else ()))


def sync() -> Argv:
    """Write everything to the disks that is still in memory; sync(1)."""
    return ("sync",)


def sessions() -> Argv:
    """Count who is connected to PostgreSQL, asked as its administrator. Reads only."""
    ask = ("psql", "--no-psqlrc", "--no-align", "--tuples-only", "--quiet", f"--command={_SESSIONS}", "postgres")
    return ("env", "PGCONNECT_TIMEOUT=5", "runuser", "-u", "postgres", "--", *ask)


def parse_sessions(text: str) -> int | None:
    """Read what `sessions` printed; None where it makes no sense."""
    word, _, number = text.strip().partition(" ")
    return whole_number(number) if word == "sessions" else None


def idle(boot: Boot, by: datetime | None, stores: Sequence[str] = ()) -> Argv:
    """Say whether nothing is being written in that boot, and it is not later than `by` (UTC). Reads only.

    `stores` are folders of stores on the host that nobody may hold: those whose locks the plan has released.
    """
    late = f"{by:%Y-%m-%dT%H:%M:%SZ}" if by else ""
    return (boot.program, *words("idle", AskIdle(boot.id, late, tuple(stores))))


def is_idle(host: str, argv: Argv) -> Check:
    """The claim of `idle`, as a guard or to be waited for."""
    why = "nothing is being written, nothing blocks a shutdown, and it is the boot that was planned for"
    return Check(host=host, argv=argv, field="idle", relation="==", value=True, why=why)


def is_back(host: str, boot: Boot) -> Check:
    """The claim that the host is in another boot than before."""
    argv = returned(boot.program, LookAfterBoot("back", was=boot.id))
    return has_returned(host, argv, "it answers, in another boot")


def returned(program: str, look: LookAfterBoot) -> Argv:
    """Look at one thing after a reboot; exit 0 where it is as it should be. Reads only."""
    return (program, *words("returned", look))


def has_returned(host: str, argv: Argv, why: str) -> Check:
    """The claim of such a look, to be waited for."""
    return Check(host=host, argv=argv, field="returned", relation="==", value=True, why=why)


def answers(controller: Host, url: str) -> Check:
    """The claim that the web page answers, asked from the controller."""
    argv = (agent.program(controller), *words("page", Page(url)))
    return Check(host=controller.name, argv=argv, field="answers", relation="==", value=True, why=f"{url} answers")


def take_over(at: agent.At, *, holder: str, who: str) -> Argv:
    """Take a store's lock from the plan `holder`, whose work there ends, and keep it until stdin ends."""
    options = TakeOver(at.path, holder, at.plan, who, at.disk)
    return (at.program, *words("take-over", options))


def parse_idle(text: str) -> str | None:
    """Read what `idle` printed as a probe: what is being written, "" for nothing, None for no answer."""
    answer = read(text, Idle)
    return answer.error if answer and (answer.idle or answer.error) else None
