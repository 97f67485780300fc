"""How this very runner is called from any folder. Advice is written `runner VERB ...`, and shown so that it works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

_VERBS = "plan|apply|run|status|snapshots|find|diff|restore-db|restore|bare-metal|pin|announce|validate|config|history"
_CALL = re.compile(rf"(?<![\w./-])runner ({_VERBS})(?![\w-])")


def spelled(advice: str) -> str:
    """The advice with each `runner VERB` in it as it must be typed here: the program's path, where it is not on the
    PATH, and `--file` where another one was named.
    """
    return typed(advice, *_here(tuple(sys.argv)))


def typed(advice: str, program: str, file: str) -> str:
    """The advice for a runner that is called as `program`, about another site's `file` unless that is ""."""
    named = f" --file {file}" if file else ""
    return _CALL.sub(lambda call: f"{program} {call[1]}{named}", advice) if program != "runner" or file else advice


def site_beside() -> Path | None:
    """The jobs.toml of the checkout that has the `.venv` of this program; None where there is none."""
    script = _script(sys.argv[0])
    place = Path(script).resolve().parent.parent if script else Path()
    beside = place.parent / "jobs.toml"
    return beside if place.name == ".venv" and beside.is_file() else None


@cache
def _here(argv: tuple[str, ...]) -> tuple[str, str]:
    script = _script(argv[0])
    on_path = shutil.which("runner")
    known = not script or (on_path and os.path.realpath(on_path) == os.path.realpath(script))
    file = file_named(argv[1:]) if script else ""
    return "runner" if known else shlex.quote(script), shlex.quote(str(Path(file).absolute())) if file else ""


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
