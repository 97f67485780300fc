"""A host of the Red Hat family: what its packages are asked, and what the answers come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runner.jobs.packages.held import held_back
from runner.jobs.packages.redhat import dnf, rpm, survey, trouble
from runner.jobs.packages.redhat.survey import Section
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, Probe, Reading
from runner.model.packages import Held, Kernel, PackageFacts, Trouble, Update
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
        looks[_YUM] = dnf.look_yum(host.packages, host.hold)
    asked = [Probe(id=id, host=host.name, argv=argv, needs=("packages",), timeout=600) for id, argv in looks.items()]
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
        fresh=said["all"].exit in _good(said),
        updates=found.updates,
        held=found.held,
        removals=found.removals,
        installed=fitting,
        holds=tuple(sorted({*fitting, *found.hidden})),
        troubles=troubles,
        kernel=kernel,
        reboot=_reboot(said, kernel, outdated, patterns),
        services=outdated.services,
        boot_free=free.get("boot", outdated.boot_free),
        download=found.download,
    )


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What either program answers: all newer versions, those that `install` could take, the others."""

    all: tuple[Update, ...] = ()
    updates: tuple[Update, ...] = ()
    held: tuple[Held, ...] = ()
    hidden: frozenset[str] = frozenset()
    removals: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    download: int | None = None


def from_dnf(host: Host, said: Mapping[str, Section], installed: Sequence[rpm.Package]) -> Found:
    """What dnf said: what its own simulation would install is what can be installed."""
    lists = said.get("old") or said["all"]
    listed = dnf.parse_upgrades(lists.out)
    advised = dnf.parse_advised(said.get("security", _NONE).out)
    sizes = {(one.name, one.arch, one.version): size for one, _, size in listed}
    every = tuple(_update(one, origin, installed, advised) for one, origin, _ in listed)
    hidden = frozenset(one.name for one, _, _ in dnf.parse_upgrades(said.get("hidden", _NONE).out))
    would = dnf.parse_transaction(said["would"].out, said["would"].err)
    full = dnf.parse_transaction(said.get("full", _NONE).out, said.get("full", _NONE).err)
    keep = {one.name for one in every if one.name in hidden or fits(one.name, host.hold)}
    updates = tuple(
        _update(rpm.Package(name=one.name, arch=one.arch, version=one.new), one.origin, installed, advised)
        for one in would.updates
        if one.name not in keep
    )
    going = {(one.name, one.arch, one.new) for one in updates}
    staying = tuple(one for one in every if (one.name, one.arch, one.new) not in going)
    possible = {(one.name, one.arch, one.new) for one in full.updates} if keep else set()
    broken = [one for one in staying if one.name not in keep and (one.name, one.arch, one.new) not in possible]
    twice = [one.name for one in rpm.parse(said.get("twice", _NONE).out)]
    return Found(
        all=every,
        updates=updates,
        hidden=hidden,
        removals=full.removals,
        held=held_back(tuple(one for one in staying if one not in broken), keep, would.problems),
        troubles=(
            *trouble.cut_off(twice),
            *(trouble.unsolved(said["would"]) if lists.exit == 0 else ()),
            *trouble.unfit(_about(broken, full.problems)),
        ),
        download=sum(sizes.get(key, 0) for key in going),
    )


def _about(broken: Sequence[Update], problems: Sequence[str]) -> tuple[str, ...]:
    if not broken:
        return ()
    names = ", ".join(f"{one.name} {one.new}" for one in broken)
    return (names, *(line for line in problems if "nothing provides" in line or "conflicts" in line))


def from_yum(host: Host, said: Mapping[str, Section], installed: Sequence[rpm.Package]) -> Found:
    """What yum 3 said: it simulates nothing, so what does not fit is met when it installs."""
    listed, replaced = dnf.parse_check_update((said.get("old") or said["all"]).out)
    open_, _ = dnf.parse_check_update(said.get("plain", _NONE).out)
    safe, _ = dnf.parse_check_update(said.get("security", _NONE).out)
    every = tuple(_update(one, origin, installed, tuple(each for each, _ in safe)) for one, origin in listed)
    hidden = frozenset(one.name for one, _ in listed) - {one.name for one, _ in open_}
    keep = {one.name for one in every if one.name in hidden or fits(one.name, host.hold)}
    return Found(
        all=every,
        hidden=hidden,
        updates=tuple(one for one in every if one.name not in keep),
        removals=replaced,
        held=tuple(Held(update=one) for one in every if one.name in keep),
        troubles=trouble.cut_off(said.get("unfinished", _NONE).out),
    )


def _update(one: rpm.Package, origin: str, installed: Iterable[rpm.Package], advised: Iterable[rpm.Package]) -> Update:
    now = rpm.newest(each for each in installed if (each.name, each.arch) == (one.name, one.arch))
    old = now.version if now else ""
    # An advisory counts where it is about a version beyond the installed one, up to the one to come. Some
    # repositories have no advisories and are for security as a whole; those are called so.
    security = "security" in origin or any(
        (each.name, each.arch) == (one.name, one.arch)
        and rpm.compare(each.version, one.version) <= 0
        and (not old or rpm.compare(each.version, old) > 0)
        for each in advised
    )
    return Update(name=one.name, arch=one.arch, old=old, new=one.version, origin=origin, security=security)


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a package's name fits one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
