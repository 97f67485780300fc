"""Whether a key may have a verb of the agent with these arguments.

Pure, but for what in /dev is a disk: what else is there is asked elsewhere.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..answer import Denied, Refused
from ..arguments import parse_as
from .rights import FURTHER, NEWEST, Rights
from .upkeep import verbs as upkeep
from .verdict import DO, Allowed, Rule, denied, elsewhere, of_store

SCANS = "/var/lib/runner/scans/"
RESTORED = "/var/restored"


def require(rights: Rights, words: Sequence[str]) -> Allowed:
    """What `words`, a verb and its arguments, would read; Denied where the key has no right to that verb with those."""
    verb = words[0] if words else ""
    place, rule = _VERBS.get(verb, ("", None))
    if rule is None or (verb in FURTHER and verb not in rights.verbs):
        raise Denied(f"the key {rights.name} has no right to {verb[:40]!a}", DO)
    return rule(rights, options(place, words[1:]))


def require_question(rights: Rights, argv: Sequence[str]) -> Allowed:
    """As `require`, for a command that a probe asks for."""
    if argv[:1] == ("runner-agent",) and argv[1:2] and argv[1] in _ASKED:
        return require(rights, argv[1:])
    if argv[:1] == ("runner-agent",) or not (rights.power or rights.packages):
        raise denied(rights, f"look with {' '.join(argv[:2])[:40]!a}")
    from .upkeep import commands  # noqa: PLC0415  (few have a right to any)

    commands.require(rights, argv, commands.LOOK)
    return Allowed()


def options(place: str, given: Sequence[str]) -> Any:  # noqa: ANN401
    """The arguments of a verb, whose contract is at `place`, as the verb reads them. Denied where they do not fit."""
    module, _, name = place.partition(":")
    contract = getattr(importlib.import_module(f".{module}", __package__.rpartition(".")[0]), name)
    try:
        return parse_as(contract, given)
    except Refused as refused:
        raise Denied(refused.error, refused.do) from None


def _reads(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    allowed = of_store(rights, given)
    names = [getattr(given, field) for field in ("name", "snapshot", "older", "newer") if hasattr(given, field)]
    more = [name for field in ("more", "names", "snapshots") if hasattr(given, field) for name in getattr(given, field)]
    return allowed._replace(snapshots=tuple(dict.fromkeys((*names, *more))))


def _reads_all(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    allowed = of_store(rights, given)
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
    return of_store(rights, given)


def _looks_at_host(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    if elsewhere(given, RESTORED):
        raise Denied(f"the key {rights.name} looks at this host only where things are by default", DO)
    return Allowed()


def _looks_at_disks(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    from .upkeep.disks import is_device  # noqa: PLC0415  (few ask)

    for device in given.devices:
        if not is_device(device):
            raise Denied(f"no disk of this host: {device[:100]!a}", DO)
    return Allowed()


def _of_its_own(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    if given.key != rights.name:
        raise Denied(f"the key {rights.name} presents no order for another key", DO)
    return Allowed()


_ASKED = ("up", "outdated", "detached", "idle", "restored", "in-newest", "boot-checks", "chain")
# The contract of each verb that a key may have, and the rule.
_VERBS: Mapping[str, tuple[str, Rule]] = {
    "hold": ("store.contract.hold:Hold", of_store),
    "not-sealed": ("snapshots.contract.not_sealed:NotSealed", of_store),
    "begin": ("snapshots.contract.begin:Begin", of_store),
    "clone": ("compose.contract.clone:Clone", of_store),
    "compose": ("compose.contract.compose:Compose", of_store),
    "seal": ("snapshots.contract.seal:Seal", of_store),
    "keep-about": ("inventory.contract.keep:KeepAbout", of_store),
    "keep-room": ("host.contract.room:KeepRoom", of_store),
    "room": ("host.contract.room:LookAtRoom", of_store),
    "reap": ("store.contract.reap:Reap", of_store),
    "check-disk": ("store.contract.disk:CheckDisk", of_store),
    "close": ("store.contract.close:Close", of_store),
    "newest": ("store.contract.newest:Newest", of_store),
    "links": ("retention.contract.links:Links", of_store),
    "chain": ("history.contract.standing:LookAtChain", of_store),
    "record": ("store.contract.newest:Record", of_store),
    "in-newest": ("snapshots.contract.find:InNewest", of_store),
    "find": ("snapshots.contract.find:Find", _reads_all),
    "search": ("snapshots.contract.search:Search", _reads),
    "diff": ("snapshots.contract.diff:Diff", _reads),
    "reading": ("snapshots.contract_restored:ReadSnapshots", of_store),
    "floor": ("retention.contract.floor:Floor", _floor),
    "pin": ("store.contract.pins:Pin", of_store),
    "unpin": ("store.contract.pins:Unpin", of_store),
    "expire": ("retention.contract.expire:Expire", of_store),
    "set-aside": ("retention.contract.aside:SetAside", of_store),
    "bring-back": ("retention.contract.aside:BringBack", of_store),
    "drop-aside": ("retention.contract.aside:DropAside", of_store),
    "drop-partials": ("store.contract.partials:DropPartials", of_store),
    "freed": ("store.contract.freed:Freed", of_store),
    "audit": ("retention.contract.audit:Audit", of_store),
    "damaged": ("retention.contract.audit:ListDamaged", of_store),
    "sample": ("drill.contract:DrawSample", _reads),
    "newest-dumps": ("drill.contract:NewestDumps", _reads),
    "proven": ("store.contract.proven:Prove", of_store),
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
    "boot-checks": ("power.contract:LookAtBoot", _looks_at_disks),
    "access": ("access.contract:LookAtAccess", _looks_at_host),
    "take": ("policy.contract.take:Take", _of_its_own),
    "taken": ("policy.contract.take:AskTaken", _of_its_own),
    **upkeep.VERBS,
}
