"""What the kinds that upgrade packages and end a host say there, and a host on which it is judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from hooks import fsck_steps
from runner.agent.policy import allowed
from runner.agent.policy.rights import Rights, StoreRights
from runner.agent.policy.upkeep import commands, verbs
from runner.agent.policy.upkeep.here import Here
from runner.jobs.catalogue import KINDS
from runner.model.facts import Facts
from runner.model.plan import Argv, Check, Command, WaitFor
from runner.model.site import Hook, Job, Site
from runner.planning import planner
from tests.unit import power_parts, upkeep_parts
from tests.unit.power.test_halt import job as halt
from tests.unit.power.test_reboot import DUE
from tests.unit.power.test_reboot import job as reboot

PROGRAM = "/usr/local/sbin/runner-agent"
STORE = "/srv/backups/papio"
PLAN = "20261123T081500.000Z"
OWN = Rights("papio", {STORE: StoreRights()})
POWER = OWN._replace(power=("reboot", "poweroff"))
UPDATES = OWN._replace(packages=("updates",))
UPGRADE = OWN._replace(packages=("updates", "upgrade"))
ALL = UPGRADE._replace(power=POWER.power)
# The archives of the host that was captured, and of the one with dnf.
OFFERED = ("demo-extra=1.0", "demo-feature=1.1", "demo-lib=1.1")
NEVRAS = (
    "bind-libs-32:9.8.2-0.37.rc1.el6_7.6.x86_64", "bind-utils-32:9.8.2-0.37.rc1.el6_7.6.x86_64", "extra-1-1.x86_64",
    "glibc-2.34-100.el9.x86_64", "kernel-core-5.14.0-100.el9.x86_64",
)  # fmt: skip
HELD = ("linux-image-demo=2", "linux-image-9.9.10-demo=1.0", "libc-demo=1.1", "demo-app=1.1")
# The new kernel too: it is held once it is there.
INSTALLED = (
    *("demo-app", "demo-feature", "demo-lib", "libc-demo", "linux-image-demo"),
    *("linux-image-9.9.9-demo", "linux-image-9.9.10-demo"),
)


class Played(Here):
    """A host with those packages, and the disk of the store."""

    def strange(self, family: str, words: Sequence[str], *, held: bool) -> tuple[str, ...]:
        """By what its archives offer."""
        return tuple(sorted({*words} - (_offered(held) if family == "dpkg" else {*NEVRAS})))

    def installed(self, family: str) -> Collection[str]:
        """Always the same."""
        return INSTALLED

    def old_units(self) -> Collection[str]:
        """One."""
        return ("cron.service",)

    def is_own_device(self, rights: Rights, device: str) -> bool:
        """One is."""
        return device == "/dev/sdb1"

    def is_bounded(self) -> bool:
        """As the line of a key with `packages` is."""
        return False


def _offered(held: bool) -> set[str]:
    return {*OFFERED, *HELD} if held else {*OFFERED}


def judge(rights: Rights, words: Sequence[str], here: Here = Played()) -> None:  # noqa: B008
    """As serve does with a step, a guard or a lock."""
    if words[0] != PROGRAM:
        commands.require(rights, words, commands.STEP, here=here)
    elif words[1] == "detach":
        verbs.detaches(rights, allowed.options("detached.contract:Detach", words[2:]), here)
    else:
        allowed.require(rights, words[1:])


def said(site: Site, job: Job, facts: Facts) -> tuple[tuple[Argv, ...], tuple[Argv, ...]]:
    """What a plan of that job puts to its host, locks and guards among it, and what its probes ask there."""
    plan = planner.draft(site, (job,), facts, KINDS, {})
    assert plan.steps, (plan.skips, plan.findings)
    due = next((str(hook.settings["when_due"]) for hook in site.hooks), "tell")
    hooked = fsck_steps.insertions(site, plan.jobs[-1], plan.steps, facts, due) if due != "tell" else ()
    words = [lock.argv for each in plan.jobs for lock in each.locks if lock.host == job.host]
    for step in (*plan.steps, *(insertion.step for insertion in hooked)):
        if isinstance(step.action, Command) and step.host == job.host:
            words.append(step.action.argv)
        checks = (step.guard, step.unless, step.action.until if isinstance(step.action, WaitFor) else None)
        words += [check.argv for check in checks if isinstance(check, Check) and check.host == job.host]
    asked = tuple(probe.argv for probe in KINDS[job.kind].probes(site, job) if probe.host == job.host)
    return tuple(dict.fromkeys(words)), asked


def of_packages(job: Job, host: str = upkeep_parts.SERVER) -> tuple[Site, Job]:
    own = replace(job, host=host, schedule="")
    return replace(upkeep_parts.SITE, jobs=(own,)), own


def of_power(job: Job, when_due: str) -> Site:
    site = power_parts.site(job)
    hook = Hook(name="fsck", module="hooks.fsck", settings={"when_due": when_due})
    return replace(site, hooks=(hook,))


SURE = upkeep_parts.with_options(upkeep_parts.UPDATES, install="all", restart=("cron",))
ALIVE = upkeep_parts.begun("updates-server/install", alive=True)
SERVICES = {"services": ["cron.service"]}
DUE_FACTS = power_parts.facts(power_parts.host_readings(fsck=power_parts.boot_checks(superblock=DUE)))
CASES: Mapping[str, tuple[Site, Job, Facts, Rights]] = {
    "updates": (*of_packages(SURE), upkeep_parts.facts("waiting", outdated=SERVICES), UPDATES),
    "at work": (*of_packages(SURE), upkeep_parts.facts("waiting", ALIVE), UPDATES),
    "nothing": (*of_packages(SURE), upkeep_parts.facts("nothing"), UPDATES),
    "no lists": (*of_packages(SURE), upkeep_parts.facts("unreachable"), UPDATES),
    "interrupted": (*of_packages(SURE), upkeep_parts.facts("interrupted"), UPDATES),
    "unheld": (*of_packages(SURE), upkeep_parts.facts("drift"), UPDATES),
    "some lists": (*of_packages(SURE), upkeep_parts.partly("waiting"), UPDATES),
    "upgrade": (*of_packages(upkeep_parts.UPGRADE), upkeep_parts.facts("waiting"), ALL),
    "upgrade dnf": (*of_packages(upkeep_parts.UPGRADE, "papio"), upkeep_parts.red_hat("updates"), ALL),
    "updates dnf": (*of_packages(SURE, "papio"), upkeep_parts.red_hat("updates"), UPDATES),
    "dnf held": (*of_packages(SURE, "papio"), upkeep_parts.red_hat("held"), UPDATES),
    "reboot": (of_power(reboot(), "tell"), reboot(), power_parts.facts(), POWER),
    "reboot after a check": (of_power(reboot(), "forward"), reboot(), DUE_FACTS, POWER),
    "reboot without a check": (of_power(reboot(), "defer"), reboot(), DUE_FACTS, POWER),
    "halt": (of_power(halt(), "tell"), halt(), power_parts.facts(), POWER),
}


def everything() -> tuple[Argv, ...]:
    """What all those jobs say that is no verb, detached work among it."""
    words = [argv for site, job, facts, _ in CASES.values() for argv in said(site, job, facts)[0]]
    return tuple(dict.fromkeys(argv for argv in words if argv[0] != PROGRAM or argv[1] == "detach"))


EVERYTHING = everything()
