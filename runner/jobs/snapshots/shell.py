"""What a login shell prints comes before what rsync says through it, and rsync takes it for rsync's."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from runner.model.cause import Fault, of_host
from runner.model.facts import HostFacts
from runner.model.plan import Finding
from runner.model.site import Site
from runner.tools import ssh

_SHOWN = 60


def in_the_way(site: Site, job: str, ends: Sequence[HostFacts]) -> Finding | None:
    """What keeps `job` from an rsync between these hosts; None where nothing does.

    The runner's own commands tell what is theirs. rsync does not, and would end with words about its protocol.
    """
    noisy = next((host for host in ends if host.shell.strip()), None)
    if noisy is None or len({host.name for host in ends}) < 2:
        return None
    user, words = site.host(noisy.name).user, " ".join(noisy.shell.split())
    shown = words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."
    return Finding(
        severity="attention",
        source=job,
        text=f"the login shell of {user}@{noisy.name} prints {shown!r} before every command, and rsync cannot work so",
        do=f"there, take it out of .bashrc of {user}, or put `[ -t 0 ] || return` before it; then this prints nothing:",
        command=shlex.join((*ssh.call(f"{site.state}/ssh_config"), noisy.name, "true")),
        cause=of_host(noisy.name, Fault.SHELL),
    )
