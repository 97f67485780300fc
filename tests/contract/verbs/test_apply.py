"""`runner apply`: exactly the reviewed plan, once, and not at all when the world has changed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from runner.engine import planfile
from runner.model.errors import PlanRefused, UsageError
from runner.model.facts import Facts, Probe
from runner.verbs import restoring
from runner.verbs.app import App
from runner.verbs.load import load
from tests import compare
from tests.contract.site import PATIENCE, REPOSITORY, Place, tree_without_holes

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
REFUSING = """
from runner.hookspecs import hookimpl
from runner.model.plan import Finding

class Keeper:
    @hookimpl
    def check_plan(self, plan, facts):
        return [Finding(severity="refusal", text="not on a Monday", source="", do="wait")]

def plugin(settings):
    return Keeper()
"""
EFFECT = """
from runner.hookspecs import hookimpl
from runner.model.plan import Command, Effect, Insertion, Step

class Keeper:
    @hookimpl
    def add_steps(self, job, steps, facts):
        if job.kind != "snapshot":
            return []
        step = Step(id=job.name + "/extra", job=job.name, host="papio", effect=Effect.{effect},
                    action=Command(argv=("touch", "{mark}")), why="as the test wants")
        return [Insertion(step=step, where="before", anchor=steps[0].id)]

def plugin(settings):
    return Keeper()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A site over one tree, with a plan for it in plan.toml; nothing has run."""
    tree = tmp_path / "tree"
    tree_without_holes(tree)
    made = Place(folder=tmp_path / "site", trees=(tree,))
    made.declare()
    assert made.runner("plan", "--out", "plan.toml").code == 0
    return made


def refused(place: Place, code: int, words: str) -> None:
    """Applying ends with `code`, says `words` at the terminal and in the report, and runs nothing."""
    sealed, mails = place.sealed, len(place.mails())
    said = place.runner("apply", "plan.toml")
    assert said.code == code, said.out + said.err
    assert words in said.out, said.out
    assert place.sealed == sealed and place.partials == []
    assert len(place.mails()) == mails + 1
    assert place.rows("SELECT verdict FROM runs ORDER BY started DESC")[0]["verdict"] == "failed"


def executed(folder: Path) -> list[tuple[bytes, ...]]:
    """Every argv that strace saw executed with success: a file for each process, so that no line is cut by another's."""
    logs = "".join(path.read_text() for path in sorted(folder.iterdir()))
    calls = re.findall(r'execve\("[^"]*", \[(.*)\], 0x[^)]*\) = 0', logs)
    return [
        tuple(one.encode("latin-1").decode("unicode_escape").encode("latin-1") for one in QUOTED.findall(call))
        for call in calls
    ]


def test_what_runs_is_what_the_plan_says_byte_for_byte(place: Place, tmp_path: Path) -> None:
    plan = planfile.read(place.folder / "plan.toml", place.key)
    logs = tmp_path / "strace"
    logs.mkdir()
    argv = (
        "strace",
        "-ff",
        "-e",
        "trace=execve",
        "-s",
        "100000",
        "-o",
        str(logs / "of"),
        sys.executable,
        "-m",
        "runner",
    )
    subprocess.run(
        (*argv, "apply", "plan.toml"), cwd=place.folder, check=True, capture_output=True, timeout=PATIENCE,
        env={"PATH": "/usr/bin:/bin:/usr/sbin", "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    ran = executed(logs)
    wanted = [step for step in plan.steps if not step.unless]
    for step in wanted:
        words = getattr(step.action, "argv", None)
        assert words is None or ran.count(tuple(word.encode() for word in words)) == 1, words
    for job in plan.jobs:
        for lock in job.locks:
            assert ran.count(tuple(word.encode() for word in lock.argv)) == 1
    known = {getattr(step.action, "argv", ())[:1] for step in plan.steps}
    transfers = [argv for argv in ran if argv[:2] == (b"rsync", b"--archive")]
    assert ("rsync",) in known and len(transfers) == 1
    assert compare.differences(place.trees[0], place.copy_of(place.trees[0])) == []


def test_a_plan_is_applied_once(place: Place) -> None:
    assert place.runner("apply", "plan.toml").code == 0
    again = place.runner("apply", "plan.toml")
    assert again.code == 0 and "already done: this plan was run at" in again.out
    assert len(place.sealed) == 1


def test_a_plan_file_reads_back_as_it_was_written(place: Place, tmp_path: Path) -> None:
    plan = planfile.read(place.folder / "plan.toml", place.key)
    planfile.write(plan, tmp_path / "again.toml", place.key)
    assert (tmp_path / "again.toml").read_bytes() == (place.folder / "plan.toml").read_bytes()
    assert not list(tmp_path.glob(".again*"))


def test_a_snapshot_sealed_since_makes_it_stale(place: Place) -> None:
    assert place.runner("run", "backup-papio").code == 0
    refused(place, 5, "store papio changed: 0 snapshots, 0 interrupted snapshots then, 1 snapshot")


def test_only_a_plan_that_was_made_just_now_is_not_read_again_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.runner("run", "backup-papio").code == 0
    read: list[Sequence[str]] = []
    gather = App.gather_any

    def counted(app: App, hosts: Sequence[str], probes: Sequence[Probe] = ()) -> Facts:
        read.append(hosts)
        return gather(app, hosts, probes)

    monkeypatch.setattr(App, "gather_any", counted)
    with App(load(place.folder / "jobs.toml"), lambda event: None, threading.Event()) as app:
        path = str(place.trees[0])
        for fresh in (True, False):
            plan = restoring.restoring(app, restoring.Wanted(host="papio", path=path))
            assert len(read) == 1
            assert app.apply(plan, reviewed=False, confirmed=False, fresh=fresh)[1] == 0
            assert len(read) == 2 - fresh
            read.clear()
        # What was read last is of another host than the plan rests on.
        plan = restoring.restoring(app, restoring.Wanted(host="papio", path=path))
        app.gather(("backup-server1",))
        read.clear()
        assert app.apply(plan, reviewed=False, confirmed=False, fresh=True)[1] == 0
        assert len(read) == 1


def test_an_edited_jobs_toml_makes_it_stale(place: Place) -> None:
    with (place.folder / "jobs.toml").open("a") as file:
        file.write("# a remark\n")
    refused(place, 5, "jobs.toml changed")


def test_another_filesystem_on_a_host_makes_it_stale(place: Place, tmp_path: Path) -> None:
    tree = place.trees[0]
    subprocess.run(("mount", "-t", "tmpfs", "none", str(tree)), check=True)
    try:
        refused(place, 5, "host papio changed")
    finally:
        subprocess.run(("umount", str(tree)), check=True)


def more_of_a_command(values: dict[str, Any]) -> None:
    values["steps"][-1]["action"]["argv"].append("--more")


def nothing_found(values: dict[str, Any]) -> None:
    values["findings"] = values["basis"] = []


def another_id(values: dict[str, Any]) -> None:
    values["id"] = "20200101T000000.000Z"


def a_step_less(values: dict[str, Any]) -> None:
    del values["steps"][2]


def no_seal(values: dict[str, Any]) -> None:
    del values["seal"]


def a_time_for_a_text(values: dict[str, Any]) -> None:
    values["made_at"] = tomllib.loads("a = 2020-01-01T00:00:00Z")["a"]


def test_a_plan_file_that_was_edited_is_not_run(place: Place) -> None:
    path = place.folder / "plan.toml"
    good = path.read_text()
    for edit in (more_of_a_command, nothing_found, another_id, a_step_less, no_seal, a_time_for_a_text):
        values = tomllib.loads(good)
        edit(values)
        path.write_text(tomli_w.dumps(values))
        with pytest.raises(PlanRefused, match="changed after it was made"):
            planfile.read(path, place.key)
    said = place.runner("apply", "plan.toml")
    assert said.code == 4 and "changed after it was made" in said.err
    assert not place.store.exists()


@pytest.mark.parametrize(
    "content", [b"", b"not = [toml", b"\xff\xfe", b"format = 99\n", b"format = 2\n", b"format = 3\n"]
)
def test_what_is_no_plan_is_not_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.toml").write_bytes(content)
    with pytest.raises((UsageError, PlanRefused), match=r"plan\.toml"):
        planfile.read(tmp_path / "plan.toml", b"k" * 32)


def test_a_hook_that_refuses_stops_run_and_apply_and_people_hear_of_it(place: Place) -> None:
    hook(place, REFUSING)
    said = place.runner("run")
    assert said.code == 4 and "not on a Monday" in said.out
    assert "not on a Monday" in place.mails()[-1] and not place.store.exists()
    assert place.runner("plan", "--out", "plan.toml").code == 4
    refused(place, 4, "not on a Monday")


def hook(place: Place, source: str) -> None:
    folder = place.folder / "mysite"
    folder.mkdir()
    (folder / "keeper.py").write_text(source)
    place.declare('[hooks."mysite.keeper"]\n')


@pytest.mark.parametrize("effect", ["INTERRUPT", "DESTROY"])
def test_above_the_ceiling_nothing_runs_but_a_reviewed_plan_does(place: Place, tmp_path: Path, effect: str) -> None:
    mark = tmp_path / "mark"
    hook(place, EFFECT.format(effect=effect, mark=mark))
    said = place.runner("run", "backup-papio")
    assert said.code == 4 and f"would {effect.lower()}" in said.out
    assert not mark.exists() and not place.store.exists() and len(place.mails()) == 1
    unasked = place.runner("run")
    assert unasked.code == 3 and f"it would {effect.lower()}" in unasked.out and "needs a person" in unasked.out
    assert not mark.exists() and not place.store.exists() and len(place.mails()) == 2
    if effect == "DESTROY":
        assert place.runner("run", "--yes").code == 4 and not mark.exists()
    assert place.runner("plan", "--out", "plan.toml").code == 0
    assert place.runner("apply", "plan.toml").code == 0
    assert mark.exists() and len(place.sealed) == 1


def test_a_person_may_allow_an_interruption_with_yes(place: Place, tmp_path: Path) -> None:
    hook(place, EFFECT.format(effect="INTERRUPT", mark=tmp_path / "mark"))
    assert place.runner("run", "--yes").code == 0
    assert (tmp_path / "mark").exists()


def test_a_plan_of_the_sandbox_is_not_run_live(place: Place) -> None:
    text = (place.folder / "jobs.toml").read_text()
    (place.folder / "jobs.toml").write_text(text.replace("live = false", "live = true") + 'sendmail = "/bin/true"\n')
    said = place.runner("apply", "plan.toml")
    assert said.code == 4 and "made by another site" in said.err
    # Nor where the key is the same.
    shutil.copy(place.state / "plan.key", place.folder / "state/plan.key")
    said = place.runner("apply", "plan.toml")
    assert said.code == 5 and "jobs.toml changed: this plan was made for the sandbox" in said.out


def test_a_plan_of_another_site_is_no_plan_of_this_one(place: Place) -> None:
    text = (place.folder / "jobs.toml").read_text()
    (place.folder / "jobs.toml").write_text(text.replace('name = "babase"', 'name = "other"'))
    said = place.runner("apply", "plan.toml")
    assert said.code == 2 and "this plan is for site babase, and jobs.toml declares other" in said.out


def test_a_plan_that_cannot_be_written_is_told_in_words(place: Place) -> None:
    said = place.runner("plan", "--out", "nowhere/plan.toml")
    assert said.code == 2 and said.out == "" and "there is no folder nowhere\n  -> make it" in said.err
