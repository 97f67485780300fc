"""`clone --recycle`: a snapshot expires, and what it was becomes the new one's clone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from runner.agent.answer import Refused
from runner.agent.compose import clone as clones
from runner.agent.compose.full import full
from runner.agent.compose.recycle import telling
from runner.agent.snapshots import begin
from runner.agent.store import layout, trash
from tests.compare import fingerprint
from tests.contract.compose.clone_parts import killed
from tests.contract.compose.test_clone import (
    begun,
    clone,
    everywhere,
    needs_root,
    refused,
    require_cloned,
    require_clones,
)
from tests.contract.retention.test_expire import facts, sums, verb
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Storehouse, copied

ONE, TWO, THREE, FOUR = NAMES = tuple(f"2026-11-2{day}T010000Z" for day in range(1, 5))
SEALED = NAMES[:2]
POINTS = ("/", "/home", "/home/data")
# Every call that moves something; all of them with `make soak`, each sixth before.
MOVES = ("rename", "mkdir", "rmdir", "unlink", "fsync", "open")
STEP = 1 if os.environ.get("PROPERTIES") == "deep" else 6


def prepared(place: Path) -> Storehouse:
    """Two snapshots of three filesystems, each with something new, and the third begun."""
    source = place / "source"
    for folder in ("same/inner", "etc", "home/own", "home/data/own"):
        (source / folder).mkdir(parents=True)
        for number in range(4):
            (source / folder / f"{number}").write_text(f"{folder} {number}")
    house = Storehouse(root=place / "store", source=source, points=POINTS)
    for earlier, name in zip(("", *SEALED), SEALED, strict=False):
        for folder in ("etc", "home/own", "home/data/own"):
            (source / folder / name).write_text(name)
            (source / folder / "0").unlink()
            (source / folder / "0").write_text(name)
        assert house.snapshot(name, earlier).code == 0
    with house.held():
        assert house.begin(THREE, TWO).code == 0
    return house


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    return prepared(tmp_path_factory.mktemp("ready"))


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def bases(basis: str = TWO) -> tuple[str, ...]:
    return tuple(f"--basis={basis}={point}" for point in POINTS)


def test_what_expires_becomes_the_clone_and_most_of_it_stays(house: Storehouse) -> None:
    before, lines = fingerprint(house.root / TWO), (sums(house, ONE), sums(house, TWO))
    with house.held():
        said = clone(house, *bases(), f"--recycle={ONE}", "--min=1", name=THREE)
        require_cloned(house, said, THREE, TWO)
    assert said.answer["recycled"] == ONE
    assert [(each["kept"], each["linked"], each["removed"]) for each in said.answer["filesystems"]] == [
        (8, 2, 1), (4, 2, 1), (4, 2, 1),
    ]  # fmt: skip
    assert fingerprint(house.root / TWO) == before
    assert [each["name"] for each in facts(house)["sealed"]] == [TWO]
    # Those of what lives on: of each filesystem one file was written anew.
    assert len(sums(house, TWO)) == len(lines[0]) - 3 + len(lines[1])
    assert facts(house)["lost"] == []
    assert not list((house.root / ".runner/records").glob(f"{ONE}*"))
    assert verb(house, "reap").code == 0
    assert not list((house.root / ".trash").iterdir())
    assert facts(house)["lost"] == []


@pytest.mark.parametrize("how", ["works in it", "has it open"])
def test_who_reads_one_without_a_word_goes_on_reading_it(house: Storehouse, how: str) -> None:
    old = house.root / ONE
    before, text = fingerprint(old), (old / "etc/0").read_bytes()
    enter = "os.chdir(sys.argv[1]); folder = None" if how == "works in it" else "folder = os.open(sys.argv[1], 0)"
    script = f"""import os, sys
{enter}
print(flush=True)
sys.stdin.readline()
os.write(1, os.read(os.open("0", 0, dir_fd=folder), 1000))"""
    argv = (sys.executable, "-c", script, old / "etc")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout and reader.stdin and reader.stdout.readline()
        with house.held():
            said = clone(house, *bases(), f"--recycle={ONE}", "--min=1", name=THREE)
            require_cloned(house, said, THREE, TWO)
        reader.stdin.close()
        assert reader.stdout.read() == text
    assert said.answer["recycled"] == ONE and all(each["kept"] == 0 for each in said.answer["filesystems"])
    assert [fingerprint(path) for path in (house.root / ".trash").glob(f"{ONE}*") if path.is_dir()] == [before]
    assert facts(house)["lost"] == []
    assert verb(house, "reap").code == 0
    assert not list((house.root / ".trash").iterdir())


@needs_root
def test_root_who_may_not_see_where_others_are_takes_it_that_somebody_is(tmp_path: Path) -> None:
    """As in some containers: a look that is not allowed has not found that nobody is there."""
    script = "import sys, pathlib; from runner.agent.host.processes import is_entered as e; print(e(pathlib.Path(sys.argv[1])))"
    for rights, said in ((), "False"), (("setpriv", "--bounding-set=-sys_ptrace", "--"), "True"):
        argv = (*rights, sys.executable, "-c", script, tmp_path)
        assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip() == said


@needs_root
def test_whoever_is_not_root_recycles_what_is_closed_to_him(ready: Storehouse) -> None:
    with everywhere(ready) as house:
        for name in SEALED:
            for folder, mode in (("same", 0o500), ("home/data", 0o500), ("home", 0o555), (".", 0o555)):
                (house.root / name / folder).chmod(mode)
        with house.held():
            said = clone(house, *bases(), f"--recycle={ONE}", "--min=1", name=THREE)
            require_cloned(house, said, THREE, TWO)
        assert all(each["kept"] > each["removed"] for each in said.answer["filesystems"])


def test_what_the_store_cannot_spare_is_not_recycled(house: Storehouse) -> None:
    def why(name: str, least: int = 1) -> str:
        return refused(house, *bases(), f"--recycle={name}", f"--min={least}", name=THREE)

    with house.held():
        assert "newest" in why(TWO)
        assert "no sealed snapshot" in why(FOUR)
        assert "floor is 2" in why(ONE, 2)
        assert "shares files with" in refused(house, *bases(ONE), f"--recycle={ONE}", "--min=1", name=THREE)
        path, content = house.root / f".partial/{THREE}.json", begun(house, THREE)
        for shared in ({"share": [f"{ONE}/home"]}, {"older": [ONE]}):
            path.write_text(json.dumps({**content, **shared}))
            assert "shares files with" in why(ONE)
        path.write_text(json.dumps(content))
        for name, wrong, error in (("pins", "[]", "cannot be understood"), ("floor", '{"min": 2}', "floor is 2")):
            (house.root / f".runner/{name}.json").write_text(wrong)
            assert error in why(ONE)
            (house.root / f".runner/{name}.json").unlink()
        argv = (*PROGRAM, "reading", str(house.root), ONE)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as reader:
            assert reader.stdout and reader.stdin
            reader.stdout.readline()
            assert "being read" in why(ONE)
            # It was not when the plan was made: the next one does without it, and the day has its snapshot.
            said = clone(house, *bases(), f"--recycle={ONE}", "--min=1", name=THREE)
            assert (said.code, said.answer["stale"], said.answer["again"]) == (77, True, True)
            assert (said.answer["do"], said.answer["recycled"]) == ("make a new plan: it does without that", "")
            reader.stdin.close()
    assert [each["name"] for each in facts(house)["sealed"]] == list(SEALED)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to let a call fail")
@pytest.mark.parametrize(
    ("call", "wrong", "went"), [("linkat", "ENOSPC", ONE), ("linkat", "EIO", ONE), ("rename", "ENOSPC", "")]
)
def test_what_fails_says_whether_it_went(house: Storehouse, call: str, wrong: str, went: str) -> None:
    inject = ("strace", "-qq", "-f", "-o", "/dev/null", f"--trace={call}", f"--inject={call}:error={wrong}")
    with house.held():
        said = clone(house, *bases(), f"--recycle={ONE}", "--min=1", name=THREE, around=inject)
        assert (said.code, said.answer["recycled"], said.answer.get("again")) == (1, went, wrong == "ENOSPC" or None)
        assert [each["name"] for each in facts(house)["sealed"]] == [name for name in SEALED if name != went]
        require_cloned(house, clone(house, *bases(), f"--recycle={ONE}", "--min=1", name=THREE), THREE, TWO)


@pytest.mark.parametrize(("place", "told"), [("store", {}), (f"store/{ONE}", {}), (f"store/{TWO}", {"recycled": ""})])
def test_where_nobody_can_see_it_any_more_it_may_have_gone(house: Storehouse, place: str, told: dict[str, str]) -> None:
    left = house.root.parent / place
    with pytest.raises(Refused) as failed, telling(layout.open_store(str(house.root)), ONE):
        left.rename(left.with_name("away"))
        raise full()
    assert failed.value.also == told


def test_a_filesystem_that_it_lacks_and_one_that_is_cloned_already_do_not_matter(house: Storehouse) -> None:
    shutil.rmtree(house.root / ONE / "home/data")
    (house.root / ONE / "home/data").symlink_to("/etc")
    (house.root / f".partial/{THREE}/1/garbage").mkdir()
    with house.held():
        said = clone(house, *bases(), f"--recycle={ONE}", "--min=1", name=THREE)
        require_cloned(house, said, THREE, TWO)
    assert [each["kept"] for each in said.answer["filesystems"]] == [8, 0, 0]


def do(work: Callable[[Sequence[str]], int], *argv: str) -> None:
    """Run a verb in this process, which may not hold the lock that it works under."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        assert work(argv) == 0
    except Refused as problem:
        os.write(2, problem.error.encode())
        raise


@contextlib.contextmanager
def locked(house: Storehouse) -> Iterator[None]:
    """Hold the lock as the plan that held it last: whoever is another process may work under it."""
    lock = os.open(house.root / ".runner/lock", os.O_RDWR)
    fcntl.lockf(lock, fcntl.LOCK_EX, 1, 0)
    try:
        yield
    finally:
        os.close(lock)


def test_cut_off_at_any_move_all_that_is_sealed_is_whole_and_the_next_plan_goes_on(
    ready: Storehouse, tmp_path: Path
) -> None:
    number, cut = 0, True
    while cut:
        house = copied(ready, tmp_path / "house")
        whole = {name: fingerprint(house.root / name) for name in SEALED}
        store, plan = layout.open_store(str(house.root)), f"--plan={house.plan}"
        argv = (str(house.root), THREE, plan, *bases(), f"--recycle={ONE}", "--min=1")
        with locked(house):
            cut = killed(lambda: do(clones.run, *argv), number, MOVES)  # noqa: B023
            left = layout.sealed(store)
            assert left in (SEALED, SEALED[1:])
            assert {name: fingerprint(house.root / name) for name in left} == {name: whole[name] for name in left}
            assert layout.lost(store) == ()
            if number % 2:
                # The same step again.
                assert not killed(lambda: do(clones.run, *argv))  # noqa: B023
                again = THREE
            else:
                more = (f"--resume={THREE}", f"--basis={TWO}", "--", *POINTS)
                assert not killed(lambda: do(begin.run, str(house.root), FOUR, plan, *more))  # noqa: B023
                recycled = (f"--recycle={ONE}", "--min=1") if ONE in left else ()
                argv = (str(house.root), FOUR, plan, *bases(), *recycled)
                assert not killed(lambda: do(clones.run, *argv))  # noqa: B023
                again = FOUR
            require_clones(house, again, TWO)
            assert not killed(lambda: do(trash.run, str(house.root), plan))  # noqa: B023
        assert layout.sealed(store) == SEALED[1:]
        assert layout.lost(store) == ()
        assert not list((house.root / ".trash").iterdir())
        assert not list((house.root / ".runner/records").glob(f"{ONE}*"))
        shutil.rmtree(house.root.parent)
        number += STEP
    assert number > 20
