"""Long-lived commands, placed files, and the end of the runner itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runner.hosts import transport
from runner.hosts.session import Pace
from runner.hosts.transport import HeldCommand, Local, Transport
from tests.contract.ways import gone, server, sh, way

__all__ = ["server", "way"]


def test_a_held_command_lives_until_it_is_closed(way: Transport) -> None:
    held = way.start(sh("echo $$; cat >/dev/null; exit 4"))
    pid = int(held.first_line(10))
    time.sleep(0.5)
    assert held.alive()
    assert held.close().exit == 4
    assert not held.alive()
    assert gone(pid)


def test_a_held_command_outlives_the_thread_that_started_it(way: Transport) -> None:
    kept: list[HeldCommand] = []
    starter = threading.Thread(target=lambda: kept.append(way.start(sh("echo up; cat"))))
    starter.start()
    starter.join()
    assert kept[0].first_line(10) == b"up"
    time.sleep(0.5)
    assert kept[0].alive()
    assert kept[0].close().exit == 0


def test_a_held_command_that_ends_by_itself_is_seen(way: Transport) -> None:
    held = way.start(sh("echo no lock; exit 75"))
    assert held.first_line(10) == b"no lock"
    assert held.close().exit == 75
    assert not held.alive()


def test_a_held_command_that_says_nothing_gives_an_empty_line(way: Transport) -> None:
    held = way.start(("cat",))
    assert held.first_line(0.3) == b""
    assert held.close().exit == 0


def test_a_held_command_that_cannot_be_started_is_not_alive(way: Transport) -> None:
    held = way.start(("no-such-program",))
    assert held.first_line(10) == b""
    assert "cannot be started" in held.close().error


def test_a_held_command_that_will_not_end_is_ended(way: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "GRACE", 1.0)
    held = way.start(sh("echo $$; sleep 600"))
    pid = int(held.first_line(10))
    assert held.close().exit == -15
    assert gone(pid)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_put_places_the_content_with_its_mode_and_makes_the_parents(way: Transport, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a b" / "it's\nhere" / "-file"
    assert way.put(str(path), b"\0content\xff\n", mode).exit == 0
    assert path.read_bytes() == b"\0content\xff\n"
    assert path.stat().st_mode & 0o7777 == mode
    assert path.parent.stat().st_mode & 0o7777 == 0o755
    assert [entry.name for entry in path.parent.iterdir()] == ["-file"]


def test_put_is_seen_whole_or_not_at_all(way: Transport, tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([letter]) * 2_000_000 for letter in b"ab"]
    path.write_bytes(contents[0])
    seen, over = set(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.add(path.read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(6):
        assert way.put(str(path), contents[number % 2], 0o644).exit == 0
    over.set()
    watcher.join()
    assert seen <= set(contents)


def test_put_replaces_a_symlink_and_not_what_it_points_to(way: Transport, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    assert way.put(str(tmp_path / "link"), b"new", 0o644).exit == 0
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "link").is_symlink()


def test_put_that_fails_leaves_what_was_there_and_nothing_else(way: Transport, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    result = way.put(str(tmp_path / "folder"), b"new", 0o644)
    assert result.exit not in {0, None}
    assert result.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_killed_runner_takes_its_local_command_along() -> None:
    script = (
        "import sys; from runner.hosts.transport import Local\n"
        "def sink(data): sys.stdout.buffer.write(data); sys.stdout.flush()\n"
        "Local('papio').run(('sh', '-c', 'echo $$; exec sleep 600'), timeout=600, sink=sink)\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root) as runner:
        assert runner.stdout
        pid = int(runner.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        runner.send_signal(signal.SIGKILL)
        runner.wait(10)
    assert gone(pid)


def test_an_interrupt_from_the_keyboard_ends_the_command() -> None:
    script = (
        "import sys; from runner.hosts.transport import Local\n"
        "def sink(data): sys.stdout.buffer.write(data); sys.stdout.flush()\n"
        "try: Local('papio').run(('sh', '-c', 'echo $$; exec sleep 600'), timeout=600, sink=sink)\n"
        "except KeyboardInterrupt: sys.exit(9)\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root) as runner:
        assert runner.stdout
        pid = int(runner.stdout.readline())
        runner.send_signal(signal.SIGINT)
        assert runner.wait(10) == 9
    assert gone(pid)


def test_an_exit_code_that_the_kernel_threw_away_is_never_taken_for_success() -> None:
    script = (
        "import signal; from runner.hosts.transport import Local\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "result = Local('papio').run(('false',), timeout=60)\n"
        "print(result.exit, result.error)\n"
    )
    root = Path(__file__).parents[3]
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True)
    assert told.stdout.startswith("None its exit code is lost")
    assert told.stderr == ""


def test_reading_and_writing_without_output_is_progress_on_this_machine() -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do head -c 300000 /dev/zero >/dev/null; sleep 0.3; done"
    result = Local("papio").run(sh(script), timeout=60, pace=Pace(stall=1.5))
    assert (result.exit, result.error) == (0, "")


def test_a_daemon_that_keeps_the_pipe_does_not_keep_the_runner_waiting() -> None:
    begin = time.monotonic()
    result = Local("papio").run(sh("setsid sleep 40 & echo started"), timeout=60)
    assert (result.exit, result.out) == (0, b"started\n")
    assert time.monotonic() - begin < 20
