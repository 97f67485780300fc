"""A store that has grown to its 400 snapshots on a real ext3, and the days after that."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compare import differences
from tests.contract import life
from tests.contract.site import REPOSITORY, Place, children, ended, running, until

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")]
SECOND = 1.0


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """399 snapshots of a small tree, one a day until yesterday."""
    folder = tmp_path_factory.mktemp("life")
    place = Place(folder=folder / "site", trees=(life.small_tree(folder / "tree"),))
    place.folder.mkdir()
    with life.disk(place, 96):
        life.policy(place, "min = 30, max = 400")
        life.good(place, "run", "backup-papio")
        life.years(place, 399)
        yield place


def test_of_401_snapshots_exactly_the_oldest_goes_and_one_more_frees_what_was_foretold(grown: Place) -> None:
    place = grown
    names = [one.name for one in place.sealed]
    life.good(place, "run", "backup-papio")
    assert "nothing to expire: 400 snapshots" in life.good(place, "run", "purge-papio").out
    before = life.whole(place)
    (place.trees[0] / "day").write_text("the 401st day")
    life.good(place, "run", "backup-papio")
    assert differences(place.trees[0], place.copy_of(place.trees[0])) == []
    names += [one.name for one in place.sealed[398:]]
    assert [one.name for one in place.sealed] == names[1:] and len(names) == 401
    after = life.whole(place)
    assert {name: after[name] for name in names[1:400]} == {name: before[name] for name in names[1:400]}

    # What was left over of the one that went is in the trash.
    life.good(place, "run", "purge-papio")
    life.policy(place, "min = 30, max = 399")
    free, foretold = life.free(place), life.foretold(place, names[1])
    steps = place.runner("plan", "purge-papio", "--json").json["steps"]
    assert [step["id"] for step in steps] == [f"purge-papio/{what}" for what in ("expire-1", "empty")]
    life.good(place, "run", "purge-papio")
    freed = life.free(place)
    assert [one.name for one in place.sealed] == names[2:]
    assert freed.inodes - free.inodes == foretold.inodes
    assert abs(freed.bytes - free.bytes - foretold.bytes) <= 4096 * foretold.inodes
    del after[names[1]]
    assert life.whole(place) == after
    assert list((place.store / ".trash").iterdir()) == []
    assert life.audited(place)["findings"] == []


@pytest.mark.alone
@pytest.mark.parametrize(
    "argv",
    [("snapshots", "papio"), ("plan", "purge-papio"), ("plan", "backup-papio"), ("plan", "check-papio"), ("status",)],
    ids=" ".join,
)
def test_listing_checking_and_planning_400_is_one_question_a_host_and_under_a_second_of_the_processor(
    grown: Place, argv: tuple[str, ...], tmp_path: Path
) -> None:
    took = []
    for _ in range(3):
        before = _processor_seconds()
        assert grown.runner(*argv).code == 0
        took.append(_processor_seconds() - before)
    assert min(took) < SECOND, took
    if shutil.which("strace") is None:
        return
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        # A file for each process: in one for all, a call that another interrupts is cut in two.
        ("strace", "-ff", "-qq", "-e", "trace=execve", "-s", "100", "-o", tmp_path / "trace",
         sys.executable, "-m", "runner", *argv),
        cwd=grown.folder, env=known, check=True, capture_output=True,
    )  # fmt: skip
    lines = "".join(path.read_text() for path in tmp_path.glob("trace.*"))
    questions = re.findall(r'"python3", "-IS", "-c"[^\n]* = 0$', lines, re.MULTILINE)
    assert 1 <= len(questions) <= 2, questions


def _processor_seconds() -> float:
    """Of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Six snapshots, of which three may stay."""
    made = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    made.folder.mkdir()
    with life.disk(made, 32):
        life.policy(made, "min = 2, max = 3")
        life.good(made, "run", "backup-papio")
        life.years(made, 6)
        yield made


def test_a_pinned_snapshot_stays_and_the_next_oldest_go_until_it_is_unpinned(place: Place) -> None:
    names = [one.name for one in place.sealed]
    life.good(place, "pin", names[0], "--until", "2099-01-01", "--why", "the paper of 2026")
    life.good(place, "run", "purge-papio")
    assert [one.name for one in place.sealed] == [names[0], *names[4:]]
    assert "the paper of 2026" in life.good(place, "snapshots", "papio").out
    life.good(place, "pin", names[0], "--remove")
    life.good(place, "run", "backup-papio")
    life.good(place, "run", "purge-papio")
    assert [one.name for one in place.sealed][:2] == names[4:]
    assert life.audited(place)["findings"] == []


def test_a_snapshot_that_is_being_restored_stays_whatever_was_planned(place: Place) -> None:
    names = [one.name for one in place.sealed]
    planned = place.folder / "before.toml"
    life.good(place, "plan", "purge-papio", "--out", str(planned))
    argv = ("restore", "papio", str(place.trees[0]), "--at", names[0])
    with running(place.start(*argv)) as process:
        stopped = until(lambda: reading(process.pid))
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        applied = place.runner("apply", str(planned))
        assert names[0] in [one.name for one in place.sealed]
        life.good(place, "run", "purge-papio")
        assert [one.name for one in place.sealed] == [names[0], *names[4:]]
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        assert ended(process).code == 0
    assert applied.code == 4, applied.out
    assert f"{names[0]}, which is being read" in " ".join(applied.out.split())
    (restored,) = place.sandbox.glob("papio/var/restored/*Z/tree")
    kept = place.copy_of(place.trees[0], place.store / names[0])
    assert differences(kept, Path(f"{restored}{place.trees[0]}")) == []
    life.good(place, "run", "backup-papio")
    life.good(place, "run", "purge-papio")
    assert [one.name for one in place.sealed][:2] == names[4:]


def reading(pid: int) -> list[int]:
    """The processes of the rsync that copies out of a snapshot, once there are any."""
    found = children(pid)
    return [one for one, words in found if words[:1] == ("rsync",) and any("/./" in word for word in words)]
