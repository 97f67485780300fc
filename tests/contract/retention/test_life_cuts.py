"""Power cuts and kills while a real ext3 store lives: what was sealed stays whole, what follows goes on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.compare import Entry, differences, walk
from tests.contract import life
from tests.contract.site import Place, children, ended, running, until
from tests.contract.storehouse import Storehouse
from tests.soak import few

# What is being done when the power goes; each comes round as often as the others. Nothing is measured on such days.
DURING = ("--archive", "seal", "clone", "expire", "reap", "begin", "compose")
POLICY = "min = 2, max = 3"
pytestmark = [pytest.mark.long, pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")]


@contextmanager
def freezable(folder: Path, mib: int) -> Iterator[Path]:
    """A filesystem to put a disk's image on: while it is frozen, nothing more reaches the disk."""
    file, mount = folder / "outer.img", folder / "outer"
    with file.open("wb") as stream:
        stream.truncate(mib << 20)
    subprocess.run(("mke2fs", "-q", "-t", "ext4", "-m", "0", "-O", "^has_journal", file), check=True)
    mount.mkdir()
    subprocess.run(("mount", "-o", "loop", file, mount), check=True)
    try:
        yield mount
    finally:
        # The loop device of an image on it is let go of by the kernel in its own time.
        until(lambda: subprocess.run(("umount", mount), check=False, capture_output=True).returncode == 0)


@dataclass(kw_only=True)
class Days:
    """Runs and prunes one after another in a thread, until `over`; what each snapshot was when it was sealed.

    Each other day the store is pruned to two, and so each other day a new one is made of the oldest of three.
    `promised` are those that were sealed by a run that has ended and that nothing may have touched yet.
    """

    place: Place
    seen: dict[str, dict[bytes, Entry]] = field(default_factory=dict)
    promised: frozenset[str] = frozenset()
    over: threading.Event = field(default_factory=threading.Event)
    trouble: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def live(self) -> None:
        """Go on until `over`; a run that fails ends it."""
        day = 0
        while not self.over.is_set() and not self.trouble:
            day += 1
            life.ballast(self.place.trees[0], 1, day=day, pieces=40)
            self._run("backup-papio")
            names = [one.name for one in self.place.sealed]
            for name in names:
                self.seen.setdefault(name, walk(self.place.store / name))
            # The next prune leaves the newest two, and so does the next snapshot.
            self.promised = frozenset(names[-2:])
            life.policy(self.place, "min = 2, max = 2" if day % 2 else POLICY)
            self._run("purge-papio")
            life.policy(self.place, POLICY)

    def during(self, word: str) -> bool:
        """Whether a command with this word in it is running now."""
        process = self.process
        return process is not None and doing(process.pid, word)

    def _run(self, job: str) -> None:
        self.process = self.place.start("run", job)
        result = ended(self.process)
        if result.code:
            self.trouble.append(result.out + result.err)


def cut(outer: Path, image: Path, copy: Path) -> None:
    """Copy the image as a power cut at this moment leaves it: all that the disk was given, no more."""
    subprocess.run(("fsfreeze", "--freeze", outer), check=True)
    try:
        subprocess.run(("cp", "--sparse=always", image, copy), check=True)
    finally:
        subprocess.run(("fsfreeze", "--unfreeze", outer), check=True)


@pytest.mark.parametrize("many", few([6, 50], 6))
def test_what_was_sealed_is_whole_after_a_power_cut_at_any_moment(tmp_path: Path, many: int) -> None:
    place = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    place.folder.mkdir()
    dice = random.Random(7)
    cuts: list[tuple[Path, frozenset[str]]] = []
    with freezable(tmp_path, 80) as outer, life.disk(place, 40, image=outer / "disk.img") as image:
        life.policy(place, POLICY)
        days = Days(place=place)
        thread = threading.Thread(target=days.live)
        thread.start()
        try:
            until(lambda: len(place.sealed) > 2)
            for number in range(many):
                word = DURING[number % len(DURING)]
                until(lambda word=word: days.during(word) or days.trouble)
                time.sleep(dice.uniform(0, 0.05))
                before, copy = days.promised, tmp_path / f"cut{number}.img"
                cut(outer, image, copy)
                cuts.append((copy, before))
        finally:
            # A disk that is still written to can be neither unmounted nor removed.
            days.over.set()
            thread.join()
        assert days.trouble == []
    found = [after_cut(place, days, *one, go_on=not number % 6) for number, one in enumerate(cuts)]
    # More than what is there in a quiet moment: partials, and snapshots on their way to the trash.
    assert len(set(found)) > 2


def after_cut(place: Place, days: Days, image: Path, promised: frozenset[str], *, go_on: bool) -> tuple[int, int, int]:
    """Mend and mount a disk after its cut and look at everything; `go_on`: live another day on it."""
    checked = subprocess.run(("e2fsck", "-fy", image), capture_output=True, check=False)
    assert checked.returncode in (0, 1), checked.stdout
    subprocess.run(("mount", "-o", "loop", image, place.store), check=True)
    try:
        names = {one.name for one in place.sealed}
        going = (len(names), len(place.partials), len(list((place.store / ".trash").glob("*"))))
        assert promised <= names
        for name in names:
            assert walk(place.store / name) == days.seen[name], f"{name} in {image}"
        assert life.audited(place)["findings"] == []
        if go_on:
            life.forget_heads(place)
            another_day(place)
    finally:
        subprocess.run(("umount", place.store), check=True)
    image.unlink()
    return going


def another_day(place: Place) -> None:
    """A snapshot and a prune on what is there, as if nothing had happened."""
    life.good(place, "run", "backup-papio")
    assert differences(place.trees[0], place.copy_of(place.trees[0])) == []
    life.good(place, "run", "purge-papio")
    assert len(place.sealed) == 3
    assert list((place.store / ".trash").iterdir()) == []
    assert place.partials == []
    assert life.audited(place)["findings"] == []
    records = {path.name.partition(".")[0] for path in (place.store / ".runner/records").iterdir()}
    assert records == {one.name for one in place.sealed}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Place]:
    """Six snapshots of 1,200 names each, of which a prune takes three."""
    place = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    place.folder.mkdir()
    life.ballast(place.trees[0], 1, day=1, pieces=1200)
    with life.disk(place, 64):
        life.policy(place, POLICY)
        life.good(place, "run", "backup-papio")
        life.years(place, 6)
        yield place


@pytest.mark.parametrize("verb", few(["expire", "reap", "freed"], "expire", "reap"))
def test_a_prune_killed_in_any_of_its_steps_leaves_whole_snapshots_and_the_next_one_finishes(
    full: Place, verb: str
) -> None:
    before, names = life.whole(full), [one.name for one in full.sealed]
    for kill in range(4):
        killed = killed_during(full, verb, after=kill * 0.012)
        assert killed or kill, "it was over before it could be killed"
        until(lambda: lock_is_free(full))
        left = life.whole(full)
        # The oldest go first, one by one; no other has gone, and none has changed.
        assert list(left) == names[len(names) - len(left) :]
        assert all(left[name] == before[name] for name in left)
        assert len(left) >= 3
        if not killed:
            break
    life.good(full, "run", "purge-papio")
    assert any("killed" in mail for mail in full.mails())
    assert [one.name for one in full.sealed] == names[3:]
    assert list((full.store / ".trash").iterdir()) == []
    records = {path.name.partition(".")[0] for path in (full.store / ".runner/records").iterdir()}
    assert records == set(names[3:])
    assert all(walk(full.store / name) == before[name] for name in names[3:])
    assert life.audited(full)["findings"] == []
    foretold = life.foretold(full, names[3])
    room = life.free(full)
    life.policy(full, "min = 2, max = 2")
    life.good(full, "run", "purge-papio")
    assert life.free(full).inodes - room.inodes == foretold.inodes


def killed_during(place: Place, verb: str, *, after: float) -> bool:
    """Kill a prune so many seconds after runner-agent was first seen at this verb; False if it ended before."""
    with running(place.start("run", "purge-papio")) as process:
        until(lambda: doing(process.pid, verb) or process.poll() is not None)
        time.sleep(after)
        process.kill()
        return ended(process).code == -signal.SIGKILL


def doing(pid: int, verb: str) -> bool:
    """Whether that runner has runner-agent, or another program, at this verb now."""
    with contextlib.suppress(OSError):
        return any(verb in words[:6] for _, words in children(pid))
    return False


def lock_is_free(place: Place) -> bool:
    """Whether nobody works on the store any more."""
    house = Storehouse(root=place.store, source=place.trees[0], plan="look")
    return house.call("hold", str(house.root), "--plan", "look", "--who", "a test").code == 0
