"""`take`: change what a key may do here, and the program itself, as keepers of this host have ordered and signed.

Everything is looked at before anything is written. The program takes its place first, and then the policy, in one move
with the number of the order: what is cut off between the two is done by the same order, sent again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import durable, regular
from ..answer import Denied, Refused, reply
from ..arguments import parse_as
from ..command import ask
from ..host import machine
from . import keepers, order, rights, signatures, text
from .contract.take import AskTaken, OrderStanding, Take, TakenOrder
from .enrol import FOLDER

PROGRAM = "/usr/local/sbin/runner-agent"
_PATIENCE = 60


def standing(argv: Sequence[str]) -> int:
    """Print what an order for this host has to say, and what it would change. Reads only."""
    key, policy = parse_as(AskTaken, argv).key, rights.whole()
    table, known = text.table_of(policy.text, key), machine.machine_id()
    reply(OrderStanding(known, policy.taken, policy.signed, _was(policy), _digest(), table))
    return 0


def run(argv: Sequence[str]) -> int:
    """Take an order, and the program on stdin. Denied where it is not for this host as it is now, or not signed."""
    options = parse_as(Take, argv)
    rights.require_closed(PROGRAM)
    policy = rights.whole()
    if not policy.signed:
        raise Denied("this host takes no order from afar", "where the key of root is: runner enrol HOST --keepers 2")
    ordered = order.read(options.order)
    as_ordered = text.table_of(policy.text, options.key) == ordered.table.strip("\n")
    host = order.HostStanding(machine.machine_id(), policy.taken, _was(policy), _digest(), as_ordered)
    order.require_fits(ordered, host)
    after = _after(policy, options.key, ordered)
    rights.require_closed(keepers.FILE)
    known = keepers.parse(rights.content(keepers.FILE))
    signatures.require_signed(options.order.encode(), options.signatures, known, policy.signed)
    program = _program(ordered)
    with durable.alone(FOLDER):
        if rights.whole() != policy:
            raise Refused("the policy of this host has changed meanwhile", "ask for its order again", again=True)
        if ordered.agent != host.agent:
            _put(program, options.key)
        durable.write_file(Path(rights.POLICY), after.encode(), 0o644)
    reply(TakenOrder(ordered.number, True, ordered.agent != host.agent))
    return 0


def _after(policy: rights.PolicyText, key: str, ordered: order.HostOrder) -> str:
    """The policy as it is with the order. Denied where that would be none."""
    try:
        after = text.with_number(text.with_table(policy.text, key, ordered.table), "taken", ordered.number)
    except Refused as refused:
        raise Denied(refused.error, refused.do) from None
    if len(after.encode()) > rights.LONGEST:
        raise Denied("with that order the policy would be longer than one can be", "see docs/trust.md")
    return after


def _was(policy: rights.PolicyText) -> str:
    return hashlib.sha256(policy.text.encode()).hexdigest()


def _digest() -> str:
    try:
        return hashlib.sha256(regular.content(Path(PROGRAM), order.MOST_PROGRAM)).hexdigest()
    except OSError:
        return ""


def _program(ordered: order.HostOrder) -> bytes:
    """What comes on stdin. Denied where it is not the program of the order."""
    program = sys.stdin.buffer.read(ordered.size + 1)
    if len(program) != ordered.size or hashlib.sha256(program).hexdigest() != ordered.agent:
        raise Denied("the program that came with the order is not the one that it names", "send it with that version")
    return program


def _put(program: bytes, key: str) -> None:
    """Put it in place of this one, if it starts here: with one that does not, nobody would get in any more."""

    def require_starts(draft: Path) -> None:
        answer = ask((str(draft), "taken", key), timeout=_PATIENCE)
        if answer.exit != 0:
            why = (answer.err or answer.out).strip().rpartition("\n")[2]
            raise Refused(f"the program of the order does not start here: {why}", "see that python3 here does for it")

    with durable.replacing(Path(PROGRAM), ready=require_starts) as stream:
        os.fchmod(stream.fileno(), 0o755)
        stream.write(program)
