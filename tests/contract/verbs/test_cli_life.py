"""The command line over a store's life: prune, check, audit and pins, and what people hear of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import life
from tests.contract.site import Place

pytestmark = pytest.mark.long

AUDIT = """
[jobs.audit-papio]
kind = "audit"
store = "papio"
every = "1d"
"""
JOBS = life.PURGE + AUDIT
GREEDY = """
from runner.hookspecs import hookimpl
from runner.model.plan import Command, Effect, Insertion, Step

class Greedy:
    @hookimpl
    def add_steps(self, job, steps, facts):
        (store,) = facts.hosts["backup-server1"].stores.values()
        program = next(word for one in steps for word in one.action.argv if word.endswith("runner-agent"))
        return [
            Insertion(anchor=steps[-1].id, where="after", step=Step(
                id=f"{job.name}/greedy-{number}", job=job.name, host="backup-server1", effect=Effect.EXPIRE,
                why="I want room", added_by="mysite.greedy",
                action=Command(argv=(program, "expire", store.path, one.name, "--plan=x", "--min=2")),
            ))
            for number, one in enumerate(store.sealed[:-1])
        ]

def plugin(settings):
    return Greedy()
"""


def declare(place: Place, retention: str, *, more: str = "", site: str = "") -> None:
    """Write jobs.toml with this retention of the store."""
    place.declare(JOBS + more, site=site)
    path = place.folder / "jobs.toml"
    path.write_text(path.read_text().replace("{ min = 30, max = 400 }", f"{{ {retention} }}"))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path]:
    """A site, and a copy of the folder that it is in with its tree."""
    folder = tmp_path_factory.mktemp("life") / "all"
    made = Place(folder=folder / "site", trees=(life.small_tree(folder / "tree"),))
    declare(made, "min = 2, max = 4")
    life.good(made, "run", "backup-papio")
    life.years(made, 6)
    copy = folder.with_name("copy")
    subprocess.run(("cp", "-a", folder, copy), check=True)
    return made, copy


@pytest.fixture
def place(ready: tuple[Place, Path]) -> Place:
    """Six snapshots, one a day until yesterday, where two to four are kept."""
    # At the same place each time, which the snapshots have in their paths.
    made, copy = ready
    shutil.rmtree(made.folder.parent)
    subprocess.run(("cp", "-a", copy, made.folder.parent), check=True)
    return made


def names(place: Place) -> list[str]:
    return [one.name for one in place.sealed]


def words(mail: str) -> str:
    """A mail's text, unfolded."""
    return re.sub(r"\s+", " ", mail)


def test_a_prune_says_what_went_and_what_is_left_and_the_next_has_nothing_to_do(place: Place) -> None:
    before = names(place)
    ran = life.good(place, "run", "purge-papio")
    assert "Summary  expires 2 snapshots." in ran.out
    told = f"expired 2 snapshots: {before[0]} to {before[1]}; 4 are left"
    assert ran.out.startswith("Plan ") and told in ran.out
    assert told in words(place.mails()[-1])
    assert "done" in next(line for line in place.mails()[-1].splitlines() if line.startswith("Subject:"))
    assert names(place) == before[2:]
    assert list((place.store / ".trash").iterdir()) == []
    again = life.good(place, "run", "purge-papio")
    assert "nothing to expire: 4 snapshots" in again.out
    assert "Nothing done" in again.out
    assert names(place) == before[2:]


def test_below_the_ceiling_nothing_goes_unless_a_person_has_read_the_plan(place: Place) -> None:
    declare(place, "min = 2, max = 4", site='unattended = "write"')
    before = names(place)
    ran = place.runner("run", "purge-papio")
    assert ran.code == 4, ran.out + ran.err
    assert "purge-papio/expire-1 would expire, and jobs.toml allows unattended runs no more than write" in ran.out
    assert "runner apply plan.toml" in words(place.mails()[-1])
    assert names(place) == before
    life.good(place, "plan", "purge-papio", "--out", "plan.toml")
    assert "expired 2 snapshots" in life.good(place, "apply", "plan.toml").out
    assert names(place) == before[2:]


def test_a_plan_to_expire_is_stale_once_there_is_another_snapshot(place: Place) -> None:
    life.good(place, "plan", "purge-papio", "--out", "plan.toml")
    life.good(place, "run", "backup-papio")
    before = names(place)
    ran = place.runner("apply", "plan.toml")
    assert ran.code == 5, ran.out + ran.err
    assert "store papio changed: 6 snapshots" in ran.out
    assert names(place) == before


def test_review_refuses_a_plan_with_which_a_hook_would_go_below_min(place: Place) -> None:
    (place.folder / "mysite").mkdir()
    (place.folder / "mysite/greedy.py").write_text(GREEDY)
    declare(place, "min = 2, max = 400", more='[hooks."mysite.greedy"]\n')
    before = names(place)
    ran = place.runner("run", "purge-papio")
    assert ran.code == 4, ran.out + ran.err
    assert "this plan would leave 1 snapshot without exceptions in store papio, and min is 2" in ran.out
    assert names(place) == before


def test_a_source_that_came_back_half_empty_freezes_the_store_and_calls_a_person(place: Place) -> None:
    for path in (place.trees[0] / "folder").iterdir():
        path.unlink()
    told = place.runner("run", "backup-papio")
    assert told.code == 3 and "papio shrank: " in told.out, told.out + told.err
    before = names(place)
    ran = place.runner("run", "purge-papio")
    assert ran.code == 3, ran.out + ran.err
    assert "nothing expires from this store: papio shrank" in ran.out
    assert "Attention needed" in ran.out
    mail = words(place.mails()[-1])
    assert "What to do" in mail and "see that all of it was mounted and is there" in mail
    assert names(place) == before


def test_a_check_that_finds_nothing_is_a_message_too(place: Place) -> None:
    ran = life.good(place, "run", "check-papio")
    assert "looks only, changes nothing" in ran.out and "Nothing done" in ran.out
    assert "nothing to do: 6 snapshots, the newest " in words(place.mails()[-1])
    assert place.rows("SELECT verdict FROM jobs WHERE job = 'check-papio'") == [{"verdict": "nothing done"}]


def test_fewer_than_min_calls_a_person_and_says_why_and_what_to_do(place: Place) -> None:
    declare(place, "min = 5, max = 400")
    for old in place.sealed[:2]:
        shutil.rmtree(old)
    ran = place.runner("run", "check-papio")
    assert ran.code == 3, ran.out + ran.err
    told = "store papio has 4 snapshots, min is 5: nothing expires until there are enough"
    assert told in words(ran.out) and re.search(r"1 thing to look at \(.*\): 4 snapshots", ran.out)
    # Their records are left, and say so for themselves, before anything else.
    assert words(ran.out).index("2 snapshots of store papio are gone, and no run expired them") < words(ran.out).index(
        told
    )
    mail = place.mails()[-1]
    assert "attention" in next(line for line in mail.splitlines() if line.startswith("Subject:")).lower()
    assert told in words(mail) and "find out who removed what" in words(mail)


def test_the_check_looks_when_the_backup_and_the_prune_are_done(place: Place) -> None:
    plan = life.good(place, "plan", "check-papio", "purge-papio", "backup-papio").out
    assert "check-papio  looks when the others are done" in plan
    ran = life.good(place, "run", "check-papio", "purge-papio", "backup-papio")
    first, second = ran.out.split("\nPlan ")
    assert "check-papio/count" not in first and "check-papio  check" in second
    # 6 and the new one, and max is 4.
    assert "nothing to do: 4 snapshots, the newest " in second
    assert len(names(place)) == 4


def test_an_audit_says_that_all_is_as_sealed_and_names_one_flipped_byte(place: Place) -> None:
    ran = life.good(place, "run", "audit-papio")
    assert ": all as it was sealed" in ran.out
    rotten = place.copy_of(place.trees[0], place.sealed[2]) / "folder/file5"
    status = rotten.stat()
    with rotten.open("r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(rotten, ns=(status.st_atime_ns, status.st_mtime_ns))
    ran = place.runner("run", "audit-papio")
    assert ran.code == 3, ran.out + ran.err
    assert "1 name not as sealed" in ran.out
    (line,) = [line for line in ran.out.splitlines() if "content: " in line]
    assert "folder/file5" in line and all(name in line for name in names(place)[:5])
    assert "not as sealed" in words(place.mails()[-1])


def test_a_pinned_snapshot_stays_and_goes_the_way_of_the_others_when_let_go(place: Place) -> None:
    before = names(place)
    ran = life.good(place, "pin", before[0], "--until", "2099-01-31", "--why", "the audit of 2098")
    assert f"keep {before[0]} until 2099-01-31: the audit of 2098" in ran.out
    listed = life.good(place, "snapshots").out
    assert f"{before[0]} is pinned until 2099-01-31: the audit of 2098" in listed
    life.good(place, "run", "purge-papio")
    assert names(place) == [before[0], *before[3:]]
    assert (
        f"{before[0]} is kept no longer than the retention says" in life.good(place, "pin", before[0], "--remove").out
    )
    declare(place, "min = 2, max = 3")
    life.good(place, "run", "purge-papio")
    assert names(place) == before[3:]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("oldest", "--until", "2001-01-31", "--why", "x"), "'2001-01-31' is no day that is to come"),
        (("latest", "--until", "2001-01-31", "--why", "x"), "'2001-01-31' is no day that is to come"),
        (("latest", "--until", "2099-02-30", "--why", "x"), "'2099-02-30' is no day that is to come"),
        (("latest", "--until", "2099-01-31"), "a pin needs a reason"),
        (("latest", "--until", "2099-01-31", "--why", " "), "a pin needs a reason"),
        (("2001-01-01", "--remove"), "store papio: "),
    ],
)
def test_a_pin_that_says_too_little_is_refused_and_nothing_is_written(
    place: Place, argv: tuple[str, ...], text: str
) -> None:
    before = sorted(path.name for path in (place.store / ".runner").iterdir())
    ran = place.runner("pin", *argv)
    assert ran.code == 2, ran.out + ran.err
    assert text in ran.err
    assert sorted(path.name for path in (place.store / ".runner").iterdir()) == before


def test_before_the_first_snapshot_nothing_of_this_fails(tmp_path: Path) -> None:
    fresh = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    declare(fresh, "min = 2, max = 4")
    assert "nothing to expire: no snapshot yet" in life.good(fresh, "run", "purge-papio").out
    assert "there is no snapshot to audit yet" in life.good(fresh, "run", "audit-papio").out
    ran = fresh.runner("run", "check-papio")
    assert ran.code == 3
    assert "store papio has no snapshot" in ran.out


def test_status_says_how_each_ended_and_how_long_the_disk_will_do(place: Place) -> None:
    life.good(place, "run", "purge-papio")
    ran = life.good(place, "status")
    row, how = ran.out.partition("purge-papio")[2].splitlines()[:2]
    assert row.split()[0] == "done" and row.endswith("when named") and how.startswith("      expired 2 snapshots: ")
    assert "at the last month's growth" in ran.out and "2 to 4" in ran.out
    told = life.good(place, "status", "--json").json
    assert told["jobs"]["purge-papio"]["verdict"] == "done"
    assert told["stores"]["papio"]["snapshots"] == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Place]:
    """Eight snapshots of 2 MiB each on an ext3 of 64 MiB; nothing was measured yet."""
    made = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    made.folder.mkdir()
    with life.disk(made, 64):
        declare(made, "min = 2, max = 400")
        life.good(made, "run", "backup-papio")
        life.years(made, 8, each=2 << 20)
        yield made


def short_of(place: Place, missing: int) -> None:
    """Ask for so many bytes of room more than there are."""
    declare(place, f'min = 2, max = 400, free_space = "{(life.free(place).bytes + missing) >> 10} KiB"')


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_what_is_not_known_is_measured_and_then_exactly_enough_goes_in_the_same_run(small_disk: Place) -> None:
    before = names(small_disk)
    short_of(small_disk, 5 << 20)
    ran = life.good(small_disk, "run", "purge-papio")
    first, second = ran.out.split("\nPlan ")
    assert "measure-first" in first and "expires nothing" in first
    assert "expire-1" in second
    # The first brought next to nothing of its own; three of the others have 6 MiB.
    assert f"expired 4 snapshots: {before[0]} to {before[3]}; 4 are left" in second
    assert names(small_disk) == before[4:]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_foreign_file_that_fills_the_disk_costs_no_snapshot_measured_or_not(small_disk: Place) -> None:
    before = names(small_disk)
    (small_disk.store / "somebody's.iso").write_bytes(os.urandom(life.free(small_disk).bytes - (4 << 20)))
    short_of(small_disk, 20 << 20)
    for again in ("not measured yet", "measured"):
        ran = small_disk.runner("run", "purge-papio")
        assert ran.code == 3, again + ran.out + ran.err
        assert "nothing expires from this store: " in ran.out and "that is no snapshot" in ran.out
        assert names(small_disk) == before
    assert "see what else fills the disk" in words(small_disk.mails()[-1])
    ran = small_disk.runner("run", "backup-papio")
    assert names(small_disk)[:8] == before, ran.out
