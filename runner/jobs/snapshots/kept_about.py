"""What a snapshot's files do not tell, left beside it: what the host was, and the site's jobs.toml."""

from __future__ import annotations

from dataclasses import dataclass

from runner.jobs.snapshots import inventory
from runner.model.plan import Command, Effect, Step
from runner.model.site import Site
from runner.tools.agent import At

# The last step of a snapshot that is sealed already: whatever fails here, the snapshot counts.
_PATIENCE = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Of which host (and where runner-store is on it), beside which snapshot of the store at `at`."""

    job: str
    host: str
    program: str
    keeper: str
    at: At
    name: str


def steps(site: Site, kept: Kept) -> tuple[Step, ...]:
    """Look, read jobs.toml, keep both."""
    look, read = f"{kept.job}/about", f"{kept.job}/site"
    keeping = inventory.Keeping(about=look, site=read, digest=site.digest, dumps=dumps(site, kept.host))
    return (
        Step(
            id=look, job=kept.job, host=kept.host, effect=Effect.READ, timeout=_PATIENCE,
            action=Command(argv=inventory.look(kept.program)),
            why=f"what {kept.host} is beside its files: disks, partitions, packages, boot loader, network",
        ),
        Step(
            id=read, job=kept.job, host=site.controller, effect=Effect.READ, ok_codes=(0, 1),
            action=Command(argv=inventory.read_site(f"{site.folder}/jobs.toml")),
            why="jobs.toml, which says what this store is",
        ),
        Step(
            id=f"{kept.job}/keep-about", job=kept.job, host=kept.keeper, effect=Effect.WRITE, timeout=_PATIENCE,
            action=Command(argv=inventory.keep(kept.at, kept.name, keeping)), inputs=(look, read),
            why="so that the disk alone is enough to make the machine again",
        ),
    )  # fmt: skip


def dumps(site: Site, host: str) -> tuple[str, ...]:
    """The folders of a host that jobs of kind `dump` fill."""
    return tuple(
        dict.fromkeys(str(job.options.to) for job in site.jobs if job.kind == "dump" and job.host == host)
    )
