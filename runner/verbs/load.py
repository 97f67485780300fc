"""jobs.toml to a Site, and what its journal knows of it: no host is asked, nothing is planned."""

from __future__ import annotations

import json
import os
from pathlib import Path

import schema
from runner.config import load as config
from runner.config import plugin_source
from runner.jobs.catalogue import TAKEN, together
from runner.model.role import Role
from runner.model.site import Site
from runner.tools import secret


def load(path: Path, *, acting: bool = False) -> Site:
    """The site in jobs.toml; ConfigError with every problem, HookFailed for a plugin that brings what does not fit.

    `acting` also asks of a live site what it needs before anything is done: no example left in, somebody who hears, and
    secrets in files that are nobody else's.
    """
    judged = secret.complaint if acting else None
    own = plugin_source.others(path)
    if not own:
        return config.load(path, kinds=together(()), acting=judged)
    # Late, like all that `validate` needs only at some sites.
    from runner.config.plugins import Hooks

    hooks, unfit = Hooks.tried(own, str(path.parent.resolve()))
    plugins = config.Plugins(unfit=unfit, delivering=hooks.delivering)
    return config.load(path, kinds=together(hooks.declare_kinds(TAKEN)), plugins=plugins, acting=judged)


def unheard(site: Site, machine: str) -> tuple[str, ...]:
    """What keeps a message of a live site from people, as far as it is known before one is sent.

    `machine` is what this one calls itself: only the controller knows which programs the controller has. That a mail
    program is away, while it is replaced for instance, stops no run.
    """
    if not site.live:
        return ()
    notes = []
    for hook in site.hooks:
        if hook.module not in _MAILING:
            continue
        name = hook.module.removeprefix("hooks.")
        if name == "announce" and not site.people.users:
            notes.append("nobody is in people.users, whom hooks.announce tells: fill it, or take [hooks.announce] out")
        program = hook.settings.get("sendmail") or _default(name)
        if machine.partition(".")[0] == site.controller and not hook.settings.get("smtp") and _is_absent(program):
            table = f"hooks.{name}"
            do = f"install a mail server program, or give {table} in jobs.toml a table smtp"
            notes.append(f"{table} cannot send: {program} is not here; {do}")
    return tuple(notes)


_MAILING = ("hooks.mail", "hooks.announce")


def _default(name: str) -> str:
    path = Path(schema.__file__).parent / "hooks" / f"{name}.schema.json"
    return str(json.loads(path.read_bytes())["properties"]["sendmail"]["default"])


def _is_absent(program: str) -> bool:
    """Whether it is known that there is no such program: a look that failed knows nothing."""
    try:
        Path(program).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


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
