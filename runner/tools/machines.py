"""Which machine a host of jobs.toml is, by its machine-id: two that are both known and differ are two machines."""

from __future__ import annotations

from runner.model.cause import Fault, of_host
from runner.model.facts import Facts
from runner.model.plan import Finding
from runner.model.site import Site

_REACH = "see that it is on and can be reached"
_NEXT = "the next run makes up for what was left out"


def differ(machine: str, other: str) -> bool:
    """Whether these are two machines; where either id is not known, nothing is known."""
    return bool(machine and other and machine != other)


def another_answers(facts: Facts, host: str) -> str:
    """That `host` is another machine than it was, in words; "" where it is not, or where that is not known."""
    now, bound = facts.hosts[host].machine, facts.bound.get(host)
    if bound is None or not differ(now, bound.machine):
        return ""
    return f"another machine answers as {host}: its machine-id is {now}, and it was {bound.machine}"


def unread(site: Site, job: str, facts: Facts, host: str) -> Finding | None:
    """Why nothing is known of a host that `job` needs, and what to do about it; None where it could be read."""
    known = facts.hosts.get(host)
    if known and not known.error:
        return None
    if site.live and known and (text := another_answers(facts, host)):
        return stranger(site, job, host, text)
    why, do = (known.error, known.do or _REACH) if known else ("it was not asked", _REACH)
    text, cause = f"{host} cannot be read: {why}", of_host(host, Fault.UNREACHABLE)
    return Finding(severity="attention", source=job, text=text, do=f"{do}; {_NEXT}", cause=cause)


def stranger(site: Site, job: str, host: str, text: str) -> Finding:
    """What a person must decide where `host` is another machine than it was, as `text` says."""
    # Whose name is not the host's may know which host it is from `--here` alone.
    here = f" --here {host}" if host == site.controller else ""
    return Finding(
        severity="attention",
        source=job,
        text=text,
        do=f"find out which machine that is; if it is {host} from now on, such as after a new installation, run:",
        command=f"runner run{here} --new-machine {host}",
        cause=of_host(host, Fault.STRANGER),
    )
