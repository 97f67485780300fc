"""`access` as it is called: logs that rotate, grow and lie, a history that counts once, a real journal."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.agent.store import lock
from runner.jobs.access import access
from runner.jobs.access import alarms as rule
from tests.contract.sshd import free_port
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, execute

NOON = 1_795_435_200  # 2026-11-23T12:00:00Z
HOUR = 3600
COLUMNS = {
    "accepted": ("user", "source", "what"),
    "refused": ("source",),
    "users": ("user",),
    "new": ("source", "user"),
    "su": ("user", "to", "what"),
    "su_refused": ("user", "to", "what"),
    "root_typed": ("user", "source"),
}


def rows(answer: Mapping[str, Any], name: str) -> list[list[object]]:
    """The rows of a table: its columns, and how often."""
    return [[*(row[column] for column in COLUMNS[name]), row["times"]] for row in answer["tables"][name]["rows"]]


def stamp(at: int) -> bytes:
    moment = time.gmtime(at)
    return b"%s %2d %s" % (
        time.strftime("%b", moment).encode(),
        moment.tm_mday,
        time.strftime("%H:%M:%S", moment).encode(),
    )


def line(at: int, message: bytes, program: bytes = b"sshd[77]") -> bytes:
    return stamp(at) + b" papio " + program + b": " + message + b"\n"


def accepted(at: int, source: str = "192.0.2.4", user: str = "karl", method: str = "publickey") -> bytes:
    return line(at, f"Accepted {method} for {user} from {source} port 50 ssh2".encode())


def refused(at: int, source: str = "203.0.113.7", user: str = "admin") -> bytes:
    return line(at, f"Failed password for invalid user {user} from {source} port 50 ssh2".encode())


class Log:
    """An auth log that is written to, and what the program says of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "auth.log"
        self.state = folder / "state"
        self.path.write_bytes(b"")

    def write(self, *lines: bytes, at: int = NOON) -> None:
        with self.path.open("ab") as stream:
            stream.write(b"".join(lines))
        os.utime(self.path, (at, at))

    def call(self, *options: str, at: int = NOON, zone: str = "UTC") -> Said:
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        argv = (*PROGRAM, "access", f"--file={self.path}", f"--state={self.state}", f"--until={until}", *options)
        return execute(("env", f"TZ={zone}", *argv))

    def look(self, *options: str, at: int = NOON, zone: str = "UTC") -> dict[str, Any]:
        call = self.call(*options, at=at, zone=zone)
        assert call.code == 0, call.out + call.err
        assert len(call.out) < 65536
        return call.answer

    def days(self) -> dict[str, list[int]]:
        history = json.loads((self.state / "history.json").read_bytes())
        return {day["day"]: [day["seconds"], day["refused"], day["accepted"]] for day in history["days"]}


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_the_last_day_is_told_and_nothing_before_or_after(log: Log) -> None:
    log.write(
        refused(NOON - 25 * HOUR), refused(NOON - 24 * HOUR), accepted(NOON - HOUR), refused(NOON - 1), refused(NOON)
    )  # fmt: skip
    answer = log.look()
    assert (answer["tables"]["refused"]["total"], answer["tables"]["accepted"]["total"]) == (2, 1)
    assert rows(answer, "accepted") == [["karl", "192.0.2.4", "publickey", 1]]
    assert (answer["covered"], answer["alive"], answer["first"]) == (True, True, True)
    assert answer["since"] == "2026-11-22T12:00:00.000000Z"


def test_the_argv_of_a_plan_is_what_the_program_takes(log: Log) -> None:
    argv = access.look("runner-agent", hours=24, rows=3, expected=("192.0.2.0/24",))
    assert argv[:3] == ("nice", "--adjustment=10", "runner-agent")
    call = execute((*PROGRAM, *(word for word in argv[3:] if not word.startswith("--state=")), f"--file={log.path}"))
    assert call.code == 0, call.out
    assert rule.read(call.answer) is not None


def test_rotated_logs_are_read_packed_or_not_and_each_once(log: Log) -> None:
    folder = log.path.parent
    (folder / "auth.log.1").write_bytes(refused(NOON - 10 * HOUR))
    os.utime(folder / "auth.log.1", (NOON - 9 * HOUR, NOON - 9 * HOUR))
    for name, ago in (("auth.log.2.gz", 20), ("auth.log-20261122.gz", 22)):
        (folder / name).write_bytes(gzip.compress(refused(NOON - ago * HOUR)))
        os.utime(folder / name, (NOON - (ago - 1) * HOUR,) * 2)
    (folder / "auth.log.old").write_bytes(refused(NOON - HOUR))
    (folder / "auth.log.3").hardlink_to(folder / "auth.log.1")
    (folder / "auth.log.4").mkdir()
    log.write(refused(NOON - HOUR))
    assert log.look()["tables"]["refused"]["total"] == 4


def test_a_log_that_is_cut_off_or_no_archive_is_named_and_the_rest_is_told(log: Log) -> None:
    folder = log.path.parent
    lines = b"".join(refused(NOON - 20 * HOUR + second, source=f"10.0.{second % 250}.7") for second in range(5000))
    (folder / "auth.log.1.gz").write_bytes(gzip.compress(lines)[:-500])
    (folder / "auth.log.2.gz").write_bytes(b"no archive")
    for name in ("auth.log.1.gz", "auth.log.2.gz"):
        os.utime(folder / name, (NOON - HOUR, NOON - HOUR))
    log.write(refused(NOON - HOUR))
    answer = log.look()
    assert 1 < answer["tables"]["refused"]["total"] <= 5001
    assert sorted(problem.split("'")[1].rpartition("/")[2] for problem in answer["problems"]) == [
        "auth.log.1.gz", "auth.log.2.gz",
    ]  # fmt: skip
    access = rule.read(answer)
    assert access
    assert any("not everything was read" in alarm for alarm in rule.alarms(access))


def test_at_the_turn_of_the_year_december_is_last_year(log: Log) -> None:
    at = 1_798_765_500  # 2027-01-01T01:05:00Z
    log.write(b"Dec 31 23:30:00 papio sshd[1]: Failed password for root from 203.0.113.7 port 5 ssh2\n", at=at)
    log.write(b"Jan  1 00:30:00 papio sshd[1]: Failed password for root from 203.0.113.7 port 5 ssh2\n", at=at)
    assert log.look(at=at)["tables"]["refused"]["total"] == 2


def test_stamps_without_a_zone_are_of_the_hosts_own(log: Log) -> None:
    log.write(b"Nov 23 06:30:00 papio sshd[1]: Failed password for root from 203.0.113.7 port 5 ssh2\n")
    assert log.look("--hours=1", zone="America/New_York")["tables"]["refused"]["total"] == 1
    shutil.rmtree(log.state)
    assert log.look("--hours=1")["tables"]["refused"]["total"] == 0


def test_a_report_that_was_missed_is_made_up_for(log: Log) -> None:
    log.look(at=NOON - 72 * HOUR)
    log.write(refused(NOON - 50 * HOUR))
    answer = log.look()
    assert (answer["since"], answer["tables"]["refused"]["total"]) == ("2026-11-20T12:00:00.000000Z", 1)


def test_whoever_asks_twice_gets_the_same_and_it_is_counted_once(log: Log) -> None:
    log.write(refused(NOON - 11 * HOUR), accepted(NOON - HOUR))
    first = log.look()
    again = log.look()
    assert first["tables"]["refused"]["total"] == again["tables"]["refused"]["total"] == 1
    assert rows(first, "accepted") == rows(again, "accepted")
    assert log.days() == {"2026-11-22": [12 * HOUR, 0, 0], "2026-11-23": [12 * HOUR, 1, 1]}
    log.write(refused(NOON + HOUR), at=NOON + 24 * HOUR)
    log.look(at=NOON + 24 * HOUR)
    assert log.days()["2026-11-23"] == [24 * HOUR, 2, 1]


def test_a_report_that_is_killed_leaves_the_history_as_it_was(log: Log) -> None:
    log.look(at=NOON - 24 * HOUR)
    before = (log.state / "history.json").read_bytes()
    log.write(*(refused(NOON - 10 * HOUR + second % 999, source=f"10.1.{second % 250}.1") for second in range(150_000)))
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOON))
    argv = (*PROGRAM, "access", f"--file={log.path}", f"--state={log.state}", f"--until={until}")
    with subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:
        descriptor = os.open(log.state / "lock", os.O_RDONLY)
        while lock.held_by(descriptor, 0) is None:
            time.sleep(0.01)
        os.close(descriptor)
        process.send_signal(signal.SIGSTOP)
        busy = log.call()
        process.kill()
    assert (busy.code, busy.answer["error"]) == (75, "another report is being made")
    assert (log.state / "history.json").read_bytes() == before
    assert log.look()["tables"]["refused"]["total"] == 150_000
    assert log.days()["2026-11-23"][1] == 150_000


def test_a_source_is_new_once_in_its_life_and_never_when_it_is_expected(log: Log) -> None:
    log.write(accepted(NOON - 30 * HOUR), at=NOON - 24 * HOUR)
    assert rows(log.look(at=NOON - 24 * HOUR), "new") == []
    log.write(
        accepted(NOON - 3 * HOUR), accepted(NOON - 2 * HOUR, "198.51.100.9"), accepted(NOON - HOUR, "198.51.100.9", "anne"),
        accepted(NOON - HOUR, "2001:db8::1:2"),
    )  # fmt: skip
    want = [["198.51.100.9", "karl,anne", 2], ["2001:db8::1:2", "karl", 1]]
    assert rows(log.look(), "new") == want
    assert rows(log.look(), "new") == want
    assert rows(log.look("--expected=198.51.100.0/24"), "new") == want[1:]
    log.write(accepted(NOON + HOUR, "198.51.100.9"), accepted(NOON + HOUR, "2001:db8::77"), at=NOON + 24 * HOUR)
    assert rows(log.look(at=NOON + 24 * HOUR), "new") == []


def test_the_known_sources_are_bounded_and_the_ones_seen_last_stay(log: Log) -> None:
    log.write(*(accepted(NOON - 2 * HOUR + n, f"10.{n // 250}.{n % 250}.1") for n in range(1900)))
    log.look()
    log.write(*(accepted(NOON + HOUR + n, f"11.{n // 250}.{n % 250}.1") for n in range(1900)), at=NOON + 24 * HOUR)
    answer = log.look(at=NOON + 24 * HOUR)
    assert answer["tables"]["new"]["others"] + len(rows(answer, "new")) == 1900
    known = json.loads((log.state / "history.json").read_bytes())["known"]
    assert (len(known), sum(name.startswith("11.") for name in known)) == (2000, 1900)


def test_what_is_usual_comes_from_whole_days_before(log: Log) -> None:
    for day in range(-9, 1):
        at = NOON + day * 24 * HOUR
        log.write(*(refused(at - 2 * HOUR + second) for second in range(10 * (10 + day))), at=at)
        answer = log.look(at=at)
    usual = answer["usual"]["refused"]
    # The first day and the one that this report begins in are not whole, or not before it.
    assert (usual["days"], usual["low"], usual["high"], usual["median"]) == (8, 10, 80, 45)
    assert answer["tables"]["refused"]["total"] == 100


def test_a_history_that_cannot_be_read_is_put_aside_and_said_so(log: Log) -> None:
    log.look()
    (log.state / "history.json").write_text('{"until": 7')
    assert log.look()["history_damaged"] is True
    assert (log.state / "history.damaged").read_text() == '{"until": 7'
    assert log.look()["history_damaged"] is False


def test_a_clock_that_was_wrong_does_not_stop_the_history(log: Log) -> None:
    log.look(at=NOON + 400 * 24 * HOUR)
    log.write(refused(NOON - HOUR))
    log.look()
    assert log.days()["2026-11-23"] == [12 * HOUR, 1, 0]
    log.look()
    assert log.days()["2026-11-23"] == [12 * HOUR, 1, 0]


def test_a_log_that_nobody_writes_to_is_not_taken_for_a_quiet_day(log: Log) -> None:
    log.write(refused(NOON - 50 * HOUR), at=NOON - 50 * HOUR)
    answer = log.look()
    assert answer["alive"] is False
    access = rule.read(answer)
    assert access
    assert "attempts are not recorded" in rule.alarms(access)[-1]


def test_hostile_names_keep_the_answer_small_and_harmless(log: Log) -> None:
    evil = ("\U0001f4a9" * 60).encode() + b"\xff\x1b[2J"
    log.write(
        *(
            line(NOON - HOUR, b"Failed password for invalid user " + evil + b"%d from 10.0.0.%d port 5 ssh2" % (n, n % 250))
            for n in range(300)
        ),
        *(line(NOON - HOUR, b"%s%d : TTY=x ; PWD=/ ; USER=%s ; COMMAND=%s" % ((evil[:90], n) + (evil,) * 2), b"sudo") for n in range(300)),
        line(NOON - HOUR, b"x" * (1 << 20)),
        line(NOON - HOUR, b"Failed password for root from 203.0.113.7 port 5 ssh2"),
    )  # fmt: skip
    call = log.call("--rows=100")
    assert len(call.out) < 65536
    assert call.out.isascii()
    assert (call.answer["tables"]["refused"]["total"], call.answer["long"]) == (301, 1)
    assert call.answer["tables"]["users"]["others"] + len(rows(call.answer, "users")) == 301


def test_a_flood_is_counted_in_little_memory(log: Log) -> None:
    with log.path.open("wb") as stream:
        for n in range(300_000):
            source = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
            stream.write(refused(NOON - HOUR + n // 100, source, f"u{n}"))
            if n % 10 == 0:
                stream.write(refused(NOON - HOUR + n // 100, "203.0.113.7", "root"))
    os.utime(log.path, (NOON, NOON))
    script = (
        "import sys; from runner.agent.access import report; report.run(sys.argv[1:]);"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    call = execute((PROGRAM[0], "-c", script, f"--file={log.path}", "--until=2026-11-23T12:00:00Z"))
    assert call.code == 0, call.err
    answer, peak = json.loads(call.out.splitlines()[0]), int(call.out.splitlines()[1])
    assert peak < 60_000
    assert answer["tables"]["refused"]["total"] == 330_000
    assert rows(answer, "users")[0][0] == "root"
    assert rows(answer, "refused")[0][0] == "203.0.113.7"
    assert abs(answer["tables"]["users"]["others"] - 300_000) < 10_000


@pytest.mark.parametrize(
    "option",
    ["--hours=0", "--hours=169", "--hours=x", "--rows=0", "--expected=nowhere", "--until=noon", "--odd=1", "word"],
)
def test_what_makes_no_sense_is_refused(log: Log, option: str) -> None:
    call = log.call(option)
    assert (call.code, "error" in call.answer) == (1, True)


def test_a_log_that_is_not_there_is_a_failure_and_never_a_quiet_day(log: Log) -> None:
    log.path.unlink()
    call = log.call()
    assert (call.code, "cannot be read" in call.answer["error"]) == (1, True)
    assert not (log.state / "history.json").exists()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() or not Path("/lib/systemd/systemd-journald").exists() or not shutil.which("journalctl"):
        pytest.skip("needs root and journald")
    (tmp_path / "world").mkdir()
    yield tmp_path / "world"


def test_a_real_sshd_su_and_journal_are_understood(world: Path) -> None:
    script = Path(__file__).parents[1].joinpath("access_world.sh")
    inside = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--mount-proc", "sh", str(script))
    call = execute((*inside, str(world), str(free_port()), *PROGRAM, "access"))
    assert call.code == 0, call.err
    answer = call.answer
    assert (answer["source"], answer["alive"], answer["covered"]) == ("journal", True, False)
    assert rows(answer, "accepted") == [
        ["karl", "127.0.0.1", "password", 1], ["karl", "127.0.0.1", "publickey", 1], ["root", "127.0.0.1", "password", 1],
    ]  # fmt: skip
    methods = answer["methods"]
    assert methods["left before login"] >= 2
    assert ["y from 6.6.6.6 port 22 ssh2", 2] in rows(answer, "users")
    assert [row[0] for row in rows(answer, "refused")] == ["127.0.0.1", "198.51.100.77"]
    # Not UTF-8, and longer than journalctl tells.
    assert (["a\\xffb", 1] in rows(answer, "users"), answer["long"]) == (True, 1)
    assert rows(answer, "root_typed") == [["root", "127.0.0.1", 1]]
    # A right key for root, which only PermitRootLogin kept out.
    assert answer["tables"]["root_right"]["total"] == 1
    assert rows(answer, "su") == [["root", "karl", "", 1]]
    assert rows(answer, "su_refused") == [["karl", "root", "", 1]]
    # What karl wrote under the name of sshd is no login, nor is that of a su of his own one; both are told.
    assert answer["pretended"] == 2
