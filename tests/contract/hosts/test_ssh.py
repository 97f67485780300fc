"""Whom ssh talks to, what it says when it does not, and that rsync's ssh sees it the same way."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fabric
import paramiko  # type: ignore[import-untyped]
import pytest
from pytest_mock import MockerFixture

from runner.hosts import connection, line
from runner.hosts.reach import transports, write_ssh_config
from runner.hosts.ssh import Ssh
from runner.hosts.transport import Local, Result
from runner.tools.ssh import call, rsh
from tests.contract.hosts.admitting import Admitting
from tests.contract.sshd import Sshd, free_port, new_key, sshd
from tests.contract.ways import server, site, ssh

__all__ = ["server"]

Try = Callable[[Ssh], Result]


@pytest.fixture
def touch(tmp_path: Path) -> Iterator[Try]:
    """Try to run a command that would leave a trace; it must not."""
    trace = tmp_path / "trace"

    def attempt(way: Ssh) -> Result:
        result = way.run(("touch", str(trace)), timeout=30)
        way.close()
        return result

    yield attempt
    assert not trace.exists()


def test_an_unknown_host_is_refused_with_its_fingerprint(server: Sshd, tmp_path: Path, touch: Try) -> None:
    known = tmp_path / "known"
    known.write_text("")
    result = touch(ssh(server, tmp_path, known=known))
    listed = subprocess.run(
        ["ssh-keygen", "-lf", server.folder / "host_key.pub"], capture_output=True, text=True, check=True
    )
    assert result.exit is None
    assert "is not in known_hosts" in result.error
    assert listed.stdout.split()[1] in result.error


def test_a_host_with_another_key_than_the_known_one_is_refused(server: Sshd, tmp_path: Path, touch: Try) -> None:
    other = new_key(tmp_path / "other").with_suffix(".pub").read_text()
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{server.port} {other}")
    result = touch(ssh(server, tmp_path, known=known))
    assert result.exit is None
    assert "is not the one in known_hosts" in result.error


def test_lines_of_known_hosts_that_are_for_others_are_in_nobodys_way(server: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "marked"
    other = new_key(tmp_path / "authority").with_suffix(".pub").read_text()
    odd = "[127.0.0.1] ssh-ed25519 AAA=\n[127.0.0.1] ssh-new AAAA\n[127.0.0.1]\n"
    marked = f"# x\n\n@cert-authority *.example.edu {other}@revoked * {other}\t{odd}|1|x|y ssh-ed25519 AAAA\n"
    known.write_bytes(marked.encode() + b"\xff\xfe x y\n" + server.known_hosts.read_bytes())
    way = ssh(server, tmp_path, known=known)
    assert way.run(("true",), timeout=30).exit == 0
    way.close()
    # A name that is hashed there is the host's own too.
    shutil.copy(server.known_hosts, known)
    subprocess.run(("ssh-keygen", "-q", "-H", "-f", known), check=True, capture_output=True)
    assert "127.0.0.1" not in known.read_text()
    assert way.run(("true",), timeout=30).exit == 0
    way.close()


def test_a_host_whose_key_is_revoked_is_refused(server: Sshd, tmp_path: Path, touch: Try) -> None:
    known = tmp_path / "revoked"
    known.write_text(f"{server.known_hosts.read_text()}@revoked * {server.host_key()} it was stolen\n")
    result = touch(ssh(server, tmp_path, known=known))
    assert result.exit is None
    assert "has a host key that known_hosts revokes, ssh-ed25519 SHA256:" in result.why


def test_without_any_known_hosts_file_nobody_is_trusted(server: Sshd, tmp_path: Path, touch: Try) -> None:
    result = touch(ssh(server, tmp_path, known=tmp_path / "absent"))
    assert result.exit is None
    assert "no host key is known" in result.why and "no ssh key" not in result.why
    assert result.do == f"check its key with its keeper, then put it into {tmp_path}/absent"
    # On the first day our own key is missing too, and the host was not asked.
    both = touch(ssh(server, tmp_path, known=tmp_path / "absent", key=str(tmp_path / "no-key")))
    assert both.why.endswith(" exists, and there is no ssh key here")
    assert both.do.startswith(f"make one with `ssh-keygen -t ed25519 -N '' -f {tmp_path}/no-key`")


def test_a_key_that_is_not_authorized_is_told(server: Sshd, tmp_path: Path, touch: Try) -> None:
    result = touch(ssh(server, tmp_path, key=str(server.stranger)))
    assert result.exit is None
    assert "authorized_keys" in result.do and "refused to let us in" in result.why


def test_a_key_that_others_may_read_is_shown_to_nobody(server: Sshd, tmp_path: Path, touch: Try) -> None:
    server.key.chmod(0o640)
    try:
        result = touch(ssh(server, tmp_path))
    finally:
        server.key.chmod(0o600)
    assert "is not asked, since" in result.why and f"{server.key} holds a secret, and others may read it" in result.why
    assert result.do == f"chmod 600 {server.key}"


def test_a_key_file_that_is_missing_is_told(server: Sshd, tmp_path: Path, touch: Try) -> None:
    result = touch(ssh(server, tmp_path, key=str(tmp_path / "no-key")))
    assert result.exit is None
    key = tmp_path / "no-key"
    assert f"make one with `ssh-keygen -t ed25519 -N '' -f {key}`, and add the line in {key}.pub to " in result.error


def test_where_there_is_no_key_at_all_it_says_how_to_make_one(
    server: Sshd, tmp_path: Path, touch: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    result = touch(ssh(server, tmp_path, key=""))
    key = tmp_path / ".ssh/id_ed25519"
    assert f"there is no ssh key here: make one with `ssh-keygen -t ed25519 -N '' -f {key}`" in result.error
    assert result.error.endswith("/.ssh/authorized_keys there")
    # Where there is one, it is this that is not known there.
    key.parent.mkdir(mode=0o700)
    new_key(key)
    assert "refused to let us in" in touch(ssh(server, tmp_path, key="")).error
    # A host that speaks no ssh asked for none.
    key.unlink()
    assert "ssh key" not in touch(ssh(server, tmp_path, key="", port=free_port())).error


def test_a_closed_port_is_told(server: Sshd, tmp_path: Path, touch: Try) -> None:
    result = touch(ssh(server, tmp_path, port=free_port()))
    assert result.exit is None
    assert "is sshd running there" in result.error and (result.do, result.lost) == ("", True)
    assert result.error.startswith("ssh: ") and "'true'" not in result.error


def test_an_unknown_address_is_told(server: Sshd, tmp_path: Path, touch: Try) -> None:
    result = touch(ssh(server, tmp_path, address="nowhere.invalid"))
    assert result.exit is None
    assert "address" in result.error


def test_the_key_of_a_jump_host_is_checked_too(server: Sshd, tmp_path: Path, touch: Try) -> None:
    known = server.known_hosts.read_text()
    server.known_hosts.write_text(known.replace("[127.0.0.1]", "[127.0.0.9]"))
    try:
        mine = tmp_path / "mine"
        mine.write_text(known)
        result = touch(ssh(server, tmp_path, name="hidden", known=mine))
    finally:
        server.known_hosts.write_text(known)
    assert result.exit is None
    assert "Host key verification failed" in result.error
    assert "try ssh -F" in result.error


def test_a_refusal_writes_nothing_to_the_terminal(
    server: Sshd, tmp_path: Path, touch: Try, capfd: pytest.CaptureFixture[str]
) -> None:
    touch(ssh(server, tmp_path, key=str(server.stranger)))
    touch(ssh(server, tmp_path, port=free_port()))
    assert capfd.readouterr() == ("", "")


def test_a_connection_that_breaks_is_255_and_the_next_command_gets_a_new_one(server: Sshd, tmp_path: Path) -> None:
    way = ssh(server, tmp_path)
    way.run(("true",), timeout=30)
    (mine,) = server.connections()
    timer = threading.Timer(1, os.kill, (mine, signal.SIGKILL))
    timer.start()
    result = way.run(("sleep", "5"), timeout=30)
    timer.join()
    assert (result.exit, result.timed_out) == (255, False)
    assert "broke" in result.error
    assert way.run(("echo", "again"), timeout=30).out == b"again\n"
    way.close()


def test_a_jump_host_carries_everything_both_ways(server: Sshd, tmp_path: Path) -> None:
    way, came = ssh(server, tmp_path, name="hidden"), []
    blocks = [bytes([number]) * 1_000_000 for number in range(50)]
    result = way.run(("cat",), stdin=iter(blocks), sink=came.append, timeout=60)
    assert (result.exit, result.error) == (0, "")
    assert b"".join(came) == b"".join(blocks)
    assert way.run(("sleep", "600"), timeout=1).exit == -15
    assert way.put(str(tmp_path / "placed"), b"content", 0o600).exit == 0
    way.close()


def test_a_jump_host_that_dies_is_noticed_at_once(server: Sshd, tmp_path: Path) -> None:
    way = ssh(server, tmp_path, name="hidden")
    way.run(("true",), timeout=30)

    def break_all() -> None:
        for pid in server.connections():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(1, break_all)
    timer.start()
    begin = time.monotonic()
    assert way.run(("sleep", "60"), timeout=90).exit == 255
    assert time.monotonic() - begin < 20
    timer.join()
    assert way.run(("echo", "again"), timeout=30).out == b"again\n"
    way.close()


def test_more_commands_at_once_than_a_connection_may_carry_get_a_second_one(tmp_path: Path) -> None:
    with sshd(tmp_path / "narrow", more="MaxSessions 2\n") as narrow:
        way = ssh(narrow, tmp_path)
        held = [way.start(("sh", "-c", "echo up; cat")) for _ in range(3)]
        assert [one.first_line(20) for one in held] == [b"up"] * 3
        assert way.run(("sleep", "600"), timeout=1).exit == -15
        assert [one.close().exit for one in held] == [0] * 3
        way.close()


def test_a_connection_that_hangs_is_replaced(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OPEN_TIMEOUT", 1.0)
    monkeypatch.setattr(connection, "FRESH", 0.0)
    way = ssh(server, tmp_path)
    way.run(("true",), timeout=30)
    (mine,) = server.connections()
    os.kill(mine, signal.SIGSTOP)
    try:
        assert way.run(("echo", "again"), timeout=30).out == b"again\n"
    finally:
        os.kill(mine, signal.SIGCONT)
        way.close()


@pytest.mark.parametrize(("name", "shared"), [("backup", False), ("backup", True), ("hidden", False)])
def test_a_host_whose_kernel_alone_answers_is_given_up(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, shared: bool
) -> None:
    monkeypatch.setattr(line, "KEEPALIVE", 0.1)
    write_ssh_config(site(server), tmp_path / "ssh_config")
    ways = transports(site(server), tmp_path / "ssh_config")
    assert ways[name].run(("sleep", "1"), timeout=30).exit == 0, "one that answers lives on"
    mine = server.connections()[-1]
    timer = threading.Timer(0.5, os.kill, (mine, signal.SIGSTOP))
    timer.start()
    begin = time.monotonic()
    argv = (*rsh(str(tmp_path)), name) if shared else ()
    result = ways["papio" if shared else name].run((*argv, "sleep", "60"), timeout=90)
    timer.join()
    assert (result.exit, b"broke" in result.err + result.error.encode()) == (255, True)
    assert time.monotonic() - begin < 30
    os.kill(mine, signal.SIGCONT)
    for way in ways.values():
        way.close()


def test_the_next_command_has_a_session_that_was_opened_while_the_first_ran(
    server: Sshd, tmp_path: Path, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "FRESH", 60.0)
    way, asked, real = ssh(server, tmp_path), list[threading.Thread](), paramiko.Transport.open_session

    def opened(*given: object, **more: object) -> object:
        asked.append(threading.current_thread())
        return real(*given, **more)

    mocker.patch("paramiko.Transport.open_session", autospec=True, side_effect=opened)
    for _ in range(3):
        assert way.run(("sleep", "0.5"), timeout=30).exit == 0
    # Who waits is this thread.
    assert (asked.count(threading.current_thread()), len(asked)) == (1, 4)
    # One that waits for a command shows nothing of the line after a while.
    monkeypatch.setattr(connection, "FRESH", 0.0)
    assert way.run(("true",), timeout=30).exit == 0
    assert asked.count(threading.current_thread()) == 2
    way.close()


def test_a_put_whose_connection_breaks_leaves_the_old_content_or_the_whole_new_one(
    server: Sshd, tmp_path: Path
) -> None:
    way, path = ssh(server, tmp_path), tmp_path / "placed" / "file"
    new = b"new" * 20_000_000
    for delay in (0.05, 0.15, 0.3):
        assert way.put(str(path), b"old", 0o644).exit == 0
        (mine,) = server.connections()
        timer = threading.Timer(delay, os.kill, (mine, signal.SIGKILL))
        timer.start()
        result = way.put(str(path), new, 0o644)
        timer.join()
        time.sleep(0.5)
        # Between its last act and the word of it the line may break too: then it is not known, and never half.
        assert path.read_bytes() in ((b"old", new) if result.exit != 0 else (new,))
    way.close()


@pytest.mark.parametrize("raised", [EOFError, paramiko.SSHException])
@pytest.mark.parametrize("where", ["Channel.send", "Channel.recv", "Channel.close", "Transport._send_user_message"])
def test_a_connection_that_dies_in_the_middle_of_a_send_is_no_crash(
    server: Sshd, tmp_path: Path, mocker: MockerFixture, where: str, raised: type[Exception]
) -> None:
    way = ssh(server, tmp_path)
    assert way.run(("true",), timeout=30).exit == 0
    mocker.patch(f"paramiko.{where}", autospec=True, side_effect=raised)
    result = way.run(("sh", "-c", "cat >/dev/null; exit 7"), stdin=(b"lost",), timeout=1)
    assert result.exit != 0
    way.close()


class Barring(Admitting):
    """A server that has no process left for anybody: it opens sessions and runs nothing."""


def test_a_command_that_the_host_refuses_to_run_is_said_to_be_that(server: Sshd, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            transport = paramiko.Transport(listening.accept()[0])
            transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(server.folder / "host_key")))
            transport.start_server(server=Barring())

        threading.Thread(target=serve, daemon=True).start()
        port = listening.getsockname()[1]
        known = tmp_path / "known"
        known.write_text(server.known_hosts.read_text().replace(str(server.port), str(port)))
        way = ssh(server, tmp_path, known=known, port=port)
        result = way.run(("true",), stdin=(b"for nobody" * 100_000,), timeout=30)
        assert (result.exit, result.lost) == (None, True)
        assert result.error.startswith("ssh: backup refused to run the command: ")
        way.close()


def test_commands_of_one_host_share_one_connection(server: Sshd, tmp_path: Path) -> None:
    way = ssh(server, tmp_path)
    for _ in range(3):
        assert way.run(("true",), timeout=30).exit == 0
    assert len(server.connections()) == 1
    way.close()
    time.sleep(0.5)
    assert server.connections() == []


def test_what_a_login_shell_says_first_does_not_hide_the_process_group(tmp_path: Path) -> None:
    with sshd(tmp_path / "noisy", more='ForceCommand echo noise >&2; eval "$SSH_ORIGINAL_COMMAND"\n') as noisy:
        way = ssh(noisy, tmp_path)
        assert way.run(("sleep", "600"), timeout=1).exit == -15
        assert way.run(("sh", "-c", "echo mine >&2"), timeout=30).err == b"noise\nmine\n"
        way.close()


def test_ssh_and_fabric_read_the_configuration_alike(server: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "with space" / "ssh_config"
    key = tmp_path / "a key"
    write_ssh_config(site(server, user="saver", key=str(key)), config)
    for name in ("backup", "hidden"):
        told = subprocess.run(["ssh", "-F", config, "-G", name], capture_output=True, text=True, check=True)
        lines = dict(line.split(" ", 1) for line in told.stdout.splitlines() if " " in line)
        settings = fabric.Config(lazy=True, runtime_ssh_path=str(config))
        settings.load_ssh_config()
        view = fabric.Connection(name, config=settings)
        assert (lines["hostname"], lines["user"]) == (view.host, view.user)
        assert int(lines["port"]) == view.port
        assert [lines["identityfile"]] == view.connect_kwargs["key_filename"]
        assert (lines["forwardagent"], view.forward_agent) == ("no", False)
        assert lines["stricthostkeychecking"] == "true"
    assert view.ssh_config["proxycommand"].endswith(f" -W '[127.0.0.1]:{server.port}' -- backup")


@pytest.mark.parametrize("name", ["backup", "hidden"])
def test_ssh_gets_there_by_the_same_configuration(server: Sshd, tmp_path: Path, name: str) -> None:
    config = tmp_path / "with space" / "ssh_config"
    write_ssh_config(site(server), config)
    result = Local("papio").run((*call(str(config)), name, "echo", "there"), timeout=30)
    assert (result.exit, result.out) == (0, b"there\n")


def test_the_configuration_is_for_its_owner_only(server: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "new" / "ssh_config"
    write_ssh_config(site(server), config)
    assert config.stat().st_mode & 0o777 == 0o600


def test_the_controller_is_reached_without_ssh_and_connects_to_nothing_early(server: Sshd, tmp_path: Path) -> None:
    ways = transports(site(server), tmp_path / "not-written")
    assert isinstance(ways["papio"], Local)
    assert isinstance(ways["backup"], Ssh)
