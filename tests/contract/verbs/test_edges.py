"""The edges of a process: nobody who listens, no memory, an interrupt while it starts, another user, odd umasks."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import pytest

from runner import __main__ as door
from runner.cli import opening, verbs
from runner.config import load as config
from runner.jobs.catalogue import together
from runner.model.errors import UsageError
from runner.model.run import Undelivered
from runner.verbs import announce, deliver, undelivered
from tests.contract.site import PATIENCE, REPOSITORY, Place, entered, small

WITHOUT: dict[str, Callable[[], None]] = {
    "1>&-": lambda: os.close(1),
    "0<&- 1>&- 2>&-": lambda: [os.close(number) for number in (0, 1, 2)] and None,
    ">/dev/full": lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1) and None,
    ">/dev/full 2>&1": lambda: [os.dup2(os.open("/dev/full", os.O_WRONLY), number) for number in (1, 2)] and None,
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return small(tmp_path)


def started(place: Place, before: Callable[[], None], *argv: str) -> subprocess.CompletedProcess[bytes]:
    """`runner argv`, after `before` was called in its process."""
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        (sys.executable, "-m", "runner", *argv), cwd=place.folder, env=known, preexec_fn=before, timeout=PATIENCE,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_a_run_that_nobody_hears_is_a_run_and_is_mailed(place: Place) -> None:
    for number, how in enumerate(("0<&- 1>&- 2>&-", "1>&-", ">/dev/full 2>&1"), 1):
        ran = started(place, WITHOUT[how], "run", "backup-papio")
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert len(place.sealed) == len(place.mails()) == number
        # What was opened instead of them is nobody's: no output of a run is in a file of the site.
        assert place.rows("SELECT verdict FROM runs WHERE verdict = 'done'")


def test_a_question_whose_answer_nobody_takes_ends_in_a_sentence(place: Place) -> None:
    for argv in (("validate",), ("snapshots", "--json"), ("config",)):
        ran = started(place, WITHOUT[">/dev/full"], *argv)
        assert ran.returncode == 1
        assert ran.stderr.startswith(b"runner: standard output cannot be written: No space left on device\n  -> ")
        assert started(place, WITHOUT["1>&-"], *argv).returncode == 0
    assert started(place, WITHOUT[">/dev/full 2>&1"], "run", "no-such-job").returncode == 2


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_whatever_the_umask_all_that_is_made_is_closed_to_others(place: Place, mask: int) -> None:
    def masked() -> None:
        os.umask(mask)

    for argv in (("plan", "backup-papio", "--out", "plan.toml"), ("apply", "plan.toml")):
        assert started(place, masked, *argv).returncode == 0, argv
    assert len(place.sealed) == 1
    made = (path.lstat().st_mode for path in place.folder.rglob("*") if not path.is_symlink())
    assert not any(mode & 0o022 for mode in made)


@pytest.mark.parametrize("where", ["parsing", "telling"])
def test_a_process_without_memory_says_so(
    where: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise MemoryError

    if where == "telling":
        # Of what it takes to tell it something cannot be loaded either.
        monkeypatch.setattr("runner.cli.terminal.show.complain", refuse)
    monkeypatch.setattr(verbs, "parse", refuse)
    assert door.run(("status",)) == 1
    said = capfd.readouterr().err
    assert said.startswith("runner: it ran out of memory") and "\n  -> raise the limit" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("limit", "ends"), [(resource.RLIM_INFINITY, False), (1 << 40, True)])
def test_a_part_of_the_runner_that_is_broken_is_no_want_of_memory(
    limit: int, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise ImportError("undefined symbol: x")

    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    monkeypatch.setattr("runner.cli.terminal.show.complain", refuse)
    monkeypatch.setattr(verbs, "parse", refuse)
    with nullcontext() if ends else pytest.raises(ImportError, match="undefined symbol"):
        assert door.run(("status",)) == 1


@pytest.mark.parametrize("where", ["an old report", "an announcement", "this report"])
def test_a_bug_beside_a_run_keeps_its_report_from_nobody_and_the_run_has_an_end(
    where: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise ValueError(f"a bug in {where}")

    asked = iter((broken,))
    whole = deliver.outcome.job_reports

    def broken_once(*about: Any) -> object:
        return next(asked, whole)(*about)

    match where:
        case "an old report":
            monkeypatch.setattr(undelivered, "catch_up", broken)
        case "an announcement":
            monkeypatch.setattr(announce, "settle", broken)
        case _:
            monkeypatch.setattr(deliver.outcome, "job_reports", broken_once)
    assert door.run(("run", "backup-papio", "--file", str(place.folder / "jobs.toml"))) == 70
    (mail,) = place.mails()
    assert len(place.sealed) == 1 and f"a bug in {where}" in mail
    # Of what cannot be told the report is made without.
    assert ("sealed papio/" in mail) == (where != "this report")
    assert place.rows("SELECT verdict, killed FROM runs") == [{"verdict": "failed", "killed": 0}]
    history = place.runner("history", "--json").json
    assert [(run["verdict"], run["killed"]) for run in history] == [("failed", False)]


@pytest.mark.parametrize("kept", [True, False])
def test_a_report_that_is_not_kept_is_not_said_to_be_sent_later(
    kept: bool, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failed = (Undelivered(hook="mail", why="451"), Undelivered(hook="state", why="full", for_good=not kept))
    monkeypatch.setattr(undelivered, "deliver", lambda desk, report: failed)
    assert door.run(("run", "backup-papio", "--file", str(place.folder / "jobs.toml"))) == 6
    later = ", and is sent before the next one" if kept else ""
    assert f"the report could not be delivered{later}: mail: 451; state: full" in capfd.readouterr().out


def test_an_interrupt_while_it_starts_is_one_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "parse", interrupt)
    assert door.run(("run",)) == 1
    assert capfd.readouterr() == ("", "runner: interrupted\n")


@pytest.fixture
def theirs() -> Iterator[Place]:
    with entered() as folder:
        yield small(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("closed", ["site/sandbox", "site"])
def test_another_user_hears_whose_site_it_is(theirs: Place, closed: str) -> None:
    assert theirs.runner("run").code == 0
    site = config.load(theirs.folder / "jobs.toml", kinds=together(()))
    shut = theirs.folder.parent / closed
    theirs.folder.chmod(0o755)
    shut.chmod(0o700)
    opening._require_own(site)
    os.seteuid(65534)
    try:
        words = rf"this site is kept by root, and \w+ may not work in {re.escape(str(shut))}\n.*run it as root"
        with pytest.raises(UsageError, match=words):
            opening._require_own(site)
    finally:
        os.seteuid(0)


FILLER = """
import os
from runner.hookspecs import hookimpl
from runner.model.event import StepFinished
from runner.model.role import Role

class Filler:
    @hookimpl
    def observe(self, event):
        if isinstance(event, StepFinished) and event.step.role == Role.SEAL:
            with open("sandbox/state/filler", "wb", buffering=0) as file:
                while True:
                    file.write(b"x")

def plugin(settings):
    return Filler()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_what_was_sealed_before_the_state_was_full_is_in_the_message(place: Place) -> None:
    place.declare('[hooks."mysite.filler"]\n')
    (place.folder / "mysite").mkdir()
    (place.folder / "mysite/filler.py").write_text(FILLER)
    place.state.mkdir(parents=True, mode=0o700)
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", str(place.state)), check=True)
    try:
        ran = place.runner("run")
        assert ran.code == 3, ran
    finally:
        subprocess.run(("umount", str(place.state)), check=True)
    (mail,) = place.mails()
    assert ran.code == 3 and len(place.sealed) == 1
    words = " ".join(mail.split())
    assert f"sealed papio/{place.sealed[0].name}, but then about failed: not begun: the journal" in words
    assert "what was done could not be recorded" in words
    # The record in the store is what the next run goes by.
    again = place.runner("run")
    assert again.code == 0 and "is sealed" in again.out
