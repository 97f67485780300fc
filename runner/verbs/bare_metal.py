"""How to make a host again on an empty machine: a page with this site's facts, for a person; it runs nothing."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.engine.asking import ask
from runner.jobs.database.agent import DatabaseServer
from runner.jobs.database.dump import server_of
from runner.jobs.snapshots import inventory
from runner.jobs.snapshots.inventory import BlockDevice, MountedFilesystem, StoredAbout
from runner.jobs.snapshots.when import pick
from runner.model.errors import UsageError
from runner.model.facts import Snapshot
from runner.model.site import Disk, Host, Site, Store
from runner.model.text import one_line, size
from runner.tools.called import AS_WRITTEN, Spelling
from runner.verbs.app import App
from runner.verbs.browse import Holding, holdings, missing
from runner.verbs.lost_servers import labelled, lost_servers, word
from runner.verbs.lost_servers import warnings as of_databases

_LABEL = {"ext2": "-L", "ext3": "-L", "ext4": "-L", "xfs": "-L", "btrfs": "-L", "vfat": "-n"}
_PLAIN = ("disk", "part")
_WIDTH = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """The host to make again: from which snapshot of which store, on which disk, and what is known of it.

    `uuid` is that of the store's filesystem or "", `path` where the store really is on its host `keeper`. `about` is
    None where the answer of that host makes no sense. `servers` are the database servers by folder of dumps, `job`
    makes the host's snapshots.
    """

    host: Host
    snapshot: Snapshot
    store: Store
    keeper: Host
    path: str
    about: StoredAbout | None
    disk: Disk | None = None
    uuid: str = ""
    job: str = ""
    controller: str = ""
    servers: Mapping[str, DatabaseServer] = field(default_factory=dict)


def page(lost: Lost, spelling: Spelling = AS_WRITTEN) -> str:
    """The procedure, to be printed; lines with four spaces in front are commands."""
    import jinja2  # 40 ms that only this page should take

    # Plain text: nothing is escaped for HTML; no value makes a line of its own, or anything else but text.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - it makes plain text
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: one_line(value) if isinstance(value, str) else value,
    )
    environment.filters.update(
        quote=lambda text: shlex.quote(one_line(text)), size=size, line=one_line, word=word, labelled=labelled
    )
    return environment.get_template("bare_metal.txt.j2").render(
        {**_values(lost), "spelling": spelling, "warnings": _warnings(lost, spelling)}
    )


def _values(lost: Lost) -> dict[str, Any]:
    # Where nothing can be read, a warning says so.
    about = lost.about or StoredAbout(folder="")
    facts = about.facts
    top = lost.disk.mount if lost.disk else ""
    filesystems = [each for each in facts.filesystems if each.mount in lost.snapshot.filesystems]
    sources = {each.source for each in filesystems}
    disks = [disk for disk in facts.disks if sources & {device.name for device in disk.all}]
    names = {
        part.name: f'"$part{number}"{_number(disk, part)}'
        for number, disk in enumerate(disks, 1)
        for part in disk.parts
        if _number(disk, part)
    }
    return {
        "host": lost.host.name,
        "address": lost.host.address,
        "snapshot": lost.snapshot.name,
        "store": lost.store,
        "mounts": lost.snapshot.filesystems,
        "about": about,
        "facts": facts,
        "files": textwrap.wrap("  ".join(map(one_line, about.files)).strip(), _WIDTH, break_on_hyphens=False),
        "unreadable": lost.about is None or about.problem,
        "disk": lost.disk,
        "uuid": lost.uuid,
        "inside": lost.path.removeprefix(top) if top else lost.path,
        "job": lost.job,
        "servers": lost_servers(about, lost.servers),
        "remote": f"{lost.keeper.user}@{lost.keeper.address}:{lost.path}/{lost.snapshot.name}/",
        "firmware": {"efi": "EFI", "bios": "BIOS"}.get(facts.firmware, ""),
        "disks": [_disk(number, disk) for number, disk in enumerate(disks, 1)],
        "between": sorted({part.type for disk in disks for part in disk.all if part.type not in _PLAIN}),
        "filesystems": [_filesystem(each, names) for each in filesystems],
        "swaps": [_swap(each, names) for each in facts.swaps],
    }


def _number(disk: BlockDevice, part: BlockDevice) -> str:
    """The number of a partition on its disk, "" for what is none."""
    number = part.name.removeprefix(disk.name).removeprefix("p")
    return number if part.type == "part" and number.isdigit() else ""


def _disk(number: int, disk: BlockDevice) -> dict[str, Any]:
    return {
        "device": disk,
        "var": f"disk{number}",
        "part": f"part{number}",
        # A name that ends in a digit has a p before the number of a partition.
        "prefix": f"{disk.name}p" if disk.name[-1:].isdigit() else disk.name,
    }


def _filesystem(filesystem: MountedFilesystem, names: Mapping[str, str]) -> dict[str, str]:
    device = names.get(filesystem.source, shlex.quote(filesystem.source))
    place = f"/mnt/newroot{filesystem.mount.rstrip('/')}"
    return {"make": f"{shlex.join(_make(filesystem))} {device}", "device": device, "place": place}


def _make(filesystem: MountedFilesystem) -> Sequence[str]:
    kind, uuid, label = filesystem.type, filesystem.uuid, filesystem.label
    words = [f"mkfs.{kind}"]
    if uuid:
        words += {"xfs": ["-m", f"uuid={uuid}"], "vfat": ["-i", uuid.replace("-", "")]}.get(kind, ["-U", uuid])
    words += [_LABEL[kind], label] if label and kind in _LABEL else []
    return [*words, "-N", str(filesystem.inodes)] if filesystem.inodes else words


def _swap(swap: BlockDevice, names: Mapping[str, str]) -> str:
    words = ["mkswap", *(["-U", swap.uuid] if swap.uuid else []), *(["-L", swap.label] if swap.label else [])]
    return f"{shlex.join(words)} {names.get(swap.name, shlex.quote(swap.name))}"


def _warnings(lost: Lost, spelling: Spelling) -> list[str]:
    name, host, about = lost.snapshot.name, lost.host.name, lost.about
    warnings = []
    if lost.snapshot.exceptions:
        warnings.append(f"{lost.snapshot.exceptions} names could not be read when {name} was made, and are not in it:")
        warnings.append(spelling.command(f"runner snapshots {lost.store.name} --exceptions {name}"))
    if lost.snapshot.exceptions is None:
        warnings.append(f"the record of {name} cannot be read: it is not known whether anything is missing from it")
    if host == lost.controller:
        warnings.append(f"this tool runs on {host}. Print this page while it still works; afterwards README.txt and")
        warnings.append("jobs.toml in .runner on the disk say the same in general, and any machine can use them.")
    if about is None:
        warnings.append(f"nothing is known of the disks and databases of {host}: the answer of its store's host")
        warnings.append(f"{lost.keeper.name} cannot be read. Look into .runner/about, and into the snapshot itself.")
        return warnings
    if about.problem:
        warnings.append(f"what {host} was like cannot be read: {about.problem}")
    if about.known:
        known = {each.mount for each in about.facts.filesystems}
        absent = [mount for mount in lost.snapshot.filesystems if mount not in known]
        warnings += [f"no device is known for {mount}: make a filesystem for it yourself" for mount in absent]
    warnings += of_databases(about, lost.servers)
    return [*warnings, *(f"not kept with the snapshot: {each}" for each in about.facts.missing)]


def lost(app: App, host: str, when: str, store: str = "") -> Lost:
    """All that the page needs; asks only the hosts of stores. UsageError where there is no such snapshot."""
    hosts = [each.name for each in app.site.hosts]
    if host not in hosts:
        raise UsageError(f"there is no host '{host}' in jobs.toml", do=f"the hosts are: {', '.join(hosts)}")
    reasons = []
    held = holdings(app, (store,) if store else ())
    for holding in held:
        own = tuple(snapshot for snapshot in holding.sealed if snapshot.host == host)
        chosen = pick(own, when, zone=app.site.timezone, now=app.now()) if own else ""
        if isinstance(chosen, Snapshot):
            return _lost(app, host, holding, chosen)
        reasons.append(f"store {holding.store.name}: {chosen or holding.error or f'no snapshot of {host}'}")
    raise missing(held)(
        "; ".join(reasons) or "there is no store",
        do="connect the disk to any machine: .runner/README.txt on it says what to do",
    )


def _lost(app: App, host: str, holding: Holding, chosen: Snapshot) -> Lost:
    site, store, facts = app.site, holding.store, holding.facts
    servers, job = _jobs_of(site, host)
    answer = ask(app.transports[store.host], inventory.of(facts.path, chosen.name, tuple(servers)), {})
    keeper = site.host(store.host)
    disk = site.disk(store.disk) if store.disk and not keeper.root else None
    return Lost(
        host=site.host(host),
        snapshot=chosen,
        store=store,
        keeper=keeper,
        path=facts.path,
        about=inventory.read(answer),
        disk=disk,
        uuid=facts.uuid or (disk.uuid if disk else ""),
        job=job,
        controller=site.controller,
        servers=servers,
    )


def _jobs_of(site: Site, host: str) -> tuple[Mapping[str, DatabaseServer], str]:
    """The database servers of `host` by folder of dumps, and the job of its snapshots: whichever host starts them."""
    jobs = [job for job in (*site.jobs, *site.elsewhere) if job.host == host]
    servers = {str(job.options.to): server_of(job) for job in jobs if job.kind == "dump"}
    return servers, next((job.name for job in jobs if job.kind == "snapshot"), "")
