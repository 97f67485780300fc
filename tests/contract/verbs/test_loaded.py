"""What a verb of every day loads, and how often it asks: the names of modules, as their seconds are the machine's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner import __main__ as door
from runner.hosts import boot
from runner.hosts.transport import Result
from tests.contract.site import REPOSITORY, Place, small

# What only a mistake, an interruption, another verb or another hook has need of; packing, where the agent is packed.
COSTLY = {
    "asyncio", "difflib", "email", "fabric", "importlib.metadata", "importlib.resources", "jinja2", "jsonschema",
    "paramiko", "pluggy", "random", "rich", "tempfile", "tomli_w", "zipfile", "runner.config.syntax",
    "runner.verbs.bare_metal", "runner.verbs.browse", "statistics",
}  # fmt: skip
ROOMS = {"access", "database", "disks", "drill", "packages", "power"}
TOLD = """
import atexit, os, sys
from pathlib import Path

def tell():
    Path({place!r}).write_text(" ".join(sys.modules))

if os.environ.get("TELL"):
    atexit.register(tell)
"""


def rooms(modules: set[str]) -> set[str]:
    """What of the rooms of jobs is among them; their packages left out."""
    own = {name.removeprefix("runner.jobs.") for name in modules if name.startswith("runner.jobs.")}
    return {name for name in own if not any(other.startswith(f"{name}.") for other in own)}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return small(tmp_path)


def test_the_help_of_status_loads_no_room_of_a_job() -> None:
    script = (
        "import sys, contextlib\nfrom runner.__main__ import run\n"
        "with contextlib.redirect_stdout(None), contextlib.suppress(SystemExit):\n    run(['status', '--help'])\n"
        "print([name for name in sys.modules if name.startswith('runner.jobs')])"
    )
    said = subprocess.run((sys.executable, "-c", script), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_a_run_and_a_restore_load_what_they_need_and_nothing_else(place: Place, tmp_path: Path) -> None:
    place.declare("[jobs.prune]\nkind = 'prune'\nstore = 'papio'\nschedule = '30 6 * * *'\n", mail=False)
    told, compiled = tmp_path / "modules", tmp_path / "compiled"
    (tmp_path / "sitecustomize.py").write_text(TOLD.format(place=str(told)))

    def loaded(*argv: str) -> set[str]:
        told.unlink(missing_ok=True)
        ran = place.runner(
            *argv, TELL="1", PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=str(compiled)
        )
        assert ran.code == 0, ran.out + ran.err
        return set(told.read_text().split())

    assert "zipfile" in loaded("run", "backup-papio")
    every_day = loaded("run", "backup-papio", "prune")
    assert every_day & COSTLY == {"random", "statistics"}
    assert {name for name in rooms(every_day) if name.partition(".")[0] in ROOMS} == {"database.dump_findings"}
    restore = loaded("restore", "papio", str(place.trees[0]))
    assert restore & COSTLY == {"runner.verbs.browse"}
    assert rooms(restore) == {
        "bundled", "catalogue", "history.follow", "history.heads", "no_room", "retention.minimum", "retention.thinning", "snapshots.lost",
        "snapshots.restore", "snapshots.restored", "snapshots.route", "snapshots.shell", "snapshots.when",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("when", "asked"), [("latest", ["probe"]), ("yesterday", ["probe"]), ("name", ["probe", "find"])]
)
def test_a_restore_asks_once_whether_what_is_newest_has_it(
    when: str, asked: list[str], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.runner("run", "backup-papio").code == 0
    verbs: list[str] = []
    run_agent = boot.run_agent

    def counted(transport: Any, program: bytes, verb: tuple[str, ...], *rest: Any, **more: Any) -> Result:
        verbs.append(verb[0] if verb else "probe")
        return run_agent(transport, program, verb, *rest, **more)

    monkeypatch.setattr(boot, "run_agent", counted)
    monkeypatch.chdir(place.folder)
    at = place.sealed[0].name if when == "name" else when
    code = door.run(("restore", "papio", str(place.trees[0]), "--at", at))
    assert (code, verbs) == ((2, ["probe"]) if when == "yesterday" else (0, asked))
    verbs.clear()
    assert door.run(("restore", "papio", f"{place.trees[0]}/nothing")) == 2
    # That it is not there is asked for by itself.
    assert verbs == ["probe", "find"]
