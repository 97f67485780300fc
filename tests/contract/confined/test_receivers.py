"""What receives into a partial is ended before a verb touches that: it would write to what is sealed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.store.lock import byte_of
from tests.compare import fingerprint
from tests.contract.site import children, until
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, Storehouse, execute, filled

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to confine anything")
OLD, NEWEST, A, B = (f"2026-11-2{day}T010000Z" for day in (1, 2, 3, 4))
# It is in the middle of its stream: told to go on, it writes below the folder in which it works.
SCRIPT = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in sys.argv else lambda *_: os._exit(20))
os.chdir(sys.argv[1])
print("ready", flush=True)
if sys.stdin.readline():
    for name in ("old", "new"):
        open(name, "w").write("written later")
"""


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    return filled(tmp_path, (OLD, NEWEST))


def argv(house: Storehouse, *words: str, name: str = A) -> tuple[str, ...]:
    return (*PROGRAM, "keep-room", str(house.root), f"--partial={name}", "--confined", "--", *words)


class Receiver:
    """One that has begun to receive, and what it does when its stream goes on."""

    def __init__(self, house: Storehouse, *more: str, place: str = "0") -> None:
        words = ("python3", "-IS", "-c", SCRIPT, f"{house.root}/.incoming/{A}/{place}", *more)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv(house, *words), env=ENVIRONMENT, stdin=pipe, stdout=pipe)
        assert self.process.stdin and self.process.stdout
        self._stdin = self.process.stdin
        self.ready = self.process.stdout.readline()

    def goes_on(self) -> int:
        """Give it the rest of its stream, and wait for its end."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(b"go on\n")
            self._stdin.flush()
        return self.process.wait(60)


@contextlib.contextmanager
def receiving(house: Storehouse, *more: str, place: str = "0") -> Iterator[Receiver]:
    made = Receiver(house, *more, place=place)
    try:
        assert made.ready == b"ready\n"
        yield made
    finally:
        made.process.kill()
        made.process.communicate()


def begin(house: Storehouse, name: str = A, *more: str) -> Said:
    return house.call(
        "begin", str(house.root), name, "--plan", house.plan, f"--basis={NEWEST}", *more, "--", *house.points
    )


def require_nothing_written(house: Storehouse) -> None:
    assert [path for path in house.root.rglob("new") if path.read_text() == "written later"] == []
    assert {path.read_text() for path in house.root.rglob("old")} <= {"old"}


def test_no_clone_is_made_where_it_was_to_be_received_whole(house: Storehouse) -> None:
    before = fingerprint(house.root / OLD)
    with house.held():
        assert begin(house, A, "--whole=/").code == 0
        said = house.clone(A, OLD)
        shutil.rmtree(house.root / f".incoming/{A}/0")
        assert begin(house, B, f"--resume={A}", "--whole=/").code == 0
    assert said.code == 1 and "to be sent whole" in said.answer["error"]
    assert list((house.root / f".incoming/{B}/0").iterdir()) == []
    assert fingerprint(house.root / OLD) == before


@pytest.mark.parametrize("verb", ["begin", "clone", "compose", "drop-partials"])
def test_a_verb_ends_what_receives_into_the_partial_that_it_touches(house: Storehouse, verb: str) -> None:
    before = fingerprint(house.root / OLD)
    with house.held():
        assert begin(house).code == 0
        with receiving(house) as one, receiving(house) as other:
            if verb == "begin":
                said = begin(house, B, f"--resume={A}")
            elif verb == "clone":
                said = house.clone(A, OLD)
            elif verb == "compose":
                said = house.call("compose", str(house.root), A, "--plan", house.plan)
            else:
                said = house.call("drop-partials", str(house.root), "--plan", house.plan, "--", A)
            assert said.code == 0, said.out
            assert [each.goes_on() for each in (one, other)] == [20, 20]
    require_nothing_written(house)
    assert fingerprint(house.root / OLD) == before


def test_what_was_composed_of_what_was_received_is_no_place_for_a_clone(house: Storehouse) -> None:
    before = fingerprint(house.root / OLD)
    with house.held():
        assert begin(house).code == 0
        with receiving(house) as one:
            assert house.call("compose", str(house.root), A, "--plan", house.plan).code == 0
            assert "to be sent whole" in house.clone(A, OLD).answer["error"]
            one.goes_on()
    assert fingerprint(house.root / OLD) == before
    require_nothing_written(house)


def test_nothing_receives_into_what_is_composed_or_sealed(house: Storehouse) -> None:
    with house.held():
        assert begin(house, A, "--whole=/").code == 0
        with receiving(house) as one:
            sent = house.send_all(A)
            assert house.compose(A).code == 0
            between = execute(argv(house, "true"))
            said = house.seal(A, sent)
            assert said.code == 0, said.out
            after = fingerprint(house.root / A)
            assert one.goes_on() == 20
        again = execute(argv(house, "true"))
    assert fingerprint(house.root / A) == after
    assert (between.code, b"has been composed already" in between.err) == (1, True)
    assert (again.code, b"there is no partial" in again.err) == (1, True)
    require_nothing_written(house)


# Its lock is free as soon as it is killed; all that it began is dead some time after.
MANY = """
import os, sys
os.chdir(sys.argv[1])
read, write = os.pipe()
for each in range(60):
    if os.fork() == 0:
        break
else:
    print("ready", flush=True)
os.close(write)
descriptor = os.open("there", os.O_CREAT | os.O_RDWR)
while True:
    os.utime(descriptor)
"""


def test_what_receives_is_dead_before_a_verb_works_though_its_keeper_was_killed(house: Storehouse) -> None:
    with house.held():
        assert begin(house).code == 0
        there = house.root / f".incoming/{A}/0"
        keeper = subprocess.Popen(
            argv(house, "python3", "-IS", "-c", MANY, str(there)), env=ENVIRONMENT, stdout=subprocess.PIPE
        )
        assert keeper.stdout and keeper.stdout.readline() == b"ready\n"
        ((first, _), *_) = children(keeper.pid)
        # Told to nobody: all are stopped that would hear of it.
        script = f"""
import os, signal, sys
from runner.agent.store import lock, receivers
from runner.agent.store.layout import open_store
descriptor = lock.open_lock(open_store("{house.root}"), os.O_RDWR)
os.kill({keeper.pid}, signal.SIGKILL)
receivers.end(descriptor, ("{A}",))
print(os.path.exists("/proc/{first}/cwd"), len([each for each in os.listdir("/proc") if each.isdigit() and
    open(f"/proc/{{each}}/cmdline", "rb").read().endswith(b"{there}\\0")]))
"""
        said = execute((*PROGRAM[:2], "-c", script))
        keeper.communicate()
    assert said.out.split() == [b"False", b"0"], said


def test_where_it_cannot_be_noted_nothing_is_received(house: Storehouse, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    script = f"""
import sys
from runner.agent.host import noted
note = noted.note
noted.note = lambda key, pid: note(key, pid, "{tmp_path}/open")
from runner.agent.snapshots.keep_room import keep_room
sys.exit(keep_room(["{house.root}", "--partial={A}", "--confined", "--", "echo", "begun"]))
"""
    with house.held():
        assert begin(house).code == 0
        said = execute((*PROGRAM[:2], "-c", script))
    assert (said.code, said.out, b"others may change" in said.err, said.err.count(b"\n")) == (1, b"", True, 1), said


def test_who_would_receive_while_a_verb_works_is_refused(house: Storehouse) -> None:
    with house.held():
        assert begin(house).code == 0
        assert house.clone(A, OLD).code == 0
        assert execute(argv(house, "true")).code == 0
        words = ("compose", str(house.root), A, f"--plan={house.plan}", "--listed=list=/", "--settled=settle=/")
        with subprocess.Popen(
            (*PROGRAM, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
        ) as verb:
            # It waits for what is to be composed.
            until(lambda: "composing" in house.begun(A) or None)
            said = execute(argv(house, "true"))
            verb.communicate(timeout=60)
    assert (said.code, b"a verb is at work" in said.err) == (1, True)


def test_what_does_not_end_keeps_the_verb_from_working(house: Storehouse) -> None:
    """Somebody who reads that name, say: it is not ours to be ended."""
    with house.held():
        assert begin(house).code == 0
        before = fingerprint(house.root / ".partial")
        script = f"""
import sys
from runner.agent.store import receivers
from runner.agent.__main__ import work
receivers.PATIENCE = 0.2
receivers._tell = lambda pid: None
sys.argv = ["runner-agent", "clone", "{house.root}", "{A}", "--plan={house.plan}", "--basis={OLD}=/"]
sys.exit(work())
"""
        with (house.root / ".runner/lock").open("rb") as lock:
            fcntl.lockf(lock, fcntl.LOCK_SH, 1, byte_of(A))
            said = execute((*PROGRAM[:2], "-c", script))
        assert (said.code, said.answer["error"]) == (75, f"something still receives into the partial {A}")
        assert fingerprint(house.root / ".partial") == before


def test_what_is_confined_ends_with_whoever_keeps_room_though_it_hears_nothing(house: Storehouse) -> None:
    with house.held():
        assert begin(house).code == 0
        with receiving(house, "deaf") as one:
            ((pid, _), *_) = children(one.process.pid)
            one.process.send_signal(signal.SIGKILL)
            one.process.wait(60)
            until(lambda: not Path(f"/proc/{pid}/cwd").exists())
            one.goes_on()
    require_nothing_written(house)
