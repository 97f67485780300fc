"""Which machine a host of jobs.toml is, by its machine-id: two that are both known and differ are two machines."""

from __future__ import annotations

from runner.model.plan import Finding
from runner.model.site import Site


def differ(machine: str, other: str) -> bool:
    """Whether these are two machines; where either id is not known, nothing is known."""
    return bool(machine and other and machine != other)


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
    )
