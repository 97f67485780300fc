"""jobs.toml to a Site, and what its journal knows of it: no host is asked, nothing is planned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.config import load as config
from runner.config import plugin_source
from runner.jobs.catalogue import TAKEN, together
from runner.model.role import Role
from runner.model.site import Job, Site


def load(path: Path) -> Site:
    """The site in jobs.toml; ConfigError with every problem, HookFailed for a plugin that does not fit."""
    own = plugin_source.others(path)
    if not own:
        return config.load(path, kinds=together(()))
    # Late, like all that `validate` needs only at some sites.
    from runner.config.plugins import Hooks

    brought = Hooks.named(own, str(path.parent.resolve())).declare_kinds(TAKEN)
    return config.load(path, kinds=together(brought))


def outgrown(site: Site) -> tuple[str, ...]:
    """Stores whose `max` is more than the links of some file allow, as the last check counted them.

    Asks no host, so it knows nothing before the first check.
    """
    path = Path(site.journal)
    if not path.exists():
        return ()
    from runner.engine.journal import Journal

    journal = Journal(path)
    try:
        checks = [(job, journal.answer(job.name, Role.LINKS)) for job in site.jobs if job.kind == "check"]
        return tuple(note for job, counted in checks if (note := _outgrown(site, job, counted)))
    finally:
        journal.close()


def _outgrown(site: Site, job: Job, counted: Mapping[str, Any]) -> str:
    policy = site.store(job.options.store).retention
    group, limit = int(counted.get("largest_group", 0)), int(counted.get("limit", 0))
    if policy is None or not group or group * policy.max < limit:
        return ""
    return (
        f"stores.{job.options.store}.retention.max: {policy.max} snapshots of a file with {group} names are more than "
        f"the {limit:,} links that the disk allows: it is copied once more after {limit // group} snapshots"
    )
