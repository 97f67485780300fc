"""Whether a key may have a verb of the agent with these arguments. Pure: what is on the disk is asked elsewhere."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..answer import Denied, Refused
from ..arguments import PATH, parse_as
from .rights import FURTHER, NEWEST, Rights

SCANS = "/var/lib/runner/scans/"
RESTORED = "/var/restored"
DO = "a person on that host decides what a key may do: /etc/runner/agent.toml there, and docs/trust.md"


class Allowed(NamedTuple):
    """What the verb works on: a store, "" for none, the snapshots that it would read; or a folder of the host."""

    store: str = ""
    snapshots: tuple[str, ...] = ()
    source: str = ""


Rule = Callable[[Rights, Any], Allowed]


def require(rights: Rights, words: Sequence[str]) -> Allowed:
    """What `words`, a verb and its arguments, would read; Denied where the key has no right to that verb with those."""
    verb = words[0] if words else ""
    place, rule = _VERBS.get(verb, ("", None))
    if rule is None or (verb in FURTHER and verb not in rights.verbs):
        raise Denied(f"the key {rights.name} has no right to {verb[:40]!a}", DO)
    return rule(rights, options(place, words[1:]))


def require_question(rights: Rights, argv: Sequence[str]) -> Allowed:
    """As `require`, for a command that a probe asks for."""
    if len(argv) < 2 or argv[0] != "runner-agent" or argv[1] not in _ASKED:
        raise Denied(f"the key {rights.name} has no right to look with {' '.join(argv[:2])[:40]!a}", DO)
    return require(rights, argv[1:])


def options(place: str, given: Sequence[str]) -> Any:  # noqa: ANN401
    """The arguments of a verb, whose contract is at `place`, as the verb reads them. Denied where they do not fit."""
    module, _, name = place.partition(":")
    contract = getattr(importlib.import_module(f".{module}", __package__.rpartition(".")[0]), name)
    try:
        return parse_as(contract, given)
    except Refused as refused:
        raise Denied(refused.error, refused.do) from None


def _of_store(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    path = given.store if hasattr(given, "store") else given.folder
    if path not in rights.stores:
        raise Denied(f"the key {rights.name} has no right to the store {path[:100]!a}", DO)
    return Allowed(path)


def _reads(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    allowed = _of_store(rights, given)
    names = [getattr(given, field) for field in ("name", "snapshot", "older", "newer") if hasattr(given, field)]
    more = [name for field in ("more", "names", "snapshots") if hasattr(given, field) for name in getattr(given, field)]
    return allowed._replace(snapshots=tuple(dict.fromkeys((*names, *more))))


def _reads_all(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    allowed = _of_store(rights, given)
    if rights.stores[allowed.store].reads == NEWEST:
        raise Denied(
            f"the key {rights.name} reads only the newest snapshot of that store", reading_all(rights, allowed)
        )
    return allowed


def reading_all(rights: Rights, allowed: Allowed) -> str:
    """What a person does who wants to read older ones."""
    table = f'[keys.{rights.name}.stores."{allowed.store}"]'
    return f'for as long as that is wanted, on that host: reads = "all" below {table} in /etc/runner/agent.toml'


def _as_is(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    return Allowed()


def _of_sources(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    source = getattr(given, "source", "/")
    if not any(source == each or source.startswith(f"{each.rstrip('/')}/") for each in rights.sources):
        raise Denied(f"the key {rights.name} has no right to read {source[:100]!a}", DO)
    scans = getattr(given, "scans", "")
    if scans and (not scans.startswith(SCANS) or "/" in scans[len(SCANS) :]):
        raise Denied(f"records of looks are below {SCANS} here, not in {scans[:100]!a}", DO)
    return Allowed(source=source)


def _floor(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    if given.lower:
        raise Denied(
            "a floor is lowered at the store's own console only", f"there: runner-agent floor {given.store} ..."
        )
    return _of_store(rights, given)


def _of_power(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    resource = getattr(given, "resource", "power")
    if not rights.power or resource != "power" or _elsewhere(given):
        raise Denied(f"the key {rights.name} has no right to the {resource[:20]} of this host", DO)
    return Allowed()


def _looks_at_host(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    if _elsewhere(given):
        raise Denied(f"the key {rights.name} looks at this host only where things are by default", DO)
    return Allowed()


def _looks_at_disks(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    for device in given.devices:
        if not PATH.fullmatch(device) or not device.startswith("/dev/"):
            raise Denied(f"no disk of this host: {device[:100]!a}", DO)
    return Allowed()


def _of_its_own(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    if given.key != rights.name:
        raise Denied(f"the key {rights.name} presents no order for another key", DO)
    return Allowed()


def _elsewhere(given: Any) -> bool:  # noqa: ANN401
    """Whether it names another place than the one that a host uses."""
    places = {"state": "/var/lib/runner", "run": "/run/runner/lock", "root": "/", "file": (), "folder": RESTORED}
    own = type(given)._field_defaults
    return any(
        getattr(given, field) not in (usual, own.get(field)) for field, usual in places.items() if hasattr(given, field)
    )


_ASKED = ("up", "outdated", "detached", "idle", "restored", "in-newest", "boot-checks", "chain")
# The contract of each verb that a key may have, and the rule.
_VERBS: Mapping[str, tuple[str, Rule]] = {
    "hold": ("store.contract.hold:Hold", _of_store),
    "not-sealed": ("snapshots.contract.not_sealed:NotSealed", _of_store),
    "begin": ("snapshots.contract.begin:Begin", _of_store),
    "clone": ("compose.contract.clone:Clone", _of_store),
    "compose": ("compose.contract.compose:Compose", _of_store),
    "seal": ("snapshots.contract.seal:Seal", _of_store),
    "keep-about": ("inventory.contract.keep:KeepAbout", _of_store),
    "keep-room": ("host.contract.room:KeepRoom", _of_store),
    "room": ("host.contract.room:LookAtRoom", _of_store),
    "reap": ("store.contract.reap:Reap", _of_store),
    "check-disk": ("store.contract.disk:CheckDisk", _of_store),
    "close": ("store.contract.close:Close", _of_store),
    "newest": ("store.contract.newest:Newest", _of_store),
    "links": ("retention.contract.links:Links", _of_store),
    "chain": ("history.contract.standing:LookAtChain", _of_store),
    "record": ("store.contract.newest:Record", _of_store),
    "in-newest": ("snapshots.contract.find:InNewest", _of_store),
    "find": ("snapshots.contract.find:Find", _reads_all),
    "search": ("snapshots.contract.search:Search", _reads),
    "diff": ("snapshots.contract.diff:Diff", _reads),
    "reading": ("snapshots.contract_restored:ReadSnapshots", _of_store),
    "floor": ("retention.contract.floor:Floor", _floor),
    "pin": ("store.contract.pins:Pin", _of_store),
    "unpin": ("store.contract.pins:Unpin", _of_store),
    "expire": ("retention.contract.expire:Expire", _of_store),
    "set-aside": ("retention.contract.aside:SetAside", _of_store),
    "bring-back": ("retention.contract.aside:BringBack", _of_store),
    "drop-aside": ("retention.contract.aside:DropAside", _of_store),
    "drop-partials": ("store.contract.partials:DropPartials", _of_store),
    "freed": ("store.contract.freed:Freed", _of_store),
    "audit": ("retention.contract.audit:Audit", _of_store),
    "damaged": ("retention.contract.audit:ListDamaged", _of_store),
    "sample": ("drill.contract:DrawSample", _reads),
    "newest-dumps": ("drill.contract:NewestDumps", _reads),
    "proven": ("store.contract.proven:Prove", _of_store),
    "mounted": ("host.contract.mounts:LookAtMount", _as_is),
    "up": ("arguments:NoOptions", _as_is),
    "outdated": ("packages.contract:LookOutdated", _looks_at_host),
    "detached": ("detached.contract:ListDetached", _looks_at_host),
    "restored": ("snapshots.contract_restored:ListRestored", _looks_at_host),
    "idle": ("power.contract:AskIdle", _looks_at_host),
    "about": ("arguments:NoOptions", _of_sources),
    "look": ("look.contract:Look", _of_sources),
    "changed": ("look.contract:Changed", _of_sources),
    "settle": ("look.contract:Settle", _of_sources),
    "explain": ("snapshots.contract.explain:Explain", _of_sources),
    "walk": ("snapshots.contract.walk:Walk", _of_sources),
    "hold-host": ("detached.contract:HoldHost", _of_power),
    "returned": ("power.contract:LookAfterBoot", _of_power),
    "boot-checks": ("power.contract:LookAtBoot", _looks_at_disks),
    "access": ("access.contract:LookAtAccess", _looks_at_host),
    "take": ("policy.contract.take:Take", _of_its_own),
    "taken": ("policy.contract.take:AskTaken", _of_its_own),
}
