"""What a host of the Red Hat family is found to have: from what real looks printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.agent.packages.contract import KernelVersions
from runner.jobs.packages import outdated as host_outdated
from runner.jobs.packages.debian.family import Debian
from runner.jobs.packages.findings import update_lines
from runner.jobs.packages.redhat import facts as packages_rpm
from runner.jobs.packages.redhat import trouble
from runner.jobs.packages.redhat.family import RedHat
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, HostFacts, Reading
from runner.model.packages import PackageFacts
from runner.model.site import Host
from runner.tools.detached import Outdated
from tests.unit.parts import NOW

CAPTURES = Path(__file__).parents[1] / "captures"
RUNNING = "5.14.0-70.el9.x86_64"


def host(*hold: str, packages: str = "dnf") -> Host:
    return Host(name="papio", address="papio.example.edu", packages=packages, hold=hold)


def read(text: str, *hold: str, outdated: dict[str, Any] | None = None, probe: str = "packages.dnf") -> PackageFacts:
    readings = {probe: Reading(exit=0, out=text), "packages.outdated": Reading(exit=0, out=json.dumps(outdated or {}))}
    facts = Facts(at=NOW, hosts={"papio": HostFacts(name="papio", kernel=RUNNING, readings=readings)})
    known = packages_rpm.read(host(*hold, packages="yum"), facts)
    return known if outdated is None else host_outdated.completed(known, host(*hold), facts, RedHat.need_reboot)


def look(name: str, *hold: str, **more: Any) -> PackageFacts:
    return read((CAPTURES / f"dnf/look-{name}.stdout").read_text(), *hold, **more)


def names(known: PackageFacts) -> list[str]:
    return sorted(update.name for update in known.updates)


def test_nothing_to_do_is_told_only_with_lists_that_were_fetched() -> None:
    known = look("nothing")
    assert (known.fresh, known.updates, known.held, known.troubles) == (True, (), (), ())


def test_nothing_is_fine_while_rpm_verify_says_otherwise() -> None:
    text = (CAPTURES / "dnf/look-nothing.stdout").read_text()
    lacks = "whole exit 1\nwhole out Unsatisfied dependencies for app-0:1-1.x86_64:\nwhole out \tlib is needed by app\n"
    (only,) = read(f"{lacks}{text}").troubles
    assert (only.what, only.text) == ("half", "installed packages are not whole: lib is needed by app")
    assert [each.what for each in read(f"whole exit 1\n{text}").troubles] == ["half"], "whatever it prints"
    assert read(f"whole exit 0\n{text}").troubles == ()


def test_repositories_that_are_away_are_named_and_the_others_count() -> None:
    text = (CAPTURES / "dnf/look-updates.stdout").read_text().replace("all ", "some ")
    away = "all exit 1\naway exit 0\naway out a|Error: 'a': Cannot download\naway out b|Error: 'b': Cannot download\n"
    known = read(f"{away}away out c|Error: GPG check\n{text}")
    assert (known.fresh, known.partly, names(known)) == (False, True, names(look("updates")))
    assert [(each.what, each.text[:38]) for each in known.troubles] == [
        ("unreachable", "no package lists of a, b, so nothing n"), ("signature", "no package lists of c, so nothing new "),
    ]  # fmt: skip
    well = read(f"all exit 1\naway exit 0\n{text}")
    assert (well.fresh, well.partly, well.troubles) == (True, False, ()), "each of them answered after all"
    (none,) = read("enabled exit 0\n" + (CAPTURES / "dnf/look-nothing.stdout").read_text()).troubles
    assert none.what == "moved"


@pytest.mark.parametrize(
    ("answers", "whether"),
    [
        ("", True), ("advisories exit 0\n", False), ("advisories exit 0\nadvisories out x-updateinfo.xml.gz\n", True),
        ("advisories exit 0\nenabled exit 0\nenabled out sl-security\n", True),
    ],
)  # fmt: skip
def test_whether_there_can_be_a_security_update_is_known_by_advisories_or_the_name(answers: str, whether: bool) -> None:
    assert read(answers + (CAPTURES / "dnf/look-nothing.stdout").read_text()).for_security == whether


def test_what_leaves_a_package_out_is_named_by_file_and_line() -> None:
    rows = [
        "/etc/dnf/dnf.conf:3:exclude = kernel* , glib?", "/etc/yum.repos.d/x.repo:9:includepkgs=httpd",
        "/etc/dnf/plugins/versionlock.list:2:!glibc-0:2.34-1.*", "/etc/dnf/plugins/versionlock.list:4:kernelx-1", "odd",
    ]  # fmt: skip
    assert list(trouble.hiding("glibc", rows)) == [
        "/etc/dnf/dnf.conf:3", "/etc/yum.repos.d/x.repo:9", "/etc/dnf/plugins/versionlock.list:2",
    ]  # fmt: skip
    assert list(trouble.hiding("httpd", rows)) == []


def test_updates_have_the_old_version_the_repository_and_whether_they_are_for_security() -> None:
    known = look("updates")
    kernel = next(update for update in known.updates if update.name == "kernel-core")
    assert (kernel.old, kernel.new, kernel.origin, kernel.security) == (
        "5.14.0-70.el9", "5.14.0-100.el9", "updates", True,
    )  # fmt: skip
    assert {update.name for update in known.updates if not update.security} == {"glibc", "extra"}


def test_a_held_package_stays_and_what_needs_it_is_held_by_it() -> None:
    known = look("held", "kernel*", "bind-libs")
    assert names(known) == ["glibc"]
    assert {held.update.name: held.by for held in known.held} == {
        "bind-libs": (), "kernel-core": (), "bind-utils": ("bind-libs",),
    }  # fmt: skip
    assert known.installed == ("bind-libs", "kernel-core")
    assert known.troubles == ()


def test_a_hold_that_the_look_was_not_told_of_holds_all_the_same() -> None:
    known = look("updates", "kernel*")
    assert "kernel-core" not in names(known)
    assert [held.update.name for held in known.held] == ["kernel-core"]


def test_updates_that_the_host_itself_excludes_or_locks_are_seen_and_named() -> None:
    known = look("excluded-and-locked")
    assert [held.update.name for held in known.held] == ["glibc", "kernel-core"]
    assert [trouble.what for trouble in known.troubles] == ["hold drift"]
    assert set(known.holds) == {"glibc", "kernel-core"}
    assert look("excluded-and-locked", "kernel*", "glibc").troubles == ()


def test_a_dead_mirror_is_not_fresh_and_says_which_repository() -> None:
    known = look("no-address")
    assert not known.fresh
    assert known.updates == ()
    assert [trouble.what for trouble in known.troubles] == ["unreachable"]
    assert "repo 'updates'" in known.troubles[0].text


def test_an_update_that_lacks_what_it_needs_is_told_and_the_others_remain() -> None:
    known = look("broken")
    assert names(known) == ["glibc"]
    assert known.held == ()
    assert [trouble.what for trouble in known.troubles] == ["damaged"]
    assert "service 9-1" in known.troubles[0].text


def test_a_package_that_would_be_replaced_is_told_and_stays() -> None:
    known = look("replaced")
    assert known.removals == ("oldname",)
    assert "newname" not in names(known)


def test_a_key_that_rpm_does_not_know_is_told_before_anything_is_fetched() -> None:
    known = look("untrusted")
    assert [trouble.what for trouble in known.troubles] == ["signature"]
    assert "rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-ours" in known.troubles[0].do


def test_the_key_file_that_a_host_names_is_one_word_of_the_command() -> None:
    text = (CAPTURES / "dnf/look-untrusted.stdout").read_text()
    known = read(text.replace("/etc/pki/rpm-gpg/RPM-GPG-KEY-ours", "/etc/x;$(id)"))
    (only,) = [trouble for trouble in known.troubles if trouble.what == "signature"]
    assert only.do.endswith("rpm --import '/etc/x;$(id)'")


def test_dnf_at_work_is_a_lock_and_what_it_has_half_done_no_trouble_yet() -> None:
    assert [trouble.what for trouble in look("at-work").troubles] == ["lock"]
    assert [trouble.what for trouble in look("cut-off").troubles] == ["interrupted"]


@pytest.mark.parametrize("keep", [0, 1, 20, 60, -1])
def test_an_answer_that_was_cut_says_nothing_for_sure(keep: int) -> None:
    whole = (CAPTURES / "dnf/look-updates.stdout").read_text().splitlines(keepends=True)
    known = read("".join(whole[:keep]))
    assert (known.fresh, known.updates, [trouble.what for trouble in known.troubles]) == (False, (), ["unknown"])


def test_a_host_that_was_not_read_has_no_fresh_lists() -> None:
    known = packages_rpm.read(host(), Facts(at=NOW, hosts={}))
    assert not known.fresh
    assert known.troubles[0].what == "unknown"


def yum3(**sections: tuple[int, str]) -> str:
    """What the look of yum 3 prints."""
    listed = (CAPTURES / "yum3/check-update-seed.stdout").read_text()
    given: dict[str, tuple[int, str]] = {
        "all": (100, listed), "plain": (100, listed), "security": (100, listed), "installed": (0, ""), "end": (0, ""),
    }  # fmt: skip
    text = ["family exit 3"]
    for name, (code, out) in {**given, **sections}.items():
        text += [f"{name} exit {code}", *(f"{name} out {line}" for line in out.splitlines())]
    return "\n".join(text) + "\n"


def test_a_hundred_from_yum_says_that_there_are_updates_and_is_no_error() -> None:
    old = "bind-libs|32|9.8.2|0.37.rc1.el6_7.5|x86_64\nbind-utils|32|9.8.2|0.37.rc1.el6_7.5|x86_64"
    known = read(yum3(installed=(0, old)), probe="packages.yum")
    assert known.fresh
    assert known.troubles == ()
    assert [(update.name, update.old, update.security) for update in known.updates] == [
        ("bind-libs", "32:9.8.2-0.37.rc1.el6_7.5", True), ("bind-utils", "32:9.8.2-0.37.rc1.el6_7.5", True),
    ]  # fmt: skip


def test_what_yum_excludes_is_held_and_an_unfinished_transaction_of_it_is_told() -> None:
    left = ("transaction-all.2026-11-20.03:10.00",)
    known = read(yum3(plain=(0, ""), unfinished=(0, left[0])), "bind-utils", probe="packages.yum")
    assert known.updates == ()
    assert [held.update.name for held in known.held] == ["bind-libs", "bind-utils"]
    assert [trouble.what for trouble in known.troubles] == ["interrupted", "hold drift"]


def test_yum_that_cannot_reach_a_mirror_has_no_fresh_lists() -> None:
    known = read(yum3(all=(1, ""), old=(0, "")), probe="packages.yum")
    assert not known.fresh
    assert known.troubles[0].what == "unreachable"


def test_a_host_whose_program_is_yum_is_asked_for_both_versions_of_it() -> None:
    assert [probe.id for probe in packages_rpm.probes(host(packages="yum"))] == [
        "packages.dnf", "packages.yum", "packages.outdated",
    ]  # fmt: skip
    assert all(probe.needs == ("packages",) for probe in packages_rpm.probes(host()))


def test_a_reboot_is_needed_for_reasons_that_yum_does_not_tell() -> None:
    changed = {
        "kernel": {"running": RUNNING, "newest": RUNNING}, "changed": [["openssl-libs", "1:3.0.7-3.el9"], ["vim", "9-1"]],
        "pid1": True, "services": ["sshd.service"],
    }  # fmt: skip
    known = look("nothing", outdated=changed)
    assert "changed since the boot: openssl-libs 1:3.0.7-3.el9" in known.reboot
    assert "process 1 still runs files that were replaced" in known.reboot
    assert known.services == ("sshd.service",)


def reasons(outdated: Outdated) -> tuple[str, ...]:
    return reboot_need.reasons(outdated, (*Debian.need_reboot, *RedHat.need_reboot))


def test_every_witness_for_a_reboot_counts_and_none_alone_denies_it() -> None:
    kernel = KernelVersions(running="6.1.0-50-amd64", newest="6.1.0-56-amd64")
    assert reasons(Outdated(kernel=kernel)) == ("kernel 6.1.0-50-amd64 runs, and 6.1.0-56-amd64 is installed",)
    assert reasons(Outdated(flag=True)) == ("a package asked for it (/run/reboot-required)",)
    named = PackageFacts(fresh=True, reboot=("needs-restarting names glibc",))
    assert host_outdated.completed(named, host(), Facts(at=NOW, hosts={}), ()).reboot == named.reboot
    assert reasons(Outdated(kernel=KernelVersions(running="6.1", newest=""))) == ()
    assert reasons(Outdated(changed=(("bash", "5"), ("kernel-headers", "5.14")))) == ()


def test_the_sites_own_list_takes_the_place_of_the_runners() -> None:
    seen = Outdated(changed=(("postgresql-server", "15"), ("glibc", "2.34-100"), ("glibc", "2.34-100")))
    assert reboot_need.reasons(seen, ("postgresql*",)) == ("changed since the boot: postgresql-server 15",)
    assert reasons(seen) == ("changed since the boot: glibc 2.34-100",)


def test_the_notice_has_a_column_for_each_thing_and_marks_security() -> None:
    assert update_lines(look("updates").updates) == (
        "bind-libs.x86_64    32:9.8.2-0.37.rc1.el6_7.6  updates  security",
        "bind-utils.x86_64   32:9.8.2-0.37.rc1.el6_7.6  updates  security",
        "extra.x86_64        1-1                        updates",
        "glibc.x86_64        2.34-100.el9               updates",
        "kernel-core.x86_64  5.14.0-100.el9             updates  security",
    )
    assert update_lines(()) == ()


def test_a_package_that_two_repositories_offer_is_fetched_once() -> None:
    offers = "".join(f"all out glibc|0|2.34|2|x86_64|{repository}|100\n" for repository in ("base", "mirror"))
    would = "would out Upgrading:\nwould out  glibc x86_64 2.34-2 base 100\nwould exit 0\n"
    assert read(f"{offers}all exit 0\n{would}end exit 0\n").download == 100
