"""The packages of a host of the Red Hat family: which probes read them, and what the answers come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.jobs.packages import outdated
from runner.jobs.packages.family import fits
from runner.jobs.packages.redhat import dnf, rpm, survey, trouble
from runner.jobs.packages.redhat.held import held_back
from runner.jobs.packages.redhat.survey import Section, Sections, section
from runner.model.facts import Facts, Probe, Reading
from runner.model.packages import Held, PackageFacts, Trouble, Update
from runner.model.site import Host
from runner.model.text import whole_number

_DNF, _YUM = "packages.dnf", "packages.yum"


def probes(host: Host) -> tuple[Probe, ...]:
    """Everything that `read` wants to know; changes nothing at the host.

    A host whose program is called yum may have version 3 or dnf: one of the two probes then says nothing.
    """
    looks = {_DNF: dnf.look(host.packages, host.hold)}
    if host.packages == "yum":
        looks[_YUM] = dnf.look_with_yum3(host.packages, host.hold)
    own = (Probe(id=id, host=host.name, argv=argv, needs=("packages",), timeout=600) for id, argv in looks.items())
    return (*own, outdated.probe(host))


def read(host: Host, facts: Facts) -> PackageFacts:
    """What is known of the host's packages; where nothing could be read, `fresh` is false and a trouble says so.

    What fits `hold` of jobs.toml counts as held: every upgrade is told to leave it out. So do the
    excludes and version locks that the host has by itself, which yum and dnf otherwise pass over in
    silence.
    """
    sections = _sections(host, facts)
    if isinstance(sections, Trouble):
        return PackageFacts(fresh=False, troubles=(sections,))
    installed = rpm.parse(section(sections, "installed").out)
    with_dnf = "would" in sections
    updates = (from_dnf if with_dnf else from_yum3)(host, sections, installed)
    free = _free(section(sections, "room"))
    # check-update of yum 3: 100 says that there are updates, and is no error.
    good = (0,) if with_dnf else (0, 100)
    away = section(sections, "away").out
    answered = section(sections, "some").exit in good
    fresh, partly = sections["all"].exit in good or (answered and not away), answered and bool(away)
    locked = trouble.locked(section(sections, "before"), section(sections, "after"))
    # What is half done while somebody is at work is no trouble yet.
    troubles = (
        *(() if fresh else trouble.away(away) if partly else (trouble.lists(sections["all"]),)),
        *trouble.no_repository(section(sections, "enabled")),
        *locked,
        *(each for each in updates.troubles if not (locked and each.what == "interrupted")),
        *(() if locked else trouble.incomplete(section(sections, "whole"))),
        *trouble.unsigned(sections, updates.all),
        *trouble.room(free, updates.updates, updates.download or 0),
        *_drift(host, updates.hidden, section(sections, "hiding").out),
    )
    fitting = tuple(sorted({package.name for package in installed if fits(package.name, host.hold)}))
    running = facts.hosts[host.name].kernel
    named = rpm.parse_needs_restarting(section(sections, "restarting").exit, section(sections, "restarting").out)
    return PackageFacts(
        fresh=fresh,
        partly=partly,
        for_security=_for_security(sections),
        updates=updates.updates,
        held=updates.held,
        removals=() if partly else updates.removals,
        installed=fitting,
        holds=tuple(sorted({*fitting, *updates.hidden})),
        troubles=troubles,
        running=running,
        newest=rpm.newest_kernel(installed, running),
        reboot=(f"needs-restarting names {', '.join(named)}",) if named else (),
        boot_free=free.get("boot"),
        download=updates.download,
    )


def _sections(host: Host, facts: Facts) -> Sections | Trouble:
    """The sections of whichever program is there; a text that was cut says nothing for sure."""
    answers = [facts.reading(host.name, id) for id in (_DNF, _YUM)]
    for answer in answers:
        sections = survey.sections(answer.out) if answer else {}
        if "all" in sections and "end" in sections:
            return sections
    do = f"see that {host.packages} works at {host.name}, and that `packages` in jobs.toml is right"
    return Trouble(what="unknown", text=f"the packages could not be read: {_why(answers)}", do=do)


def _lists(sections: Sections) -> Section:
    """Where the updates stand: by the lists of all, of those that answered, or of before."""
    return sections.get("some") or sections.get("old") or sections["all"]


def _for_security(sections: Sections) -> bool:
    """Whether any repository has advisories, or is for security as a whole; where it was not asked nothing is said."""
    advisories, ids = section(sections, "advisories"), section(sections, "enabled").out
    return advisories.exit is None or bool(advisories.out) or any("security" in name for name in ids)


def _why(answers: Iterable[Reading | None]) -> str:
    for answer in answers:
        if answer and (answer.exit != 0 or "all exit" in answer.out):
            return answer.err.strip()[-200:] or "the answer was cut"
    return "there is no yum 3 and no dnf 4" if any(answers) else "nothing was asked"


def _drift(host: Host, hidden: Iterable[str], hiding: Sequence[str]) -> tuple[Trouble, ...]:
    names = sorted(name for name in hidden if not fits(name, host.hold))
    if not names:
        return ()
    places = {name: ", ".join(trouble.hiding(name, hiding)) for name in names}
    words = ", ".join(f"{name} ({place})" if place else name for name, place in places.items())
    text = f"held back by an exclude or a version lock of the host itself: {words}"
    do = f"write it into `hold` of [hosts.{host.name}], or take it out there (dnf versionlock list)"
    return (Trouble(what="hold drift", text=text, do=do),)


def _free(room: Section) -> dict[str, int]:
    """Bytes free, by `boot` and `var`."""
    rows = [row for row in (line.split("|") for line in room.out) if len(row) == 3]
    known = ((name, whole_number(blocks), whole_number(size)) for name, blocks, size in rows)
    return {name: blocks * size for name, blocks, size in known if blocks is not None and size is not None}


class RedHatUpdates(NamedTuple):
    """What either program answers: all newer versions, those that `install` could take, the others.

    `hidden` are names that the host itself excludes or locks.
    """

    all: tuple[Update, ...]
    updates: tuple[Update, ...]
    held: tuple[Held, ...]
    hidden: frozenset[str]
    removals: tuple[str, ...]
    troubles: tuple[Trouble, ...]
    download: int | None = None


def from_dnf(host: Host, sections: Sections, installed: Sequence[rpm.Package]) -> RedHatUpdates:
    """What dnf said: what its own simulation would install is what can be installed."""
    lists = _lists(sections)
    offers = dnf.parse_upgrades(lists.out)
    advised = dnf.parse_advised(section(sections, "security").out)
    every = tuple(_update(offer.package, offer.repository, installed, advised) for offer in offers)
    hidden = frozenset(offer.package.name for offer in dnf.parse_upgrades(section(sections, "hidden").out))
    would = dnf.parse_transaction(sections["would"].out, sections["would"].err)
    full = dnf.parse_transaction(section(sections, "full").out, section(sections, "full").err)
    keep = _keep(host, every, hidden)
    updates = tuple(
        _update(rpm.newer(update), update.origin, installed, advised)
        for update in would.updates
        if update.name not in keep
    )
    going = {rpm.newer(update) for update in updates}
    staying = [update for update in every if rpm.newer(update) not in going]
    possible = {rpm.newer(update) for update in full.updates} if keep else set()
    broken = [update for update in staying if update.name not in keep and rpm.newer(update) not in possible]
    twice = [package.name for package in rpm.parse(section(sections, "twice").out)]
    return RedHatUpdates(
        all=every,
        updates=updates,
        hidden=hidden,
        removals=full.removals,
        held=held_back([update for update in staying if update not in broken], keep, would.problems),
        troubles=(
            *trouble.cut_off(twice),
            *(trouble.unsolved(sections["would"]) if lists.exit == 0 else ()),
            *trouble.unfit(_about(broken, full.problems)),
        ),
        # Two repositories may offer the same package; it is fetched once.
        download=sum({offer.package: offer.size for offer in offers if offer.package in going}.values()),
    )


def _keep(host: Host, updates: Iterable[Update], hidden: Iterable[str]) -> set[str]:
    """The names of those that must stay as they are."""
    return {update.name for update in updates if update.name in hidden or fits(update.name, host.hold)}


def _about(broken: Sequence[Update], problems: Sequence[str]) -> tuple[str, ...]:
    if not broken:
        return ()
    names = ", ".join(f"{update.name} {update.new}" for update in broken)
    return (names, *(line for line in problems if "nothing provides" in line or "conflicts" in line))


def from_yum3(host: Host, sections: Sections, installed: Sequence[rpm.Package]) -> RedHatUpdates:
    """What yum 3 said: it simulates nothing, so what does not fit is met when it installs."""
    offers, replaced = dnf.parse_check_update(_lists(sections).out)
    plain = {offer.package.name for offer in dnf.parse_check_update(section(sections, "plain").out).updates}
    advised = [offer.package for offer in dnf.parse_check_update(section(sections, "security").out).updates]
    every = tuple(_update(offer.package, offer.repository, installed, advised) for offer in offers)
    hidden = frozenset(update.name for update in every) - plain
    keep = _keep(host, every, hidden)
    return RedHatUpdates(
        all=every,
        hidden=hidden,
        updates=tuple(update for update in every if update.name not in keep),
        removals=replaced,
        held=tuple(Held(update=update) for update in every if update.name in keep),
        troubles=trouble.cut_off(section(sections, "unfinished").out),
    )


def _update(new: rpm.Package, origin: str, installed: Iterable[rpm.Package], advised: Iterable[rpm.Package]) -> Update:
    def same(other: rpm.Package) -> bool:
        return (other.name, other.arch) == (new.name, new.arch)

    now = rpm.newest(filter(same, installed))
    old = now.version if now else ""
    # An advisory counts where it is about a version beyond the installed one, up to the one to come. Some
    # repositories have no advisories and are for security as a whole; those are called so.
    security = "security" in origin or any(
        rpm.key(fix.version) <= rpm.key(new.version) and (not old or rpm.key(fix.version) > rpm.key(old))
        for fix in filter(same, advised)
    )
    return Update(name=new.name, arch=new.arch, old=old, new=new.version, origin=origin, security=security)
