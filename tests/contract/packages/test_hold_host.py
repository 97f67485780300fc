"""The locks on a host's packages and power: one holder, known by name, gone with its process."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from runner.tools import detached
from tests.contract.storehouse import PROGRAM, execute
from tests.contract.two_hosts import PLAN, STEP, HostHouse, wait_for


@pytest.fixture
def house(tmp_path: Path) -> HostHouse:
    return HostHouse(state=tmp_path / "state", locks=tmp_path / "locks")


def test_a_second_holder_is_told_who_is_first(house: HostHouse) -> None:
    with house.held(plan="plan-7") as first:
        result = house.hold()
        assert (result.code, result.answer["held"]) == (75, False)
        holder = result.answer["holder"]
        assert (holder["plan"], holder["who"], holder["pid"]) == ("plan-7", "a test", first.pid)
    assert house.hold().code == 0


def test_packages_and_power_are_held_each_for_itself(house: HostHouse) -> None:
    with house.held("packages"):
        assert house.hold("power").code == 0
    result = house.hold("network")
    assert (result.code, "packages, power" in result.answer["do"]) == (1, True)
    assert house.hold("../packages").code == 1


def test_the_lock_is_free_when_its_holder_is_killed(house: HostHouse) -> None:
    with house.held("power") as first:
        first.kill()
        first.wait()
        assert house.hold("power").code == 0


def test_a_detached_command_whose_runner_is_gone_holds_the_packages(house: HostHouse, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    command = ("--packages=dpkg", "--", "sh", "-c", f"while ! test -e {gate}; do sleep 0.05; done")
    with house.held(), house.front(*command) as front:
        wait_for((house.folder / "child.json").exists)
        # Its own runner's lock stands before it.
        assert house.hold().answer["holder"]["who"] == "a test"
        front.kill()
    result = house.hold()
    assert result.code == 75
    holder = result.answer["holder"]
    assert (holder["plan"], holder["pid"]) == (PLAN, house.began("child.json")["pid"])
    assert STEP in holder["who"]
    assert house.hold("power").code == 0
    # A plan that waits for its end may hold them meanwhile, and begin something of its own only then.
    attached = (f"--attach={PLAN}",)
    assert house.hold("packages", "another", "--attach=some other").code == 75
    with house.held("packages", "later", *attached):
        assert house.detach("--packages=dpkg", "--", "true", plan="later").code == 75
        gate.touch()
        assert house.again().code == 0
        assert house.detach("--packages=dpkg", "--", "true", plan="later").code == 0
    assert house.hold().code == 0


def test_the_lock_is_not_kept_in_a_folder_that_others_can_write(house: HostHouse, tmp_path: Path) -> None:
    house.locks.mkdir()
    house.locks.chmod(0o777)
    answer = house.hold().answer
    assert answer["error"] == f"others may change {house.locks}: everybody may write it"
    assert answer["do"] == f"chmod go-w {house.locks}"
    house.locks.chmod(0o755)
    assert house.hold().code == 0
    if os.geteuid() == 0:
        os.chown(house.locks, 65534, 65534)
        assert house.hold().code == 1
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = HostHouse(state=house.state, locks=tmp_path / "link")
    other.locks.symlink_to(elsewhere)
    assert other.hold().answer["error"] == f"{other.locks} is a link"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_host_that_is_told_nothing_keeps_its_locks_where_the_next_boot_forgets_them(tmp_path: Path) -> None:
    script = 'mount -t tmpfs none /run; umask 0; "$@" && cd /run/runner/lock && stat -c "%a %n" . *'
    argv = (*PROGRAM, "hold-host", "power", "--plan=p", "--who=w", f"--state={tmp_path}")
    done = execute(("unshare", "--mount", "--propagation=private", "sh", "-ec", script, "sh", *argv))
    assert done.out.splitlines()[1:] == [b"700 .", b"600 power"], done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.parametrize(("maker", "code"), [(60_000, 0), (0, 75)])
def test_no_user_keeps_root_from_his_locks_and_the_version_before_is_minded(
    tmp_path: Path, maker: int, code: int
) -> None:
    """Everybody makes names in /run/lock: what is there holds somebody up only where root made it."""
    hold = f"{shlex.join(PROGRAM)} hold-host power --plan=p --who=w --state={tmp_path}"
    script = (
        "mount -t tmpfs none /run; mkdir -m 1777 /run/lock; mkdir -m 700 /run/lock/runner;"
        f"sleep 9 | {hold} --run=/run/lock/runner > /run/told & until grep -q held /run/told; do sleep 0.1; done;"
        f"chown {maker} /run/lock/runner; {hold} < /dev/null"
    )
    done = execute(
        ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "sh", "-c", script)
    )
    assert done.code == code, done
    assert (done.answer.get("holder") or {}).get("who") == ("w" if code else None)


def test_a_lock_that_is_a_link_is_not_followed(house: HostHouse, tmp_path: Path) -> None:
    house.locks.mkdir()
    (house.locks / "packages").symlink_to(tmp_path / "victim")
    assert house.hold().code == 1
    assert not (tmp_path / "victim").exists()


def test_the_argv_of_a_plan_is_understood(house: HostHouse) -> None:
    argv = detached.hold_host("runner-agent", "packages", PLAN, "updates of papio", attach="earlier")
    with house.held("packages", PLAN, *argv[4:]):
        assert house.hold().answer["holder"]["who"] == "updates of papio"
