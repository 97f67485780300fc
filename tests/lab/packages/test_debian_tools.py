"""A real Debian with an archive of the test's own: reading, updating, holding, upgrading."""

from __future__ import annotations

import hashlib
import itertools
import time

import pytest

from runner.jobs.packages.debian import apt, holds
from runner.jobs.packages.debian import version as debian_version
from runner.jobs.packages.debian.family import Debian
from runner.model.packages import Update
from tests.lab.archive import SECURITY, STABLE, Archive, Deb
from tests.lab.debian import World
from tests.lab.package_files import KERNEL, META, by_aptitude, by_dpkg, grown, named, read

pytest_plugins = ("tests.lab.debian_fixtures",)
ALL = (KERNEL, META, "libc-demo")


def contents(world: World) -> dict[str, str]:
    """Every file that a look could have changed."""
    found = {}
    for top in ("etc", "root", "run", "tmp", "var", "usr/local"):
        for path in world.path(f"/{top}").rglob("*"):
            if path.is_file() and not path.is_symlink():
                known = f"{path.stat().st_mtime_ns} {hashlib.sha256(path.read_bytes()).hexdigest()}"
                found[str(path).partition("/root/")[2]] = known
    return found


def test_reading_changes_nothing_and_starts_no_hook_of_apt(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run("apt-mark", "hold", "demo-feature")
    hooks = "".join(
        f'APT::Update::{when} {{ "touch /root/hook-{when}"; }};\n'
        for when in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
    )
    world.write("/etc/apt/apt.conf.d/99hooks", hooks + 'DPkg::Pre-Invoke { "touch /root/hook-dpkg"; };\n')
    before = contents(world)
    known = read(world)
    assert known.fresh
    assert known.updates
    assert contents(world) == before
    world.run("apt-get", "-qq", "update")
    assert world.path("/root/hook-Pre-Invoke").exists()


def test_what_can_be_had_is_read_from_the_archive_of_now_with_its_origin(world: World, archive: Archive) -> None:
    grown(world, archive)
    known = read(world)
    assert named(known.updates) == {"demo-lib": "1.1", "demo-extra": "1.0", "demo-feature": "1.1"}
    security = {update.name: update.security for update in known.updates}
    assert security == {"demo-lib": True, "demo-extra": True, "demo-feature": False}
    files = [path for update in known.updates for path in archive.root.glob(f"pool/*/{update.name}_{update.new}_*")]
    assert known.download == sum(path.stat().st_size for path in files)
    assert not known.troubles


def test_a_hold_keeps_the_next_kernel_away_although_its_name_is_new(world: World, archive: Archive) -> None:
    grown(world, archive)
    known = read(world)
    held = {held.update.name: held for held in known.held}
    assert set(held) == {"libc-demo", "demo-app", META, "linux-image-9.9.10-demo"}
    assert held["demo-app"].by == ("libc-demo",)
    assert held["linux-image-9.9.10-demo"].by == (META,)
    assert held[META].by == held["libc-demo"].by == ()
    assert known.unheld == known.installed == tuple(sorted(ALL))
    versioned = {held.update.name for held in read(world, [KERNEL]).held}
    assert {META, "linux-image-9.9.10-demo"} <= versioned


def test_exactly_what_was_planned_is_installed_and_marks_stay(world: World, archive: Archive) -> None:
    grown(world, archive)
    automatic = set(world.run("apt-mark", "showauto").stdout.split())
    known = read(world)
    world.run(*holds.hold(known.unheld))
    world.run(*apt.refresh())
    planned = [update for update in known.updates if update.security]
    world.run(*apt.install(planned))
    assert world.versions("demo-lib", "demo-extra", "demo-feature", "libc-demo", KERNEL) == {
        "demo-lib": "ii 1.1", "demo-extra": "ii 1.0", "demo-feature": "ii 1.0", "libc-demo": "hi 1.0",
        KERNEL: "hi 1.0",
    }  # fmt: skip
    assert set(world.run("apt-mark", "showauto").stdout.split()) == automatic | {"demo-extra"}
    assert world.run(*Debian().audit()).stdout == ""
    world.run(*Debian().look(()))
    assert named(read(world).updates) == {"demo-feature": "1.1"}


def test_a_version_that_is_gone_a_hold_and_a_removal_stop_the_installation(world: World, archive: Archive) -> None:
    grown(world, archive, Deb(name="demo-clash", version="1.0"))
    archive.add(Deb(name="demo-clash", version="1.1", control={"Conflicts": "demo-feature"}), suite=SECURITY)
    known = read(world)
    assert known.removals == ("demo-feature",)
    assert "demo-clash" not in named(known.updates)
    assert any("demo-clash is not upgraded" in trouble.text for trouble in known.troubles)
    world.run(*holds.hold(ALL))
    world.run(*apt.refresh())
    before = world.run("dpkg-query", "-W").stdout
    for name, new in (("demo-lib", "1.0.9"), ("libc-demo", "1.1"), ("demo-app", "1.1"), ("demo-clash", "1.1")):
        wish = Update(name=name, arch="amd64", old="1.0", new=new)
        assert world.run(*apt.install([wish]), check=False).returncode == 100, name
    assert world.run("dpkg-query", "-W").stdout == before
    assert by_dpkg(world) == by_aptitude(world) == set(ALL)


def test_the_first_run_of_aptitude_takes_no_hold_of_ours_away(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run("apt-mark", "hold", *ALL, "demo-feature")
    assert read(world).unheld == tuple(sorted(ALL)), "aptitude would let go of them"
    world.run(*holds.hold(ALL))
    world.run("aptitude", "-q", "update")
    assert by_dpkg(world) == by_aptitude(world) == {*ALL, "demo-feature"}
    known = read(world)
    assert (known.unheld, known.stray) == ((), ("demo-feature",))
    world.run("aptitude", "-q", "-y", "safe-upgrade")
    assert world.versions(KERNEL, META) == {KERNEL: "hi 1.0", META: "hi 1"}


def test_letting_go_of_one_hold_keeps_the_others_even_in_aptitudes_first_run(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run("apt-mark", "hold", *ALL)
    world.run(*holds.upgrade([], ["libc-demo"], []))
    assert by_dpkg(world) == by_aptitude(world) == {KERNEL, META}


def test_a_hold_that_only_one_of_the_two_keeps_is_seen(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run(*holds.hold(ALL))
    world.run("apt-mark", "unhold", "libc-demo")
    assert by_aptitude(world) - by_dpkg(world) == {"libc-demo"}
    assert read(world).unheld == ("libc-demo",)
    failed = world.run(*holds.verify(ALL), check=False)
    assert (failed.returncode, failed.stderr) == (1, "libc-demo is not held by dpkg\n")
    world.run(*holds.hold(["libc-demo"]))
    assert world.run(*holds.verify(ALL)).stdout == f"held: {' '.join(ALL)}\n"
    archive.add(Deb(name="linux-image-8-demo", version="1.0", control={"Architecture": "all"}))
    world.install("linux-image-8-demo")
    world.run("apt-mark", "hold", "linux-image-8-demo")
    assert "linux-image-8-demo" not in by_aptitude(world)
    assert read(world).unheld == ("linux-image-8-demo",)
    world.run("apt-mark", "unhold", "libc-demo")
    assert "libc-demo" in by_aptitude(world), "so a person is told of both commands"
    world.run("aptitude", "-q", "-y", "--schedule-only", "unhold", "libc-demo")
    assert "libc-demo" not in by_dpkg(world) | by_aptitude(world)


def test_a_package_of_two_architectures_is_held_in_both_and_each_hold_is_verified_by_itself(
    world: World, archive: Archive
) -> None:
    foreign = {"Multi-Arch": "same", "Architecture": "i386"}
    for version, suite in (("1.0", STABLE), ("1.1", SECURITY)):
        archive.add(
            Deb(name="libc-demo", version=version, control={"Multi-Arch": "same"}),
            Deb(name="libc-demo", version=version, control=foreign, files={"/usr/share/demo/i386": version}),
            suite=suite,
        )
        if suite == STABLE:
            world.run("dpkg", "--add-architecture", "i386")
            world.install("libc-demo", "libc-demo:i386")
    names = ["libc-demo", "libc-demo:i386"]
    assert list(read(world).unheld) == names
    world.run(*holds.hold(names))
    assert list(read(world).holds) == names
    world.run(*apt.refresh())
    world.run(*holds.upgrade([held.update for held in read(world).held], names, names))
    assert world.run(*holds.verify(names)).stdout == "held: libc-demo libc-demo:i386\n"
    assert set(world.run("dpkg-query", "-Wf", "${Version} ", "libc-demo").stdout.split()) == {"1.1"}
    world.run("apt-mark", "unhold", "libc-demo:i386")
    failed = world.run(*holds.verify(names), check=False)
    assert (failed.returncode, failed.stderr) == (1, "libc-demo:i386 is not held by dpkg\n")


def test_holding_carries_out_nothing_that_somebody_left_planned_in_aptitude(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run("apt-get", "-qq", "update")
    world.run("aptitude", "-q", "-y", "--schedule-only", "install", "demo-lib")
    world.run(*holds.hold(ALL))
    assert world.versions("demo-lib") == {"demo-lib": "ii 1.0"}


def wishes(world: World) -> tuple[list[Update], list[str]]:
    """All that is held back, and what must be let go of for it."""
    held = read(world).held
    return [each.update for each in held], [each.update.name for each in held if not each.by]


def test_held_packages_are_upgraded_and_held_again_with_the_new_kernel(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run(*holds.hold(ALL))
    updates, free = wishes(world)
    world.run(*apt.refresh())
    world.run(*holds.upgrade(updates, free, [*ALL, "linux-image-9.9.10-demo", "not-there"]))
    assert world.versions("demo-app", "libc-demo", META, "linux-image-9.9.10-demo") == {
        "demo-app": "ii 1.1", "libc-demo": "hi 1.1", META: "hi 2", "linux-image-9.9.10-demo": "hi 1.0",
    }  # fmt: skip
    assert by_dpkg(world) == by_aptitude(world) == {*ALL, "linux-image-9.9.10-demo"}
    known = read(world)
    assert (known.held, known.unheld, known.stray) == ((), (), ())


@pytest.mark.parametrize("signal", ["", "TERM", "HUP"])
def test_the_holds_come_back_when_the_upgrade_fails_or_is_stopped(world: World, archive: Archive, signal: str) -> None:
    grown(world, archive)
    script = "touch /run/began; sleep 3" if signal else "echo no >&2; exit 1"
    archive.add(Deb(name="libc-demo", version="1.2", scripts={"postinst": script}), suite=SECURITY)
    world.run(*holds.hold(ALL))
    updates, free = wishes(world)
    world.run(*apt.refresh())
    process = world.popen(*holds.upgrade(updates, free, ALL))
    if signal:
        while not world.path("/run/began").exists():
            assert process.poll() is None
            time.sleep(0.05)
        (pid,) = world.run("sh", "-c", FIND, check=False).stdout.split()
        world.run("kill", f"-{signal}", pid)
    process.communicate(timeout=60)
    assert (process.returncode == 0) == bool(signal)
    assert by_dpkg(world) == by_aptitude(world) == set(ALL)


# minbase has no pgrep.
FIND = r"""for p in /proc/[0-9]*; do tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -qx runner-upgrade && echo "${p#/proc/}"; done"""


def test_apt_itself_forgets_a_hold_that_it_is_allowed_to_change(world: World, archive: Archive) -> None:
    # Why held packages are not upgraded by that option.
    grown(world, archive)
    world.run(*holds.hold(ALL))
    world.run(*apt.refresh())
    world.run("apt-get", "-q", "-y", "install", "--allow-change-held-packages", "libc-demo=1.1")
    assert by_dpkg(world) == {KERNEL, META}
    assert read(world).unheld == ("libc-demo",)


def test_versions_are_ordered_as_dpkg_orders_them(world: World) -> None:
    some = (
        "1.0", "1.0-1", "1.0-1~bpo12+1", "1.0~rc1", "1.0+b1", "1:0.5", "0:1.0", "1.0-1+deb12u1", "1.0-1+deb12u10",
        "1.0a", "1.0.a", "1.0-10", "6.1.176-1", "6.1.99-1", "2.36-9+deb12u9", "1.0-0", "1.0~~", "1.0~", "2009-1-1",
        "007", "7", "1.0.0",
    )  # fmt: skip
    pairs = list(itertools.product(some, some))
    asked = r'for pair; do for op in lt eq gt; do dpkg --compare-versions "${pair%%|*}" $op "${pair#*|}" && echo $op; done; done'
    done = world.run("sh", "-c", asked, "compare", *("|".join(pair) for pair in pairs), check=False).stdout.split()
    for (one, other), word in zip(pairs, done, strict=True):
        ours, theirs = debian_version.key(one), debian_version.key(other)
        assert word == ("lt" if ours < theirs else "gt" if ours > theirs else "eq"), (one, other)


def test_a_later_version_that_passes_a_security_update_over_is_one_and_an_older_one_is_no_update(
    world: World, archive: Archive
) -> None:
    names = ("mended", "plain", "pinned", "slowly")
    archive.add(*(Deb(name=name, version="1:1.0~rc1") for name in names))
    world.install(*names)
    archive.add(Deb(name="mended", version="1:1.0+deb1"), Deb(name="plain", version="1:0.9"), suite=SECURITY)
    archive.add(*(Deb(name=name, version="1:1.0+deb2") for name in ("mended", "plain")))
    archive.add(Deb(name="pinned", version="1:0.9"))
    archive.add(Deb(name="slowly", version="1:1.1", control={"Phased-Update-Percentage": "10"}))
    world.write("/etc/apt/preferences.d/back", "Package: pinned\nPin: version 1:0.9\nPin-Priority: 1001\n")
    world.write("/etc/apt/apt.conf.d/slowly", 'APT::Get::Never-Include-Phased-Updates "true";\n')
    known = read(world, hold=())
    assert {update.name: update.security for update in known.updates} == {"mended": True, "plain": False}
    assert {trouble.what for trouble in known.troubles} == {"phased", "unknown"}
    texts = sorted(trouble.text for trouble in known.troubles)
    assert texts[0] == "pinned would go back from 1:1.0~rc1 to 1:0.9: that is never done here"
    assert texts[1].startswith("slowly is not upgraded yet: its archive gives it to 10 of 100 hosts so far")
    held = read(world, hold=("mended", "plain")).held
    assert {each.update.name: each.update.security for each in held} == {"mended": True, "plain": False}
