"""What comes out of a store that lies is nobody's to use: the folder above it is closed, and no sender says otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.agent.drill.contract import DrillRoom
from runner.jobs.snapshots import restore
from runner.model.facts import Snapshot
from runner.model.kind import Draft
from runner.model.plan import Command, Step
from runner.model.site import Site
from runner.tools import agent, rsync
from tests.contract.confined.test_hostile_sender import LIAR
from tests.contract.storehouse import PROGRAM, Said, execute
from tests.unit import parts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to confine anything")
SNAPSHOT = Snapshot(name="2026-11-22T081500Z", host="papio")
SOMEBODY = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """A host below it, `papio`, and what the liar has: a folder for everybody, with a program of root's in it."""
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    hostile = tmp_path / "hostile/home/ann"
    hostile.mkdir(parents=True)
    for folder in (hostile, *hostile.parents[:2]):
        folder.chmod(0o777)
        os.chown(folder, 1000, 1000)
    shutil.copy("/usr/bin/id", hostile / "sh")
    (hostile / "sh").chmod(0o4755)
    (tmp_path / "papio").mkdir(mode=0o755)
    yield tmp_path


def site(here: Path) -> Site:
    known = parts.site()
    return replace(known, hosts=tuple(replace(one, root=str(here / one.name)) for one in known.hosts))


def draft(here: Path, to: str = "", path: str = "/home/ann") -> Draft:
    own = site(here)
    wanted = restore.RestoreRequest(host="papio", path=path, store=own.store("papio"), snapshot=SNAPSHOT, to=to)
    return restore.draft(own, wanted, parts.facts(), parts.NOW)


def done(here: Path, step: Step) -> Said:
    """It, done for real, but that the other end is the liar."""
    assert isinstance(step.action, Command)
    program, hostile = agent.program(site(here).host("papio")), here / "hostile"
    words: list[str] = []
    for word in step.action.argv:
        if word == program:
            words += PROGRAM
        elif word.endswith("/ssh.py") and word.startswith("--reads="):
            words += [f"--reads={LIAR}", f"--reads={hostile}"]
        elif word.startswith("--rsh="):
            words.append(f"--rsh=python3 -IS {LIAR} asked {hostile}")
        else:
            words.append(word)
    return execute(words)


def entered(folder: Path) -> bool:
    """Whether a user who is nobody of ours gets into the folder."""
    return subprocess.run((*SOMEBODY, "ls", folder), check=False, capture_output=True).returncode == 0


def is_closed(folder: Path) -> bool:
    status = folder.stat()
    return (status.st_uid, status.st_mode & 0o777) == (0, 0o700) and not entered(folder)


def test_what_is_restored_is_below_a_folder_that_no_sender_opens(here: Path) -> None:
    steps = {step.id.rpartition("/")[2]: step for step in draft(here).steps}
    side = here / "papio/var/restored/20261123T081500.000Z"
    assert done(here, steps["folder"]).code == 0
    copied = done(here, steps["copy"])
    # It came, and opened what it came into; but that is not to be reached.
    assert copied.code == 0 and (side / "tree/home/ann/sh").stat().st_mode & 0o4000, copied
    assert (side / "tree").stat().st_mode & 0o777 == 0o777
    assert is_closed(side) and not entered(side / "tree/home/ann")
    assert done(here, steps["closed"]).answer == {"closed": str(side)}


@pytest.mark.parametrize(("mode", "uid"), [(0o711, 0), (0o750, 0), (0o700, 1000)])
def test_a_closed_folder_that_is_open_all_the_same_is_told(here: Path, mode: int, uid: int) -> None:
    steps = {step.id.rpartition("/")[2]: step for step in draft(here).steps}
    assert done(here, steps["folder"]).code == 0
    side = here / "papio/var/restored/20261123T081500.000Z"
    side.chmod(mode)
    os.chown(side, uid, uid)
    said = done(here, steps["closed"])
    assert said.code == 1 and "others may enter" in said.answer["error"] and "chown root" in said.answer["do"]


def test_a_drill_receives_below_a_folder_that_no_sender_opens(here: Path) -> None:
    room = DrillRoom(str(here / "papio/var/restored/drill"), "20261123T081500.000Z", run=str(here / "locks"))
    (here / "locks").mkdir(mode=0o700)
    hold = (*PROGRAM, "hold-host", "drill", f"--plan={room.plan}", "--who=a test", f"--run={room.run}")
    with subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()) as held:
        assert held.stdout and b"held" in held.stdout.readline()
        assert execute((*PROGRAM, "drill-room", room.folder, room.plan, f"--run={room.run}")).code == 0
        held.kill()
    place = Path(room.folder) / room.plan
    only = agent.Only(writes=(str(place / "files"),), reads=(str(LIAR), str(here / "hostile")))
    ends = rsync.Ends(
        source=f"server:{here}/store/./",
        target=f"{place}/files/",
        rsh=("python3", "-IS", str(LIAR), "asked", str(here / "hostile")),
        keep=(*PROGRAM, *agent.keep_room("", str(place / "files"), only=only)[1:]),
        confined=True,
    )
    copied = execute(rsync.restore(ends))
    assert copied.code == 0 and (place / "files/home/ann/sh").stat().st_mode & 0o4000, copied
    assert is_closed(place) and is_closed(Path(room.folder)) and not entered(place / "files/home/ann")
    # And where it is open all the same, nothing is proven.
    place.chmod(0o711)
    for verb, folder in (("compare-drill", place / "files"), ("try-dumps", place)):
        said = execute((*PROGRAM, verb, str(folder)))
        assert said.code == 1 and "others may enter" in said.answer["error"], verb
