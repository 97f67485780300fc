"""jobs.toml to a Site, and what its journal knows of it: no host is asked, nothing is planned."""

from __future__ import annotations

from pathlib import Path

from runner.config import load as config
from runner.config import plugin_source
from runner.jobs.catalogue import TAKEN, together
from runner.model.role import Role
from runner.model.site import Site


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
    from runner.jobs.snapshots.report import too_many_links

    journal = Journal(path)
    try:
        checks = [job for job in site.jobs if job.kind == "check"]
        notes = (too_many_links(site.store(job.options.store), journal.answer(job.name, Role.LINKS)) for job in checks)
        return tuple(filter(None, notes))
    finally:
        journal.close()
