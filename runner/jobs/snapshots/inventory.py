"""runner-agent's verbs for what a host is besides its files: how they are called, and what `about-of` answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.agent.arguments import argv
from runner.agent.inventory.contract import about as about_contract
from runner.agent.inventory.contract import dumps as dumps_contract
from runner.agent.inventory.contract import stored as stored_contract
from runner.agent.inventory.contract.keep import KeepAbout
from runner.model.plan import Argv, Command, Effect, Step
from runner.model.role import Role
from runner.model.site import Job, Site
from runner.tools import agent, answers

# The last steps of a snapshot that is sealed already: whatever fails here, the snapshot counts.
_PATIENCE = 300

# For those above, who know no contract of the agent.
BlockDevice = about_contract.BlockDevice
MountedFilesystem = about_contract.MountedFilesystem
SnapshotDumps = dumps_contract.SnapshotDumps
DatabaseDump = dumps_contract.DatabaseDump
Tablespace = dumps_contract.Tablespace
StoredAbout = stored_contract.StoredAbout


def of(store: str, name: str, dumps: Sequence[str]) -> Argv:
    """The words of `about-of`: what was kept beside snapshot `name`, and the dumps in it. Reads only."""
    return argv("about-of", stored_contract.AboutOf(store, name, tuple(dumps)))


def read(answer: Mapping[str, Any]) -> StoredAbout | None:
    """What `about-of` answered; None where it makes no sense. Then nobody knows what was kept."""
    return answers.read(answer, StoredAbout)


def steps(site: Site, job: Job, at: agent.At, name: str) -> tuple[Step, ...]:
    """Look at what the host of `job` is, read jobs.toml, keep both beside snapshot `name` of the store at `at`."""
    about, toml = f"{job.name}/about", f"{job.name}/site"
    keep = KeepAbout(
        store=at.path,
        name=name,
        plan=at.plan,
        about=about,
        site=toml,
        site_sha256=site.digest,
        dumps=dumps(site, job.host),
        disk=at.disk,
    )
    return (
        Step(
            id=about,
            role=Role.ABOUT,
            job=job.name,
            host=job.host,
            effect=Effect.READ,
            timeout=_PATIENCE,
            action=Command(argv=(agent.program(site.host(job.host)), "about")),
            why=f"what {job.host} is besides its files: disks, partitions, packages, boot loader, network",
        ),
        Step(
            id=toml,
            role=Role.SITE,
            job=job.name,
            host=site.controller,
            effect=Effect.READ,
            ok_codes=(0, 1),
            action=Command(argv=("cat", "--", f"{site.folder}/jobs.toml")),
            why="jobs.toml, which says what this store is",
        ),
        Step(
            id=f"{job.name}/keep-about",
            role=Role.KEEP,
            job=job.name,
            host=site.store(job.options.store).host,
            effect=Effect.WRITE,
            timeout=_PATIENCE,
            action=Command(argv=(at.program, *argv("keep-about", keep))),
            inputs=(about, toml),
            why="so that the disk alone is enough to make the machine again",
        ),
    )


def dumps(site: Site, host: str) -> tuple[str, ...]:
    """The folders of a host that jobs of kind `dump` fill."""
    return tuple(dict.fromkeys(str(job.options.to) for job in site.jobs if job.kind == "dump" and job.host == host))
