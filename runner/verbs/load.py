"""jobs.toml to a Site, and what its journal knows of it: no host is asked, nothing is planned."""

from __future__ import annotations

import os
from pathlib import Path

from runner.config import load as config
from runner.config import plugin_source
from runner.jobs.catalogue import TAKEN, together
from runner.model.role import Role
from runner.model.site import Site


def load(path: Path, *, acting: bool = False) -> Site:
    """The site in jobs.toml; ConfigError with every problem, HookFailed for a plugin that brings what does not fit.

    `acting` also asks of a live site what it needs before anything is done: no example left in, and somebody who hears.
    """
    own = plugin_source.others(path)
    if not own:
        return config.load(path, kinds=together(()), acting=acting)
    # Late, like all that `validate` needs only at some sites.
    from runner.config.plugins import Hooks

    hooks, unfit = Hooks.tried(own, str(path.parent.resolve()))
    plugins = config.Plugins(unfit=unfit, delivering=hooks.delivering)
    return config.load(path, kinds=together(hooks.declare_kinds(TAKEN)), plugins=plugins, acting=acting)


def outgrown(site: Site) -> tuple[str, ...]:
    """Stores whose `max` is more than the links of some file allow, as the last check counted them.

    Asks no host, so it knows nothing before the first check.
    """
    # Not everybody who may read jobs.toml may look there.
    path = Path(site.journal)
    if not os.access(path, os.R_OK | os.W_OK) or not path.is_file():
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
