"""The site's own plugins, read ahead: they may bring kinds, which jobs.toml is then checked against."""

from __future__ import annotations

import tomllib
from pathlib import Path

from runner.model.site import Hook


def own_plugins(path: Path) -> tuple[Hook, ...]:
    """The `[hooks."module.name"]` tables of a jobs.toml; none where it is no good: the loader says why."""
    try:
        hooks = tomllib.loads(path.read_text("utf-8")).get("hooks", {})
    except (OSError, ValueError, RecursionError):
        return ()
    if not isinstance(hooks, dict):
        return ()
    return tuple(
        Hook(name=name, module=name, settings=settings)
        for name, settings in sorted(hooks.items())
        if "." in name and isinstance(settings, dict)
    )
