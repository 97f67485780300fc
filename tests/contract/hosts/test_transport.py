"""What every transport promises, held against this machine and against a real sshd."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.hosts import session
from runner.hosts.process import ENVIRONMENT
from runner.hosts.session import Pace
from runner.hosts.transport import Transport
from tests.contract.ways import gone, server, sh, way

__all__ = ["server", "way"]

HOSTILE = (
    "",
    " ",
    "two words",
    " lead and trail ",
    "new\nline",
    "new\ntouch /tmp/executed\n",
    "$(touch /tmp/executed)",
    "`touch /tmp/executed`",
    "; touch /tmp/executed",
    "&& touch /tmp/executed",
    "| tee /tmp/executed",
    "> /tmp/executed",
    "it's",
    'say "hi"',
    "'; touch /tmp/executed; '",
    "back\\slash\\",
    "*",
    "?[a-z]{a,b}",
    "-rf",
    "--delete",
    "-e touch /tmp/executed",
    "--",
    "~root",
    "host:path",
    "a=b",
    "#comment",
    "!history!!",
    "\x01\x02\x1b[31mred\x7f",
    "tab\tand\rreturn\v\f",
    os.fsdecode(b"\xff\xfe not utf-8 \x80"),
    "\u202eright to left\u00e9",
    "n" * 255,
)


@pytest.mark.parametrize("code", [0, 1, 23, 127, 255])
def test_the_exit_code_is_the_commands_own(way: Transport, code: int) -> None:
    result = way.run(sh(f"exit {code}"), timeout=20)
    assert (result.exit, result.error) == (code, "")


@pytest.mark.parametrize("number", [1, 9, 11, 15])
def test_a_signal_that_ended_the_command_is_told_as_a_negative_number(way: Transport, number: int) -> None:
    assert way.run(sh(f"kill -{number} $$"), timeout=20).exit == -number


def test_output_and_errors_are_kept_apart_byte_for_byte(way: Transport) -> None:
    result = way.run(sh(r"printf '\377\000\200\n'; printf 'oh\376' >&2"), timeout=20)
    assert (result.out, result.err, result.cut) == (b"\xff\0\x80\n", b"oh\xfe", False)


def test_hostile_arguments_arrive_byte_for_byte_and_run_nothing(way: Transport) -> None:
    result = way.run(("printf", "%s\\0", *HOSTILE), timeout=20)
    assert result.out.split(b"\0")[:-1] == [os.fsencode(word) for word in HOSTILE]
    assert not Path("/tmp/executed").exists()


@pytest.mark.parametrize("argv", [(), ("",), ("no-such-program",), ("true", "a\0b")])
def test_what_cannot_be_started_has_no_exit_code_and_says_why(way: Transport, argv: tuple[str, ...]) -> None:
    result = way.run(argv, timeout=20)
    assert result.exit is None
    assert "cannot be started" in result.error
    assert way.host in result.error


def test_a_command_sees_nothing_of_the_runners_environment(way: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    lines = way.run(("env",), timeout=20).out.decode().splitlines()
    assert dict(line.split("=", 1) for line in lines) == {**ENVIRONMENT, "HOME": str(Path.home())}


def test_without_an_input_the_command_reads_its_end_at_once(way: Transport) -> None:
    assert way.run(("cat",), timeout=20).exit == 0


def test_fifty_megabytes_go_in_and_come_out_in_order(way: Transport) -> None:
    blocks = [bytes([number]) * 1_000_000 for number in range(50)]
    came: list[bytes] = []
    result = way.run(("cat",), stdin=iter(blocks), sink=came.append, timeout=60)
    assert b"".join(came) == b"".join(blocks)
    assert (result.exit, len(result.out), result.cut) == (0, 1 << 20, True)


def test_both_pipes_are_read_at_once(way: Transport) -> None:
    script = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; printf end >&2"
    result = way.run(sh(script), timeout=20)
    assert (result.exit, len(result.out), len(result.err)) == (0, 300_000, 16 << 10)
    assert result.err.endswith(b"\0end")


def test_a_command_that_does_not_read_its_input_is_no_failure(way: Transport) -> None:
    endless = (b"x" * 100_000 for _ in iter(int, 1))
    assert way.run(("true",), stdin=endless, timeout=20).exit == 0


def test_time_out_ends_the_whole_process_group(way: Transport) -> None:
    begin = time.monotonic()
    result = way.run(sh("sleep 600 & echo $!; wait"), timeout=1)
    assert (result.timed_out, result.exit) == (True, -15)
    assert "longer than 1 s" in result.error
    assert time.monotonic() - begin < 30
    assert gone(int(result.out))


def test_what_ignores_the_polite_signal_is_killed_and_sees_no_regular_end_of_its_input(
    way: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "GRACE", 2.0)
    whole, rest = tmp_path / "whole", threading.Event()

    def never_whole() -> Iterator[bytes]:
        yield b"half"
        rest.wait(60)

    begin = time.monotonic()
    script = 'trap "" TERM; sleep 600 & echo $!; cat >/dev/null && touch "$1"'
    result = way.run(sh(script, str(whole)), stdin=never_whole(), timeout=0.5)
    rest.set()
    assert result.exit == -9
    assert 2 < time.monotonic() - begin < 30
    assert gone(int(result.out))
    assert not whole.exists()


def test_stop_ends_the_command(way: Transport) -> None:
    stop = threading.Event()
    result = way.run(sh("echo $$; exec sleep 600"), sink=lambda _: stop.set(), stop=stop, timeout=60)
    assert (result.exit, result.timed_out) == (-15, False)
    assert gone(int(result.out))


def test_an_input_that_ends_because_of_stop_is_not_taken_for_whole(way: Transport, tmp_path: Path) -> None:
    stop, whole = threading.Event(), tmp_path / "whole"

    def cut_short() -> Iterator[bytes]:
        yield b"half"
        time.sleep(0.5)
        stop.set()

    way.run(sh('cat >/dev/null && touch "$1"', str(whole)), stdin=cut_short(), stop=stop, timeout=60)
    assert not whole.exists()


def test_what_outlives_a_stopped_command_is_killed_with_it(way: Transport) -> None:
    begin = time.monotonic()
    script = "(trap '' TERM; sleep 600 & echo $!; wait) & wait"
    result = way.run(sh(script), timeout=1)
    assert result.exit == -15
    assert gone(int(result.out))
    assert time.monotonic() - begin < 30


def test_a_failing_input_ends_the_command_and_is_raised(way: Transport) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        way.run(("cat",), stdin=broken(), timeout=60)


def test_a_failing_sink_ends_the_command_and_is_raised(way: Transport) -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        way.run(("yes",), sink=full, timeout=60)


def test_a_slow_sink_loses_nothing(way: Transport) -> None:
    came = []

    def slow(data: bytes) -> None:
        time.sleep(0.5 if len(came) < 8 else 0)
        came.append(len(data))

    assert way.run(("head", "-c", "3000000", "/dev/zero"), sink=slow, timeout=60).exit == 0
    assert sum(came) == 3_000_000


def test_what_is_printed_line_by_line_comes_whole_and_in_order(way: Transport) -> None:
    lines = [b"%d\n" % number for number in range(3000)]
    program = "import os\nfor number in range(3000): os.write(1, b'%d\\n' % number)"
    came: list[bytes] = []
    assert way.run(("python3", "-ISc", program), sink=came.append, timeout=60).exit == 0
    assert b"".join(came) == b"".join(lines)


def test_silence_beyond_the_limit_ends_the_command_and_is_told(way: Transport) -> None:
    result = way.run(sh("echo one; sleep 600"), timeout=60, pace=Pace(stall=1))
    assert (result.timed_out, result.exit, result.out) == (True, -15, b"one\n")
    assert "no progress for 1 s" in result.error


def test_output_now_and_then_is_progress(way: Transport) -> None:
    result = way.run(sh("for i in 1 2 3 4 5; do echo $i; sleep 0.5; done"), timeout=60, pace=Pace(stall=1.5))
    assert (result.exit, result.error) == (0, "")


def test_several_threads_share_one_transport(way: Transport) -> None:
    said: dict[str, bytes] = {}

    def ask(word: str) -> None:
        said[word] = way.run(("echo", word), timeout=30).out

    threads = [threading.Thread(target=ask, args=(f"word {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {f"word {number}": f"word {number}\n".encode() for number in range(8)}
