"""Where the plugin of a `[hooks.NAME]` table is, and importing it from there.

NAME is a hook that comes with the runner; or else the entry point NAME of group `runner.hooks` of an
installed package; or else a module beside jobs.toml, named by a NAME with dots or by the key `module`.
"""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import schema
from runner.config.complaints import KeyPath, Problem, nearest, show
from runner.model.errors import Exposed, HookUnfit, ReportUndelivered
from runner.model.site import Hook

GROUP = "runner.hooks"
MODULE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")

# Those of the runner that carry reports.
CARRIERS = frozenset(("mail",))

# A plugin that calls sys.exit must not end the run of everybody else.
FAILURES = (Exception, SystemExit)

_END = ".schema.json"
_OWN = 'one of your own has a dotted name: [hooks."mysite.quota"]'


@cache
def bundled() -> tuple[str, ...]:
    """The names of the hooks that come with the runner: each has a schema."""
    folder = Path(schema.__file__).parent / "hooks"
    return tuple(sorted(path.name.removesuffix(_END) for path in folder.glob(f"*{_END}")))


def plugin_of(name: str, settings: Mapping[str, Any]) -> Hook | None:
    """The plugin that a table means, imported or not; None where there is none of this name.

    Only a name that does not come with the runner and gives no module is looked for among the
    installed packages.
    """
    if name in bundled():
        return Hook(name=name, module=f"hooks.{name}", settings=settings)
    if _gives_module(name, settings):
        own = {key: value for key, value in settings.items() if key != "module"}
        return Hook(name=name, module=str(settings["module"]), settings=own)
    places = installed().get(name, ())
    module = places[0] if places else name
    return Hook(name=name, module=module, settings=settings) if places or _is_module(name) else None


def problem(name: str, settings: Mapping[str, Any]) -> Problem | None:
    """What is wrong with the name of a table, or with its `module`; None where it means one plugin."""
    path: KeyPath = ("hooks", name)
    if name in bundled():
        return None
    if _gives_module(name, settings):
        given = settings["module"]
        if isinstance(given, str) and MODULE.fullmatch(given):
            return None
        return Problem(path=(*path, "module"), text=f"{show(given)} is not the name of a Python module")
    packaged = installed()
    places = packaged.get(name, ())
    if len(places) > 1:
        text = f"several installed packages bring a hook {name!r} ({', '.join(places)}); keep one of them"
        return Problem(path=path, text=text)
    if places or _is_module(name):
        return None
    known = (*bundled(), *sorted(packaged))
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else f"known: {', '.join(known)}"
    looked = f"looked for: a hook of the runner, an entry point of group {GROUP} of an installed package"
    return Problem(path=path, text=f"there is no hook {name!r}; {hint} ({looked}; {_OWN})")


def installed() -> Mapping[str, tuple[str, ...]]:
    """The hooks that installed packages bring, as `module:function`; several where packages disagree."""
    return _entry_points(tuple(sys.path))


@cache
def _entry_points(path: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    # `path` is what it looks through, and what makes an answer out of date.
    from importlib.metadata import entry_points  # 20 ms that few sites need

    places: dict[str, tuple[str, ...]] = {}
    for entry in entry_points(group=GROUP):
        module, _, function = (word.strip() for word in entry.value.partition("[")[0].partition(":"))
        place = f"{module}:{function or 'plugin'}"
        places[entry.name] = tuple(dict.fromkeys((*places.get(entry.name, ()), place)))
    return places


def others(path: Path) -> tuple[Hook, ...]:
    """The plugins of a jobs.toml that do not come with the runner: they may bring kinds of jobs.

    None where the file is no good, and without those that are nowhere: the loader says why.
    """
    try:
        hooks = tomllib.loads(path.read_text("utf-8")).get("hooks", {})
    except (OSError, ValueError, RecursionError):
        return ()
    tables = hooks if isinstance(hooks, dict) else {}
    return tuple(
        hook
        for name, settings in sorted(tables.items())
        if name not in bundled() and isinstance(settings, dict) and not problem(name, settings)
        if (hook := plugin_of(name, settings))
    )


def make(hook: Hook, folder: str) -> object:
    """Import a plugin, one of the site's own from `folder`, and make its object; raises HookUnfit."""
    place, _, function = hook.module.partition(":")
    # At the end of the path: a json.py that lies beside jobs.toml must not replace Python's.
    if not function and not place.startswith("hooks.") and folder not in sys.path:
        sys.path.append(folder)
    try:
        module = importlib.import_module(place)
    except Exposed:
        raise
    except FAILURES as trouble:
        raise HookUnfit(
            hook.name,
            f"cannot import {hook.module}: {reason(trouble)}",
            do=f"{_see(hook, folder, trouble)}, or take {table(hook.name)} out of jobs.toml",
        ) from trouble
    build: object = module
    for word in (function or "plugin").split("."):
        build = getattr(build, word, None)
    if not callable(build):
        raise unfit(hook, f"it has no function {function or 'plugin'}(settings)")
    try:
        made: object = build(hook.settings)
    except FAILURES as trouble:
        raise unfit(hook, f"plugin(settings): {reason(trouble)}") from trouble
    return made


def unfit(hook: Hook, why: str) -> HookUnfit:
    """The error for what was found, but is no plugin."""
    return HookUnfit(
        hook.name,
        f"{hook.module} is no plugin: {why}",
        do=f"mend it (docs/hooks.md), or take {table(hook.name)} out of jobs.toml",
    )


def table(name: str) -> str:
    """A hook's table as it stands in jobs.toml."""
    return f'[hooks."{name}"]' if "." in name else f"[hooks.{name}]"


def reason(trouble: BaseException) -> str:
    """An exception of a plugin in one line, with the place."""
    if isinstance(trouble, ReportUndelivered):
        return line(trouble)
    # Where it is imported, by us and by Python, is nobody's fault.
    ours = (__file__, importlib.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(trouble.__traceback__)
        if frame.filename not in ours and not frame.filename.startswith("<")
    ]
    place = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
    return f"{type(trouble).__name__}: {line(trouble)}{place}"


def line(trouble: BaseException) -> str:
    """What an exception says, in one line that can be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(trouble)).split())


def _gives_module(name: str, settings: Mapping[str, Any]) -> bool:
    # A name with dots is a module already, and its keys are the plugin's own.
    return "." not in name and "module" in settings


def _is_module(name: str) -> bool:
    return "." in name and MODULE.fullmatch(name) is not None


def _see(hook: Hook, folder: str, trouble: BaseException) -> str:
    """What a person should look at where a plugin cannot be imported."""
    place, _, function = hook.module.partition(":")
    if function:
        return f"see that the package that brings {hook.name} is installed whole"
    parts = place.split(".")
    there = f"see that {Path(folder, *parts)}.py is there and imports"
    absent = isinstance(trouble, ModuleNotFoundError) and f"{place}.".startswith(f"{trouble.name}.")
    if not absent or place.startswith("hooks."):
        return there
    beside = [".".join((*parts[:-1], path.stem)) for path in Path(folder, *parts[:-1]).glob("[a-z]*.py")]
    near = nearest(hook.name, (*bundled(), *installed(), *beside))
    hint = f"did you mean {near!r}? else " if near else ""
    return f"{hint}{there} (no installed package has an entry point {hook.name!r} of {GROUP} either)"
