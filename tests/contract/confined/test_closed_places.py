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
from runner.jobs.snapshots.route import RestoreRequest
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
    for host in ("papio", "server"):
        (tmp_path / host).mkdir(mode=0o755)
    yield tmp_path


def site(here: Path) -> Site:
    known = parts.site()
    return replace(known, hosts=tuple(replace(one, root=str(here / one.name)) for one in known.hosts))


def draft(here: Path, to: str = "", path: str = "/home/ann") -> Draft:
    own = site(here)
    wanted = RestoreRequest(host="papio", path=path, store=own.store("papio"), snapshot=SNAPSHOT, to=to)
    return restore.draft(own, wanted, parts.facts(), parts.NOW)


def done(here: Path, step: Step, mode: str = "asked") -> Said:
    """It, done for real, but that the other end is the liar; with the mode `names` it lies about no name here."""
    assert isinstance(step.action, Command)
    program, hostile = agent.program(site(here).host("papio")), here / "hostile"
    words: list[str] = []
    for word in step.action.argv:
        if word == program:
            words += PROGRAM
        elif word.endswith("/ssh.py") and word.startswith("--reads="):
            words += [f"--reads={LIAR}", f"--reads={hostile}", f"--reads={here / 'server'}"]
        elif word.startswith("--rsh="):
            words.append(f"--rsh=python3 -IS {LIAR} {mode} {hostile if mode == 'asked' else 0}")
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
    assert done(here, steps["closed"]).answer == {"closed": str(side), "taken": 0}


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


def restored_to(
    here: Path, path: str, *, folder: bool, rights: bool = False, mode: str = "asked"
) -> tuple[dict[str, Said], Path]:
    """What each step said, and the folder in use that it went to."""
    own, to = site(here), here / "papio/srv/used"
    wanted = RestoreRequest(
        host="papio", path=path, store=own.store("papio"), snapshot=SNAPSHOT, to="/srv/used", is_folder=folder,
        with_rights=rights,
    )  # fmt: skip
    made = restore.draft(own, wanted, parts.facts(), parts.NOW)
    return {step.id.rpartition("/")[2]: done(here, step, mode) for step in made.steps}, to


@pytest.mark.parametrize("path", ["/home/ann", "/home/ann/sh", "/home"])
def test_a_folder_in_use_is_not_opened_and_gets_no_program_of_anybody_s(here: Path, path: str) -> None:
    to = here / "papio/srv/used"
    to.mkdir(parents=True, mode=0o750)
    os.mknod(here / "hostile/home/ann/disk", 0o60666, os.makedev(7, 200))
    os.setxattr(here / "hostile/home/ann/sh", "security.capability", b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
    said, to = restored_to(here, path, folder=not path.endswith("sh"))
    assert said["folder"].code == said["closed"].code == 0, said
    # It is as it was, and so is what was made on the way.
    assert (to.stat().st_uid, to.stat().st_mode & 0o777) == (0, 0o750)
    way = [to / "home"][: path.count("/") - 1]
    assert [(each.stat().st_uid, each.stat().st_mode & 0o7777) for each in way] == [(0, 0o755)] * len(way)
    for name in [to, *to.rglob("*")]:
        assert not 60900 <= name.lstat().st_uid < 61000 and not (name.is_file() and name.stat().st_mode & 0o6000), name
        assert not name.is_block_device() and "security.capability" not in os.listxattr(name), name


def test_what_is_asked_for_comes_with_its_rights(here: Path) -> None:
    said, to = restored_to(here, "/home/ann", folder=True, rights=True)
    assert (to / "home/ann/sh").stat().st_mode & 0o4000, said


@pytest.mark.parametrize("path", ["/home/ann", "/home/ann/notes", "/home/ann/link", "/"])
def test_what_an_honest_store_has_comes_into_a_folder_in_use(here: Path, path: str) -> None:
    sealed = here / f"server/srv/backups/papio/{SNAPSHOT.name}/home/ann"
    sealed.mkdir(parents=True)
    for name in ("notes", "run"):
        (sealed / name).write_text("of then")
    (sealed / "run").chmod(0o6755)
    (sealed / "link").symlink_to("/etc/passwd")
    sealed.chmod(0o2770)
    os.chown(sealed / "notes", 1000, 1001)
    used = here / "papio/srv/used/home/ann"
    used.mkdir(parents=True)
    (used / "notes").write_text("of today")
    (used / "other").write_text("stays")
    said, to = restored_to(here, path, folder=path in ("/", "/home/ann"), mode="names")
    assert [each.code for name, each in said.items() if name != "room"] == [0] * (len(said) - 1), said
    assert said["compare"].out == b""
    back = to / path.strip("/")
    if path.endswith("link"):
        assert str(back.readlink()) == "/etc/passwd"
        return
    notes = used / "notes"
    assert (notes.read_text(), notes.stat().st_uid, notes.stat().st_gid) == ("of then", 1000, 1001)
    replaced = here / "papio/var/restored/20261123T081500.000Z-replaced/tree/home/ann/notes"
    assert replaced.read_text() == "of today" and (used / "other").read_text() == "stays"
    if back.is_dir():
        # The bit of a folder comes: a group shares it.
        assert used.stat().st_mode & 0o7777 == 0o2770 and (used / "run").stat().st_mode & 0o7777 == 0o755


def test_what_was_cut_off_does_not_stay_with_what_received_it(here: Path) -> None:
    said, to = restored_to(here, "/home/ann", folder=True)
    left = to / "home/ann/.sh.Ab3dEf"
    left.write_text("half")
    left.chmod(0o4755)
    os.chown(left, 60950, 60950)
    left.chmod(0o4755)
    closed = here / "papio/var/restored/20261123T081500.000Z-replaced"
    answer = execute((*PROGRAM, "received", str(closed), f"--place={to}/home/ann")).answer
    assert answer == {"closed": str(closed), "taken": 1}, said
    assert (left.stat().st_uid, left.stat().st_gid, left.stat().st_mode & 0o7777) == (0, 0, 0o755)


def test_nobody_leads_it_elsewhere_on_the_way_to_what_was_cut_off(here: Path) -> None:
    closed, target, other = here / "closed", here / "to", here / "other"
    for folder in (closed, target / "home", other / "ann"):
        folder.mkdir(parents=True, mode=0o700)
    (here / "link").symlink_to("to/../to")
    theirs, ours = target / "home/user", target / "home/ours"
    for link in (theirs, ours):
        link.symlink_to(other)
    (other / "ann/file").touch()
    user = 60950
    os.chown(other / "ann/file", user, user)
    os.chown(theirs, 65534, 65534, follow_symlinks=False)
    assert execute((*PROGRAM, "received", str(closed), f"--place={theirs}/ann/file")).code != 0
    assert (other / "ann/file").stat().st_uid == user
    # Where root has put a link himself it is the way, and what is not there is none.
    answer = execute((*PROGRAM, "received", str(closed), f"--place={here}/link/home/nobody/x")).answer
    assert answer["taken"] == 0
    answer = execute((*PROGRAM, "received", str(closed), f"--place={here}/link/home/ours/ann")).answer
    assert answer["taken"] == 1 and (other / "ann/file").stat().st_uid == 0
