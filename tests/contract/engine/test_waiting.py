"""What a wait says of a host that is silent: in plain words, over real connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, cast

import pytest

from runner.engine import waiting
from runner.engine.step import Stepper
from runner.engine.waiting import ClaimReading, Waited
from runner.hosts.connection import Connection
from runner.hosts.ssh import Ssh
from runner.hosts.transport import Result, Transport
from runner.model.plan import Argv, Check, WaitFor
from tests.contract.sshd import free_port, new_key

ARGV = ("/usr/local/sbin/runner-agent", "returned", "back", "--was=boot")
CLAIM = Check(host="server", argv=ARGV, field="returned", relation="==", value=True, why="it answers, in another boot")


def waited(*answers: ClaimReading) -> tuple[Waited, list[str]]:
    """Give up after these answers, the last of them again and again; and what was shown meanwhile."""
    left, seen = list(answers), list[str]()
    action = WaitFor(until=CLAIM, within=len(answers) - 1, every=1)
    return waiting.wait(action, lambda: left.pop(0), threading.Event(), seen.append), seen


def by_ssh(folder: Path, port: int) -> Result:
    """How a look at a host behind that port ends."""
    new_key(folder / "key")
    public = " ".join((folder / "key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    lines = ("HostName 127.0.0.1", f"Port {port}", "User root", f"IdentityFile {folder}/key", "ConnectTimeout 2")
    (folder / "config").write_text("\n ".join(("Host server", *lines)) + "\n")
    host = Ssh("server", str(folder / "config"), (str(folder / "known_hosts"),))
    try:
        return host.run(ARGV, timeout=20)
    finally:
        host.close()


class Ended:
    """A way to a host on which every command ends like this."""

    def __init__(self, result: Result) -> None:
        self.result = result

    def run(self, argv: Argv, **_options: object) -> Result:
        return self.result


def silence(result: Result) -> ClaimReading:
    """What a step makes of a look that ended like this."""
    unused: Any = None
    stepper = Stepper(
        transports={"server": cast(Transport, Ended(result))}, artifacts={}, spool=unused, live=True,
        stop=threading.Event(), tell=unused, read_by=frozenset(), acts=unused,
    )  # fmt: skip
    return stepper._claim(CLAIM)


def silent(_talking: socket.socket) -> None:
    """Say nothing, as a tunnel whose other end is away."""


def half(talking: socket.socket) -> None:
    """Begin to speak, and go down."""
    talking.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    talking.close()


@contextlib.contextmanager
def port_that(does: Callable[[socket.socket], None]) -> Iterator[int]:
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    talking, _ = listening.accept()
                    kept.append(talking)
                    does(talking)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in kept:
                one.close()


def test_that_a_look_may_still_run_is_nobodys_concern() -> None:
    _, seen = waited(ClaimReading(None, Connection("server", "", ()).broken(), {}))
    assert seen == ["no answer: the connection to server broke"]


def test_a_person_who_stops_does_not_wait_for_a_look_at_a_host_that_is_down() -> None:
    stop, seen, asked, over = threading.Event(), list[str](), list[int](), threading.Event()

    def ask() -> ClaimReading:
        asked.append(1)
        if len(asked) > 1:
            stop.set()
            over.wait(60)
        return ClaimReading(None, "server does not answer", {})

    begun = monotonic()
    done = waiting.wait(WaitFor(until=CLAIM, within=600, every=0), ask, stop, seen.append)
    over.set()
    assert monotonic() - begun < 8 and not done.over
    assert done.note.startswith("waited ") and done.note.endswith("last seen: no answer: server does not answer")


def test_what_a_host_answered_before_it_fell_silent_is_shown_harmlessly() -> None:
    odd = ClaimReading(False, "harmless", {"error": "\ud800\x1b[31m"})
    done, _ = waited(odd, ClaimReading(None, "silent", {}))
    assert "the last answer came after" in done.note
    assert done.note.encode("utf-8") and "\x1b" not in done.note


def test_a_look_that_breaks_is_not_taken_for_silence() -> None:
    def ask() -> ClaimReading:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        waiting.wait(WaitFor(until=CLAIM, within=600), ask, threading.Event(), print)


@pytest.mark.parametrize("does", [silent, half, socket.socket.close])
def test_a_port_behind_which_no_ssh_server_speaks_is_told_in_plain_words(
    does: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    with port_that(does) as port:
        result = by_ssh(tmp_path, port)
    assert result.brief not in ("", result.error)
    done, seen = waited(silence(result))
    plain = "something takes the connection to server, but no ssh server speaks: it is on its way, or hangs"
    assert seen == [f"no answer: {plain}"]
    assert done.note.endswith(f", last seen: no answer: {plain}")


def test_a_host_that_takes_no_connection_is_told_so_without_the_command_that_was_to_look(tmp_path: Path) -> None:
    _, seen = waited(silence(by_ssh(tmp_path, free_port())))
    assert len(seen) == 1
    assert "takes no connection: is sshd running there" in seen[0]
    assert "runner-agent" not in seen[0] and "could not be checked" not in seen[0]


def test_the_last_words_of_a_host_that_fell_silent_are_told_with_when_they_came() -> None:
    old = {"returned": False, "error": "it answers, but is still in the boot from before"}
    done, seen = waited(
        ClaimReading(False, old["error"], old, do="see why"), ClaimReading(None, "server does not answer", {})
    )
    assert not done.over and done.answer == {}
    assert seen[0] == old["error"], "what to do about it is said when it is given up"
    assert done.note == (
        "given up after 1.0 s, last seen: no answer: server does not answer; the last answer came after 0.0 s: "
        "it answers, but is still in the boot from before"
    )
