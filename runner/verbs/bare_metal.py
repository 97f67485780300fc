"""How to make a host again on an empty machine, as a page with this site's facts: text to follow, nothing that runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.engine.probe import ask
from runner.jobs.snapshots import inventory
from runner.jobs.snapshots.inventory import About, Filesystem, Part
from runner.jobs.snapshots.when import pick
from runner.model.errors import UsageError
from runner.model.facts import Snapshot
from runner.model.site import Disk, Host, Store
from runner.model.text import one_line, size
from runner.verbs.app import App
from runner.verbs.browse import Holding, holdings

_LABEL = {"ext2": "-L", "ext3": "-L", "ext4": "-L", "xfs": "-L", "btrfs": "-L", "vfat": "-n"}
_PLAIN = ("disk", "part")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """The host to make again: from which snapshot of which store, on which disk, and what is known of it.

    `uuid` is that of the store's filesystem or "", `path` where the store really is on its host `keeper`. `users` is
    the OS user of the database server by folder of dumps, `job` makes the host's snapshots.
    """

    host: Host
    snapshot: Snapshot
    store: Store
    keeper: Host
    path: str
    about: About
    disk: Disk | None = None
    uuid: str = ""
    job: str = ""
    controller: str = ""
    users: Mapping[str, str] = field(default_factory=dict)


def page(lost: Lost) -> str:
    """The procedure, to be printed; lines with four spaces in front are commands."""
    import jinja2  # noqa: PLC0415  (40 ms that only this page should take)

    # Plain text: nothing is escaped for HTML, and control characters are by the filters.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - it makes plain text
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: one_lines(value) if isinstance(value, str) else value,
    )
    environment.filters.update(quote=lambda text: shlex.quote(one_line(text)), size=size, line=one_line)
    return environment.get_template("bare_metal.txt.j2").render(_values(lost))


def one_lines(text: str) -> str:
    """Every line of `text`, without anything that a terminal takes for more than text."""
    return "\n".join(one_line(line) for line in text.split("\n"))


def _values(lost: Lost) -> dict[str, Any]:
    about, place = lost.about, lost.store
    top = lost.disk.mount if lost.disk else ""
    wanted = [one for one in about.filesystems if one.mount in lost.snapshot.filesystems]
    disks = [one for one in about.disks if _carries(one, wanted)]
    names = {
        part.name: f'"$part{number}"{part.number}'
        for number, disk in enumerate(disks, 1)
        for part in disk.parts
        if part.number
    }
    return {
        "host": lost.host.name,
        "address": lost.host.address,
        "snapshot": lost.snapshot.name,
        "store": place,
        "mounts": lost.snapshot.filesystems,
        "about": about,
        "disk": lost.disk,
        "uuid": lost.uuid,
        "inside": lost.path.removeprefix(top) if top else lost.path,
        "job": lost.job,
        "dumps": _dumps(lost),
        "remote": f"{lost.keeper.user}@{lost.keeper.address}:{lost.path}/{lost.snapshot.name}/",
        "warnings": _warnings(lost, wanted),
        "family": about.family,
        "firmware": {"efi": "EFI", "bios": "BIOS"}.get(about.firmware, ""),
        "disks": [_disk(number, one) for number, one in enumerate(disks, 1)],
        "first": next((f'"$disk{number}"' for number, _ in enumerate(disks, 1)), ""),
        "between": sorted({part.type for disk in disks for part in disk.all if part.type not in _PLAIN}),
        "filesystems": [_filesystem(one, names) for one in wanted],
        "swaps": [_swap(one, names) for one in about.swaps],
    }


def _carries(disk: Part, wanted: list[Filesystem]) -> bool:
    return bool({one.name for one in disk.all} & {one.source for one in wanted})


def _disk(number: int, disk: Part) -> dict[str, Any]:
    # A name that ends in a digit has a p before the number of a partition.
    prefix = f"{disk.name}p" if disk.name[-1:].isdigit() else disk.name
    return {
        "name": disk.name,
        "size": disk.size,
        "model": disk.model,
        "serial": disk.serial,
        "table": disk.table,
        "var": f"disk{number}",
        "part": f"part{number}",
        "prefix": prefix,
    }


def _filesystem(one: Filesystem, names: Mapping[str, str]) -> dict[str, str]:
    device = names.get(one.source, shlex.quote(one.source))
    return {"make": _make(one, device), "device": device, "place": f"/mnt/newroot{one.mount.rstrip('/')}"}


def _make(one: Filesystem, device: str) -> str:
    words = [f"mkfs.{one.type}"]
    if one.uuid:
        words += {"xfs": ["-m", f"uuid={one.uuid}"], "vfat": ["-i", one.uuid.replace("-", "")]}.get(
            one.type, ["-U", one.uuid]
        )
    words += [_LABEL[one.type], one.label] if one.label and one.type in _LABEL else []
    words += ["-N", str(one.inodes)] if one.inodes else []
    return f"{shlex.join(words)} {device}"


def _swap(one: Part, names: Mapping[str, str]) -> str:
    words = ["mkswap", *(["-U", one.uuid] if one.uuid else []), *(["-L", one.label] if one.label else [])]
    return f"{shlex.join(words)} {names.get(one.name, shlex.quote(one.name))}"


def _dumps(lost: Lost) -> list[dict[str, Any]]:
    return [
        {
            "folder": one.folder,
            "roles": one.roles,
            "databases": one.databases,
            "user": lost.users.get(one.folder) or "postgres",
        }
        for one in lost.about.dumps
        if one.databases
    ]


def _warnings(lost: Lost, wanted: list[Filesystem]) -> list[str]:
    name, host, known = lost.snapshot.name, lost.host.name, {one.mount for one in wanted}
    said = []
    if lost.snapshot.exceptions:
        said.append(f"{lost.snapshot.exceptions} names could not be read when {name} was made, and are not in it:")
        said.append(f"runner snapshots {lost.store.name} --exceptions {name}")
    if host == lost.controller:
        said.append(
            f"{host} is where this tool runs. Print this page while it lives; afterwards README.txt and jobs.toml"
        )
        said.append("in .runner on the disk say the same in general, and any machine can take them up.")
    absent = [mount for mount in lost.snapshot.filesystems if mount not in known] if lost.about.known else []
    said += [f"no device is known for {mount}: make a filesystem for it by yourself" for mount in absent]
    lacking = [folder for folder in lost.users if folder not in {one.folder for one in _with_dumps(lost)}]
    said += [f"there is no dump of a database in {folder} of this snapshot" for folder in lacking]
    return [*said, *(f"not kept with the snapshot: {one}" for one in lost.about.missing)]


def _with_dumps(lost: Lost) -> list[Any]:
    return [one for one in lost.about.dumps if one.databases]


def lost(app: App, host: str, when: str, store: str = "") -> Lost:
    """All that the page needs; asks only the hosts of stores. UsageError where there is no such snapshot."""
    known = {one.name: one for one in app.site.hosts}
    if host not in known:
        raise UsageError(f"there is no host '{host}' in jobs.toml", do=f"the hosts are: {', '.join(known)}")
    said = []
    for holding in holdings(app, (store,) if store else ()):
        own = tuple(one for one in holding.sealed if one.host == host)
        chosen = pick(own, when, zone=app.site.timezone, now=app.now()) if own else ""
        if isinstance(chosen, Snapshot):
            return _lost(app, host, holding, chosen)
        said.append(f"store {holding.store.name}: {chosen or holding.error or f'no snapshot of {host}'}")
    raise UsageError(
        "; ".join(said) or "there is no store",
        do="connect the disk to any machine: .runner/README.txt on it says what to do",
    )


def _lost(app: App, host: str, holding: Holding, chosen: Snapshot) -> Lost:
    site, place, found = app.site, holding.store, holding.facts
    dumps = inventory.dumps(site, host)
    answer = ask(app.transports[place.host], inventory.of(found.path, chosen.name, dumps), {})
    users = {
        str(job.options.to): str(getattr(job.options, "user", ""))
        for job in site.jobs
        if job.kind == "dump" and job.host == host
    }
    jobs = (job.name for job in site.jobs if job.kind == "snapshot" and job.host == host)
    live = not site.host(place.host).root
    disk = site.disk(place.disk) if place.disk and live else None
    return Lost(
        host=site.host(host),
        snapshot=chosen,
        store=place,
        keeper=site.host(place.host),
        path=found.path,
        about=inventory.parse(answer),
        disk=disk,
        uuid=found.uuid or (disk.uuid if disk else ""),
        job=next(jobs, ""),
        controller=site.controller,
        users=users,
    )
