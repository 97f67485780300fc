"""What is known of a host before it is rebooted or switched off, and what stands against doing so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from runner.jobs.disks import fstab
from runner.jobs.packages.families import family
from runner.jobs.power import agent, agent_checks, locks
from runner.jobs.power.window import Objection
from runner.model.facts import Facts, Filesystem, HostFacts, Probe, Reading
from runner.model.plan import Argv
from runner.model.site import Host, Site
from runner.model.text import count, length, one_line, size
from runner.tools import detached
from runner.tools.detached import Outdated, Up

IDLE: Argv = ("runner-agent", "idle")
# Less than this in /boot, and the initrd that was written last may be cut short.
_ROOM = 1 << 20
_CLOCK = timedelta(minutes=5)
_SHOWN = 5
# What people keep files on; packages that mount themselves, and media, have other types.
_DISKS = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "exfat", "ntfs3"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """A host as read. `systemd` is its version, None where another program runs the host.

    `busy` says what is being written there, "" for nothing; `half` what its package manager says of packages
    that are only half installed. `sessions` are those of the database, None where they were not or could not
    be counted; `entries` are those of fstab, None where it could not be read.
    """

    up: Up
    outdated: Outdated
    systemd: int | None
    busy: str = ""
    half: str = ""
    sessions: int | None = None
    entries: tuple[fstab.FstabEntry, ...] | None = None


def probes(site: Site, host: Host, *, database: bool) -> tuple[Probe, ...]:
    """The READ commands whose output `read` needs. The hosts that keep the host's snapshots are asked too."""
    packages = family(host)
    audit = packages.audit() if packages else ()
    commands: dict[str, Argv] = {
        "up": detached.UP,
        "outdated": detached.OUTDATED,
        "idle": IDLE,
        "systemd": agent.version(),
        "fstab": fstab.show(),
        **({"half": audit} if audit else {}),
        **({"sessions": agent.sessions()} if database else {}),
    }
    own = (
        Probe(id=f"power.{name}", host=host.name, argv=argv, needs=("power",), timeout=60)
        for name, argv in commands.items()
    )
    devices = [disk.device for disk in site.disks if disk.host == host.name]
    # Asked for the facts about their stores, which come with any probe.
    others = (
        Probe(id="power.up", host=name, argv=detached.UP, needs=("power",)) for name in locks.keepers(site, host.name)
    )
    return (*own, agent_checks.probe(host.name, devices), *others)


def read(host: str, facts: Facts) -> Before | Objection:
    """What the probes found; Objection where it is not known which boot this is, whether anything is being
    written, or what the next boot would start."""

    def reading(name: str) -> Reading:
        return facts.reading(host, f"power.{name}") or Reading(exit=None, err="it was not asked")

    up, idle = detached.parse_up(reading("up").out), reading("idle")
    busy = agent.parse_idle(idle.out)
    if up is None or busy is None:
        why = one_line((reading("up").err or idle.err or "its answer makes no sense").strip())
        return Objection(text=f"the state of {host} cannot be read: {why}", do="see whether python3 runs there")
    outdated = detached.parse_outdated(reading("outdated").out)
    if outdated is None:
        why = one_line((reading("outdated").err or "its answer makes no sense").strip())
        do = "see what `runner-agent outdated` says there: its kernel, its initrd and the boot loader must be known"
        return Objection(text=f"what {host} would boot cannot be read: {why}", do=do)
    half = facts.reading(host, "power.half")
    if half and half.exit is None:
        why = one_line(half.err.strip())
        return Objection(
            text=f"whether packages of {host} are only half installed cannot be read: {why}", do="try again"
        )
    return Before(
        up=up,
        outdated=outdated,
        systemd=agent.parse_version(reading("systemd").out) if up.systemd else None,
        busy=busy,
        half=half.out.strip() if half else "",
        sessions=agent.parse_sessions(reading("sessions").out),
        entries=fstab.parse(reading("fstab").out) if reading("fstab").exit == 0 else None,
    )


def against(host: Host, here: Before) -> tuple[Objection, ...]:
    """What of the host itself stands against it: each would cut something off, or leave the host down."""
    objections: list[Objection] = []
    if here.busy:
        objections.append(Objection(text=f"{host.name} is at work: {here.busy}", do="wait until it has ended"))
    if here.half:
        packages = family(host)
        by_hand = f"; or `{packages.by_hand}` there" if packages else ""
        do = f"finish it first: the job of kind updates repairs what it can{by_hand}"
        objections.append(Objection(text=f"packages of {host.name} are only half installed", do=do))
    # The kernel that runs has been booted with what there is; only another one may lack something.
    outdated = here.outdated
    if outdated.newest and outdated.newest != outdated.running:
        kernel = f"kernel {one_line(outdated.newest)} of {host.name}, which runs {one_line(outdated.running)},"
        objections += _lacking(host, kernel, outdated)
    return tuple(objections)


def _lacking(host: Host, kernel: str, outdated: Outdated) -> Iterator[Objection]:
    packages = family(host)
    if not outdated.initrd:
        do = f"there: {packages.write_initrd}" if packages else "have it written there"
        yield Objection(text=f"{kernel} has no initrd: it might not come back", do=f"{do}, with room in /boot")
    if outdated.entry is False:
        do = f"there: {packages.write_entry}" if packages else "have the menu written anew there"
        yield Objection(text=f"{kernel} is not in the boot loader's menu", do=do)


def doubts(site: Site, host: Host, here: Before, facts: Facts) -> tuple[Objection, ...]:
    """What a person should look at, although it stands against nothing."""
    doubts: list[Objection] = []
    outdated = here.outdated
    if outdated.newest == outdated.running:
        # It was booted with what there was then: an initrd that was written anew, and cut short, is gone since.
        doubts += _lacking(host, f"kernel {one_line(outdated.running)} of {host.name}", outdated)
    if not outdated.newest:
        text = f"which kernel {host.name} will boot is not known: none is found in /boot"
        doubts.append(Objection(text=text, do="see there that /boot is mounted and which kernels it has"))
    free = outdated.boot_free
    if free is not None and free < _ROOM:
        text = f"/boot of {host.name} has only {size(free)} left: what was last written to it may be incomplete"
        doubts.append(Objection(text=text, do="remove old kernels there, and write the initrd anew"))
    read = facts.hosts[host.name]
    if read.now and abs(read.now - facts.at) > _CLOCK:
        text = f"the clock of {host.name} is wrong by {length(abs(read.now - facts.at))}"
        doubts.append(Objection(text=text, do="put it right first: a boot checks disks whose date is in the future"))
    if here.entries is None:
        text = f"fstab of {host.name} could not be read, so only declared disks are looked for afterwards"
        doubts.append(Objection(text=text, do="see there what `cat /etc/fstab` says"))
    mounted = {filesystem.mount for filesystem in read.filesystems}
    doubts += [
        Objection(text=f"disk {disk.name} is not mounted at {disk.mount} now, and will not be looked for afterwards")
        for disk in site.disks
        if disk.host == host.name and disk.mount not in mounted
    ]
    return tuple(doubts)


def notes(host: Host, here: Before, facts: Facts) -> tuple[str, ...]:
    """Who and what is interrupted, in words."""
    notes: list[str] = []
    if here.up.users is None:
        notes.append(f"who is logged in to {host.name} is not known")
    elif here.up.users:
        users = sorted({one_line(user.name) for user in here.up.users})
        more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
        notes.append(f"logged in to {host.name}: {', '.join(users[:_SHOWN])}{more}")
    if here.sessions:
        notes.append(f"connected to the database of {host.name}: {count(here.sessions, 'session')}")
    elif here.sessions is None and facts.reading(host.name, "power.sessions"):
        notes.append(f"who is connected to the database of {host.name} is not known")
    running, newest = here.outdated.running, here.outdated.newest
    if newest not in ("", running):
        notes.append(f"{host.name} runs kernel {running}; it should come back with {newest}")
    if here.outdated.entry is None and newest:
        notes.append(f"{host.name} has no known boot loader, so its entries were not checked")
    by_hand = _by_hand(facts.hosts[host.name], here.entries) if here.entries else ()
    notes += [f"{each.source} is mounted at {one_line(each.mount)}, but fstab has no line for it" for each in by_hand]
    return tuple(one_line(text) for text in notes)


def _by_hand(host: HostFacts, entries: tuple[fstab.FstabEntry, ...]) -> tuple[Filesystem, ...]:
    """What is mounted now from a disk of its own, and will not be by the boot as far as fstab says."""
    known = {entry.mount for entry in entries} | {"/"}
    return tuple(
        each
        for each in host.filesystems
        if each.type in _DISKS and each.root == "/" and each.mount not in known and each.source.startswith("/dev/")
    )
