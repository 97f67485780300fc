"""Kind `upgrade`: one literal plan that upgrades what is held, holds it again whatever happens, and reboots."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from runner.jobs.catalogue import KINDS
from runner.jobs.packages.debian.family import Debian
from runner.jobs.packages.family import Family
from runner.jobs.packages.redhat.family import RedHat
from runner.jobs.packages.upgrade import UpgradeKind
from runner.model.packages import Update
from runner.model.plan import Check, Effect, Step, WaitFor
from runner.model.site import Amount
from runner.planning import planner, review
from tests.unit.upkeep_parts import (
    KERNEL,
    META,
    NEXT,
    NOW,
    SITE,
    UPGRADE,
    argv,
    begun,
    by_name,
    drafted,
    facts,
    names,
    partly,
    red_hat,
    texts,
    with_options,
)

FIRST = ["refresh", "others", "others-seen"]
LAST = ["upgrade", "upgrade-seen", "hold", "held"]


def between(step: Step) -> tuple[list[str], list[str], list[str]]:
    """What a detached upgrade lets go of, what it holds again, and what it installs."""
    words = list(argv(step))
    words = words[words.index("runner-upgrade") + 1 :]
    first = words.index("--")
    second = words.index("--", first + 1)
    return (words[:first], words[first + 1 : second], [word for word in words[words.index("install") :] if "=" in word])


def test_all_that_is_held_is_upgraded_in_exactly_these_versions_after_the_other_updates() -> None:
    draft = drafted(UPGRADE, facts("waiting"))
    assert names(draft)[: len(FIRST + LAST)] == FIRST + LAST
    steps = by_name(draft)
    assert argv(steps["others"])[-3:] == ("demo-extra=1.0", "demo-feature=1.1", "demo-lib=1.1")
    free, again, install = between(steps["upgrade"])
    assert set(free) == {META, "libc-demo"}
    assert set(again) == {KERNEL, META, "libc-demo", NEXT}
    assert set(install) == {f"{META}=2", f"{NEXT}=1.0", "libc-demo=1.1", "demo-app=1.1"}
    assert "--no-remove" in argv(steps["upgrade"])
    assert steps["upgrade"].effect == steps["others"].effect == Effect.INTERRUPT
    assert steps["upgrade"].detached
    assert steps["others"].detached


def test_the_holds_come_back_by_themselves_at_the_host_and_by_a_step_that_no_failure_stops() -> None:
    draft = drafted(UPGRADE, facts("waiting"))
    steps = by_name(draft)
    detached = argv(steps["upgrade"])
    assert detached[detached.index("--") + 1 : detached.index("--") + 3] == ("sh", "-c")
    before = {step.id for step in draft.steps[: names(draft).index("hold")]} - {steps["refresh"].id}
    assert set(steps["hold"].despite) == before
    assert set(steps["held"].despite) == {*before, steps["hold"].id}
    assert set(argv(steps["hold"])[-3:]) == {KERNEL, META, "libc-demo"}
    assert steps["held"].effect == Effect.READ
    # What the upgrade brought is held only where it was brought.
    assert argv(steps["hold-new"])[-1] == NEXT
    assert steps["hold-new"].despite == ()


def test_nothing_after_the_holds_is_done_when_the_upgrade_failed() -> None:
    draft = drafted(with_options(UPGRADE, reboot="after"), facts("waiting"))
    rest = draft.steps[names(draft).index("held") + 1 :]
    assert {"initrd", "entry", "reboot", "back"} <= {step.id.partition("/")[2] for step in rest}
    upgrade = by_name(draft)["upgrade"].id
    assert [step.id for step in rest if upgrade in step.despite] == []


def test_naming_a_package_upgrades_it_with_what_it_keeps_back_and_leaves_the_other_holds_alone() -> None:
    draft = drafted(with_options(UPGRADE, packages=("libc-demo",)), facts("waiting"))
    free, again, install = between(by_name(draft)["upgrade"])
    assert free == ["libc-demo"]
    assert set(again) == {KERNEL, META, "libc-demo"}
    assert set(install) == {"libc-demo=1.1", "demo-app=1.1"}
    assert any(META in text and "stays held back" in text for text in texts(draft, "note"))
    other = drafted(with_options(UPGRADE, packages=(NEXT,)), facts("waiting"))
    assert set(between(by_name(other)["upgrade"])[2]) == {f"{META}=2", f"{NEXT}=1.0"}


def test_a_package_of_which_there_is_no_update_refuses_the_plan() -> None:
    draft = drafted(with_options(UPGRADE, packages=("linux-image-wrong",)), facts("waiting"))
    assert draft.steps == ()
    (text,) = texts(draft, "refusal")
    assert text.startswith("linux-image-wrong is not held back, and there is no update of it -> there are updates of:")


def test_an_upgrade_is_stale_before_anything_is_changed_where_the_packages_are_not_as_planned() -> None:
    draft = drafted(UPGRADE, facts("drift"))
    steps = by_name(draft)
    first = next(step for step in draft.steps if step.effect > Effect.READ)
    assert first.id.endswith("/hold-first")
    guard, last = first.guard, steps["upgrade"].guard
    assert isinstance(guard, Check)
    assert isinstance(last, Check)
    assert (guard.field, guard.value) == ("as_planned", True)
    assert "--to-be-had" not in guard.argv, "the lists of the host may be old"
    words = guard.argv[guard.argv.index("--") + 1 :]
    assert set(words) >= {"demo-lib=1.0=1.1", "libc-demo=1.0=1.1", f"{NEXT}==1.0", f"{META}=1=2"}
    assert "--to-be-had" in last.argv
    assert "demo-lib=1.0=1.1" not in last.argv, "by then that is upgraded"
    assert first.id not in steps["hold"].despite + steps["held"].despite, "nothing was let go of by then"
    assert steps["upgrade"].id in steps["hold"].despite
    cut = drafted(UPGRADE, facts("waiting", begun("upgrade-server/upgrade", alive=True)))
    assert not any("as-planned" in step.guard.argv for step in cut.steps if step.guard)


def test_a_kernel_needs_room_what_it_boots_from_and_an_entry_before_the_reboot() -> None:
    draft = drafted(with_options(UPGRADE, reboot="after"), facts("waiting"))
    steps = by_name(draft)
    guard = steps["upgrade"].guard
    assert isinstance(guard, Check)
    assert f"--boot-free={150 << 20}" in guard.argv
    initrd, entry = steps["initrd"].action, steps["entry"].action
    assert isinstance(initrd, WaitFor)
    assert isinstance(entry, WaitFor)
    assert (initrd.until.field, initrd.until.relation, initrd.until.value) == ("initrd", "==", True)
    assert (entry.until.field, entry.until.relation, entry.until.value) == ("entry", "!=", False)
    assert names(draft).index("entry") < names(draft).index("reboot")
    tight = with_options(UPGRADE, boot_room=Amount(bytes=1 << 50))
    (text,) = texts(drafted(tight, facts("waiting")), "refusal")
    assert text.startswith("/boot has ")
    assert NEXT in text
    assert drafted(tight, facts("waiting")).steps == ()
    # Where no kernel comes, /boot does not matter.
    assert drafted(with_options(tight, packages=("libc-demo",)), facts("waiting")).steps != ()


def test_the_new_kernel_must_run_after_the_reboot() -> None:
    draft = drafted(UPGRADE, facts("waiting"))
    assert "--is=9.9.10-demo" in argv(by_name(draft)["kernel"])
    assert by_name(draft)["reboot"].effect == Effect.INTERRUPT
    assert draft.planned is not None
    assert {lock.resource for lock in draft.planned.locks} == {
        "packages of server", "power of server", "dumps of server", "drill on server",
        "restores of databases on server",
    }  # fmt: skip
    assert {lock.until for lock in draft.planned.locks} == {"upgrade-server/reboot"}


@pytest.mark.parametrize(
    ("option", "package", "reboots"),
    [("if needed", META, True), ("if needed", "libc-demo", False), ("after", "libc-demo", True), ("no", META, False)],
)
def test_it_reboots_when_jobs_toml_says_so(option: str, package: str, reboots: bool) -> None:
    draft = drafted(with_options(UPGRADE, reboot=option, packages=(package,)), facts("waiting"))
    assert ("reboot" in names(draft)) is reboots


def test_a_reboot_before_is_a_plan_of_its_own_and_not_repeated_when_the_host_is_just_up() -> None:
    job = with_options(UPGRADE, reboot="before and after")
    draft = drafted(job, facts("waiting"))
    assert "before/reboot" in names(draft)
    assert not any(name in names(draft) for name in ("refresh", "others", "upgrade", "reboot"))
    assert draft.planned is not None
    assert draft.planned.headline == "rebooted; the upgrade itself comes next: run upgrade-server again"
    # What is to be copied is a command, which is shown as it is typed.
    assert [each.command for each in draft.findings if each.command] == ["runner run upgrade-server"]
    # Its boot, which checked a disk, may have lasted for hours.
    recent = facts("waiting", up={"up_since": (NOW - timedelta(hours=9)).isoformat()})
    assert names(drafted(job, recent))[: len(FIRST + LAST)] == FIRST + LAST
    assert "reboot" in names(drafted(job, recent))


def test_where_the_reboot_is_forbidden_nothing_is_begun() -> None:
    busy = facts("waiting")
    answer = '{"idle": false, "error": "rsync (process 7 of user 0) is at work", "do": "wait for it"}'
    reading = replace(busy.hosts["server"].readings["power.idle"], out=answer, exit=1)
    host = replace(busy.hosts["server"], readings={**busy.hosts["server"].readings, "power.idle": reading})
    draft = drafted(UPGRADE, replace(busy, hosts={**busy.hosts, "server": host}))
    assert draft.steps == ()
    (text,) = texts(draft, "refusal")
    assert text.startswith("server is at work: rsync (process 7 of user 0) is at work")


@pytest.mark.parametrize("state", ["locked", "unreachable"])
def test_what_cannot_be_read_or_is_locked_refuses_with_its_remedy(state: str) -> None:
    draft = drafted(UPGRADE, facts(state))
    assert draft.steps == ()
    assert all(" -> " in text for text in texts(draft, "refusal"))
    assert texts(draft, "refusal")
    # With a schedule it must not take other jobs with it.
    nightly = drafted(replace(UPGRADE, schedule="0 1 * * *"), facts(state))
    assert texts(nightly, "refusal") == []


def test_while_an_archive_is_away_no_upgrade_is_begun() -> None:
    draft = drafted(UPGRADE, partly("waiting"))
    assert draft.steps == ()
    (text,) = texts(draft, "refusal")
    assert text.startswith("no package lists of http://dead.example.org x, so nothing new is known from there: ")


def test_an_upgrade_that_lost_its_connection_is_waited_for_and_the_holds_are_put_back_and_proved() -> None:
    lost = begun("upgrade-server/upgrade", alive=True, argv=("apt-get", "install", f"{META}=2", f"{NEXT}=1.0"))
    draft = drafted(UPGRADE, facts("drift", lost))
    assert names(draft)[:4] == ["attach-1", "attach-1-seen", "hold", "held"]
    steps = by_name(draft)
    assert steps["attach-1"].detached
    assert set(steps["hold"].despite) == {steps["attach-1"].id, steps["attach-1-seen"].id}
    assert set(argv(steps["hold"])[-3:]) == {KERNEL, META, "libc-demo"}
    assert "upgrade" not in names(draft)
    assert "others" not in names(draft)
    assert "--is=9.9.10-demo" in argv(steps["kernel"])
    assert draft.planned is not None
    packages = next(lock for lock in draft.planned.locks if lock.resource.startswith("packages"))
    assert "--attach=20261122T081500.000Z" in packages.argv


def test_an_upgrade_that_ended_unseen_is_told_before_the_next_one() -> None:
    draft = drafted(UPGRADE, facts("waiting", begun("upgrade-server/upgrade", alive=False)))
    assert names(draft)[: 2 + len(FIRST)] == ["attach-1", "attach-1-seen", *FIRST]


def test_where_nothing_waits_nothing_is_done() -> None:
    draft = drafted(UPGRADE, facts("nothing"))
    assert draft.planned is not None
    assert draft.planned.headline == "nothing to upgrade"
    assert {step.effect for step in draft.steps} == {Effect.READ}


def test_on_red_hat_all_updates_are_one_transaction_of_exactly_these_versions() -> None:
    job = replace(UPGRADE, name="upgrade-papio", host="papio")
    draft = drafted(job, red_hat("updates"))
    assert names(draft)[:3] == ["refresh", "others", "others-seen"]
    others = by_name(draft)["others"]
    assert others.effect == Effect.INTERRUPT
    assert "kernel-core-5.14.0-100.el9.x86_64" in argv(others)
    assert "hold" not in names(draft)
    assert "--is=5.14.0-100.el9.x86_64" in argv(by_name(draft)["kernel"])
    extra = drafted(with_options(job, packages=("extra",)), red_hat("updates"))
    specs = argv(by_name(extra)["others"])
    assert [word for word in specs[specs.index("install") + 1 :] if not word.startswith("extra-")] == []


def test_on_red_hat_what_jobs_toml_holds_is_upgraded_by_name_and_the_other_holds_stay() -> None:
    hosts = (replace(SITE.hosts[0], hold=("kernel*", "glibc*")), SITE.hosts[1])
    job = with_options(replace(UPGRADE, name="upgrade-papio", host="papio"), packages=("glibc",))
    draft = drafted(job, red_hat("updates"), replace(SITE, hosts=hosts))
    words = argv(by_name(draft)["upgrade"])
    assert "--exclude=kernel*" in words
    assert "--exclude=glibc*" not in words
    assert any(word.startswith("glibc-") for word in words)


def update(name: str, new: str, arch: str) -> Update:
    return Update(name=name, arch=arch, old="", new=new)


def test_the_release_of_the_newest_kernel_is_read_from_the_names_of_packages() -> None:
    apt = [
        update("linux-image-6.1.0-9-amd64", "1", "amd64"),
        update("linux-image-6.1.0-50-amd64-unsigned:amd64", "1", "amd64"),
        update("libc6", "2", ""),
    ]
    assert Debian().kernel_release(apt) == "6.1.0-50-amd64"
    assert Debian().kernel_release([update("linux-image-amd64", "6.1.180-1", "amd64")]) == ""
    rpm = [update("kernel", "5.14.0-427.el9", "x86_64"), update("kernel-headers", "5.14.0-503.el9", "x86_64")]
    assert RedHat().kernel_release(rpm) == "5.14.0-427.el9.x86_64"
    assert RedHat().kernel_release(rpm[1:]) == ""


@pytest.mark.parametrize(
    ("family", "word", "name", "version"),
    [
        (Debian(), "linux-image-6.1.0-50-amd64=6.1.1-1", "linux-image-6.1.0-50-amd64", "6.1.1-1"),
        (Debian(), "DPkg::Lock::Timeout=300", "", ""),
        (RedHat(), "kernel-5.14.0-427.el9.x86_64", "kernel", "5.14.0-427.el9"),
        (RedHat(), "--setopt=exit_on_lock=True", "", ""),
    ],
)
def test_what_a_detached_command_installs_is_known_from_its_words(
    family: Family, word: str, name: str, version: str
) -> None:
    package = family.named(word)
    assert (package.name, package.new) == (name, version) if package else not name


def test_a_red_hat_upgrade_that_lost_its_connection_is_followed_by_the_reboot_into_its_kernel() -> None:
    job = replace(UPGRADE, name="upgrade-papio", host="papio")
    lost = begun("upgrade-papio/others", alive=True, argv=("dnf", "install", "kernel-core-5.14.0-100.el9.x86_64"))
    draft = drafted(job, red_hat("updates", lost))
    assert names(draft)[:2] == ["attach-1", "attach-1-seen"]
    assert "--is=5.14.0-100.el9.x86_64" in argv(by_name(draft)["kernel"])


def test_the_whole_plan_holds_together() -> None:
    kinds = {**KINDS, "upgrade": UpgradeKind()}
    for option in ("before and after", "after", "if needed", "no"):
        for state in ("nothing", "waiting", "drift", "held-only", "interrupted"):
            plan = planner.draft(SITE, (with_options(UPGRADE, reboot=option),), facts(state), kinds, {})
            assert review.check(plan) == ()
