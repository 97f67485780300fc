"""jobs.toml to a Site, and what its journal knows of it: no host is asked, nothing is planned."""

from __future__ import annotations

from pathlib import Path

from runner.config import load as config
from runner.config import plugin_source
from runner.config.plugins import Hooks
from runner.engine.journal import FILE, Journal
from runner.jobs.catalogue import TAKEN, together
from runner.model.role import Role
from runner.model.site import Job, Site


def load(path: Path) -> Site:
    """The site in jobs.toml; ConfigError with every problem, HookFailed for a plugin that does not fit."""
    own = plugin_source.others(path)
    brought = Hooks.named(own, str(path.parent.resolve())).declare_kinds(TAKEN) if own else ()
    return config.load(path, kinds=together(brought))


def outgrown(site: Site) -> tuple[str, ...]:
    """Stores whose `max` is more than the links of some file allow, as the last check counted them.

    Asks no host, so it knows nothing before the first check.
    """
    path = Path(site.state) / FILE
    if not path.exists():
        return ()
    journal = Journal(path)
    try:
        return tuple(note for job in site.jobs if job.kind == "check" and (note := _outgrown(site, job, journal)))
    finally:
        journal.close()


def _outgrown(site: Site, job: Job, journal: Journal) -> str:
    policy = site.store(job.options.store).retention
    counted = journal.answer(job.name, Role.LINKS)
    group, limit = int(counted.get("largest_group", 0)), int(counted.get("limit", 0))
    if policy is None or not group or group * policy.max < limit:
        return ""
    return (
        f"stores.{job.options.store}.retention.max: {policy.max} snapshots of a file with {group} names are more than "
        f"the {limit:,} links that the disk allows: it is copied once more after {limit // group} snapshots"
    )
