"""The plugin contract: what docs/hooks.md promises, tried with plugins that lie in a folder."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from runner.config.plugins import Hooks
from runner.hookspecs import Specs
from runner.model.event import Event, RunStarted
from runner.model.facts import Facts, HostFacts, Reading
from runner.model.notice import Notice
from runner.model.plan import Command, Severity
from runner.model.site import Hook, Host, Job, Site
from tests.contract.hook_parts import FACTS, JOB, NOW, PLAN, REPORT, SITE, STEP, imports_as_they_were
from tests.contract.site import Place

HERE = Path(__file__).parents[1]
HOUSE = HERE.parent.parent
QUOTA = HERE / "plugins" / "mysite" / "quota.py"
DOCUMENT = (HOUSE / "docs" / "hooks.md").read_text(encoding="utf-8")
SPECS = [name for name in vars(Specs) if not name.startswith("_")]


@pytest.fixture(autouse=True)
def _imports() -> Iterator[None]:
    with imports_as_they_were():
        yield


def quota(folder: Path, *, limit: int, monitor: Path) -> tuple[Hooks, Site]:
    """The documented plugin, loaded from beside jobs.toml, and the site that uses it."""
    home = folder / "mysite"
    home.mkdir()
    (home / "__init__.py").touch()
    shutil.copy(QUOTA, home)
    settings = {"host": "papio", "folder": "/home", "limit_bytes": limit, "monitor": str(monitor)}
    hook = Hook(name="mysite.quota", module="mysite.quota", settings=settings)
    host = Host(name="papio", address="", root=str(folder / "papio"))
    site = replace(SITE, folder=str(folder), hosts=(host,), hooks=(hook,))
    return Hooks.load(site), site


def run(argv: tuple[str, ...]) -> Reading:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
    return Reading(exit=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("observe", [event.__name__ for event in get_args(Event)]),
        ("check_plan", get_args(Severity)),
        ("deliver_notice", get_args(get_type_hints(Notice)["what"])),
    ],
)
def test_every_word_that_a_hook_gets_or_may_use_is_documented(spec: str, words: Sequence[str]) -> None:
    section = DOCUMENT.partition(f"\n### {spec}(")[2].partition("\n### ")[0]
    assert words and [word for word in words if f"`{word}`" not in section] == []


@pytest.mark.parametrize("spec", SPECS)
def test_every_hook_is_documented_with_its_exact_arguments(spec: str) -> None:
    arguments = [name for name in inspect.signature(getattr(Specs, spec)).parameters if name != "self"]
    assert f"\n### {spec}({', '.join(arguments)})\n" in DOCUMENT


def test_no_hook_is_documented_that_is_not_there() -> None:
    assert re.findall(r"^### (\w+)\(", DOCUMENT, re.MULTILINE) == SPECS


@pytest.mark.parametrize("spec", SPECS)
def test_every_hook_has_a_bundled_or_documented_user(spec: str) -> None:
    users = [*(HOUSE / "hooks").glob("*.py"), QUOTA]
    marked = re.compile(rf"@hookimpl\n    def {spec}\(\s*self")
    assert any(marked.search(user.read_text(encoding="utf-8")) for user in users)


def test_the_plugin_in_the_document_is_the_one_that_is_tested() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block == QUOTA.read_text(encoding="utf-8")


def test_the_documented_plugin_plans_its_probe_step_and_finding(tmp_path: Path) -> None:
    home = tmp_path / "papio" / "home"
    home.mkdir(parents=True)
    (home / "thesis").write_bytes(b"x" * 300_000)
    hooks, site = quota(tmp_path, limit=100_000, monitor=tmp_path / "monitor")
    (probe,) = hooks.declare_probes(site)
    reading = run(probe.argv)
    facts = Facts(at=NOW, hosts={"papio": HostFacts(name="papio", readings={probe.id: reading})})
    (insertion,) = hooks.add_steps(site, JOB, (STEP,), facts)
    assert (insertion.where, insertion.anchor) == ("before", STEP.id)
    assert insertion.step.added_by == "mysite.quota"
    assert isinstance(insertion.step.action, Command)
    assert str(home) in run(insertion.step.action.argv).out
    (finding,) = hooks.check_plan(site, PLAN, facts)
    assert finding.severity == "attention"
    assert finding.source == "hooks.mysite.quota"
    assert hooks.add_steps(site, replace(JOB, kind="dump"), (STEP,), facts) == ()


def test_the_documented_plugin_is_content_below_the_limit_and_says_what_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "papio" / "home").mkdir(parents=True)
    hooks, site = quota(tmp_path, limit=10**9, monitor=tmp_path / "monitor")
    (probe,) = hooks.declare_probes(site)
    facts = Facts(at=NOW, hosts={"papio": HostFacts(name="papio", readings={probe.id: run(probe.argv)})})
    assert hooks.check_plan(site, PLAN, facts) == ()
    assert hooks.add_steps(site, JOB, (STEP,), facts) == ()
    (unknown,) = hooks.check_plan(site, PLAN, FACTS)
    assert unknown.severity == "note"


def test_the_documented_plugin_tells_its_monitor_only_when_live(tmp_path: Path) -> None:
    monitor = tmp_path / "monitor"
    hooks, _ = quota(tmp_path, limit=1, monitor=monitor)
    hooks.observe(RunStarted(run="r", plan=replace(PLAN, live=False), at=NOW))
    assert hooks.deliver_report(replace(REPORT, sandbox="/s")) == ()
    assert not monitor.exists()
    hooks.observe(RunStarted(run="r", plan=PLAN, at=NOW))
    assert monitor.read_text() == "running\n"
    assert hooks.deliver_report(REPORT) == ()
    assert monitor.read_text() == "done\n"


def test_the_documented_plugin_brings_a_kind_of_job(tmp_path: Path) -> None:
    hooks, site = quota(tmp_path, limit=1, monitor=tmp_path / "monitor")
    (kind,) = hooks.declare_kinds()
    job = Job(name="sizes", kind="sizes", host="papio", options=kind.options(folder="/home"))
    draft = kind.draft(site, job, FACTS, NOW)
    assert kind.name == "sizes"
    assert [step.id for step in draft.steps] == ["sizes/sizes"]
    assert kind.probes(site, job) == ()


def test_what_a_job_of_the_documented_kind_prints_reaches_people(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    place = Place(folder=tmp_path / "site", trees=(tmp_path / "tree",))
    where = f'host = "papio"\nfolder = "/srv"\nlimit_bytes = 1\nmonitor = "{tmp_path}/monitor"'
    place.declare(f'[hooks."mysite.quota"]\n{where}\n[jobs.sizes]\nkind = "sizes"\nhost = "papio"\nfolder = "/srv"\n')
    shutil.copytree(QUOTA.parent, place.folder / "mysite")
    (place.sandbox / "papio/srv/people/karl").mkdir(parents=True)
    # On a tmpfs a folder alone takes no room, and what takes none is nothing to tell.
    (place.sandbox / "papio/srv/people/karl/thesis").write_bytes(b"x" * 300_000)
    said = place.runner("run", "sizes")
    assert said.code == 3, said.out + said.err
    assert re.search(r"^  \S+ +/\S*/srv/people$", said.out, re.MULTILINE)
    assert "/srv/people" in place.mails()[0]


def test_the_bundled_hooks_load_with_the_settings_of_the_example() -> None:
    hooks = Hooks.named((Hook(name="mail", module="hooks.mail"), Hook(name="fsck", module="hooks.fsck")), "/")
    assert hooks.names == ("fsck", "mail")
    assert hooks.declare_probes(SITE) == ()
