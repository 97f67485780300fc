"""A real Debian in trouble: each kind is recognised from evidence, and what is safe is mended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.agent.packages.families import FAMILIES
from runner.jobs.packages.debian import apt, holds, trouble
from runner.jobs.packages.debian.family import Debian
from runner.model.packages import PackageFacts, Trouble, Update
from tests.lab.archive import SECURITY, STABLE, Archive, Deb
from tests.lab.debian import HOLD, World
from tests.lab.package_files import KERNEL, META, by_aptitude, by_dpkg, grown, named, read

pytest_plugins = ("tests.lab.debian_fixtures",)
ALL = (KERNEL, META, "libc-demo")


@pytest.fixture(params=[pytest.param(HOLD, id="holds"), pytest.param((), id="no holds", marks=pytest.mark.soak)])
def hold(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Troubles are the same whatever is held: nothing is what jobs.toml says at first."""
    return tuple(request.param)


def kinds(found: PackageFacts) -> list[str]:
    return [trouble.what for trouble in found.troubles]


def lib(new: str = "1.1") -> Update:
    return Update(name="demo-lib", arch="amd64", old="1.0", new=new)


def said(done: subprocess.CompletedProcess[str]) -> tuple[Trouble, ...]:
    """What a command that failed is understood to have failed of."""
    assert done.returncode
    return trouble.read((done.stdout + done.stderr).splitlines())


def wait_for(world: World, path: str) -> None:
    deadline = time.monotonic() + 30
    while not world.path(path).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_postinst_that_fails_stops_its_own_package_only(world: World, archive: Archive) -> None:
    grown(world, archive)
    archive.add(Deb(name="demo-lib", version="1.2", scripts={"postinst": "echo cannot start >&2; exit 1"}))
    archive.add(Deb(name="demo-feature", version="1.2"))
    world.run(*apt.refresh())
    done = world.run(*apt.install([lib("1.2"), Update(name="demo-feature", arch="", old="", new="1.2")]), check=False)
    assert done.returncode == 100
    assert [trouble.what for trouble in said(done)] == ["half"]
    assert world.versions("demo-lib", "demo-feature") == {"demo-lib": "iF 1.2", "demo-feature": "ii 1.2"}
    known = read(world)
    assert kinds(known) == ["half"]
    assert known.troubles[0].text == "demo-lib 1.2 is only half configured: its script failed"
    assert not known.troubles[0].mends
    assert world.run(*Debian().audit()).stdout


BAD = {"preinst": "echo the sky falls; exit 4"}


def test_a_preinst_that_fails_keeps_no_other_from_being_set_up(world: World, archive: Archive) -> None:
    names = ("a-first", "bad", "waits", "z-last")
    archive.add(*(Deb(name=name, version="1.0") for name in names))
    world.install(*names)
    needs = {"Depends": "bad (>= 1.1)"}
    archive.add(
        Deb(name="a-first", version="1.1", scripts={"postinst": "echo set up"}), Deb(name="z-last", version="1.1"),
        Deb(name="bad", version="1.1", scripts=BAD), Deb(name="waits", version="1.1", control=needs), suite=SECURITY,
    )  # fmt: skip
    world.run(*apt.refresh())
    wanted = [Update(name=name, arch="", old="1.0", new="1.1") for name in names]
    argv = ("env", "RUNNER_EVENTS=/root/events", *apt.install(wanted))
    assert world.run(*argv, check=False).returncode == 100
    assert world.versions(*names) == {"a-first": "ii 1.1", "bad": "ii 1.0", "waits": "iU 1.1", "z-last": "ii 1.1"}
    failed = FAMILIES["dpkg"].failed(world.path("/root/events").read_bytes())
    assert failed == (("bad", "new bad package pre-installation script subprocess returned error exit status 4"),)


def test_a_postinst_that_fails_is_not_run_again_while_the_others_are_set_up(world: World, archive: Archive) -> None:
    archive.add(Deb(name="bad", version="1.0"), Deb(name="good", version="1.0"))
    world.install("bad", "good")
    archive.add(Deb(name="bad", version="1.1", scripts={"postinst": "echo >>/root/ran; exit 4"}), suite=SECURITY)
    archive.add(Deb(name="good", version="1.1"), suite=SECURITY)
    world.run(*apt.refresh())
    wanted = [Update(name=name, arch="", old="1.0", new="1.1") for name in ("bad", "good")]
    assert world.run("env", "RUNNER_EVENTS=/root/events", *apt.install(wanted), check=False).returncode == 100
    assert world.versions("bad", "good") == {"bad": "iF 1.1", "good": "ii 1.1"}
    assert world.path("/root/ran").read_text() == "\n"
    assert [name for name, _ in FAMILIES["dpkg"].failed(world.path("/root/events").read_bytes())] == ["bad"]


def test_what_dpkg_audit_names_is_never_nothing_whatever_the_table_says(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.path("/var/lib/dpkg/info/demo-lib.list").unlink()
    known = read(world)
    assert kinds(known) == ["half"]
    assert known.troubles[0].text == "dpkg --audit says that packages are not whole: demo-lib"


def test_an_installation_that_is_killed_is_mended_by_the_repair(world: World, archive: Archive) -> None:
    grown(world, archive)
    slow = {"postinst": "touch /run/began; [ -e /run/again ] || sleep 100"}
    archive.add(Deb(name="demo-lib", version="1.2", scripts=slow), suite=SECURITY)
    world.run(*apt.refresh())
    process = world.popen("sh", "-c", 'echo $$ >/run/pid; exec "$@"', "sh", *apt.install([lib("1.2")]))
    wait_for(world, "/run/began")
    world.run("sh", "-c", 'kill -9 $(cat /run/pid); for p in /proc/[0-9]*; do read -r c <$p/comm; '
              'case $c in dpkg|demo-lib.*|sleep) kill -9 ${p#/proc/};; esac; done', check=False)  # fmt: skip
    process.communicate(timeout=60)
    known = read(world)
    assert kinds(known)[0] == "interrupted"
    assert known.troubles[0].mends
    assert [trouble.what for trouble in said(world.run(*apt.install([lib("1.2")]), check=False))] == ["interrupted"]
    world.write("/run/again", "")
    world.run(*Debian().repair())
    assert kinds(read(world)) == []
    assert world.versions("demo-lib") == {"demo-lib": "ii 1.2"}


LOCKED = """
import fcntl, sys, time
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    open("/run/locked", "w").close()
    time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize("name", ["lock-frontend", "lock"])
def test_who_holds_the_lock_is_named_and_dpkgs_journal_is_not_taken_for_a_wreck(
    world: World, archive: Archive, name: str
) -> None:
    grown(world, archive)
    world.write("/var/lib/dpkg/updates/0000", "")
    with world.popen("python3", "-c", LOCKED, f"/var/lib/dpkg/{name}", "600") as process:
        wait_for(world, "/run/locked")
        known = read(world)
        failed = world.run(*apt.install([lib()])[:-1], "-o", "DPkg::Lock::Timeout=1", "demo-lib=1.1", check=False)
        process.kill()
        process.wait()
    assert kinds(known) == ["lock"]
    assert "(python3 -c " in known.troubles[0].text
    assert f"/var/lib/dpkg/{name}" in known.troubles[0].text
    assert not known.troubles[0].mends
    assert known.updates
    if name == "lock-frontend":
        assert [trouble.what for trouble in said(failed)] == ["lock"]


TWIN = """
import fcntl, os, time
wanted = os.stat("/var/lib/dpkg/lock-frontend").st_ino
for number in range(wanted + 1):
    file = open("/mnt/twin", "w")
    if os.fstat(file.fileno()).st_ino == wanted:
        fcntl.lockf(file, fcntl.LOCK_EX)
        open("/run/locked", "w").close()
        time.sleep(20)
    file.close()
    os.unlink("/mnt/twin")
"""


def test_a_lock_on_another_file_of_the_same_number_is_no_lock_on_packages(world: World, archive: Archive) -> None:
    grown(world, archive)
    # A file that was always there has a number of the disk below, which may be any.
    world.path("/var/lib/dpkg/lock-frontend").unlink()
    world.path("/var/lib/dpkg/lock-frontend").touch()
    world.run("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    with world.popen("python3", "-c", TWIN) as process:
        wait_for(world, "/run/locked")
        known = read(world)
        process.kill()
    assert kinds(known) == []


def test_an_installation_waits_for_another_that_is_at_work(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run(*apt.refresh())
    with world.popen("python3", "-c", LOCKED, "/var/lib/dpkg/lock-frontend", "2") as process:
        wait_for(world, "/run/locked")
        world.run(*apt.install([lib()]))
        process.wait()
    assert world.versions("demo-lib") == {"demo-lib": "ii 1.1"}


def test_fetching_the_lists_waits_for_another_that_fetches_them(world: World, archive: Archive) -> None:
    grown(world, archive)
    with world.popen("python3", "-c", LOCKED, "/var/lib/apt/lists/lock", "4") as process:
        wait_for(world, "/run/locked")
        world.run(*apt.refresh())
        assert process.poll() is not None
    archive.stop()
    began = time.monotonic()
    assert world.run(*apt.refresh(), check=False).returncode == 100
    assert time.monotonic() - began < 30, "what no lock is to blame for is not waited for"


def broken(what: str, world: World, archive: Archive) -> None:
    """Break the archive, or the way to it."""
    match what:
        case "unreachable":
            archive.stop()
        case "no such host":
            world.write("/etc/apt/sources.list", archive.sources.replace("127.0.0.1", "mirror.invalid"))
        case "not found":
            world.write("/etc/apt/sources.list", archive.sources.replace("demo-security", "nowhere"))
        case "expired":
            archive.publish(SECURITY, date="Sat, 01 Jan 2022 00:00:00 UTC", valid="Sat, 08 Jan 2022 00:00:00 UTC")
        case "clock":
            archive.publish(SECURITY, date="Sat, 01 Jan 2095 00:00:00 UTC")
        case "changed after signing":
            archive.spoil(SECURITY)
        case "another key":
            archive.new_key()
        case "unsigned":
            (archive.root / "dists" / SECURITY / "InRelease").unlink()
        case "moved":
            archive.publish(SECURITY, label="Archive")
        case _:
            raise AssertionError(what)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("unreachable", "unreachable"), ("no such host", "unreachable"), ("not found", "unreachable"),
        ("expired", "expired"), ("clock", "clock"), ("changed after signing", "signature"),
        ("another key", "signature"), ("unsigned", "signature"), ("moved", "moved"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_had_are_never_nothing_to_do(world: World, archive: Archive, what: str, kind: str) -> None:
    grown(world, archive)
    world.run("apt-get", "-qq", "update")
    broken(what, world, archive)
    known = read(world)
    assert not known.fresh
    assert known.partly == (what not in ("unreachable", "no such host", "another key"))
    assert "demo-lib" not in named(known.updates) or not known.partly, "its archive is not to be had"
    assert set(kinds(known)) == {kind}, known.troubles
    assert all(trouble.do and not trouble.mends for trouble in known.troubles)
    done = world.run(*apt.refresh(), check=False)
    assert done.returncode == 100
    assert {trouble.what for trouble in said(done)} == {kind}
    if what == "unreachable":
        assert "demo-lib" in named(known.updates), "what the old lists say is told"
        archive.start()
        assert read(world).fresh


def test_a_file_that_is_gone_or_damaged_is_named(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run(*apt.refresh())
    pool = archive.root / "pool" / SECURITY
    (path,) = pool.glob("demo-lib_*")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert {trouble.what for trouble in said(world.run(*apt.install([lib()]), check=False))} == {"damaged"}
    path.unlink()
    assert {trouble.what for trouble in said(world.run(*apt.install([lib()]), check=False))} == {"damaged"}
    assert world.versions("demo-lib") == {"demo-lib": "ii 1.0"}


def test_a_configuration_file_that_a_person_changed_stays(world: World, archive: Archive) -> None:
    name = "/etc/demo-conf.conf"
    old = Deb(name="demo-conf", version="1.0", files={name: "old\n"}, conffiles=(name,))
    grown(world, archive, old)
    world.write(name, "mine\n")
    archive.add(Deb(name="demo-conf", version="1.1", files={name: "new\n"}, conffiles=(name,)), suite=SECURITY)
    world.run(*apt.refresh())
    world.run(*apt.install([Update(name="demo-conf", arch="", old="1.0", new="1.1")]))
    assert world.path(name).read_text() == "mine\n"
    assert world.path(f"{name}.dpkg-dist").read_text() == "new\n"


def test_dependencies_that_are_not_met_are_in_the_way_and_an_archive_that_is_not_whole_is_not(
    world: World, archive: Archive
) -> None:
    grown(world, archive, Deb(name="demo-stuck", version="1.0"))
    archive.add(Deb(name="demo-stuck", version="1.1", control={"Depends": "no-such-package (>= 3)"}), suite=SECURITY)
    known = read(world)
    assert kinds(known) == ["unknown"]
    assert "demo-stuck is not upgraded: demo-stuck : Depends: no-such-package (>= 3)" in known.troubles[0].text
    assert "demo-lib" in named(known.updates)
    (path,) = (archive.root / "pool" / SECURITY).glob("demo-stuck_*")
    world.write("/root/stuck.deb", path.read_bytes())
    world.run("dpkg", "-i", "--force-depends", "/root/stuck.deb", check=False)
    assert "broken" in kinds(read(world))
    assert "was not found" in said(world.run(*apt.install([lib("1.0.9")]), check=False))[-1].text
    world.run(*apt.refresh())
    assert {trouble.what for trouble in said(world.run(*apt.install([lib()]), check=False))} == {"broken"}


@pytest.mark.parametrize(("where", "kind"), [("/boot", "boot full"), ("/var/cache/apt/archives", "disk full")])
def test_a_full_disk_is_named_before_anything_is_begun(world: World, archive: Archive, where: str, kind: str) -> None:
    grown(world, archive)
    world.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", where)
    if where == "/boot":
        world.path("/boot/initrd.img-9.9.9-demo").write_bytes(b"x" * (600 << 10))
    known = read(world)
    assert kinds(known) == [kind]
    assert known.boot_free is not None
    if where != "/boot":
        world.run("sh", "-c", f"cat /dev/zero >{where}/full", check=False)
        world.run(*apt.refresh())
        assert {trouble.what for trouble in said(world.run(*apt.install([lib()]), check=False))} == {"disk full"}


def test_an_answer_that_was_cut_short_is_no_answer(
    world: World, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(world, archive)
    whole: Callable[..., subprocess.CompletedProcess[str]] = world.run

    def cut(*argv: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        done = whole(*argv, check=check, timeout=timeout)
        return subprocess.CompletedProcess(argv, done.returncode, done.stdout[:-20], done.stderr)

    monkeypatch.setattr(world, "run", cut)
    known = read(world)
    assert (known.fresh, known.updates, kinds(known)) == (False, (), ["unknown"])


def test_a_survey_that_was_killed_leaves_nothing_for_long(world: World, archive: Archive) -> None:
    grown(world, archive)
    left = Path("/var/tmp/runner-packages.12345678")
    world.run("sh", "-c", f"mkdir {left}; touch -d '2 days ago' {left}; mkdir {left}9; ln -s /etc {left}a; ls /var/tmp")
    read(world)
    assert world.run("ls", "/var/tmp").stdout.split() == [f"{left.name}9", f"{left.name}a"]


def test_the_holds_come_back_after_a_kernel_whose_script_fails(world: World, archive: Archive) -> None:
    grown(world, archive)
    archive.add(Deb(name="linux-image-9.9.10-demo", version="1.0", scripts={"postinst": "exit 3"}), suite=SECURITY)
    archive.publish(STABLE)
    world.run(*holds.hold(ALL))
    updates = [held.update for held in read(world).held if held.update.name.startswith("linux-image")]
    world.run(*apt.refresh())
    done = world.run(*holds.upgrade(updates, [META, KERNEL], [*ALL, "linux-image-9.9.10-demo"]), check=False)
    assert {trouble.what for trouble in said(done)} == {"half"}
    assert by_dpkg(world) == by_aptitude(world) == {*ALL, "linux-image-9.9.10-demo"}
