"""What others may change is neither run nor obeyed: by every verb, before any of it is read, with the commands that
close it. Against a copy of the program with a virtual environment of its own, whose files really are open.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.cli.verbs import VERBS
from runner.model.errors import Exposed
from tests.contract.site import PATIENCE, REPOSITORY, SITE, Said, as_papio
from tests.soak import few

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")]

STRANGER = 12345
HOOK = "def plugin(settings):\n    raise SystemExit('it ran')\n"
ARGV = {
    "apply": ("plan.toml",), "find": ("/etc/hostname",), "diff": ("a", "b"), "restore": ("papio", "/etc/hostname"),
    "restore-db": ("babase",), "bare-metal": ("papio",), "pin": ("latest", "--remove"), "announce": ("reboot", "--cancel"),
    "enrol": ("backup-server1",),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A program, its virtual environment, and a site; all in `folder`, and closed to others."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "program"

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def packages(self) -> Path:
        return next(self.folder.glob("venv/lib/python*/site-packages"))

    def runner(self, *argv: str, at: Path | None = None) -> Said:
        ended = subprocess.run(
            (self.folder / "venv/bin/python", "-P", "-m", "runner", *as_papio(self.site, argv), "--file", self.site / "jobs.toml"),
            check=False, cwd=at or self.site, capture_output=True, text=True, timeout=PATIENCE,
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder)},
        )  # fmt: skip
        return Said(code=ended.returncode, out=ended.stdout, err=ended.stderr)

    def refused(self, *places: Path, verb: str = "validate", argv: tuple[str, ...] = ()) -> list[str]:
        """It names these places and no other; the commands that it gives for them."""
        said = self.runner(verb, *argv)
        assert said.code == Exposed.code and said.out == "", said
        assert said.err.startswith("runner: others may change what root would run or obey here:\n")
        lines = [line.strip() for line in said.err.splitlines() if line.startswith("  /")]
        assert sorted(line.split(": ")[0] for line in lines) == sorted(map(str, places)), said.err
        return [line.rpartition("; ")[2] for line in lines]

    def closes(self, *places: Path) -> None:
        """These places are refused, and what the message says to do mends it."""
        for command in self.refused(*places):
            subprocess.run(command, shell=True, check=True)
        assert self.runner("validate").code == 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    for name in ("runner", "hooks", "schema"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, folder / "program" / name, ignore=ignored)
    subprocess.run((sys.executable, "-m", "compileall", "-q", folder / "program"), check=True)
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", folder / "venv"), check=True)
    (folder / "site").mkdir()
    trees = json.dumps(["/etc"])
    (folder / "site/jobs.toml").write_text(SITE.format(site="", trees=trees, more='[hooks."own.keeper"]\n'))
    (folder / "site/own").mkdir()
    (folder / "site/own/keeper.py").write_text(
        "from runner.hookspecs import hookimpl\nclass K:\n    @hookimpl\n    def observe(self, event): pass\n"
        "def plugin(settings): return K()\n"
    )
    return folder


@pytest.fixture
def installed(model: Path, tmp_path: Path) -> Installed:
    folder = tmp_path / "all"
    shutil.copytree(model, folder, symlinks=True)
    made = Installed(folder=folder)
    real = sysconfig.get_paths()["purelib"]
    (made.packages / "own.pth").write_text(f"{made.program}\n{real}\n")
    (made.packages / "extra.py").write_text("")
    (folder / "venv/pyvenv.cfg").write_text((folder / "venv/pyvenv.cfg").read_text())
    assert made.runner("validate").code == 0, made.runner("validate").err
    return made


def writable(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def of_a_group(path: Path) -> None:
    os.chown(path, -1, STRANGER)
    path.chmod(path.stat().st_mode | 0o020)


def anothers(path: Path) -> None:
    os.chown(path, STRANGER, -1)


def listed(path: Path) -> None:
    subprocess.run(("setfacl", "-m", f"u:{STRANGER}:rwx", path), check=True)


WAYS = (writable, of_a_group, anothers, listed)
PLACES = (
    "", "site", "site/jobs.toml", "site/own", "site/own/keeper.py", "program", "program/runner/cli/validate.py",
    "program/runner/config", "program/runner/__init__.py", "program/schema/jobs.schema.json",
    "program/runner/verbs/bare_metal.txt.j2", "program/hooks", "venv", "venv/pyvenv.cfg", "venv/bin", "packages", "pth",
)  # fmt: skip


# Each place in one of the ways, which take turns.
@pytest.mark.parametrize("ways", few((WAYS, *((way,) for way in WAYS)), WAYS))
def test_whatever_is_open_is_named_and_the_command_given_closes_it(
    installed: Installed, ways: Sequence[Callable[[Path], None]]
) -> None:
    for name, way in zip(PLACES, itertools.cycle(ways), strict=False):
        own = {"packages": installed.packages, "pth": installed.packages / "own.pth"}
        place = own.get(name, installed.folder / name)
        if way is anothers and place.is_dir() and name in ("program", ""):
            continue  # of these everything below would be named too
        way(place)
        installed.closes(place)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_refuses_an_open_jobs_toml_and_an_open_program(installed: Installed, verb: str) -> None:
    for place in (installed.site / "jobs.toml", installed.program / "runner/model/errors.py"):
        way = place.stat()
        writable(place)
        assert installed.refused(place, verb=verb, argv=ARGV.get(verb, ()))
        place.chmod(way.st_mode)


def test_everything_that_is_open_in_the_program_is_named_at_once(installed: Installed) -> None:
    places = [installed.program / "runner/report/line.py", installed.program / "hooks/mail.py", installed.packages]
    for place in places:
        writable(place)
    installed.closes(*places)


def test_everything_that_is_open_in_the_site_is_named_at_once(installed: Installed) -> None:
    assert installed.runner("plan", "--out", "plan.toml").code == 0
    state = installed.site / "sandbox/state"
    places = [state, state / "journal.sqlite", state / "plan.key", installed.site / "sandbox"]
    for place in places:
        writable(place)
    for command in installed.refused(*places, verb="status"):
        subprocess.run(command, shell=True, check=True)
    assert installed.runner("status").code == 0


def test_a_whole_folder_that_is_anothers_is_closed_by_one_command(installed: Installed) -> None:
    package = installed.program / "runner"
    for path in (package, *package.rglob("*")):
        anothers(path)
    (command,) = installed.refused(package)
    assert command == f"chown -R root {package}"
    subprocess.run(shlex.split(command), check=True)
    assert installed.runner("validate").code == 0


def test_what_is_open_does_not_run_before_it_is_refused(installed: Installed, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    payload = f"\nimport pathlib; pathlib.Path({str(mark)!r}).touch()\n"
    for place in (
        installed.program / "runner/cli/validate.py", installed.program / "runner/config/load.py",
        installed.site / "own/keeper.py", installed.packages / "cronsim.py",
    ):  # fmt: skip
        before = place.read_text() if place.exists() else None
        with place.open("a") as file:
            file.write(payload)
        writable(place)
        installed.refused(place)
        assert not mark.exists()
        place.chmod(0o644)
        if before is None:
            place.unlink()
        else:
            place.write_text(before)


def test_a_module_that_is_compiled_where_others_may_write_does_not_run(installed: Installed) -> None:
    cache = installed.program / "runner/config/__pycache__"
    assert list(cache.iterdir())
    writable(cache)
    installed.closes(cache)


def test_a_link_is_as_open_as_what_it_leads_to_and_where_it_lies(installed: Installed, tmp_path: Path) -> None:
    elsewhere, real = tmp_path / "elsewhere", tmp_path / "elsewhere/real.toml"
    elsewhere.mkdir()
    (installed.site / "jobs.toml").rename(real)
    (tmp_path / "way").symlink_to("elsewhere")
    (installed.site / "jobs.toml").symlink_to(tmp_path / "way/../elsewhere/real.toml")
    assert installed.runner("validate").code == 0
    for place in (elsewhere, real, installed.site):
        writable(place)
        installed.refused(place)
        place.chmod(place.stat().st_mode & ~0o002)


def test_a_folder_like_tmp_is_no_danger_for_what_is_roots_and_one_for_the_rest(
    installed: Installed, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    moved = Installed(folder=shared / "all")
    installed.folder.rename(moved.folder)
    (moved.packages / "own.pth").write_text((moved.packages / "own.pth").read_text().replace("/all/", "/shared/all/"))
    assert moved.runner("validate").code == 0, moved.runner("validate").err
    # A link there that is another's may lead elsewhere at any time.
    link = shared / "link"
    link.symlink_to(moved.folder / "site")
    os.lchown(link, STRANGER, -1)
    said = moved.runner("validate", at=shared)
    assert said.code == 0
    linked = subprocess.run(
        (moved.folder / "venv/bin/python", "-P", "-m", "runner", "validate", "--file", link / "jobs.toml"),
        check=False, cwd="/", capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert linked.returncode == Exposed.code and str(link) in linked.stderr
    anothers(moved.folder)
    assert moved.runner("validate").code == Exposed.code


def test_a_working_folder_of_anothers_is_refused(installed: Installed, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    anothers(folder)
    said = installed.runner("validate", at=folder)
    assert said.code == Exposed.code and f"{folder}: it belongs to user {STRANGER}" in said.err


def test_modules_are_not_looked_for_where_everybody_may_put_some(installed: Installed, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    ended = subprocess.run(
        (installed.folder / "venv/bin/python", "-m", "runner", "validate", "--file", installed.site / "jobs.toml"),
        check=False, cwd=shared, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert ended.returncode == Exposed.code
    assert f"{shared}: everybody may make names there; work in another folder" in ended.stderr


def test_a_plan_that_others_may_change_is_refused_although_it_is_sealed(installed: Installed) -> None:
    assert installed.runner("plan", "--out", "plan.toml").code == 0
    plan = installed.site / "plan.toml"
    for way in WAYS:
        way(plan)
        said = installed.runner("apply", "plan.toml")
        assert said.code == 4 and str(plan) in said.err, said
        subprocess.run(("setfacl", "-b", plan), check=True)
        os.chown(plan, 0, 0)
        plan.chmod(0o644)
    assert installed.runner("apply", "plan.toml").code == 0


@pytest.mark.parametrize("name", ["known_hosts", "key"])
def test_whom_it_takes_a_host_for_may_not_be_others_to_say(installed: Installed, name: str) -> None:
    place = installed.folder / name
    place.write_text("")
    jobs = (installed.site / "jobs.toml").read_text().replace("live = false", f'live = true\nknown_hosts = "{place}"')
    jobs = jobs.replace('address = "192.0.2.2"', f'address = "192.0.2.2"\nkey = "{place}"')
    (installed.site / "jobs.toml").write_text(jobs.replace("[sandbox]\n", "").replace('papio = ["/etc"]\n', ""))
    writable(place)
    installed.refused(place, verb="history")


def test_an_agent_that_others_may_change_is_not_run(installed: Installed, tmp_path: Path) -> None:
    assert installed.runner("run", "backup-papio").code == 0
    mark = tmp_path / "mark"
    agent = installed.site / "sandbox/backup-server1/usr/local/sbin/runner-agent"
    for place in (agent, agent.parent, agent.parent.parent):
        writable(place)
        agent.write_text(f"#!/bin/sh\ntouch {mark}\n")
        said = installed.runner("run", "backup-papio")
        assert said.code != 0 and f"{place}: everybody may write it" in " ".join(said.out.split()), said.out
        assert f"chmod go-w {place}" in " ".join(said.out.split())
        assert not mark.exists()
        place.chmod(place.stat().st_mode & ~0o002)
    assert installed.runner("run", "backup-papio").code == 0 and not mark.exists()


def test_help_pays_nothing() -> None:
    script = (
        "import sys, contextlib, os\nfrom runner.__main__ import run\n"
        "with contextlib.redirect_stdout(None), contextlib.suppress(SystemExit):\n    run(['--help'])\n"
        "print([name for name in sys.modules if name.endswith('.trust')])"
    )
    said = subprocess.run((sys.executable, "-c", script), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_what_it_writes_itself_is_closed_whatever_the_umask(installed: Installed) -> None:
    before = os.umask(0)
    try:
        assert installed.runner("plan", "--out", "plan.toml").code == 0
        assert installed.runner("apply", "plan.toml").code == 0
    finally:
        os.umask(before)
