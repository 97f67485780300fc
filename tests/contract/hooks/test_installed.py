"""Hooks of installed packages: found by their entry point, and a kind of job that one brings is as good as ours."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from runner.config.plugin_source import CARRIERS, bundled
from runner.config.plugins import Hooks
from runner.model.site import Hook
from tests.contract.site import Place

DISTRIBUTION = Path(__file__).parents[1] / "plugins" / "watcher"
HOOK = '[hooks.watcher]\nplace = "the cellar"\n'
JOB = '[jobs.water]\nkind = "puddle"\nhost = "papio"\nfolder = "/srv"\nevery = "2h"\nschedule = "15 4 * * *"\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A site, and a folder of installed packages that a runner is to be given as PYTHONPATH."""
    (tmp_path / "tree").mkdir()
    install(tmp_path / "packages", "watcher-1.0", "watcher = site_watcher.hook:make")
    return Place(folder=tmp_path / "site", trees=(tmp_path / "tree",))


def install(folder: Path, name: str, *entries: str) -> None:
    """Put the package there as pip leaves it."""
    about = folder / f"{name}.dist-info"
    about.mkdir(parents=True)
    project, _, version = name.partition("-")
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text("\n".join(("[runner.hooks]", *entries, "")))
    shutil.copytree(DISTRIBUTION / "site_watcher", folder / "site_watcher", dirs_exist_ok=True)


def packages(place: Place) -> dict[str, str]:
    return {"PYTHONPATH": str(place.folder.parent / "packages")}


def test_a_hook_of_an_installed_package_is_used(place: Place) -> None:
    place.declare(HOOK)
    (place.sandbox / "papio").mkdir(parents=True)
    ran = place.runner("validate", **packages(place))
    assert ran.code == 0, ran.err
    ran = place.runner("plan", "backup-papio", **packages(place))
    assert "someone looks after the cellar of babase" in ran.out, ran.out + ran.err


def test_without_the_package_the_key_is_named_with_what_was_looked_for(place: Place) -> None:
    place.declare(HOOK)
    ran = place.runner("validate")
    assert ran.code == 2
    (problem,) = [text for text in ran.err.splitlines() if "watcher" in text]
    assert re.match(r"jobs\.toml:\d+: hooks\.watcher: there is no hook 'watcher'; known: announce,", problem)
    assert "an entry point of group runner.hooks of an installed package" in problem


def test_a_misspelt_name_of_an_installed_hook_is_recognised(place: Place) -> None:
    place.declare(HOOK.replace("watcher", "wacther"))
    ran = place.runner("validate", **packages(place))
    assert ran.code == 2
    assert "hooks.wacther: there is no hook 'wacther'; did you mean 'watcher'?" in ran.err


def test_two_packages_with_one_hook_are_refused(place: Place) -> None:
    place.declare(HOOK)
    install(place.folder.parent / "packages", "other-1.0", "watcher = elsewhere")
    ran = place.runner("validate", **packages(place))
    assert ran.code == 2
    assert "several installed packages bring a hook 'watcher'" in ran.err


def test_a_bundled_hook_is_not_replaced_by_a_package(place: Place) -> None:
    place.declare()
    install(place.folder.parent / "packages", "other-1.0", "mail = not_there")
    assert place.runner("validate", **packages(place)).code == 0


def test_an_entry_point_that_leads_nowhere_is_the_packages_fault(place: Place) -> None:
    place.declare("[hooks.broken]\n")
    install(place.folder.parent / "packages", "other-1.0", "broken = not_there", "odd = a b:")
    ran = place.runner("validate", **packages(place))
    assert ran.code == 2
    assert "hooks.broken: cannot import not_there:plugin: ModuleNotFoundError" in ran.err
    assert "see that the package that brings broken is installed whole" in ran.err


def test_a_module_that_is_not_there_is_told_with_what_is(place: Place) -> None:
    place.declare('[hooks."mysite.qouta"]\n')
    (place.folder / "mysite").mkdir()
    (place.folder / "mysite/quota.py").touch()
    ran = place.runner("validate")
    assert ran.code == 2
    assert 'jobs.toml:25: hooks."mysite.qouta": cannot import mysite.qouta: ModuleNotFoundError' in ran.err
    assert "did you mean 'mysite.quota'?" in ran.err
    assert "no installed package has an entry point 'mysite.qouta' of runner.hooks either" in ran.err


def test_a_broken_module_is_told_with_all_other_problems_at_their_lines(place: Place) -> None:
    place.declare('[hooks."mysite.quota"]\n[jobs.own]\nkind = "its_own"\nhost = "papio"\n', site="colour = 1")
    (place.folder / "mysite").mkdir()
    (place.folder / "mysite/quota.py").write_text("import runner\nlimit = 1 / 0\n")
    ran = place.runner("run")
    assert ran.code == 2 and "Traceback" not in ran.err
    first, second = ran.err.splitlines()[1:]
    assert first.startswith("jobs.toml:7: site.colour: ")
    assert second.startswith(
        'jobs.toml:25: hooks."mysite.quota": cannot import mysite.quota: ZeroDivisionError: division by zero (quota.py line 2); '
    )


CARRIER = """
from runner.hookspecs import hookimpl
class Letters:
    @hookimpl
    def {hook}(self, {value}): pass
def plugin(settings): return Letters()
"""


@pytest.mark.parametrize(("hook", "value", "code"), [("deliver_report", "report", 0), ("observe", "event", 2)])
def test_a_live_site_may_have_a_carrier_of_its_own(place: Place, hook: str, value: str, code: int) -> None:
    place.declare('[hooks."mysite.letters"]\n', mail=False)
    jobs = place.folder / "jobs.toml"
    jobs.write_text(jobs.read_text().replace("live = false", "live = true"))
    (place.folder / "mysite").mkdir()
    (place.folder / "mysite/letters.py").write_text(CARRIER.format(hook=hook, value=value))
    ran = place.runner("validate")
    assert (ran.code, "none carries reports to anybody" in ran.err) == (code, code != 0), ran.err


def test_the_carriers_of_the_runner_are_known_without_loading_them() -> None:
    own = [Hook(name=name, module=f"hooks.{name}") for name in bundled()]
    assert Hooks.named(own, "/").delivering == CARRIERS


def test_a_table_may_name_the_module_beside_jobs_toml(place: Place) -> None:
    place.declare('[hooks.cellar]\nmodule = "mysite.cellar"\nplace = "the cellar"\n')
    shutil.copytree(DISTRIBUTION / "site_watcher", place.folder / "mysite")
    source = (place.folder / "mysite/hook.py").read_text()
    (place.folder / "mysite/cellar.py").write_text(f"{source}\n\nplugin = make\n")
    ran = place.runner("validate")
    assert ran.code == 0, ran.err
    place.declare("[hooks.cellar]\nmodule = 7\n")
    assert "hooks.cellar.module: 7 is not the name of a Python module" in place.runner("validate").err


@pytest.mark.parametrize(("more", "looked"), [("", False), ("[hooks.fsck]\n[hooks.announce]\n", False), (HOOK, True)])
def test_only_an_unknown_name_pays_for_looking_through_packages(more: str, looked: bool, place: Place) -> None:
    place.declare(more)
    # What Python does on the way out is not the runner's.
    (place.folder / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "atexit.register(lambda: print('looked', 'importlib.metadata' in sys.modules, file=sys.stderr))\n"
    )
    path = f"{place.folder}:{packages(place)['PYTHONPATH']}"
    ran = place.runner("validate", PYTHONPATH=path)
    assert f"looked {looked}" in ran.err, ran.err


def test_a_kind_of_a_package_is_checked_printed_planned_and_run(place: Place) -> None:
    place.declare(HOOK + JOB)
    (place.sandbox / "papio/srv/cat").mkdir(parents=True)
    assert place.runner("validate", **packages(place)).code == 0
    (job,) = place.runner("config", "--json", **packages(place)).json["jobs"].keys() - {"backup-papio"}
    options = place.runner("config", "--json", **packages(place)).json["jobs"][job]["options"]
    assert options["every"] == "7200s"
    assert options["folder"] == "/srv"
    ran = place.runner("plan", "water", **packages(place))
    assert ran.code in (0, 3), ran.out + ran.err
    assert "looks for puddles" in ran.out
    ran = place.runner("run", "water", **packages(place))
    assert "every puddle was seen" in ran.out, ran.out + ran.err
    assert "water" in place.mails()[0]


def test_every_problem_of_such_a_job_is_told_at_once_with_line_and_suggestion(place: Place) -> None:
    place.declare(HOOK + JOB.replace("folder", "fodler").replace('"2h"', '"2 moons"') + "deep = 0\n")
    ran = place.runner("validate", **packages(place))
    assert ran.code == 2
    problems = dict(re.findall(r"jobs\.toml:\d+: jobs\.water\.(\w+): (.*)", ran.err))
    assert problems["fodler"] == "there is no key 'fodler' here; did you mean 'folder'?"
    assert "2 moons" in problems["every"]
    assert problems["deep"] == "0 is less than 1: write 1 or more"


def test_a_misspelt_kind_of_a_package_is_recognised(place: Place) -> None:
    place.declare(HOOK + JOB.replace("puddle", "pudle"))
    ran = place.runner("validate", **packages(place))
    assert "there is no kind 'pudle'; did you mean 'puddle'?" in ran.err


def test_a_kind_that_only_looks_is_planned_when_the_others_are_done(place: Place) -> None:
    place.declare(HOOK + JOB)
    (place.sandbox / "papio").mkdir(parents=True)
    ran = place.runner("plan", "water", "backup-papio", **packages(place))
    assert "looks when the others are done" in ran.out, ran.out + ran.err
