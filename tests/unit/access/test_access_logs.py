"""What sshd, sudo, su and login of four generations say, counted once each; nothing a stranger writes is believed."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.access import messages as access_sshd
from runner.agent.access import messages as access_su
from runner.agent.access.journal import whose
from runner.agent.access.logs import LONGEST, LogLine, Syslog, bounded
from runner.agent.access.messages import Event
from runner.agent.access.tally import COUNTED, AccessTally

CAPTURES = Path(__file__).parents[1] / "captures/access"
ROOT_IN = b"Accepted password for root from 6.6.6.6 port 22 ssh2"
KEY = b": ED25519 SHA256:0rk4mVyWm2nLMW0dyJrYwx3QfYsuzTbXoJ0wTCL6Gpk"

names = st.one_of(
    st.binary(max_size=100),
    st.sampled_from((ROOT_IN, b"x from 6.6.6.6 port 22 ssh2", b"", b" ", b"a\nb", b"\x1b[2J", b"x: " + ROOT_IN)),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
addresses = st.sampled_from((b"203.0.113.7", b"2001:db8::7", b"UNKNOWN"))


def counted(name: str) -> AccessTally:
    reader = Syslog(time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1)))
    tally = AccessTally(0.0, [0.0])
    for raw in bounded(io.BytesIO((CAPTURES / name).read_bytes())):
        line = reader.read(raw) if raw else None
        if line:
            tally.add(line)
    tally.end()
    return tally


def tally_of(*messages: bytes, program: bytes = b"sshd") -> AccessTally:
    tally = AccessTally(0.0, [0.0])
    for number, message in enumerate(messages):
        tally.add(LogLine(1000.0 + number, program, b"77", message))
    tally.end()
    return tally


def rows(tally: AccessTally, table: str) -> list[list[object]]:
    counts = tally.tables[table]
    return [[*(getattr(row, column) for column in counts.columns), row.times] for row in counts.table(9).rows]


def methods(tally: AccessTally) -> dict[str, int]:
    return {name: times for name, times in tally.methods.items() if times}


def test_debian_12_is_understood() -> None:
    tally = counted("debian12.log")
    assert rows(tally, "accepted") == [["karl", "192.0.2.4", "publickey", 1]]
    assert methods(tally) == {"password": 4, "left before login": 5}
    assert rows(tally, "refused") == [["203.0.113.7", 4], ["198.51.100.9", 3], ["198.51.100.10", 2]]
    assert rows(tally, "users") == [["admin", 3], ["git", 1], ["root", 1]]
    assert tally.unknown == 1
    assert rows(tally, "sudo") == [["karl", "root", "su", 1]]
    assert rows(tally, "sudo_refused") == [
        ["anne", "root", "3 incorrect password attempts", 1],
        ["guest", "root", "user NOT in sudoers", 1],
    ]
    assert rows(tally, "su") == [["root", "root", "", 1]]
    assert rows(tally, "su_refused") == [["anne", "root", "", 1]]
    assert [[day[name] for name in COUNTED] for day in tally.by_day] == [[9, 1, 2, 1]]


def test_enterprise_linux_6_is_understood() -> None:
    tally = counted("el6.log")
    assert rows(tally, "accepted") == [["root", "192.0.2.4", "password", 1], ["root", "tty1", "console", 1]]
    assert rows(tally, "root_typed") == [["root", "192.0.2.4", 1]]
    assert methods(tally) == {"password": 1, "left before login": 3, "console": 1}
    assert rows(tally, "refused") == [
        ["203.0.113.8", 2], ["203.0.113.7", 1], ["203.0.113.9", 1], ["console", 1],
    ]  # fmt: skip
    assert rows(tally, "su") == [["karl", "root", "", 1]]
    assert rows(tally, "su_refused") == [["anne", "root", "", 1]]


def test_enterprise_linux_7_is_understood() -> None:
    tally = counted("el7.log")
    assert rows(tally, "accepted") == [["karl", "2001:db8::4", "keyboard-interactive/pam", 1]]
    assert methods(tally) == {"password": 1, "keyboard-interactive": 1, "left before login": 1}
    assert rows(tally, "su") == [["karl", "root", "", 1]]
    assert rows(tally, "sudo_refused") == [["anne", "root", "command not allowed", 1]]
    assert (tally.unknown, tally.ownership) == (1, 1)


def test_enterprise_linux_9_and_openssh_10_are_understood() -> None:
    tally = counted("el9.log")
    assert rows(tally, "accepted") == [["karl", "192.0.2.4", "publickey", 1], ["karl", "tty1", "console", 1]]
    assert methods(tally) == {"password": 1, "left before login": 2, "console": 1}
    assert rows(tally, "sudo") == [["karl", "root", "dnf", 1]]


@given(user=names, source=addresses, method=st.sampled_from((b"password", b"none", b"publickey")))
def test_whatever_a_user_is_called_no_login_is_invented_and_the_source_is_the_true_one(
    user: bytes, source: bytes, method: bytes
) -> None:
    end = b" from " + source + b" port 4022 ssh2"
    for message in (
        b"Invalid user " + user + b" from " + source + b" port 4022",
        b"Failed " + method + b" for invalid user " + user + end,
        b"Failed " + method + b" for " + user + end,
        b"error: PAM: Authentication failure for illegal user " + user + b" from " + source,
        b"error: maximum authentication attempts exceeded for invalid user " + user + end + b" [preauth]",
        b"Connection closed by invalid user " + user + b" " + source + b" port 4022 [preauth]",
        b"Connection closed by authenticating user " + user + b" " + source + b" port 4022 [preauth]",
        b"Disconnecting invalid user " + user + b" " + source + b" port 4022: Too many authentication failures",
    ):
        event = access_sshd.read(message)
        assert event is not None
        assert event.what != "accepted"
        assert event.source == source


@given(user=names, comment=names)
def test_a_stranger_who_chooses_name_and_key_can_only_make_the_source_unclear(user: bytes, comment: bytes) -> None:
    message = b"Failed publickey for invalid user " + user + b" from 203.0.113.7 port 4022 ssh2" + KEY
    for text in (message, message + b" ID " + comment):
        event = access_sshd.read(text)
        assert event is not None
        assert event.what == "failed"
        assert event.source in (b"203.0.113.7", b"?")


@given(text=st.binary(max_size=300), start=st.sampled_from((b"", b"error: ", b"Bad protocol version identification '")))
def test_only_sshds_own_beginning_says_that_somebody_got_in(text: bytes, start: bytes) -> None:
    for message in (start + text, start + text + ROOT_IN, start + b" " + ROOT_IN):
        event = access_sshd.read(message)
        assert event is None or event.what != "accepted" or message.startswith(b"Accepted ")


@given(line=st.binary(max_size=400))
def test_no_line_whatever_is_too_much(line: bytes) -> None:
    reader = Syslog(1_795_430_000.0)
    start = b"Nov 23 08:15:00 papio sshd[1]: "
    tally = AccessTally(0.0, [0.0])
    for text in (line, start + line, start.replace(b"sshd", b"sudo") + line, start.replace(b"sshd", b"su") + line):
        message = reader.read(text)
        if message:
            tally.add(message)
    assert tally.tables["accepted"].total == 0 or b"Accepted " in line or b"LOGIN ON" in line


def test_a_login_from_a_name_with_spaces_has_its_own_source() -> None:
    odd = b"Accepted password for a from 6.6.6.6 port 22 ssh2 from 192.0.2.4 port 50 ssh2"
    assert access_sshd.read(odd) == Event(
        "accepted", b"a from 6.6.6.6 port 22 ssh2", b"192.0.2.4", b"password"
    )  # fmt: skip


def test_what_sshd_says_several_times_of_one_attempt_counts_once() -> None:
    tally = tally_of(
        b"Invalid user x from 203.0.113.7 port 4022",
        b"error: PAM: Authentication failure for illegal user x from 203.0.113.7",
        b"Failed keyboard-interactive/pam for invalid user x from 203.0.113.7 port 4022 ssh2",
        b"Connection closed by invalid user x 203.0.113.7 port 4022 [preauth]",
    )
    assert (tally.tables["refused"].total, methods(tally), tally.unknown) == (1, {"keyboard-interactive": 1}, 1)


def test_asking_what_may_be_tried_is_no_attempt_of_its_own() -> None:
    end = b" from 203.0.113.7 port 4022 ssh2"
    tally = tally_of(
        b"Invalid user x from 203.0.113.7 port 4022",
        b"Failed none for invalid user x" + end,
        b"Failed password for invalid user x" + end,
        b"Failed password for invalid user x" + end,
    )
    assert (tally.tables["refused"].total, methods(tally)) == (2, {"password": 2})
    assert methods(tally_of(b"Failed none for root" + end, b"Failed password for root" + end)) == {"password": 1}
    assert methods(tally_of(b"Failed none for root" + end)) == {"none": 1}


def test_a_repeated_message_counts_as_often_as_it_was_said() -> None:
    reader = Syslog(1_795_430_000.0)
    line = reader.read(
        b"Nov 23 08:15:00 papio sshd[1]: message repeated 5 times: [ Failed password for root from 1.2.3.4 port 5 ssh2]"
    )
    assert line
    assert line.times == 5
    tally = AccessTally(0.0, [0.0])
    tally.add(line._replace(times=1, message=b"Invalid user root from 1.2.3.4 port 5"))
    tally.add(line)
    assert (tally.tables["refused"].total, methods(tally)) == (5, {"password": 5})


@pytest.mark.parametrize("name", [b"pam", b"pam_refused", b"su", b"_by_pam", b"accepted"])
def test_the_name_of_a_program_that_sudo_runs_means_nothing(name: bytes) -> None:
    ran = b"karl : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/local/bin/" + name
    tally = tally_of(ran, program=b"sudo")
    assert rows(tally, "sudo") == [["karl", "root", name.decode(), 1]]
    assert (tally.tables["su"].total, tally.tables["accepted"].total) == (0, 0)


def test_the_folder_and_the_words_of_a_sudo_command_change_nothing() -> None:
    into = b"karl : TTY=pts/0 ; PWD=/tmp/a ; USER=nobody ; COMMAND=/bin/true/x ; USER=root ; COMMAND=/bin/ls"
    assert access_su.sudo(into) == Event("allowed", b"karl", b"", b"?", b"?")
    words = b"karl : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo karl : command not allowed ; TTY=x"
    assert access_su.sudo(words) == Event("allowed", b"karl", b"", b"echo", b"root")
    assert access_su.sudo(b"karl : HOST=papio ; TTY=x ; PWD=/ ; USER=root ; COMMAND=/bin/ls")
    assert access_su.sudo(b"karl : (command continued) ; USER=root ; COMMAND=/bin/sh") is None
    assert access_su.sudo(b"root : problem with defaults entries ; TTY=pts/0 ; PWD=/ ; ") is None


@pytest.mark.parametrize(
    ("program", "uid", "executable", "writer"),
    [
        (b"sshd", "0", None, "own"),
        (b"sshd", "1000", "/usr/sbin/sshd", "another"),
        (b"su", "1000", "/usr/bin/su", "own"),
        (b"su", "1000", "/tmp/su", "another"),
        (b"su", "1000", "/usr/bin/logger", "another"),
        (b"su", "1000", None, "unproven"),
    ],
)
def test_the_journal_says_who_wrote_a_line(program: bytes, uid: str, executable: str | None, writer: str) -> None:
    message = b"(to root) karl on pts/1" if program == b"su" else ROOT_IN
    assert whose(LogLine(1.0, program, b"1", message), uid, executable) == writer


def test_a_line_of_any_length_is_passed_over_in_bounded_memory() -> None:
    long = b"x" * (3 << 20)
    stream = io.BytesIO(b"one\n" + long + b"\ntwo\n" + b"y" * (LONGEST + 1) + b"\nthree\n" + long)
    assert list(bounded(stream)) == [b"one", None, b"two", None, b"three", None]


@given(lines=st.lists(st.binary(max_size=50).map(lambda line: line.replace(b"\n", b""))))
def test_lines_are_those_of_the_stream(lines: list[bytes]) -> None:
    assert list(bounded(io.BytesIO(b"".join(line + b"\n" for line in lines)))) == lines


def local(*parts: int) -> float:
    return time.mktime((*parts, 0, 0, -1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stamp", "written", "at"),
    [
        (b"Dec 31 23:59:59", local(2027, 1, 1, 0, 5, 0), local(2026, 12, 31, 23, 59, 59)),
        (b"Jan  1 00:00:01", local(2027, 1, 1, 0, 5, 0), local(2027, 1, 1, 0, 0, 1)),
        # The clock of the log is a little ahead of the file's time.
        (b"Jan  1 00:10:00", local(2026, 12, 31, 23, 59, 0), local(2027, 1, 1, 0, 10, 0)),
        (b"Feb 29 12:00:00", local(2028, 3, 1, 0, 0, 0), local(2028, 2, 29, 12, 0, 0)),
        (b"Feb 29 12:00:00", local(2027, 1, 5, 0, 0, 0), local(2024, 2, 29, 12, 0, 0)),
    ],
)
def test_a_stamp_without_a_year_is_in_the_year_before_it_was_written(stamp: bytes, written: float, at: float) -> None:
    line = Syslog(written).read(stamp + b" papio sshd[1]: x")
    assert line
    assert line.at == at


@pytest.mark.parametrize("stamp", [b"Feb 30 12:00:00", b"Xxx 10 12:00:00", b"Nov  0 12:00:00", b"Nov 23 25:00:00"])
def test_a_stamp_that_cannot_be_is_no_line(stamp: bytes) -> None:
    assert Syslog(1_795_430_000.0).read(stamp + b" papio sshd[1]: x") is None


@pytest.mark.parametrize("zone", [b"Z", b"+00:00", b"+0000", b"-05:00"])
def test_a_stamp_with_a_zone_is_read_as_it_says(zone: bytes) -> None:
    hour = b"03" if zone.startswith(b"-") else b"08"
    line = Syslog(0.0).read(b"2026-11-23T" + hour + b":15:00.25" + zone + b" papio sshd[1]: x")
    assert line
    assert line.at == 1_795_421_700.0
