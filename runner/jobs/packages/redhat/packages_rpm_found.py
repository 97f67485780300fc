"""What dnf and yum 3 answered about a host's packages, as updates: to install, held back, or in trouble."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runner.jobs.packages.packages_rpm_held import held_back
from runner.jobs.packages.redhat import dnf, rpm, trouble, yum
from runner.jobs.packages.redhat.survey import Section
from runner.model.packages import Held, Trouble, Update
from runner.model.site import Host

_NONE = Section()


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
    broken = [
        one for one in staying if one.name not in keep and (one.name, one.arch, one.new) not in possible
    ]
    twice = [one.name for one in rpm.parse(said.get("twice", _NONE).out)]
    return Found(
        all=every, updates=updates, hidden=hidden, removals=full.removals,
        held=held_back(tuple(one for one in staying if one not in broken), keep, would.problems),
        troubles=(
            *trouble.cut_off(twice),
            *(trouble.unsolved(said["would"]) if lists.exit == 0 else ()),
            *trouble.unfit(_about(broken, full.problems)),
        ),
        download=sum(sizes.get(key, 0) for key in going),
    )  # fmt: skip


def _about(broken: Sequence[Update], problems: Sequence[str]) -> tuple[str, ...]:
    if not broken:
        return ()
    names = ", ".join(f"{one.name} {one.new}" for one in broken)
    return (names, *(line for line in problems if "nothing provides" in line or "conflicts" in line))


def from_yum(host: Host, said: Mapping[str, Section], installed: Sequence[rpm.Package]) -> Found:
    """What yum 3 said: it simulates nothing, so what does not fit is met when it installs."""
    listed, replaced = yum.parse_check_update((said.get("old") or said["all"]).out)
    open_, _ = yum.parse_check_update(said.get("plain", _NONE).out)
    safe, _ = yum.parse_check_update(said.get("security", _NONE).out)
    every = tuple(_update(one, origin, installed, tuple(each for each, _ in safe)) for one, origin in listed)
    hidden = frozenset(one.name for one, _ in listed) - {one.name for one, _ in open_}
    keep = {one.name for one in every if one.name in hidden or fits(one.name, host.hold)}
    return Found(
        all=every, hidden=hidden, updates=tuple(one for one in every if one.name not in keep),
        removals=replaced, held=tuple(Held(update=one) for one in every if one.name in keep),
        troubles=trouble.cut_off(said.get("unfinished", _NONE).out),
    )  # fmt: skip


def _update(
    one: rpm.Package, origin: str, installed: Iterable[rpm.Package], advised: Iterable[rpm.Package]
) -> Update:
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
