"""An order: what a host is to be like, as keepers read and sign it. Its text is read here, and judged. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ..answer import STALE, AlreadyDone, Denied, Refused, plain
from . import toml

LONGEST = 48 << 10
# No program of ours comes near it.
MOST_PROGRAM = 16 << 20
_SEE = "runner enrol HOST --out FILE writes one that can be read"
_ANOTHER = "make another order, read it, have it signed: runner enrol HOST --out FILE"


class HostOrder(NamedTuple):
    """What an order says: for which machine, policy (`was`) and program (`replaces`), the how manieth; what comes."""

    machine: str
    number: int
    was: str
    replaces: str
    agent: str
    size: int
    table: str


class HostStanding(NamedTuple):
    """What decides whether a host takes an order: its id, the last number, the digests of policy and program.

    `as_ordered`: the table in its policy is the order's already.
    """

    machine: str
    taken: int
    was: str
    agent: str
    as_ordered: bool


_KINDS = {"format": int, "machine": str, "number": int, "was": str, "replaces": str, "agent": str, "size": int}


def read(text: str) -> HostOrder:
    """What the text of an order says. Denied where it is none: nothing in it may be hidden from who reads it."""
    if len(text) > LONGEST or any(plain(line, LONGEST) != line for line in text.split("\n")):
        raise Denied("that order is too long, or has characters that do not show", _SEE)
    head, _, table = text.partition("\n[")
    try:
        values = toml.parse(head)
    except Refused as refused:
        raise Denied(f"that order cannot be read: {refused.error}", _SEE) from None
    if {name: type(value) for name, value in values.items()} != _KINDS or values.pop("format") != 1:
        raise Denied(f"that is no order: it begins with format = 1 and {', '.join(list(_KINDS)[1:])}", _SEE)
    return HostOrder(**values, table=f"[{table}")


def require_fits(order: HostOrder, host: HostStanding) -> None:
    """Denied where it is another host's, was taken before, is for another policy, or its program cannot be one.

    AlreadyDone where it was taken, and all is as it says.
    """
    if not host.machine or order.machine != host.machine:
        raise Denied(
            f"that order is for the machine {order.machine[:32]}, and this one is {host.machine or 'not known'}",
            _ANOTHER,
        )
    if order.number == host.taken and host.as_ordered and order.agent == host.agent:
        raise AlreadyDone(f"order {order.number} was taken here, and all is as it says", f"order {order.number}")
    if order.number <= host.taken:
        raise Denied(f"that order has the number {order.number}, and {host.taken} was taken here", _ANOTHER)
    if order.was != host.was:
        raise Denied("the policy of this host is not the one that the order was made for", _ANOTHER, code=STALE)
    # Put in place already, where it was cut off before the policy was.
    if host.agent not in (order.replaces, order.agent):
        raise Denied("the agent of this host is not the one that the order replaces", _ANOTHER, code=STALE)
    if not 0 < order.size <= MOST_PROGRAM:
        raise Denied(f"no program has {order.size} bytes", _ANOTHER)
