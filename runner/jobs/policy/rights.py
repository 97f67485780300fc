"""What the controller's key has to be allowed on a host for the jobs of a site, as the policy of that host says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.model.options import DrillOptions, SnapshotOptions, UpgradeOptions
from runner.model.site import Job, Site, Store

# Of these the agent of another host does nothing, whatever its policy says.
_BY_ITS_OWN = ("disk", "dump", "access")
# What a job wants that a person may allow at enrolment.
_ALLOWED = {"reboot": "reboot", "halt": "poweroff", "updates": "updates", "upgrade": "upgrade"}
POWER, PACKAGES = ("reboot", "poweroff"), ("updates", "upgrade")
_DAYS = 7


def policy(site: Site, host: str, runs: Mapping[str, int], allow: Sequence[str] = ()) -> str:
    """The text of [keys.CONTROLLER] for `host`; `runs` is how often each store gets a snapshot a day by its schedules.
    `allow` are words of POWER and PACKAGES.

    A day may be made up for, and one repeated: so twice as many may be sealed, and as many expire, and two more.
    """
    key = f"keys.{site.controller}"
    sources = sorted({path for job in site.jobs for path in _sources(site, job, host)})
    own = [store for store in site.stores if store.host == host]
    power, packages = (_list([word for word in each if word in allow]) for each in (POWER, PACKAGES))
    lines = [f"[{key}]", f"sources = {_list(sources)}", f"power = {power}", f"packages = {packages}"]
    for store in own:
        lines += ["", f'[{key}.stores."{store.path}"]', *_store(site, store, runs.get(store.name, 1))]
    return "\n".join(lines) + "\n"


def beyond(site: Site, host: str, allow: Sequence[str] = ()) -> tuple[Job, ...]:
    """The jobs that want more of `host` than such a key may do, so that its own runner has to start them."""
    return tuple(
        job for job in site.jobs if job.host == host and (job.kind in _BY_ITS_OWN or not _wants(job) <= set(allow))
    )


def allowable(job: Job) -> bool:
    """Whether a person may allow the key what that job wants."""
    return job.kind in _ALLOWED


def _wants(job: Job) -> set[str]:
    wanted = {_ALLOWED[job.kind]} if job.kind in _ALLOWED else set()
    reboots = isinstance(job.options, UpgradeOptions) and job.options.reboot != "no"
    return wanted | {"reboot"} if reboots else wanted


def _store(site: Site, store: Store, runs: int) -> list[str]:
    retention = store.retention
    most = 2 * max(runs, 1) + 2
    values = {
        "floor": retention.min if retention else 1,
        # There it is of all jobs together: whoever has the key names them as he likes.
        "per_day": retention.per_day * max(1, sum(_writes(job, store) for job in site.jobs)) if retention else 0,
        "seals": most,
        "expiries": most,
        "young": _young(store, runs),
    }
    # A drill restores old ones too: it is to prove that they come back.
    drilled = any(isinstance(job.options, DrillOptions) and job.options.store == store.name for job in site.jobs)
    return [*(f"{name} = {value}" for name, value in values.items()), f'reads = "{"all" if drilled else "newest"}"']


def _writes(job: Job, store: Store) -> bool:
    return isinstance(job.options, SnapshotOptions) and job.options.store == store.name


def _young(store: Store, runs: int) -> int:
    """Within how many days nothing need expire: a week, or less where so many snapshots are made that some do."""
    retention = store.retention
    if retention is None:
        return _DAYS
    if retention.thin:
        return 0
    return min(_DAYS, max(retention.max // max(runs, 1) // 2, 0))


def _sources(site: Site, job: Job, host: str) -> tuple[str, ...]:
    """What of `host` a job copies to another."""
    if not isinstance(job.options, SnapshotOptions) or job.host != host or site.store(job.options.store).host == host:
        return ()
    return tuple(job.options.filesystems) or site.host(host).filesystems or ("/",)


def _list(words: Sequence[str]) -> str:
    return f"[{', '.join(f'{chr(34)}{word}{chr(34)}' for word in words)}]"
