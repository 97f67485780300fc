"""How this very runner is called from any folder. Advice is written `runner VERB ...`, and shown so that it works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SITE = "jobs.toml"
_VERBS = (
    "plan|apply|run|status|snapshots|find|diff|restore-db|restore|bare-metal|pin|announce|enrol|validate|config|history"
)
_CALL = rf"runner ({_VERBS})(?![\w/-]|\.\w)"
_COMMAND = re.compile(_CALL)
# In a sentence a command begins a part of it; a path that is quoted there, such as /srv/my runner plan, is none.
_IN_ADVICE = re.compile(rf"(?:^|(?<=[`(])|(?<=[:;,] )|(?<=, and )){_CALL}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spelling:
    """How a command is typed from any folder: `program` is its path where it is not on the PATH, and `file` the site
    where that is not the one of the program's checkout. The default is as it is written.

    It is for commands and for what to do, which are ours: names of files, hosts and databases are shown as they are.
    """

    program: str = "runner"
    file: str = ""

    def command(self, text: str) -> str:
        """The command of the runner that `text` is; any other stays."""
        call = _COMMAND.match(text)
        return f"{self._typed(call)}{text[call.end() :]}" if call else text

    def advice(self, text: str) -> str:
        """What to do, with the commands of the runner in it."""
        return _IN_ADVICE.sub(self._typed, text)

    def _typed(self, call: re.Match[str]) -> str:
        return f"{self.program} {call[1]}{f' --file {self.file}' if self.file else ''}"


AS_WRITTEN = Spelling()


def here() -> Spelling:
    """How this very process was called."""
    return _here(tuple(sys.argv))


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
def _here(argv: tuple[str, ...]) -> Spelling:
    script = _script(argv[0])
    on_path = shutil.which("runner")
    known = not script or (on_path and os.path.realpath(on_path) == os.path.realpath(script))
    file = _other(file_named(argv[1:])) if script else ""
    return Spelling(program="runner" if known else shlex.quote(script), file=file)


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
