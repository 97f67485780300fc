"""A detached command comes to its end and is known to have, whoever goes away or is killed meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.detached.contract import DetachAnswer
from runner.agent.host import processes
from runner.engine.probe import runner_agent
from runner.tools import answers
from tests.contract.sshd import sshd
from tests.contract.storehouse import execute
from tests.contract.two_hosts import PLAN, STEP, HostHouse, wait_for

ESCAPES = r"""printf 'a\033[31mred\nold\rnew\r\n\377\n'"""


@pytest.fixture
def house(tmp_path: Path) -> HostHouse:
    (tmp_path / "root/etc").mkdir(parents=True)
    return HostHouse(state=tmp_path / "state", locks=tmp_path / "locks")


@pytest.fixture
def slow(tmp_path: Path, house: HostHouse) -> Iterator[tuple[str, ...]]:
    """A command that runs until it is let go, says where it is, and ends with 7."""
    gate, there = tmp_path / "gate", tmp_path / "there"
    script = f"echo begun; echo $$ >> {there}; while ! test -e {gate}; do sleep 0.05; done; echo over; exit 7"
    yield ("--", "sh", "-c", script)
    gate.touch()
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not any(each["alive"] for each in house.detached()))


def begun(tmp_path: Path) -> int:
    """How often the slow command was begun."""
    return len((tmp_path / "there").read_text().splitlines()) if (tmp_path / "there").exists() else 0


def test_the_answer_says_how_it_ended_and_what_it_printed(house: HostHouse) -> None:
    result = house.detach("--", "sh", "-c", f"{ESCAPES}; cat; echo $LC_ALL,$LANGUAGE,$DEBIAN_FRONTEND >&2; exit 3")
    assert result.code == 3
    answer = answers.read(result.out.decode(), DetachAnswer)
    assert answer
    assert (answer.exit, answer.lines, answer.note) == (3, 4, "")
    assert answer.log == (r"a\x1b[31mred", "new", r"\xff", "C,,noninteractive")
    listed = house.detached()
    assert [(each["plan"], each["step"], each["exit"], each["alive"]) for each in listed] == [(PLAN, STEP, 3, False)]


def test_a_command_that_cannot_be_started_has_ended_too(house: HostHouse) -> None:
    result = house.detach("--", "/no/such/program")
    assert result.code == 127
    assert "could not be started" in result.answer["log"][0]


def test_a_command_that_was_killed_ends_as_a_shell_would_say(house: HostHouse) -> None:
    assert house.detach("--", "sh", "-c", "kill -9 $$").answer["exit"] == 137


def test_the_same_step_is_never_begun_twice(house: HostHouse, tmp_path: Path) -> None:
    command = ("--", "sh", "-c", f"echo x >> {tmp_path}/there; exit 5")
    first = house.detach(*command)
    assert house.detach(*command).answer == first.answer
    assert house.again().answer == first.answer
    assert begun(tmp_path) == 1
    other = house.detach("--", "true")
    assert (other.code, "another command" in other.answer["error"]) == (1, True)


def test_two_at_once_begin_it_once_and_get_the_same_answer(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    fronts = [house.front(*slow) for _ in range(6)]
    wait_for(lambda: begun(tmp_path) > 0)
    time.sleep(0.3)
    (tmp_path / "gate").touch()
    answers = [front.communicate(timeout=30)[0] for front in fronts]
    assert len(set(answers)) == 1
    assert {front.returncode for front in fronts} == {7}
    assert begun(tmp_path) == 1


@pytest.mark.parametrize("how", ["KILL", "TERM", "HUP", "INT"])
def test_it_goes_on_when_its_caller_is_ended(house: HostHouse, slow: tuple[str, ...], tmp_path: Path, how: str) -> None:
    with house.front(*slow) as front:
        wait_for(lambda: begun(tmp_path) == 1)
        os.killpg(front.pid, getattr(signal, f"SIG{how}"))
        # The pipes end at once: that is what lets an ssh channel close.
        assert front.communicate(timeout=30)[1] == b""
    assert [(each["alive"], each["exit"], each["ended"]) for each in house.detached()] == [(True, None, None)]
    (tmp_path / "gate").touch()
    result = house.again()
    assert (result.code, result.answer["exit"], result.answer["log"]) == (7, 7, ["begun", "over"])
    assert begun(tmp_path) == 1


def test_a_caller_that_nobody_listens_to_any_more_harms_nothing(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    with house.front(*slow) as front:
        assert front.stdout and front.stderr
        wait_for(lambda: begun(tmp_path) == 1)
        front.stdout.close()
        front.stderr.close()
        (tmp_path / "gate").touch()
    assert house.again().answer["exit"] == 7


def test_a_command_outlives_what_looks_after_it_and_nobody_takes_its_place(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    with house.held(), house.front("--packages=dpkg", *slow) as front:
        wait_for(lambda: (house.folder / "child.json").exists() and begun(tmp_path) == 1)
        house.kill_worker()
        os.killpg(front.pid, signal.SIGKILL)
    assert [(each["alive"], each["exit"]) for each in house.detached()] == [(True, None)]
    assert house.hold().code == 75
    (tmp_path / "gate").touch()
    result = house.again()
    assert (result.code, result.answer["exit"], result.answer["log"]) == (1, None, ["begun", "over"])
    assert "was killed" in result.answer["note"]
    assert house.hold().code == 0
    assert house.again().answer == result.answer


def test_a_machine_that_went_down_in_the_middle_is_told_so(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    with house.front(*slow) as front:
        wait_for(lambda: (house.folder / "child.json").exists() and begun(tmp_path) == 1)
        house.kill_worker()
        os.kill(house.began("child.json")["pid"], signal.SIGKILL)
        os.killpg(front.pid, signal.SIGKILL)
    (tmp_path / "gate").touch()
    for name in ("began.json", "child.json"):
        about = {**house.began(name), "boot_id": "the one before"}
        (house.folder / name).write_text(json.dumps(about))
    assert [(each["alive"], each["exit"], each["ended"]) for each in house.detached()] == [(False, None, None)]
    result = house.detach(*slow)
    assert (result.code, result.answer["exit"]) == (1, None)
    assert "restarted in the middle" in result.answer["note"]
    assert begun(tmp_path) == 1


def test_a_process_that_has_the_number_of_the_command_is_not_the_command(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    with house.front(*slow) as front:
        wait_for(lambda: (house.folder / "child.json").exists() and begun(tmp_path) == 1)
        house.kill_worker()
        os.kill(house.began("child.json")["pid"], signal.SIGKILL)
        os.killpg(front.pid, signal.SIGKILL)
    about = {**house.began("child.json"), "pid": os.getpid()}
    (house.folder / "child.json").write_text(json.dumps(about))
    assert not house.detached()[0]["alive"]


def test_a_shutdown_that_ends_the_command_is_written_down(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    with house.front(*slow) as front:
        wait_for(lambda: (house.folder / "child.json").exists() and begun(tmp_path) == 1)
        house.kill_worker(signal.SIGTERM)
        time.sleep(0.1)
        os.kill(house.began("child.json")["pid"], signal.SIGTERM)
        assert front.wait(timeout=30) == 128 + signal.SIGTERM
    assert house.began("ended.json")["exit"] == 143


def test_nothing_is_begun_without_the_lock_on_the_packages(house: HostHouse, tmp_path: Path) -> None:
    command = ("--packages=dpkg", "--", "touch", str(tmp_path / "there"))
    result = house.detach(*command)
    assert (result.code, "nobody holds" in result.answer["error"]) == (1, True)
    with house.held(plan="another"):
        result = house.detach(*command)
        assert (result.code, result.answer["holder"]["plan"]) == (75, "another")
    assert not (tmp_path / "there").exists()
    assert house.detached() == []
    with house.held():
        assert house.detach(*command).code == 0
    assert (tmp_path / "there").exists()


def test_the_next_step_of_the_plan_finds_the_lock_free(house: HostHouse) -> None:
    with house.held():
        for number in range(8):
            assert house.detach("--packages=dpkg", "--", "true", step=f"job/{number}").code == 0


def test_waiting_can_be_given_up_and_stops_nothing(house: HostHouse, slow: tuple[str, ...], tmp_path: Path) -> None:
    result = house.detach("--within=1", *slow)
    assert (result.code, "was not stopped" in result.answer["error"]) == (1, True)
    assert house.detached()[0]["alive"]
    (tmp_path / "gate").touch()
    assert house.again().code == 7


def test_what_comes_after_is_run_however_the_command_ended(house: HostHouse, tmp_path: Path) -> None:
    after = json.dumps(["sh", "-c", f"echo held again; touch {tmp_path}/after"])
    result = house.detach(f"--then={after}", "--", "sh", "-c", "echo broken; exit 100")
    assert (result.code, result.answer["log"]) == (100, ["broken", "held again"])
    assert [each["exit"] for each in result.answer["then"]] == [0]
    assert (tmp_path / "after").exists()
    result = house.detach('--then=["false"]', "--", "true", step="job/other")
    assert (result.code, result.answer["exit"]) == (1, 1)
    answer = answers.read(result.out.decode(), DetachAnswer)
    assert answer
    assert answer.then == ((("false",), 1),)


def test_what_comes_after_is_run_although_the_caller_is_gone(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    with house.front(f'--then=["touch", "{tmp_path}/after"]', *slow) as front:
        wait_for(lambda: begun(tmp_path) == 1)
        front.kill()
    (tmp_path / "gate").touch()
    assert house.again().code == 7
    assert (tmp_path / "after").exists()


def test_a_flood_of_output_stays_small_and_its_ends_are_kept(house: HostHouse, tmp_path: Path) -> None:
    flood = (
        "echo first; i=0; while test $i -lt 60; do head -c 1000000 /dev/zero | tr '\\0' '\\n'; i=$((i+1)); done;"
        f"sleep 0.5; stat --format=%b {house.folder}/output > {tmp_path}/blocks; echo last"
    )
    result = house.detach("--", "sh", "-c", flood)
    assert (result.code, result.answer["log"][-1], result.answer["lines"]) == (0, "last", 60_000_002)
    assert int((tmp_path / "blocks").read_text()) * 512 < 12 * 1024 * 1024
    output = (house.folder / "output").read_bytes()
    assert len(output) < 600 * 1024
    assert output.startswith(b"first\n")
    assert b"bytes are left out here" in output


def test_configuration_files_that_are_new_are_named(house: HostHouse, tmp_path: Path) -> None:
    etc = tmp_path / "root/etc"
    (etc / "known.rpmnew").touch()
    (etc / "again.dpkg-dist").touch()
    script = f"cd {etc}; mkdir d; touch d/a.conf.dpkg-dist b.ucf-dist c.conf; rm again.dpkg-dist; touch again.dpkg-dist"
    (etc / "b").touch()
    answer = house.detach("--", "sh", "-c", script).answer
    assert answer["conffiles"] == ["/etc/again.dpkg-dist", "/etc/b.ucf-dist", "/etc/d/a.conf.dpkg-dist"]
    assert answer["gone"] == ["/etc/again.dpkg-dist", "/etc/d/a.conf.dpkg-dist"], "a person removed these"


def test_the_program_may_be_replaced_by_the_very_command_that_it_runs(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    installed = tmp_path / "runner-agent"
    installed.write_bytes(runner_agent())
    shipped = HostHouse(state=house.state, locks=house.locks, program=(*house.program[:1], "-I", str(installed)))
    with shipped.front(*slow) as front:
        wait_for(lambda: begun(tmp_path) == 1)
        (tmp_path / "other").write_bytes(b"# nothing\n")
        (tmp_path / "other").rename(installed)
        (tmp_path / "gate").touch()
        out, err = front.communicate(timeout=30)
    assert (front.returncode, err) == (7, b"")
    assert json.loads(out)["log"] == ["begun", "over"]


def test_a_lost_connection_stops_nothing_and_the_next_one_gets_the_answer(
    house: HostHouse, slow: tuple[str, ...], tmp_path: Path
) -> None:
    installed = tmp_path / "runner-agent"
    installed.write_bytes(runner_agent())
    with sshd(tmp_path / "sshd") as server:
        over = HostHouse(
            state=house.state,
            locks=house.locks,
            program=(
                "ssh", "-F", "none", "-i", str(server.key), "-p", str(server.port), "-o", "BatchMode=yes",
                "-o", f"UserKnownHostsFile={server.known_hosts}", "127.0.0.1", "/usr/bin/python3", str(installed),
            ),
        )  # fmt: skip
        command = (*slow[:-1], shlex.quote(slow[-1]))
        with over.front(*command) as lost:
            wait_for(lambda: begun(tmp_path) == 1)
            for connection in server.connections():
                os.kill(connection, signal.SIGKILL)
            assert lost.wait(timeout=30) == 255
        assert over.detached()[0]["alive"]
        (tmp_path / "gate").touch()
        result = over.again()
        assert (result.code, result.answer["exit"], result.answer["log"]) == (7, 7, ["begun", "over"])
        assert begun(tmp_path) == 1
        # And a connection whose caller is killed on this side closes at once, though the command goes on.
        (tmp_path / "gate").unlink()
        with over.front("--step=job/second", *command) as lost:
            wait_for(lambda: begun(tmp_path) == 2)
            lost.kill()
        wait_for(lambda: server.connections() == [])
        assert over.detached()[0]["alive"]
        (tmp_path / "gate").touch()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_the_answer_is_written_although_the_command_filled_the_disk(house: HostHouse) -> None:
    house.state.mkdir()
    fill = f"dd if=/dev/zero of={house.state}/rubbish bs=64k 2>/dev/null; exit 9"
    inside = (
        f"mount -t tmpfs -o size=3m none {house.state} || exit 99;"
        ' "$@"; code=$?; rm -f "$0"; exit $code'
    )  # fmt: skip
    argv = house.detach_argv("--", "sh", "-c", fill)
    result = execute(("unshare", "--mount", "sh", "-c", inside, "-", *argv))
    assert (result.code, result.answer["exit"]) == (9, 9)


def earlier(house: HostHouse, count: int, unseen: tuple[int, ...] = ()) -> None:
    """So many commands were begun before, a second each, and a person knows how they ended, but for the `unseen`."""
    for number in range(count):
        folder = house.state / f"detached/old-{number:02}.x"
        folder.mkdir(parents=True)
        about = {"plan": f"old-{number:02}", "step": "x", "started": f"2026-11-01T00:00:{number:02}.000000Z"}
        (folder / "began.json").write_text(json.dumps(about))
        if number not in unseen:
            (folder / "seen").touch()


def test_the_oldest_are_forgotten_but_never_one_whose_end_nobody_saw(house: HostHouse) -> None:
    earlier(house, 60, unseen=(3, 5))
    assert house.detach("--", "true").code == 0
    left = sorted(path.name for path in (house.state / "detached").iterdir())
    assert [name for name in left if name < "old-10.x" and name.startswith("old")] == ["old-03.x", "old-05.x"]
    assert len(left) == 50 + 2 + 1
    assert len(house.detached()) == 50


def test_a_removal_that_is_cut_off_leaves_no_command_whose_end_nobody_saw(house: HostHouse) -> None:
    earlier(house, 52)
    cut_off = house.state / "detached/old-00.x"
    (cut_off / "stays").mkdir()
    assert house.detach("--", "true").code == 0
    assert (cut_off.exists(), (cut_off / "began.json").exists()) == (True, False)
    assert not (house.state / "detached/old-01.x").exists()
    (cut_off / "stays").rmdir()
    os.utime(cut_off, (0, 0))
    assert house.detach("--", "true", step="job/later").code == 0
    assert not cut_off.exists()


def test_that_a_person_saw_the_end_is_kept(house: HostHouse) -> None:
    assert house.detach("--seen").code == 1
    house.detach("--", "true")
    assert house.detach("--seen").answer == {"seen": True}
    assert house.detached()[0]["seen"]


def carried(house: HostHouse) -> Path:
    """The records as an earlier version kept them, which said *carried* and *told*."""
    former = house.state / "carried"
    (house.state / "detached").rename(former)
    folder = former / house.folder.name
    if (folder / "ended.json").exists():
        ended = json.loads((folder / "ended.json").read_text())
        (folder / "ended.json").write_text(json.dumps({"carried": ended.pop("detached"), **ended}))
    return folder


def test_what_an_earlier_version_began_is_known_and_not_begun_again(house: HostHouse, tmp_path: Path) -> None:
    command = ("--", "sh", "-c", f"echo x >> {tmp_path}/runs; exit 3")
    first = house.detach(*command)
    folder = carried(house)
    for later in (house.detach(*command), house.again()):
        assert (later.code, answers.read(later.out.decode(), DetachAnswer)) == (
            3,
            answers.read(first.out.decode(), DetachAnswer),
        )
    assert (tmp_path / "runs").read_text() == "x\n"
    (line,) = house.detached()
    assert (line["plan"], line["step"], line["exit"], line["seen"]) == (PLAN, STEP, 3, False)
    assert house.detach("--seen").answer == {"seen": True}
    assert (folder / "told").exists() and house.detached()[0]["seen"]
    assert house.detach("--", "true", plan="later").code == 0
    assert [line["plan"] for line in house.detached()] == ["later", PLAN]


def test_what_an_earlier_version_began_and_still_works_keeps_its_locks_and_is_waited_for(house: HostHouse) -> None:
    with house.held():
        house.detach("--packages=dpkg", "--", "true")
    folder = carried(house)
    (folder / "ended.json").unlink()
    with subprocess.Popen(("sleep", "60")) as child:
        ticks = processes.started(child.pid)
        about = {"pid": child.pid, "since": ticks, "boot_id": processes.boot_id()}
        (folder / "child.json").write_text(json.dumps(about))
        assert [(line["alive"], line["exit"]) for line in house.detached()] == [(True, None)]
        assert (house.hold().code, house.hold().answer["holder"]["plan"]) == (75, PLAN)
        assert house.detach("--again", "--within=1").answer["error"].startswith("the command still runs after 1 s")
        child.kill()
    answer = answers.read(house.again().out.decode(), DetachAnswer)
    assert answer and (answer.exit, house.hold().code) == (None, 0)


@pytest.mark.parametrize("name", ["../../etc", "/etc", "", "a b", "a\nb", "x" * 300])
def test_names_that_lead_elsewhere_are_refused(house: HostHouse, name: str) -> None:
    assert house.detach("--", "true", plan=name).code == 1
    assert house.detach("--", "true", step=name).code == 1
    assert not house.state.exists()


def test_nothing_is_repeated_that_was_never_begun(house: HostHouse) -> None:
    result = house.again()
    assert (result.code, "nothing of that plan" in result.answer["error"]) == (1, True)
    assert house.detached() == []


def test_the_answer_to_a_run_without_an_end_is_no_answer() -> None:
    assert answers.read('{"error": "the command still runs", "do": ""}', DetachAnswer) is None


def test_a_damaged_record_is_that_commands_trouble_alone(house: HostHouse) -> None:
    assert house.detach("--", "true").code == 0
    whole = house.detached()
    for number, began in enumerate(({"plan": 5, "step": [], "argv": "x"}, {"argv": [1, None]}, [], "")):
        folder = house.folder.parent / f"damaged.{number}"
        folder.mkdir()
        (folder / "began.json").write_text(json.dumps(began) if began != "" else "")
        (folder / "ended.json").write_text('{"exit": "zero"}')
    rows = house.detached()
    assert [row for row in rows if row["plan"] == whole[0]["plan"]] == whole
    assert {row["step"] for row in rows} - {whole[0]["step"]} == {f"damaged.{number}" for number in range(4)}
    assert {row["exit"] for row in rows if row["plan"] == ""} == {None}
