"""What the README shows is what there is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

from runner.agent.__main__ import VERBS
from runner.cli.run import hints
from runner.config import load as config
from runner.jobs.catalogue import only_live, together
from runner.model.run import JobReport, Verdict
from runner.report.line import plain
from tests.contract.mail_parts import FAILED

ROOT = Path(__file__).parents[3]


def test_the_readme_shows_the_help_as_it_is() -> None:
    environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    argv = (sys.executable, "-m", "runner", "--help")
    ran = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stdout
    shown = "".join(f"    {line}".rstrip() + "\n" for line in ran.splitlines())
    assert f"    $ runner --help\n{shown}" in (ROOT / "README.md").read_text("utf-8")


def test_the_readme_shows_the_plan_of_a_first_run_as_it_is(tmp_path: Path) -> None:
    shutil.copy(ROOT / "jobs.toml", tmp_path)
    argv = (sys.executable, "-m", "runner", "plan")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path).stdout
    shown = (ROOT / "README.md").read_text("utf-8").partition("    $ make run\n")[2]
    jobs = timeless(ran.split("\n\n")[1])
    assert len(jobs) == 6
    assert [line.removeprefix("    ") for line in timeless(shown.split("\n\n")[1])[: len(jobs)]] == jobs


def test_what_the_sandbox_has_nothing_for_is_named_once_and_is_not_due_for_ever(tmp_path: Path) -> None:
    shutil.copy(ROOT / "jobs.toml", tmp_path)
    jobs = tomllib.loads((ROOT / "jobs.toml").read_text("utf-8"))["jobs"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(*words: str) -> str:
        argv = (sys.executable, "-m", "runner", *words)
        return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path).stdout

    absent = [name for name, job in jobs.items() if only_live(job["kind"])]
    assert f"  not in the sandbox: {', '.join(absent)}\n" in run("status")
    skipped = json.loads(run("plan", "--json", *jobs))["skips"]
    assert {skip["job"] for skip in skipped} >= set(absent)
    planned = {job["name"] for job in json.loads(run("plan", "--json", *set(jobs).difference(absent)))["jobs"]}
    assert planned >= {"backup-papio", "backup-backup-server1", "purge-papio"}


def test_the_readme_shows_what_comes_next_as_it_is(tmp_path: Path) -> None:
    shutil.copy(ROOT / "jobs.toml", tmp_path)
    site = config.load(tmp_path / "jobs.toml", kinds=together(()))
    Path(site.sandbox, "mail").mkdir(parents=True)
    made = tuple(JobReport(job="", verdict=Verdict.DONE, headline="", made=f"{each.name}/x") for each in site.stores)
    told = plain(tuple(hints(site, replace(FAILED, verdict=Verdict.DONE, jobs=made))))
    shown = (ROOT / "README.md").read_text("utf-8").partition("    Next\n")[2].partition("\n\n")[0]
    left = [line[:17] for line in told.splitlines() if line.startswith("  ")]
    assert [line.removeprefix("    ")[:17] for line in shown.splitlines()] == left
    assert "  get a file back" in left


def timeless(text: str) -> list[str]:
    """The lines without what is of another day."""
    return re.sub(r"20\d\d-\d\d-\d\d(T\d{6}Z)?", "DAY", text).splitlines()


def test_make_help_lists_every_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    ran = subprocess.run(("make", "-C", str(ROOT), "help"), capture_output=True, text=True, check=True).stdout
    assert targets == set(
        [
            "help",
            "run",
            "plan",
            "apply",
            "status",
            "test",
            "test-all",
            "lab",
            "vm",
            "soak",
            "mutants",
            "lint",
            "schema",
            "lock",
            "bench",
            "wheels",
            "clean",
        ]
    )
    assert all(f"make {target}" in ran for target in targets)


def test_every_verb_of_the_program_at_the_disk_is_in_its_manual() -> None:
    manual = (ROOT / "docs/store.md").read_text("utf-8")
    assert [verb for verb in VERBS if not re.search(rf"`{verb}\b", manual)] == []


def test_every_document_that_is_linked_is_there() -> None:
    for document in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            assert (document.parent / link).exists(), f"{document.name} links {link}"


def test_what_the_guide_says_it_says_is_said_in_these_words() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "runner").rglob("*.py"))
    # A sentence may be cut over two lines of source.
    ran = re.sub(r'"\s*\n\s*f?"', "", sources)
    table = (ROOT / "docs/guide.md").read_text("utf-8").partition("## Who tried to get in")[2]
    rows = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(rows) > 10
    for row in rows:
        for words in re.split(r"\.\.\.|papio|\bN\b|send-1|:", row):
            assert words.strip(" ,") in ran, f"nothing says {words!r} of {row!r}"
