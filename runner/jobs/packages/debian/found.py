"""A Debian host's packages: what is asked, and what the answers say."""

from __future__ import annotations

from runner.jobs.packages.debian import apt_lists, health
from runner.jobs.packages.debian import survey as apt_survey
from runner.jobs.packages.debian.packages_apt_found import Found
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, Probe
from runner.model.packages import Kernel, PackageFacts, Trouble
from runner.model.site import Host
from runner.tools import detached

SURVEY, OUTDATED = "packages.apt", "packages.outdated"
# needrestart's word for the kernel: 2 is a newer build of the one that runs, 3 a newer kernel.
_KSTA = {2: "needrestart: the running kernel was replaced", 3: "needrestart: a newer kernel waits"}


def probes(host: Host) -> tuple[Probe, ...]:
    """The READ commands that `read` wants the output of. The first talks to the mirrors, so it may take minutes."""
    needs = ("packages",)
    survey = Probe(id=SURVEY, host=host.name, argv=apt_survey.ask(host.hold), needs=needs, timeout=900)
    return (survey, Probe(id=OUTDATED, host=host.name, argv=detached.OUTDATED, needs=needs, timeout=60))


def read(host: Host, facts: Facts) -> PackageFacts:
    """What is known of the host's packages; where nothing could be read, `fresh` is false and a trouble says so.

    `updates` and `held` are by the holds there are and those that jobs.toml wants, together. `held` has new
    packages too (`old` is ""), which only come with a held one.
    """
    reading = facts.reading(host.name, SURVEY)
    answers = apt_survey.parse(reading.out) if reading else {}
    outdated = detached.parse_outdated(_said(facts, host, OUTDATED)) or detached.Outdated()
    if not answers:
        lines = reading.err.strip().splitlines() if reading else ["they were not asked for"]
        text = f"the packages of {host.name} could not be read: {lines[0] if lines else 'the answer was cut short'}"
        return PackageFacts(
            fresh=False, troubles=(Trouble(what="unknown", text=text, do="refer it to an expert"),)
        )
    found = Found(host, answers)
    partly = health.is_partly(answers)
    return PackageFacts(
        fresh=found.one("refresh").exit == 0,
        partly=partly,
        updates=found.updates,
        held=found.held,
        # What an archive that did not answer has could make these needless.
        removals=() if partly else apt_lists.removed(found.one("full").out),
        installed=found.wanted,
        holds=found.holds,
        unheld=tuple(name for name in found.wanted if name not in found.holds),
        stray=tuple(sorted(found.held_anyhow - set(found.wanted))),
        troubles=(
            *health.troubles(answers, found.installed, found.download),
            *found.untold,
            *(() if partly else found.downgrades),
        ),
        kernel=Kernel(running=outdated.running, newest=outdated.newest),
        reboot=reboot_need.reasons(_witness(outdated)),
        services=outdated.services,
        boot_free=room.free if (room := health.rooms(answers).get("/boot")) else None,
        download=found.download,
    )


def _said(facts: Facts, host: Host, probe: str) -> str:
    reading = facts.reading(host.name, probe)
    return reading.out if reading and reading.exit == 0 else ""


def _witness(outdated: detached.Outdated) -> reboot_need.Witness:
    extra = (_KSTA[outdated.ksta],) if outdated.ksta in _KSTA else ()
    return reboot_need.Witness(
        kernel=Kernel(running=outdated.running, newest=outdated.newest),
        changed=outdated.changed, flag=outdated.flag, pid1=outdated.pid1, extra=extra,
    )  # fmt: skip
