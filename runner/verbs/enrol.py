"""Enrolling a host: a key of its own for what the jobs want of it, and the plan that binds it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from runner.hosts import reach
from runner.jobs.policy import enrol
from runner.model.errors import PlanRefused, RunnerError, UsageError, remedy
from runner.model.options import SnapshotOptions
from runner.model.plan import Plan
from runner.model.site import Host, Site
from runner.model.text import remedied
from runner.planning import schedule
from runner.planning.keepers import ENOUGH
from runner.tools import trust
from runner.tools.keepers import lines
from runner.verbs import signed
from runner.verbs.app import App

_WEEK = 7
_PATIENCE = 60.0


def key_of(site: Site, host: str) -> Path:
    """Where the key of the controller for `host` is."""
    return Path(site.state) / "keys" / host


def enrolling(
    app: App, name: str, *, root_key: str, source: str, allow: tuple[str, ...], keepers: int | None = None
) -> Plan:
    """The plan that binds our key to the policy of host `name`; the key is made if there is none yet.

    `root_key` is the key with which root lets us in there, "" for the usual one. `source` is the address that we have
    there, "" for what this machine would use. `allow` is what the key may do beside what snapshots want. So many of the
    site's `keepers` have to sign what changes the host from afar: 0 for nothing does, None for what the site wants.
    UsageError, RunnerError, PlanRefused.
    """
    host = require_host(app.site, name)
    enough = (ENOUGH if app.site.two_keepers else 0) if keepers is None else keepers
    signers = _keepers(app.site, enough) if enough else ""
    # Not the key that is bound already: with that nobody changes what it is bound to.
    app.site = replace(app.site, hosts=tuple(_as_root(each, name, root_key) for each in app.site.hosts))
    facts = app.gather((name,))
    known = facts.hosts[name]
    if known.error:
        raise RunnerError(remedied(f"{name} cannot be read: {known.error}", known.do))
    if known.served:
        text = f"the key that {name} was reached with is bound to a policy already, and changes none"
        raise UsageError(
            text,
            do=f"with one of root: runner enrol {name} --with KEY; or let keepers sign: runner enrol {name} --out FILE",
        )
    asked = enrol.EnrolRequest(
        host=name,
        public=_public(app, key_of(app.site, name)),
        source=source or ("" if host.jump else reach.own_address(host.address, host.port)),
        runs=runs(app),
        allow=allow,
        signed=enough,
        keepers=signers,
    )
    return app.plan_of(enrol.draft(app.site, asked), facts)


def require_host(site: Site, name: str) -> Host:
    """The host of that name, which is reached from here; UsageError where there is none."""
    host = next((each for each in site.hosts if each.name == name), None)
    if host is None or not site.live or name == site.controller:
        raise _no_such(site, name)
    return host


def _keepers(site: Site, enough: int) -> str:
    """The site's keepers, as a host keeps them. PlanRefused where these are not so many, or a host takes a line not."""
    trust.require((site.keepers,))
    signed.listed(site, enough)
    try:
        return lines(Path(site.keepers).read_text("utf-8"))
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise PlanRefused(f"{site.keepers}: {what}", do="a line each: anna ssh-ed25519 AAAA...") from error


def _no_such(site: Site, name: str) -> UsageError:
    others = ", ".join(each.name for each in site.hosts if each.name != site.controller) or "none"
    if not site.live:
        return UsageError("in the sandbox no host is reached", do="first live = true in jobs.toml; see docs/guide.md")
    why = "is this machine" if name == site.controller else "is no host of jobs.toml"
    return UsageError(f"{name} {why}", do=f"hosts that are reached from here: {others}")


def _as_root(host: Host, name: str, root_key: str) -> Host:
    return replace(host, key=root_key) if host.name == name and root_key else host


def _public(app: App, path: Path) -> str:
    """The public key of the pair at `path`, which is made where there is none."""
    here = app.transports[app.site.controller]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            make = (
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                f"runner:{app.site.controller}",
                "-f",
                str(path),
            )
            made = here.run(make, timeout=_PATIENCE)
            if made.exit != 0:
                raise RunnerError(f"no key could be made: {made.error or made.err.decode('utf-8', 'replace').strip()}")
        kind, blob, *_ = path.with_name(f"{path.name}.pub").read_text("utf-8").split()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no public key"
        do = remedy(error) if isinstance(error, OSError) else f"remove {path} and {path}.pub, and enrol again"
        raise RunnerError(f"{path}.pub cannot be read: {why}", do=do) from error
    return f"{kind} {blob}"


def runs(app: App) -> Mapping[str, int]:
    """How often a day each store gets a snapshot by the schedules of its jobs, at most, in the week that comes."""
    known: dict[str, int] = {}
    for job in app.site.jobs:
        if not isinstance(job.options, SnapshotOptions):
            continue
        moment, until, times = app.now(), app.now() + timedelta(days=_WEEK), 0
        while job.schedule and (moment := schedule.next_time(job.schedule, moment)) <= until:
            times += 1
        store = job.options.store
        known[store] = known.get(store, 0) + max(1, -(-times // _WEEK))
    return known
