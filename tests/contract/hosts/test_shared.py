"""rsync goes over the connection that the runner has already, and ends as it would with an ssh of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from runner.hosts.reach import transports, write_ssh_config
from runner.hosts.ssh_through import VARIABLE
from runner.hosts.transport import Local, Result, Transport
from runner.tools.ssh import rsh
from tests.contract.sshd import Sshd, free_port, sshd
from tests.contract.ways import gone, server, site

__all__ = ["server"]

NOBODY = 65534


class Reached:
    """The ways of a runner whose state is in `folder`, and how to call what it put there for rsync."""

    def __init__(self, server: Sshd, folder: Path, **host: object) -> None:
        self.state = folder
        write_ssh_config(site(server, **host), folder / "ssh_config")
        self.ways = transports(site(server, **host), folder / "ssh_config")
        self.near: Transport = self.ways["papio"]
        self.call = rsh(str(folder))

    def run(self, *words: str, host: str = "backup", **options: object) -> Result:
        """Run a command on the host as rsync would."""
        return self.near.run((*self.call, host, *words), **{"timeout": 30, **options})  # type: ignore[arg-type]

    @property
    def environment(self) -> Mapping[str, str]:
        """What the runner's commands have in theirs."""
        words = self.near.run(("env", "-0"), timeout=30).out.split(b"\0")
        return dict(word.decode().split("=", 1) for word in words if word)

    def close(self) -> None:
        """End every connection."""
        for way in self.ways.values():
            way.close()


@pytest.fixture
def reached(server: Sshd, tmp_path: Path) -> Iterator[Reached]:
    made = Reached(server, tmp_path / "state")
    yield made
    made.close()


def accepted(server: Sshd) -> int:
    """How often somebody was let in."""
    return (server.folder / "log").read_bytes().count(b"Accepted publickey")


def test_rsync_and_questions_share_one_connection(server: Sshd, reached: Reached, tmp_path: Path) -> None:
    before = accepted(server)
    (tmp_path / "there").mkdir()
    (tmp_path / "source").mkdir()
    (tmp_path / "source/big").write_bytes(os.urandom(1 << 20) * 40)
    (tmp_path / "source/sub dir").mkdir()
    shell = (f"--rsh={' '.join(reached.call)}", "--protect-args", "--archive", "--")
    pushed = reached.near.run(("rsync", *shell, f"{tmp_path}/source/", f"backup:{tmp_path}/there/"), timeout=60)
    assert (pushed.exit, pushed.err) == (0, b"")
    assert reached.ways["backup"].run(("true",), timeout=30).exit == 0
    pulled = reached.near.run(("rsync", *shell, f"backup:{tmp_path}/there/", f"{tmp_path}/back/"), timeout=60)
    assert (pulled.exit, pulled.err) == (0, b"")
    assert (tmp_path / "back/big").read_bytes() == (tmp_path / "source/big").read_bytes()
    assert (tmp_path / "back/sub dir").is_dir()
    assert accepted(server) - before == 1


@pytest.mark.parametrize("code", [0, 1, 23, 255])
def test_the_exit_code_and_all_three_streams_are_the_commands_own(reached: Reached, code: int) -> None:
    result = reached.run(f"cat; echo trouble >&2; exit {code}", stdin=(b"given\n",))
    assert (result.exit, result.out, result.err) == (code, b"given\n", b"trouble\n")


def test_what_a_signal_ended_is_as_with_ssh(reached: Reached) -> None:
    assert reached.run("kill -9 $$").exit == 255


@pytest.mark.parametrize("name", ["backup", "hidden"])
def test_everything_arrives_both_ways(reached: Reached, name: str) -> None:
    blocks, came = [bytes([number]) * 1_000_000 for number in range(20)], list[bytes]()
    result = reached.run("cat", host=name, stdin=iter(blocks), sink=came.append)
    assert (result.exit, b"".join(came) == b"".join(blocks)) == (0, True)


def test_a_host_that_is_not_there_is_told_as_the_runner_tells_it(server: Sshd, tmp_path: Path) -> None:
    off = Reached(server, tmp_path, port=free_port())
    for host, words in (("backup", b"is sshd running there"), ("nobody's", b"is no host that is reached from here")):
        result = off.run("true", host=host)
        assert (result.exit, words in result.err, result.err[:5]) == (255, True, b"ssh: ")
    off.close()


def test_when_rsync_ends_its_command_there_ends(reached: Reached, tmp_path: Path) -> None:
    pid, speaks = tmp_path / "pid", threading.Event()
    # It does not look at its input: only that its output is gone can tell it.
    command = f"echo $$ > {pid}; while echo still; do sleep 0.1; done"
    result = reached.run(command, stop=speaks, sink=lambda _: speaks.set())
    assert not result.timed_out
    assert gone(int(pid.read_text()))


def test_a_connection_that_breaks_ends_what_went_over_it(server: Sshd, reached: Reached) -> None:
    assert reached.run("true").exit == 0
    (mine,) = server.connections()
    timer = threading.Timer(0.5, os.kill, (mine, signal.SIGKILL))
    timer.start()
    result = reached.run("sleep 60")
    timer.join()
    assert (result.exit, b"the connection to backup broke" in result.err) == (255, True)
    assert reached.run("echo again").out == b"again\n"


def test_where_no_runner_is_there_it_is_plain_ssh(server: Sshd, reached: Reached) -> None:
    before = accepted(server)
    pasted = Local("papio")
    for _ in range(2):
        assert pasted.run((*reached.call, "backup", "echo there"), timeout=30).out == b"there\n"
    reached.environment  # noqa: B018  (it listens)
    left = reached.environment
    reached.close()
    late = subprocess.run((*reached.call, "backup", "echo there"), env=left, capture_output=True, check=False)
    assert (late.stdout, accepted(server) - before) == (b"there\n", 3)


ASKS = """
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
    asking.connect("\\0" + sys.argv[1])
    try:
        socket.send_fds(asking, [b"backup\\0true"], [0, 1, 2])
        print(asking.recv(16))
    except ConnectionError:
        print(b"")
"""


@pytest.mark.parametrize(("user", "answer"), [("0", b"b'0'\n"), (str(NOBODY), b"b''\n")])
def test_nobody_else_is_served(reached: Reached, user: str, answer: bytes) -> None:
    words = ("/usr/bin/python3", "-c", ASKS, reached.environment[VARIABLE])
    asked = Local("papio").run(("setpriv", f"--reuid={user}", "--clear-groups", "--", *words), timeout=30)
    assert (asked.exit, asked.out) == (0, answer)


LISTENS = """
import socket
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
    stranger.bind("\\0runner-of-a-stranger")
    stranger.listen()
    print("up", flush=True)
    asking, _ = stranger.accept()
    print(asking.recv(16))
"""


def test_a_stranger_under_the_runners_name_is_given_nothing(reached: Reached) -> None:
    argv = ("setpriv", f"--reuid={NOBODY}", "--clear-groups", "--", "/usr/bin/python3", "-c", LISTENS)
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout and stranger.stdout.readline() == b"up\n"
        environment = {**reached.environment, VARIABLE: "runner-of-a-stranger"}
        done = subprocess.run((*reached.call, "backup", "echo mine"), env=environment, capture_output=True, check=False)
        assert (done.stdout, stranger.stdout.readline()) == (b"mine\n", b"b''\n")


@pytest.mark.parametrize("given", [b"", b"backup\0true", b"x" * 100_000], ids=["nothing", "no streams", "long"])
def test_a_question_that_is_none_is_not_answered(reached: Reached, given: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.connect(f"\0{reached.environment[VARIABLE]}")
        asking.sendmsg([given])
        asking.shutdown(socket.SHUT_WR)
        asking.settimeout(10)
        assert asking.recv(16) == b""
    assert reached.run("true").exit == 0


KILLED = """
import sys, threading
from pathlib import Path
from tests.contract.hosts.test_shared import Reached
from tests.contract.sshd import Sshd
words = sys.argv[1:]
place = Path(words[0])
server = Sshd(folder=place, port=int(words[1]), key=place / "key", stranger=place, known_hosts=place / "known_hosts", pid=0)
Reached(server, Path(words[2])).run(f"echo $$ > {words[3]}; while echo still; do sleep 0.1; done", timeout=60)
"""


def test_a_runner_that_is_killed_leaves_nothing(server: Sshd, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    words = (str(server.folder), str(server.port), str(tmp_path / "state"), str(pid))
    with subprocess.Popen((sys.executable, "-c", KILLED, *words)) as runner:
        until = time.monotonic() + 30
        while not (pid.exists() and pid.read_text().endswith("\n")):
            assert time.monotonic() < until
            time.sleep(0.05)
        runner.kill()
    assert gone(int(pid.read_text()))
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["ssh.py", "ssh_config"]


def test_more_at_once_than_a_connection_may_carry_get_a_second_one(tmp_path: Path) -> None:
    with sshd(tmp_path / "narrow", more="MaxSessions 2\n") as narrow:
        reached = Reached(narrow, tmp_path / "state")
        held = [reached.near.start((*reached.call, "backup", "echo up; cat")) for _ in range(3)]
        assert [one.first_line(20) for one in held] == [b"up"] * 3
        assert [one.close().exit for one in held] == [0] * 3
        assert accepted(narrow) == 2
        reached.close()


def test_only_root_reads_what_is_put_there(reached: Reached) -> None:
    assert [(reached.state / name).stat().st_mode & 0o777 for name in ("ssh.py", "ssh_config")] == [0o600] * 2
