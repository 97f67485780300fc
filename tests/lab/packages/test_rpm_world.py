"""A real dnf, with packages and repositories made here: what it is asked, what it answers, what it then does."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from runner.jobs.packages import agent, outdated
from runner.jobs.packages.findings import update_lines
from runner.jobs.packages.redhat import dnf, rpm
from runner.jobs.packages.redhat import facts as packages_rpm
from runner.jobs.packages.redhat.family import RedHat
from runner.model.facts import Facts, HostFacts, Reading
from runner.model.packages import Held, PackageFacts, Update
from runner.model.site import Host
from tests.contract.two_hosts import wait_for
from tests.lab.rpm_world import NEEDED, Advisory, Made, Repositories, RpmWorld
from tests.soak import few
from tests.unit.parts import NOW

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in NEEDED), reason="the rpm world needs dnf, rpm and createrepo_c"
)
REPOSITORY = Path(__file__).parents[3]
CAPTURES = Path(__file__).parents[2] / "unit/captures"
KERNEL = ("Provides: installonlypkg(kernel)",)
BASE = (
    Made(name="kernel-core", evr="5.14.0-70.el9", more=KERNEL),
    Made(name="glibc", evr="2.34-60.el9"),
    Made(name="bind-libs", evr="32:9.8.2-0.37.rc1.el6_7.5"),
    Made(name="bind-utils", evr="32:9.8.2-0.37.rc1.el6_7.5"),
    Made(name="openssl-libs", evr="1:3.0.7-1.el9"),
    Made(name="oldname", evr="1.0-1.el9"),
    Made(name="service", evr="1.0-1.el9"),
    Made(name="tzdata", evr="2026a-1.el9", arch="noarch"),
    Made(name="shell", evr="1-1", more=("Provides: /bin/sh",)),
)
LIBS = Made(name="bind-libs", evr="32:9.8.2-0.37.rc1.el6_7.6")
TOOLS = Made(
    name="bind-utils", evr="32:9.8.2-0.37.rc1.el6_7.6",
    more=("Requires: bind-libs = 32:9.8.2-0.37.rc1.el6_7.6", "Requires: extra"),
)  # fmt: skip
EXTRA = Made(name="extra", evr="1-1")
NEXT_KERNEL = Made(name="kernel-core", evr="5.14.0-100.el9", more=KERNEL)
GLIBC = Made(name="glibc", evr="2.34-100.el9")
OPENSSL_FIX = Made(name="openssl-libs", evr="1:3.0.7-2.el9")
OPENSSL_LATER = Made(name="openssl-libs", evr="1:3.0.7-3.el9")
NEWS = (LIBS, TOOLS, EXTRA, NEXT_KERNEL, GLIBC)
# The scriptlet of a package that takes as long as its test does.
LET_GO = "/opt/let-go"
IN_SCRIPTLET = "/opt/in-scriptlet"
UNTIL_LET_GO = f"touch {IN_SCRIPTLET}; timeout 300 sh -c 'until [ -e {LET_GO} ]; do sleep 0.1; done'"
# By repository; each is in use only where a test says so.
OTHERS = {
    "openssl": (OPENSSL_FIX, OPENSSL_LATER),
    "renamed": (Made(name="newname", evr="2.0-1.el9", more=("Obsoletes: oldname < 2",)),),
    "broken": (Made(name="service", evr="9-1", more=("Requires: nothing-has-this",)), GLIBC),
    "post": (Made(name="service", evr="1.1-1.el9", post="exit 1"), GLIBC),
    "slow": (Made(name="service", evr="1.2-1.el9", post=UNTIL_LET_GO), GLIBC),
    "signed": (Made(name="service", evr="1.3-1.el9"), GLIBC),
}
ADVISORIES = {
    "updates": (
        Advisory(id="A-1", type="security", packages=(LIBS, TOOLS)),
        Advisory(id="A-2", type="security", packages=(NEXT_KERNEL,)),
        Advisory(id="A-3", type="bugfix", packages=(GLIBC,)),
    ),
    "openssl": (
        Advisory(id="A-4", type="security", packages=(OPENSSL_FIX,)),
        Advisory(id="A-5", type="bugfix", packages=(OPENSSL_LATER,)),
    ),
}


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repositories]:
    """All packages of this file, built once."""
    with Repositories(tmp_path_factory.mktemp("repositories")) as made:
        for name, packages in {"base": BASE, "updates": NEWS, **OTHERS}.items():
            made.build(name, *packages)
            made.index(name, *ADVISORIES.get(name, ()))
        yield made


@pytest.fixture
def world(tmp_path: Path, repositories: Repositories) -> Iterator[RpmWorld]:
    """A host with everything of BASE installed, and no repository but that."""
    with RpmWorld(tmp_path, repositories.folder) as host:
        host.use("base", "gpgcheck=0")
        host.do("dnf", "-y", "install", *(one.name for one in BASE))
        yield host


def read(world: RpmWorld, *hold: str, program: str = "dnf") -> PackageFacts:
    """What the kind gets to know: its own probes, asked at the host."""
    papio = Host(name="papio", address="papio.example.edu", packages=program, hold=hold)
    readings = {}
    for probe in packages_rpm.probes(papio):
        if probe.argv[0] != "runner-agent":
            ended = world.do(*probe.argv, ok=False)
            readings[probe.id] = Reading(exit=ended.returncode, out=ended.stdout, err=ended.stderr)
    host = HostFacts(name="papio", kernel="5.14.0-70.el9.x86_64", readings=readings)
    return packages_rpm.read(papio, Facts(at=NOW, hosts={"papio": host}))


def reasons(known: PackageFacts) -> tuple[str, ...]:
    """Why the world needs a reboot, as far as its packages tell."""
    papio = Host(name="papio", address="127.0.0.1", packages="dnf")
    return outdated.completed(known, papio, Facts(at=NOW, hosts={}), RedHat.need_reboot).reboot


def packages(updates: tuple[Update, ...]) -> tuple[rpm.Package, ...]:
    return tuple(rpm.Package(name=update.name, arch=update.arch, version=update.new) for update in updates)


def names(updates: tuple[Update, ...]) -> set[str]:
    return {update.name for update in updates}


def install(world: RpmWorld, updates: tuple[Update, ...], *hold: str) -> tuple[int, list[str]]:
    """Install them as a plan would; the exit code and all that was printed."""
    ended = world.do(*dnf.install("dnf", packages(updates), hold), ok=False)
    return ended.returncode, [*ended.stdout.splitlines(), *ended.stderr.splitlines()]


def test_updates_are_read_with_versions_and_security_and_reading_leaves_no_trace(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0")
    world.do("sleep", "0.1")
    world.path("/etc/mark").touch()
    known = read(world)
    assert known.fresh
    assert known.troubles == ()
    versions = {update.name: (update.old, update.new, update.origin, update.security) for update in known.updates}
    assert versions == {
        "bind-libs": ("32:9.8.2-0.37.rc1.el6_7.5", "32:9.8.2-0.37.rc1.el6_7.6", "updates", True),
        "bind-utils": ("32:9.8.2-0.37.rc1.el6_7.5", "32:9.8.2-0.37.rc1.el6_7.6", "updates", True),
        "extra": ("", "1-1", "updates", False),
        "glibc": ("2.34-60.el9", "2.34-100.el9", "updates", False),
        "kernel-core": ("5.14.0-70.el9", "5.14.0-100.el9", "updates", True),
    }
    assert known.download is not None
    assert known.download > 10_000
    assert world.do(
        "find", "/var/lib", "/var/cache", "/var/log", "/etc", "/opt", "/usr", "-xdev", "-newer", "/etc/mark"
    ).stdout.split() == ["/var/lib/rpm/rpmdb.sqlite-shm"], "rpm itself needs its shared memory"
    lines = update_lines(known.updates)
    assert lines[0].split() == ["bind-libs.x86_64", "32:9.8.2-0.37.rc1.el6_7.6", "updates", "security"]


def test_what_was_planned_is_what_is_installed_and_then_there_is_nothing_to_do(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0")
    known = read(world)
    code, _ = install(world, known.updates)
    assert code == 0
    world.do(*rpm.look(packages(known.updates)))
    after = read(world)
    assert after.updates == ()
    assert (after.running, after.newest) == ("5.14.0-70.el9.x86_64", "5.14.0-100.el9.x86_64")
    assert "kernel 5.14.0-70.el9.x86_64 runs, and 5.14.0-100.el9.x86_64 is installed" in reasons(after)
    assert world.do("rpm", "-q", "kernel-core").stdout.split() == [
        "kernel-core-5.14.0-70.el9.x86_64", "kernel-core-5.14.0-100.el9.x86_64",
    ]  # fmt: skip


def test_a_plan_made_before_somebody_else_upgraded_is_seen_to_be_so(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0")
    updates = read(world).updates
    argv = agent.unchanged("runner-agent", "papio", RedHat(), updates).argv[1:]
    asked = ("env", f"PYTHONPATH={REPOSITORY}", "python3", "-B", "-m", "runner.agent", *argv)
    assert json.loads(world.do(*asked).stdout) == {"as_planned": True}
    world.do("dnf", "-y", "upgrade", "kernel-core")
    done = json.loads(world.do(*asked).stdout)
    assert done["error"] == (
        "kernel-core:x86_64 is 5.14.0-70.el9 and 5.14.0-100.el9 now, and 5.14.0-70.el9 was installed when this "
        "was planned"
    )


def test_a_package_that_lacks_its_planned_version_makes_looking_fail(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0")
    known = read(world)
    assert world.do(*rpm.look(packages(known.updates)), ok=False).returncode != 0


def test_what_jobs_toml_holds_stays_and_what_it_blocks_is_named_with_the_hold(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0")
    known = read(world, "kernel*", "bind-libs")
    assert names(known.updates) == {"glibc"}
    assert {held.update.name: held.by for held in known.held} == {
        "bind-libs": (), "kernel-core": (), "bind-utils": ("bind-libs",),
    }  # fmt: skip
    assert all(isinstance(held, Held) and held.update.security for held in known.held)
    assert set(known.holds) == {"bind-libs", "kernel-core"}
    code, said = install(world, (*known.updates, known.held[0].update), "kernel*", "bind-libs")
    assert code == 1, said
    assert world.do("rpm", "-q", "glibc").stdout == "glibc-2.34-60.el9.x86_64\n"


def test_excludes_and_version_locks_of_the_host_itself_are_told_and_not_passed_over(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0", "exclude=kernel*")
    world.do("dnf", "-q", "versionlock", "add", "glibc")
    known = read(world)
    assert names(known.updates) == {"bind-libs", "bind-utils", "extra"}
    assert {held.update.name: held.by for held in known.held} == {"kernel-core": (), "glibc": ()}
    (drift,) = known.troubles
    assert drift.what == "hold drift"
    assert drift.text.endswith(
        "glibc (/etc/dnf/plugins/versionlock.list:3), kernel-core (/etc/yum.repos.d/updates.repo:6)"
    )


@pytest.mark.soak
def test_a_dead_mirror_is_no_nothing_to_do_although_the_host_skips_such_repositories(
    world: RpmWorld, repositories: Repositories
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Quiet) as server:
        _Quiet.folder = str(repositories.folder)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        world.use(
            "updates", "gpgcheck=0", "skip_if_unavailable=1", url=f"http://127.0.0.1:{server.server_port}/updates"
        )
        assert names(read(world).updates) >= {"glibc"}
        world.do("dnf", "-q", "check-update", ok=False)
        server.shutdown()
    known = read(world)
    assert not known.fresh
    assert known.troubles[0].what == "unreachable"
    assert "updates" in known.troubles[0].text
    assert (known.partly, names(known.updates)) == (True, set()), "the other repository answers"
    world.path("/etc/yum.repos.d/base.repo").unlink()
    known = read(world)
    assert (known.fresh, known.partly) == (False, False)
    assert known.troubles[0].text.startswith("the package lists could not be fetched: Error: ")
    assert names(known.updates) >= {"glibc"}, "told by the lists of before"
    refreshed = world.do(*dnf.refresh("dnf"), ok=False)
    assert refreshed.returncode == 1
    assert world.do(*dnf.refresh("yum"), ok=False).returncode != 0


class _Quiet(SimpleHTTPRequestHandler):
    folder = "/nonexistent"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments, directory=self.folder)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        pass


def test_a_scriptlet_that_fails_is_named_though_dnf_ends_well(world: RpmWorld) -> None:
    world.use("post", "gpgcheck=0")
    code, log = install(world, read(world).updates)
    assert code == 0
    assert rpm.failed_scriptlets(log) == ("service (postin)",)


def test_no_key_is_ever_imported_and_an_untrusted_one_is_told_beforehand(
    world: RpmWorld, repositories: Repositories
) -> None:
    public = repositories.key("ours")
    repositories.sign("signed", "ours", "service", "glibc")
    repositories.index("signed")
    key = "/etc/pki/rpm-gpg/RPM-GPG-KEY-ours"
    world.path(key).write_text(public)
    world.use("signed", "gpgcheck=1", f"gpgkey=file://{key}")
    other = repositories.key("other")
    world.path("/etc/other.key").write_text(other)
    world.do("rpm", "--import", "/etc/other.key")
    known = read(world)
    assert [trouble.what for trouble in known.troubles] == ["signature"]
    assert known.troubles[0].do.endswith(f"rpm --import {key}")
    code, said = install(world, known.updates)
    assert code == 1, said
    assert len(world.do("rpm", "-q", "gpg-pubkey").stdout.splitlines()) == 1
    assert world.do("rpm", "-q", "service").stdout == "service-1.0-1.el9.x86_64\n"
    world.do("rpm", "--import", key)
    again = read(world)
    assert again.troubles == ()
    assert install(world, again.updates)[0] == 0
    assert world.do("rpm", "-q", "service").stdout == "service-1.3-1.el9.x86_64\n"


def test_one_unsigned_package_keeps_all_from_being_installed(world: RpmWorld, repositories: Repositories) -> None:
    world.path("/etc/any.key").write_text(repositories.key("any"))
    world.do("rpm", "--import", "/etc/any.key")
    world.use("updates", "gpgcheck=1", "gpgkey=file:///etc/any.key")
    code, log = install(world, read(world).updates)
    assert code == 1, log
    assert world.do("rpm", "-q", "glibc").stdout == "glibc-2.34-60.el9.x86_64\n"


@contextmanager
def at_work(world: RpmWorld) -> Iterator[subprocess.Popen[str]]:
    """A dnf that has installed a package and is in its scriptlet, until the block ends at the latest."""
    world.use("slow", "gpgcheck=0")
    with world.popen(("dnf", "-y", "upgrade", "service")) as process:
        try:
            # Its files are there before the database has it: only its scriptlet comes after both.
            wait_for(world.path(IN_SCRIPTLET).exists, 120)
            yield process
        finally:
            world.path(LET_GO).touch()


def test_another_dnf_at_work_is_named_and_ours_does_not_wait_for_it(world: RpmWorld) -> None:
    with at_work(world) as first:
        known = read(world)
        assert [trouble.what for trouble in known.troubles] == ["lock"] * len(known.troubles)
        assert known.troubles[0].text.startswith("dnf (process ")
        # Were it to wait, it would do so until the first one is let go.
        code, _ = install(world, tuple(update for update in known.updates if update.name == "glibc"))
        assert code == 200
        world.path(LET_GO).touch()
        assert first.communicate(timeout=60)[0]
    assert read(world).troubles == ()


def test_an_upgrade_that_was_killed_is_seen_by_what_it_left(world: RpmWorld) -> None:
    with at_work(world) as first:
        first.kill()
    known = read(world)
    assert [(trouble.what, trouble.text) for trouble in known.troubles] == [
        ("interrupted", "an earlier upgrade was cut off: service")
    ]


@pytest.mark.parametrize("hold", few([(), ("nothing-*",), ("kernel*",)], ()))
@pytest.mark.parametrize("news", ["updates", ""])
def test_a_package_that_lacks_what_it_needs_is_seen_whatever_is_held_and_new(
    world: RpmWorld, hold: tuple[str, ...], news: str
) -> None:
    world.use("updates", "gpgcheck=0")
    world.do("dnf", "-y", "install", "bind-utils")
    world.do("dnf", "-y", "upgrade", *((f"--exclude={GLIBC.name}",) if news else ()))
    world.do("rpm", "--erase", "--nodeps", "extra")
    known = read(world, *hold)
    assert [trouble.what for trouble in known.troubles] == ["half"]
    assert known.troubles[0].text.startswith(
        "installed packages are not whole: extra is needed by (installed) bind-utils"
    )
    assert names(known.updates) == ({"glibc"} if news else set())


def test_without_advisories_a_host_is_known_to_find_no_security_update(world: RpmWorld) -> None:
    assert not read(world).for_security
    world.use("updates", "gpgcheck=0")
    assert read(world).for_security


def test_a_host_without_a_repository_is_not_one_with_nothing_to_do(world: RpmWorld) -> None:
    world.do("sh", "-c", "rm -f /etc/yum.repos.d/*")
    (only,) = read(world).troubles
    assert (only.what, only.text) == ("moved", "no repository is in use, so there can be no update")


@pytest.mark.parametrize("skips", few((0, 1), 0))
def test_one_dead_repository_keeps_no_update_of_the_others_away_and_is_named(world: RpmWorld, skips: int) -> None:
    world.use("updates", "gpgcheck=0", f"skip_if_unavailable={skips}")
    for name in ("dead", "gone"):
        world.use(name, "gpgcheck=0", f"skip_if_unavailable={skips}", url="http://127.0.0.1:9/nothing")
    known = read(world, "kernel*")
    assert (known.fresh, known.partly) == (False, True)
    assert names(known.updates) == {"bind-libs", "bind-utils", "extra", "glibc"}
    assert {update.name for update in known.updates if update.security} == {"bind-libs", "bind-utils"}
    assert [held.update.name for held in known.held] == ["kernel-core"]
    (only,) = known.troubles
    assert only.what == "unreachable"
    assert only.text.startswith("no package lists of dead, gone, so nothing new is known from there: Error: ")
    world.do(*RedHat().refresh(Host(name="papio", address="", packages="dnf"), partly=True))
    code, log = install(world, known.updates, "kernel*")
    assert code == 0, log
    world.do(*rpm.look(packages(known.updates)))
    assert read(world, "kernel*").updates == ()
    world.path("/etc/yum.repos.d/dead.repo").unlink()
    world.path("/etc/yum.repos.d/gone.repo").unlink()
    assert read(world, "kernel*").fresh


def test_a_version_that_is_gone_stops_all_of_it_before_anything_is_done(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0")
    glibc = next(update for update in read(world).updates if update.name == "glibc")
    gone = Update(name="bind-libs", arch="x86_64", old="", new="32:9.8.2-9")
    code, said = install(world, (glibc, gone))
    assert code == 1, said
    assert world.do("rpm", "-q", "glibc").stdout == "glibc-2.34-60.el9.x86_64\n"


def test_an_update_that_cannot_be_installed_is_told_and_stops_no_other(world: RpmWorld) -> None:
    world.use("broken", "gpgcheck=0")
    known = read(world)
    assert names(known.updates) == {"glibc"}
    assert known.held == ()
    (trouble,) = known.troubles
    assert trouble.what == "damaged"
    assert "service 9-1" in trouble.text
    assert "nothing provides nothing-has-this" in trouble.text
    assert install(world, known.updates)[0] == 0


def test_a_package_that_another_would_replace_stays_and_is_told(world: RpmWorld) -> None:
    world.use("renamed", "gpgcheck=0")
    world.use("updates", "gpgcheck=0")
    known = read(world)
    assert known.removals == ("oldname",)
    assert "newname" not in names(known.updates)
    assert install(world, known.updates)[0] == 0
    assert world.do("rpm", "-q", "oldname").stdout == "oldname-1.0-1.el9.x86_64\n"


def test_a_security_update_stays_one_when_a_later_version_only_mends_something_else(world: RpmWorld) -> None:
    world.use("openssl", "gpgcheck=0")
    known = read(world)
    assert [(update.name, update.new, update.security) for update in known.updates] == [
        ("openssl-libs", "1:3.0.7-3.el9", True)
    ]


def test_an_upgrade_of_a_dependency_leaves_it_a_dependency(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0")
    world.do("dnf", "-y", "mark", "remove", "glibc")
    install(world, tuple(update for update in read(world).updates if update.name == "glibc"))
    assert "glibc" not in world.do("dnf", "-q", "history", "userinstalled").stdout


def test_versions_are_ordered_as_this_rpm_orders_them(world: RpmWorld) -> None:
    pieces = (
        "1",
        "01",
        "10",
        "9",
        "a",
        "rc1",
        "1a",
        "1.0",
        "1.0.1",
        "1.0a",
        "1.0~rc1",
        "1.0~",
        "1.0^",
        "1.0^git1",
        "1_0",
    )
    versions = [f"{piece}-1" for piece in pieces] + ["1:0-1", "1.0-1.el9", "1.0-1.el9_6.2", "1.0-2~b"]
    pairs = [(version, other) for version in versions for other in versions]
    asked = "".join(f'print(rpm.vercmp("{one}", "{other}") .. " ")' for one, other in pairs)
    done = world.do("rpm", "--eval", f"%{{lua:{asked}}}").stdout.split()
    keys = [(rpm.key(one), rpm.key(other)) for one, other in pairs]
    ours = [(one > other) - (one < other) for one, other in keys]
    assert [(pair, mine) for pair, mine, real in zip(pairs, ours, done, strict=True) if mine != int(real)] == []


def test_the_look_of_yum_3_reads_what_that_prints(world: RpmWorld) -> None:
    """The program is a stand-in that prints what yum 3.4.3 prints; the rest of the host is real."""
    listed = (CAPTURES / "yum3/check-update-el7-long.stdout").read_text()
    world.path("/etc/listed").write_text(listed)
    yum3 = world.path("/usr/local/bin/yum")
    yum3.write_text(
        "#!/bin/sh\n# import yummain\n"
        'case "$*" in *--security*) grep bind /etc/listed ;; *) cat /etc/listed ;; esac\nexit 100\n'
    )
    yum3.chmod(0o755)
    known = read(world, "kernel*", program="yum")
    assert known.fresh
    assert known.troubles == ()
    versions = {update.name: (update.old, update.new) for update in known.updates}
    assert len(versions) == 10
    assert versions["bind-libs"] == ("32:9.8.2-0.37.rc1.el6_7.5", "32:9.8.2-0.37.rc1.el6_7.6")
    assert [held.update.name for held in known.held] == ["kernel"]
    assert known.removals == ("dracut-old",)


def test_the_look_of_yum_3_does_without_a_repository_that_is_dead(world: RpmWorld) -> None:
    """A stand-in again: it fails as a whole while the dead one is in use."""
    world.path("/etc/listed").write_text((CAPTURES / "yum3/check-update-seed.stdout").read_text())
    for name, line in (("dead", "enabled = 1"), ("off", "enabled = 0"), ("others", "gpgcheck=0")):
        world.use(name, line)
    yum3 = world.path("/usr/local/bin/yum")
    yum3.write_text(
        "#!/bin/sh\n# import yummain\n"
        'case "$*" in *enablerepo=off*) touch /etc/asked ;; *enablerepo=dead*) echo no way to dead >&2; exit 1 ;;\n'
        "*enablerepo=*|*disablerepo=dead*) cat /etc/listed; exit 100 ;; esac\nexit 1\n"
    )
    yum3.chmod(0o755)
    known = read(world, program="yum")
    assert (known.fresh, known.partly) == (False, True)
    assert names(known.updates) == {"bind-libs", "bind-utils"}
    (only,) = known.troubles
    assert only.text == "no package lists of dead, so nothing new is known from there: no way to dead"
    assert not world.path("/etc/asked").exists(), "one that is not in use is none that is away"


def test_yum_as_another_name_of_dnf_is_read_and_installs_too(world: RpmWorld) -> None:
    world.use("updates", "gpgcheck=0")
    world.path("/usr/local/bin/yum").symlink_to("/usr/bin/dnf")
    known = read(world, program="yum")
    assert "glibc" in names(known.updates)
    world.do(*dnf.refresh("yum"))
    world.do(*dnf.install("yum", packages(known.updates), ()))
    world.do(*rpm.look(packages(known.updates)))
