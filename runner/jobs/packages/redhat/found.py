"""A host of the Red Hat family: what its packages are asked, and what the answers come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runner.jobs.packages.redhat import dnf, rpm, survey, trouble, yum
from runner.jobs.packages.redhat.packages_rpm_found import Found, fits, from_dnf, from_yum
from runner.jobs.packages.redhat.survey import Section
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, Probe, Reading
from runner.model.packages import Kernel, PackageFacts, Trouble
from runner.model.site import Host
from runner.tools import detached

_DNF, _YUM, _OUTDATED = "packages.dnf", "packages.yum", "packages.outdated"
_NONE = Section()


def probes(host: Host) -> tuple[Probe, ...]:
    """Everything that `read` wants to know; changes nothing at the host.

    A host whose program is called yum may have version 3 or dnf: one of the two probes then says nothing.
    """
    looks = {_DNF: dnf.look(host.packages, host.hold)}
    if host.packages == "yum":
        looks[_YUM] = yum.look(host.packages, host.hold)
    asked = [
        Probe(id=id, host=host.name, argv=argv, needs=("packages",), timeout=600)
        for id, argv in looks.items()
    ]
    outdated = Probe(id=_OUTDATED, host=host.name, argv=detached.OUTDATED, needs=("packages",), timeout=60)
    return (*asked, outdated)


def read(host: Host, facts: Facts, patterns: Sequence[str] = reboot_need.PATTERNS) -> PackageFacts:
    """What is known of the host's packages; where nothing could be read, `fresh` is false and a trouble says so.

    What fits `hold` of jobs.toml counts as held: every upgrade is told to leave it out. So do the
    excludes and version locks that the host has by itself, which yum and dnf otherwise pass over in
    silence. `patterns` are the packages whose change needs a reboot.
    """
    said = _said(host, facts)
    if isinstance(said, Trouble):
        return PackageFacts(fresh=False, troubles=(said,))
    installed = rpm.parse(said.get("installed", _NONE).out)
    found = from_dnf(host, said, installed) if "would" in said else from_yum(host, said, installed)
    free = _free(said.get("room", _NONE))
    locked = trouble.locked(said.get("before", _NONE), said.get("after", _NONE))
    # What is half done while somebody is at work is no trouble yet.
    troubles = (
        *(() if said["all"].exit in _good(said) else (trouble.lists(said["all"]),)),
        *locked,
        *(one for one in found.troubles if not (locked and one.what == "interrupted")),
        *trouble.unsigned(said, found.all),
        *trouble.room(free, found.updates, found.download or 0),
        *_drift(host, found),
    )
    fitting = tuple(sorted({one.name for one in installed if fits(one.name, host.hold)}))
    outdated = _outdated(host, facts)
    running = facts.hosts[host.name].kernel or outdated.running
    kernel = Kernel(running=running, newest=rpm.newest_kernel(installed, running))
    return PackageFacts(
        fresh=said["all"].exit in _good(said), updates=found.updates, held=found.held, removals=found.removals,
        installed=fitting, holds=tuple(sorted({*fitting, *found.hidden})), troubles=troubles, kernel=kernel,
        reboot=_reboot(said, kernel, outdated, patterns), services=outdated.services,
        boot_free=free.get("boot", outdated.boot_free), download=found.download,
    )  # fmt: skip


def _said(host: Host, facts: Facts) -> Mapping[str, Section] | Trouble:
    """The sections of whichever program is there; a text that was cut says nothing for sure."""
    answers = [facts.reading(host.name, id) for id in (_DNF, _YUM)]
    for answer in answers:
        said = survey.sections(answer.out) if answer else {}
        if "all" in said and "end" in said:
            return said
    do = f"see that {host.packages} works at {host.name}, and that `packages` in jobs.toml is right"
    return Trouble(what="unknown", text=f"the packages could not be read: {_why(answers)}", do=do)


def _why(answers: Iterable[Reading | None]) -> str:
    for answer in answers:
        if answer and (answer.exit != 0 or "all exit" in answer.out):
            return answer.err.strip()[-200:] or "the answer was cut"
    return "there is no yum 3 and no dnf 4" if any(answers) else "nothing was asked"


def _good(said: Mapping[str, Section]) -> tuple[int, ...]:
    # check-update of yum 3: 100 says that there are updates, and is no error.
    return (0,) if "would" in said else (0, 100)


def _drift(host: Host, found: Found) -> tuple[Trouble, ...]:
    names = sorted(name for name in found.hidden if not fits(name, host.hold))
    if not names:
        return ()
    text = f"held back by an exclude or a version lock of the host itself: {', '.join(names)}"
    do = f"write it into `hold` of [hosts.{host.name}], or see dnf versionlock list, and exclude in /etc/yum.repos.d"
    return (Trouble(what="hold drift", text=text, do=do),)


def _reboot(
    said: Mapping[str, Section], kernel: Kernel, outdated: detached.Outdated, patterns: Sequence[str]
) -> tuple[str, ...]:
    section = said.get("restarting", _NONE)
    named = rpm.parse_needs_restarting(section.exit, section.out)
    extra = (f"needs-restarting names {', '.join(named)}",) if named else ()
    seen = reboot_need.Witness(
        kernel=kernel, changed=outdated.changed, flag=outdated.flag, pid1=outdated.pid1, extra=extra
    )
    return reboot_need.reasons(seen, patterns)


def _outdated(host: Host, facts: Facts) -> detached.Outdated:
    answer = facts.reading(host.name, _OUTDATED)
    return (detached.parse_outdated(answer.out) if answer else None) or detached.Outdated()


def _free(section: Section) -> dict[str, int]:
    found = {}
    for line in section.out:
        name, _, rest = line.partition("|")
        blocks, _, size = rest.partition("|")
        if blocks.isdecimal() and size.isdecimal():
            found[name] = int(blocks) * int(size)
    return found
