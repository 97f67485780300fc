"""Steps that wait for a host, that run in spite of a failure, that outlive a connection; locks that end."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.agent.host.contract.sessions import Up
from runner.agent.packages.contract import Outdated
from runner.jobs.power.before import Before
from runner.jobs.power.halt import Halt, halt_steps
from runner.model.event import Waiting
from runner.model.facts import Facts, HostFacts
from runner.model.options import HaltOptions
from runner.model.plan import Check, Effect, Lock, Plan, PlannedJob, Step, WaitFor
from runner.model.run import Outcome, Pass, State
from runner.model.site import Disk, Host, Job
from runner.planning.passes import again, waits
from tests.contract.engine.test_execute import HELD, NOW, Stage, stage, states, step
from tests.unit import parts

__all__ = ["stage"]


def wait(name: str, answers: Path, *, within: int = 20, gone: bool = False) -> Step:
    """Waits for `{"up": true}` in a file that the test writes; a file that is missing is a broken connection."""
    claim = Check(
        host="here",
        argv=("sh", "-c", 'cat -- "$0" || exit 255', str(answers)),
        field="up",
        relation="==",
        value=True,
        why="it is up",
    )
    return replace(step(name), action=WaitFor(until=claim, within=within, every=1, gone=gone))


def later(seconds: float, file: Path, text: str | None) -> threading.Thread:
    def write() -> None:
        time.sleep(seconds)
        file.unlink() if text is None else file.write_text(text)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_a_wait_outlasts_silence_and_wrong_answers_and_says_how_long_it_took(stage: Stage, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    threads = (later(1.2, answers, '{"up": false}'), later(3.2, answers, '{"up": true, "kernel": "6.1"}'))
    (outcome,) = stage.run(wait("a/back", answers))
    for thread in threads:
        thread.join()
    assert outcome.state == State.DONE
    assert outcome.result["kernel"] == "6.1" and 3 <= outcome.result["waited"] <= 8
    seen = [event.seen for event in stage.told if isinstance(event, Waiting)]
    assert seen[0].startswith("no answer") and "up is False" in seen[1] and len(seen) == 3


def test_a_wait_that_is_given_up_says_what_was_seen_last(stage: Stage, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    answers.write_text('{"up": false, "kernel": "5.10"}')
    (outcome, after) = stage.run(wait("a/back", answers, within=2), step("a/after"))
    assert (outcome.state, after.state) == (State.FAILED, State.NOT_REACHED)
    assert "given up after 2" in outcome.note and "up is False" in outcome.note
    assert outcome.result["kernel"] == "5.10"


def test_what_a_host_said_before_it_fell_silent_is_not_told_as_seen_last(stage: Stage, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    answers.write_text('{"up": false, "error": "it answers, but is still in the boot from before"}')
    thread = later(1.5, answers, None)
    (outcome,) = stage.run(wait("a/back", answers, within=5))
    thread.join()
    assert outcome.state == State.FAILED and "error" not in outcome.result
    assert "last seen: no answer" in outcome.note and "the last answer came after" in outcome.note


def test_gone_is_three_silences_in_a_row(stage: Stage, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    answers.write_text('{"up": true}')
    thread = later(1.5, answers, None)
    (outcome,) = stage.run(wait("a/gone", answers, gone=True))
    thread.join()
    assert outcome.state == State.DONE and outcome.result["waited"] >= 3
    answers.write_text('{"up": true}')
    (outcome,) = stage.run(wait("a/gone", answers, within=2, gone=True))
    assert outcome.state == State.FAILED
    answers.write_text('{"error": "its disk cannot be read"}')
    (outcome,) = stage.run(wait("a/gone", answers, within=5, gone=True))
    assert outcome.state == State.FAILED


def test_a_person_can_end_a_wait_at_once(stage: Stage, tmp_path: Path) -> None:
    threading.Timer(1.0, stage.stop.set).start()
    begun = time.monotonic()
    (outcome,) = stage.run(wait("a/back", tmp_path / "never", within=600))
    assert outcome.state == State.INTERRUPTED and time.monotonic() - begun < 10


def test_what_undoes_a_failed_step_runs_and_nothing_else_does(stage: Stage, tmp_path: Path) -> None:
    mark = tmp_path / "held again"
    hold = replace(step("a/hold", "touch", str(mark)), despite=("a/unhold", "a/upgrade"))
    outcomes = stage.run(step("a/unhold"), step("a/upgrade", "false"), step("a/other"), hold, step("a/reboot"))
    assert states(outcomes) == ["done", "failed", "not reached", "done", "not reached"]
    assert mark.exists()


def test_what_undoes_does_not_run_when_something_else_failed(stage: Stage, tmp_path: Path) -> None:
    hold = replace(step("a/hold", "touch", str(tmp_path / "mark")), despite=("a/upgrade",))
    assert states(stage.run(step("a/refresh", "false"), step("a/upgrade"), hold)) == [
        "failed", "not reached", "not reached",
    ]  # fmt: skip
    assert not (tmp_path / "mark").exists()


def test_all_that_is_wrong_is_found_by_steps_that_run_despite_each_other(stage: Stage) -> None:
    names = ("a/kernel", "a/disk", "a/page")
    looks = [replace(step(name, "false"), despite=tuple(one for one in names if one != name)) for name in names]
    assert states(stage.run(*looks)) == ["failed"] * 3


def test_stopping_a_run_still_lets_it_undo_what_it_began(stage: Stage, tmp_path: Path) -> None:
    began, mark = tmp_path / "began", tmp_path / "held again"
    upgrade = step("a/upgrade", "sh", "-c", f"touch {began}; sleep 60")
    hold = replace(step("a/hold", "touch", str(mark)), despite=("a/upgrade",))
    threading.Thread(target=stage.stop_when, args=(began,)).start()
    assert states(stage.run(upgrade, hold, step("a/reboot"))) == ["interrupted", "done", "not reached"]
    assert mark.exists()


def test_a_lock_may_be_lost_from_the_step_on_that_takes_it_away(stage: Stage, tmp_path: Path) -> None:
    write = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(__import__('os').getpid()))"
    source = HELD.replace("sys.stdin", f"{write}; sys.stdin")
    lock = Lock(resource="power", host="here", argv=(sys.executable, "-c", source), until="a/reboot")
    kill = step("a/reboot", "sh", "-c", f"kill -9 $(cat {tmp_path / 'pid'}); sleep 1")

    until_ready = step("a/still", "sh", "-c", f"while [ ! -s {tmp_path / 'pid'} ]; do sleep 0.1; done")
    assert states(stage.run(until_ready, kill, step("a/back"), locks=(lock,))) == ["done"] * 3
    (tmp_path / "pid").unlink()
    early = replace(kill, id="a/early")
    outcomes = stage.run(until_ready, early, step("a/reboot"), locks=(lock,))
    assert states(outcomes)[1:] == ["interrupted", "not reached"] and "lock was lost" in outcomes[1].note


@pytest.mark.parametrize("code", [255, None])
def test_a_detached_step_that_lost_its_connection_is_taken_up_again_and_waited_for(code: int | None) -> None:
    detached = replace(step("a/install"), detached=True)
    plan = Plan(
        id="p", made_at=NOW, site="s", live=True, jobs=(PlannedJob(name="a", kind="updates"),), steps=(detached,)
    )
    cut = Outcome(step="a/install", job="a", state=State.INTERRUPTED, exit=code)
    assert again(Pass(plan=plan, outcomes=(cut,))) == ("a",)
    assert waits(Pass(plan=plan, outcomes=(cut,)))
    plain = replace(plan, steps=(step("a/install"),))
    assert again(Pass(plan=plain, outcomes=(cut,))) == ()


def test_exit_255_interrupts_a_detached_step_and_fails_any_other(stage: Stage) -> None:
    gone = step("a/install", "sh", "-c", "exit 255")
    assert states(stage.run(replace(gone, detached=True))) == ["interrupted"]
    assert states(stage.run(gone)) == ["failed"]


def test_a_wait_reads_the_last_line_as_json_and_nothing_else(stage: Stage, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    answers.write_text(f"{json.dumps({'up': True})}\nnoise\n")
    (outcome,) = stage.run(wait("a/back", answers, within=2))
    assert outcome.state == State.FAILED


@pytest.mark.parametrize(
    ("unmounts", "ends", "goes", "mounted"),
    [
        ("true", "true", True, "not needed"), ("true", "false", False, "done"), ("false", "true", False, "not reached"),
        ("true", "true", False, "not reached"),
    ],
)  # fmt: skip
def test_what_a_halt_unmounted_is_mounted_again_only_where_the_host_was_not_switched_off(
    stage: Stage, tmp_path: Path, unmounts: str, ends: str, goes: bool, mounted: str
) -> None:
    disk = Disk(name="disk", host="here", device="/dev/none", mount=str(tmp_path / "disk"))
    host = Host(name="here", address="")
    job = Job(name="a", kind="halt", host="here", options=HaltOptions(start="the button"))
    site = replace(parts.site(), hosts=(host,), controller="other", disks=(disk,), stores=(), jobs=(job,))
    mounted_now = replace(parts.facts().hosts["papio"].filesystems[0], mount=disk.mount)
    halt = Halt(
        site=site, job=job, options=job.options, before=Before(up=Up(boot_id="boot"), outdated=Outdated(), systemd=None),
        facts=Facts(at=NOW, hosts={"here": HostFacts(name="here", filesystems=(mounted_now,))}),
    )  # fmt: skip
    answers = tmp_path / "answers"
    if not goes:
        answers.write_text('{"up": true}')
    stand_ins = {
        "a/unmount-disk": step("a", unmounts).action, "a/poweroff": step("a", ends).action,
        "a/gone": wait("a", answers, within=4, gone=True).action,
    }  # fmt: skip
    steps = [replace(one, action=stand_ins.get(one.id, step("a").action), guard=None) for one in halt_steps(halt)]
    outcomes = {one.step: one.state.value for one in stage.run(*steps)}
    assert outcomes["a/mount-disk"] == mounted


def test_a_lock_that_is_lost_while_the_guard_of_its_last_step_is_read_keeps_that_step_from_acting(
    stage: Stage, tmp_path: Path
) -> None:
    dies = "import time; print('{\"held\": true}', flush=True); time.sleep(1.5)"
    lock = Lock(resource="r", host="here", argv=(sys.executable, "-c", dies), until="a/reboot")
    slow = ("sh", "-c", "sleep 3; echo '{\"idle\": true}'")
    guard = Check(host="here", argv=slow, field="idle", relation="==", value=True, why="it is idle")
    down = replace(step("a/reboot", "touch", str(tmp_path / "down")), guard=guard)
    (outcome,) = stage.run(down, locks=(lock,))
    assert outcome.state == State.INTERRUPTED and not (tmp_path / "down").exists()


def test_a_host_whose_program_cannot_be_run_any_more_is_not_gone(stage: Stage, tmp_path: Path) -> None:
    gone = wait("a/gone", tmp_path, within=12, gone=True)
    assert isinstance(gone.action, WaitFor)
    broken = replace(gone.action.until, argv=("sh", "-c", "exit 126"))
    (outcome,) = stage.run(replace(gone, action=replace(gone.action, until=broken)))
    assert outcome.state == State.FAILED


def test_a_wait_that_a_person_stops_says_what_was_seen_last(stage: Stage, tmp_path: Path) -> None:
    back = wait("a/back", tmp_path, within=600)
    assert isinstance(back.action, WaitFor)
    hangs = replace(back.action.until, argv=("sleep", "30"))
    threading.Timer(1.0, stage.stop.set).start()
    begun = time.monotonic()
    (outcome,) = stage.run(replace(back, action=replace(back.action, until=hangs)))
    assert time.monotonic() - begun < 8
    assert outcome.state == State.INTERRUPTED
    assert outcome.note.startswith("stopped while it ran; waited ") and "last seen: nothing yet" in outcome.note


def test_stopping_a_run_ends_the_looks_that_are_taken_despite_each_other(stage: Stage, tmp_path: Path) -> None:
    settled, never = (replace(wait("a/settled", tmp_path / "never", within=600), effect=Effect.READ), tmp_path / "n")
    page = replace(wait("a/page", never, within=600), effect=Effect.READ, despite=("a/settled",))
    mark = tmp_path / "put on again"
    put_on = replace(step("a/put-on", "touch", str(mark)), despite=("a/settled", "a/page"))
    threading.Timer(1.0, stage.stop.set).start()
    begun = time.monotonic()
    outcomes = stage.run(settled, page, put_on)
    assert time.monotonic() - begun < 8
    assert states(outcomes) == ["interrupted", "interrupted", "done"]
    assert outcomes[1].note == "stopped before it began" and mark.exists()


def test_a_lock_that_went_with_its_host_is_not_waited_for(stage: Stage, tmp_path: Path) -> None:
    # Its connection has not noticed yet that the host is gone: nothing ends it.
    deaf = "import time; print('{\"held\": true}', flush=True); time.sleep(60)"
    argv = (sys.executable, "-c", deaf)
    locks = tuple(
        Lock(resource=name, host="here", argv=argv, until="a/reboot") for name in ("power", "dumps", "drill", "store")
    )
    begun = time.monotonic()
    assert states(stage.run(step("a/reboot"), locks=locks)) == ["done"]
    assert time.monotonic() - begun < 8
