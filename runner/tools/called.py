"""How this very runner is called from any folder. Advice is written `runner VERB ...`, and shown so that it works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

SITE = "jobs.toml"
_VERBS = "plan|apply|run|status|snapshots|find|diff|restore-db|restore|bare-metal|pin|announce|validate|config|history"
_CALL = re.compile(rf"(?<![\w./-])runner ({_VERBS})(?![\w-])")


def spelled(advice: str) -> str:
    """The advice with each `runner VERB` in it as it must be typed from any folder: the program's path, where it is not
    on the PATH, and `--file` where the site is not the one of the program's checkout.
    """
    return typed(advice, *_here(tuple(sys.argv)))


def typed(advice: str, program: str, file: str) -> str:
    """The advice for a runner that is called as `program`, about another site's `file` unless that is ""."""
    named = f" --file {file}" if file else ""
    return _CALL.sub(lambda call: f"{program} {call[1]}{named}", advice) if program != "runner" or file else advice


def anywhere(path: str) -> str:
    """A path as it must be typed from any folder."""
    return shlex.quote(str(Path(path).absolute()))


def site_file(named: str) -> Path:
    """The site that is meant: that of `--file`, else the one in this folder (as with make), or that of the checkout."""
    here = Path(SITE)
    return Path(named) if named else here if here.exists() else site_beside() or here


def is_beside(file: Path) -> bool:
    """Whether it is what the program takes from a folder without one: advice about any other must name it."""
    beside = site_beside()
    return bool(beside and file.exists() and beside.samefile(file))


def site_beside() -> Path | None:
    """The jobs.toml of the checkout that has the `.venv` of this program; None where there is none."""
    script = _script(sys.argv[0])
    place = Path(script).resolve().parent.parent if script else Path()
    beside = place.parent / SITE
    return beside if place.name == ".venv" and beside.is_file() else None


@cache
def _here(argv: tuple[str, ...]) -> tuple[str, str]:
    script = _script(argv[0])
    on_path = shutil.which("runner")
    known = not script or (on_path and os.path.realpath(on_path) == os.path.realpath(script))
    return "runner" if known else shlex.quote(script), _other(file_named(argv[1:])) if script else ""


def _other(named: str) -> str:
    """The whole path of the site, quoted, where advice must name it; "" where there is none, or it is found without."""
    with suppress(OSError):
        file = site_file(named)
        if named or (file.is_file() and not is_beside(file)):
            return shlex.quote(str(file.absolute()))
    return ""


def _script(called: str) -> str:
    """The whole path of the program; "" where it was started in another way, as a module or by a test."""
    return str(Path(called).absolute()) if Path(called).name == "runner" else ""


def file_named(words: tuple[str, ...]) -> str:
    """The file that was named on the command line; "" where none was."""
    for word, after in zip(words, (*words[1:], "")):  # noqa: B905  (the last is followed by nothing)
        if word == "--":
            break
        if word in ("-f", "--file"):
            return after
        if word.startswith("--file="):
            return word.removeprefix("--file=")
        if word.startswith("-f") and not word.startswith("--"):
            return word.removeprefix("-f")
    return ""
