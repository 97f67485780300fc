"""Turn the checked tables of jobs.toml into the Site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from runner.config import order, plugin_source, quantity
from runner.model.kind import JobKind
from runner.model.options import SnapshotOptions
from runner.model.plan import Effect
from runner.model.site import Disk, Host, Job, People, Site, Store

Table = Mapping[str, Any]
T = TypeVar("T")
_BY_HAND = 2
_RESTORED_KEEP = "30d"


def site(tables: Table, *, schema: Table, kinds: Mapping[str, JobKind], folder: Path, digest: str) -> Site:
    """Build the Site from tables that hold to `schema`, each job's to its kind's as well.

    Tables may be missing: then what they would say is empty.
    """
    known = schema["properties"]
    jobs = tuple(_job(name, table, kinds[table["kind"]], tables) for name, table in tables.get("jobs", {}).items())
    stores = _all(tables.get("stores", {}), known["stores"]["additionalProperties"], Store)
    own: Table = tables.get("site", {})
    live = bool(own.get("live", False))
    sandbox = folder / "sandbox"
    return Site(
        name=own.get("name", ""),
        controller=own.get("controller", ""),
        folder=str(folder),
        state=str(folder / own.get("state", "state") if live else sandbox / "state"),
        sandbox=str(sandbox),
        digest=digest,
        timezone=own.get("timezone", "UTC"),
        live=live,
        unattended=Effect[own.get("unattended", "expire").upper()],
        restored_keep=quantity.duration(own.get("restored_keep", _RESTORED_KEEP)),
        known_hosts=own.get("known_hosts", ""),
        ask_code=own.get("ask_code", False),
        two_keepers=own.get("two_keepers", False),
        keepers=str(folder / own.get("keepers", "keepers")),
        people=msgspec.convert(tables.get("people", {}), People),
        hosts=_hosts(tables, known["hosts"]["additionalProperties"], None if live else sandbox),
        disks=_all(tables.get("disks", {}), known["disks"]["additionalProperties"], Disk),
        stores=tuple(_counting(store, jobs) for store in stores),
        jobs=jobs,
        hooks=tuple(
            hook
            for name, settings in tables.get("hooks", {}).items()
            if (hook := plugin_source.plugin_of(name, settings))
        ),
    )


def _all(tables: Table, schema: Table, to: type[T]) -> tuple[T, ...]:
    return tuple(msgspec.convert({**_plain(table, schema), "name": name}, to) for name, table in tables.items())


def _counting(store: Store, jobs: Sequence[Job]) -> Store:
    """The store with its `per_day`: as often as the schedule of its busiest job fires in a day, and two by hand.

    And with its `expire_usual`: as many go as come, which is what all its jobs make in a day, and two by hand.
    A job without a schedule, started by hand or by another program's, is taken for one that runs once a day.
    """
    policy = store.retention
    if policy is None:
        return store
    own = (job for job in jobs if isinstance(job.options, SnapshotOptions) and job.options.store == store.name)
    times = [max(order.times_a_day(job.schedule), 1) for job in own] or [1]
    per_day, usual = policy.per_day or max(times) + _BY_HAND, policy.expire_usual or sum(times) + _BY_HAND
    return replace(store, retention=replace(policy, per_day=per_day, expire_usual=usual))


def _hosts(tables: Table, schema: Table, sandbox: Path | None) -> tuple[Host, ...]:
    named = {name: {"address": "", **table} for name, table in tables.get("hosts", {}).items()}
    hosts = _all(named, schema, Host)
    if sandbox is None:
        return hosts
    stand_ins = tables.get("sandbox", {})
    return tuple(
        replace(host, root=str(sandbox / host.name), stand_ins=tuple(stand_ins.get(host.name, ()))) for host in hosts
    )


def _job(name: str, table: Table, kind: JobKind, tables: Table) -> Job:
    return Job(
        name=name,
        kind=kind.name,
        host=table["host"] if "host" in table else _host_of(table, kind, tables),
        options=options(table, kind),
        schedule=" ".join(table.get("schedule", "").split()),
        after=tuple(table.get("after", ())),
        runs_on=table.get("runs_on", ""),
    )


def _host_of(table: Table, kind: JobKind, tables: Table) -> str:
    """The host of the store or disk that the job is about: the kind's schema names the key."""
    key = str(kind.schema.get("hostFrom", ""))
    about: Table = tables.get(f"{key}s", {}).get(table.get(key), {})
    return str(about.get("host", ""))


def options(table: Table, kind: JobKind) -> object:
    """Make the kind's own options of a job's table that holds to its schema.

    msgspec.ValidationError where the two of them contradict each other: a fault of the kind.
    """
    properties = kind.schema.get("properties", {})
    own = {key: value for key, value in table.items() if key in properties}
    made: object = msgspec.convert(_plain(own, kind.schema), kind.options)
    return made


def _plain(table: Table, schema: Table) -> dict[str, Any]:
    """Read each value that the schema gives a format of ours; inner tables likewise."""
    return {key: _value(value, schema.get("properties", {}).get(key, {})) for key, value in table.items()}


def _value(value: object, schema: Table) -> object:
    match schema.get("format"), value:
        case "duration" | "week", str(text):
            return quantity.duration(text)
        case "amount", str(text):
            return quantity.amount(text)
        case "percent", str(text):
            return quantity.percent(text)
        case "size", str(text):
            return quantity.size(text)
        case "share", str(text):
            return quantity.share(text)
        case "thinning", str(text):
            return quantity.thinning(text)
        case "filesystems", "all":
            return ()
        case _, dict(inner) if "properties" in schema:
            return _plain(inner, schema)
        case _:
            return value
