"""Small sites and facts for tests: two hosts that keep each other's snapshots, and what differs from that."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from runner.engine.migrate import role_of
from runner.model.facts import Facts, HostFacts, Snapshot
from runner.model.names import snapshot_time
from runner.model.options import SnapshotOptions
from runner.model.plan import Check, Command, Plan, PlannedJob, Step
from runner.model.site import Disk, Host, Job, Site, Store

CASES = Path(__file__).parent / "cases"
NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
PROGRAM = "5a" * 32
PAPIO, SERVER = "papio", "server"

_EXT4 = {"type": "ext4", "size": 10**12, "used": 10**11}
_PROC = {"mount": "/proc", "source": "proc", "type": "proc", "dev": 5}
_RSYNC = {"version": "3.5.0", "checksums": ["xxh128", "md5"], "trusts": True}


def site(*, live: bool = True, exclude: tuple[str, ...] = (), **changes: Any) -> Site:
    """papio, which is the controller, and server; each has a store with the other's snapshots."""
    root = "" if live else "/site/sandbox/"
    stand_ins = () if live else ("/etc", "/usr/share/doc")
    values: dict[str, Any] = {
        "name": "babase", "controller": PAPIO, "folder": "/site", "state": "/site/state", "live": live,
        "sandbox": "/site/sandbox", "digest": "d1" * 32, "timezone": "America/New_York",
        "hosts": (
            Host(name=PAPIO, address="papio.example.edu", root=root and root + PAPIO, stand_ins=stand_ins),
            Host(name=SERVER, address="192.168.199.2", root=root and root + SERVER),
        ),
        "disks": (Disk(name="disk", host=SERVER, device="/dev/sdb1", mount="/srv/backups/papio"),),
        "stores": (
            Store(name="papio", host=SERVER, path="/srv/backups/papio", disk="disk"),
            Store(name="server", host=PAPIO, path="/srv/backups/server"),
        ),
        "jobs": (
            job("backup-papio", host=PAPIO, store="papio", schedule="15 3 * * *", exclude=exclude),
            job("backup-server", host=SERVER, store="server", schedule="15 5 * * *", exclude=exclude),
        ),
    }  # fmt: skip
    return Site(**{**values, **changes})


def job(
    name: str, *, host: str = PAPIO, store: str = "papio", schedule: str = "", after: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> Job:  # fmt: skip
    """A job that makes snapshots."""
    options = SnapshotOptions(store=store, exclude=exclude)
    return Job(name=name, kind="snapshot", host=host, options=options, schedule=schedule, after=after)


def facts(changes: Mapping[str, Any] | None = None, *, live: bool = True, at: datetime = NOW) -> Facts:
    """What both hosts say a day after their first snapshot; `changes` are merged in by host and field.

    `store` in a host's changes is merged into the facts of its only store.
    """
    hosts: dict[str, HostFacts] = {}
    for name, values in _hosts(live).items():
        changed = dict((changes or {}).get(name, {}))
        if (other := changed.pop("store", None)) is not None:
            (key,) = values["stores"]
            values["stores"][key].update(other)
        hosts[name] = msgspec.convert({**values, **changed, "name": name}, HostFacts, strict=False)
    return Facts(at=at, hosts=hosts, program=PROGRAM)


def _hosts(live: bool) -> dict[str, dict[str, Any]]:
    below = "" if live else "/site/sandbox/"
    papio = [_PROC, _disk("/", 2049), _disk("/home", 2050)]
    server = [_PROC, _disk("/", 2065), _disk("/srv/backups/papio", 2081)]
    if not live:
        papio = [_stand_in("/etc"), _stand_in("/usr/share/doc")]
        server = [{**_stand_in("/site/sandbox/server"), "mount": "/"}]
    return {
        PAPIO: _host(papio, "server", f"{below and below + PAPIO}/srv/backups/server", ["/"]),
        SERVER: _host(
            server, "papio", f"{below and below + SERVER}/srv/backups/papio", [one["mount"] for one in papio
            if one["mount"] != "/proc"],
        ),
    }  # fmt: skip


def _host(filesystems: list[dict[str, Any]], store: str, path: str, mounts: list[str]) -> dict[str, Any]:
    of = PAPIO if store == "papio" else SERVER
    sealed = [{"name": "2026-11-22T081500Z", "host": of, "filesystems": mounts}]
    kept = {"path": path, "exists": True, "mounted": True, "writable": True, "sealed": sealed}
    uuid = "11111111-2222-3333-4444-555555555555" if store == "papio" else ""
    return {
        "uid": 0, "boot_id": "boot", "now": NOW, "program": PROGRAM, "rsync": _RSYNC, "served": PAPIO,
        "filesystems": filesystems, "stores": {store: {**kept, "uuid": uuid}},
        "readings": {f"restored.backup-{name}": {"exit": 0, "out": '{"made": []}'} for name in (PAPIO, SERVER)},
    }  # fmt: skip


def _disk(mount: str, dev: int) -> dict[str, Any]:
    return {"mount": mount, "source": f"/dev/sd{dev}", "dev": dev, **_EXT4}


def _stand_in(folder: str) -> dict[str, Any]:
    return {"mount": folder, "source": folder, "type": "stand-in", "dev": 2049, "size": 10**9}


def seal_answer(**changes: Any) -> dict[str, Any]:
    """What runner-agent answers to `seal`."""
    return {
        "sealed": "2026-11-23T081500Z", "files": 10, "added_files": 3, "added_bytes": 2048, "exceptions": 0,
        "exceptions_new": 0, "unsummed": 0, "vanished": 0, "changed": 0, "seconds": 1.5, **changes,
    }  # fmt: skip


def expire_answer(name: str, left: int) -> dict[str, Any]:
    """What runner-agent answers to `expire`."""
    return {
        "expired": name, "sealed": left, "inherited": 4, "free_bytes": 1 << 30, "free_inodes": 1000,
        "free_percent": 12.5, "free_inodes_percent": 50.0,
    }  # fmt: skip


def snapshots(*names: str) -> tuple[Snapshot, ...]:
    """Sealed snapshots of these names."""
    return tuple(Snapshot(name=name, started=snapshot_time(name)) for name in names)


def role(name: str) -> dict[str, Any]:
    """What a step of that id is for and about, as the kinds name them."""
    found, subject = role_of(name)
    return {"role": found, "subject": subject}


def step(name: str, *argv: str, **changes: Any) -> Step:
    """A step of the job before the slash; what `changes` does not say is harmless."""
    from runner.model.plan import Effect

    values: dict[str, Any] = {
        "id": name, "job": name.partition("/")[0], "host": PAPIO, "effect": Effect.READ, "why": f"to {name}",
        "action": Command(argv=argv or ("true",)), **role(name),
    }  # fmt: skip
    return Step(**{**values, **changes})


def plan(*steps: Step, **changes: Any) -> Plan:
    """A plan of these steps and their jobs."""
    names = dict.fromkeys(one.job for one in steps)
    values: dict[str, Any] = {
        "id": "20261123T081500.000Z", "made_at": NOW, "site": "babase", "live": True, "steps": steps,
        "jobs": tuple(PlannedJob(name=name, kind="snapshot") for name in names),
    }  # fmt: skip
    return Plan(**{**values, **changes})


def later(**span: float) -> datetime:
    """A moment after NOW."""
    return NOW + timedelta(**span)


def cases(folder: str) -> dict[str, dict[str, Any]]:
    """Every golden case of a folder, by its name."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted((CASES / folder).glob("*.toml"))}


def told(planned: Plan) -> str:
    """The whole plan in words, every field that decides something: what golden cases are compared with."""
    lines: list[str] = []
    for one in planned.jobs:
        lines.append(f"job {one.name} ({one.kind})" + (f" -> {one.writes}" if one.writes else ""))
        lines += [f"  after {', '.join(one.after)}"] if one.after else []
        lines += [f"  takes up {one.resumes} interrupted"] if one.resumes else []
        for lock in one.locks:
            lines += [f"  lock {lock.resource} on {lock.host}", *_argv(lock.argv)]
        lines += [text for each in planned.steps if each.job == one.name for text in _step(each)]
    lines += [f"skip {skip.job}: {skip.reason}" for skip in planned.skips]
    for found in planned.findings:
        lines.append(f"{found.severity} {found.source}: {found.text}" + (f" -> {found.advice}" if found.advice else ""))
    return "\n".join(lines) + "\n"


def _step(one: Step) -> list[str]:
    head = [f"  {one.id} on {one.host}: {one.effect.name}"]
    if isinstance(one.action, Command):
        head += _argv(one.action.argv)
    else:
        put = one.action
        head.append(f"      put {put.artifact} {put.sha256[:4]} at {put.path} mode {put.mode:o}")
    for word, claim in (("only if", one.guard), ("unless", one.unless)):
        if isinstance(claim, Check):
            asked = f"{claim.field} {claim.relation} {claim.value!r}"
            head += [f"    {word} {asked}, asked on {claim.host}", *_argv(claim.argv)]
        elif claim:
            head.append(f"    {word} {claim.step} ended {claim.codes}")
    head += [f"    reads {', '.join(one.inputs)}"] if one.inputs else []
    head += [f"    is given the output of {' or '.join(one.feed)}"] if one.feed else []
    head += [f"    may end {one.ok_codes}"] if one.ok_codes != (0,) else []
    head += [f"    output kept as {one.keep_output_as}"] if one.keep_output_as else []
    head += [f"    needs {', '.join(one.needs)}"] if one.needs else []
    return head


def _argv(argv: tuple[str, ...]) -> list[str]:
    lines = ["     "]
    for word in argv:
        if len(lines[-1]) + len(shlex.quote(word)) > 104:
            lines.append("       ")
        lines[-1] += " " + shlex.quote(word)
    return lines
