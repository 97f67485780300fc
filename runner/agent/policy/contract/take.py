"""The options of `take` and `taken`, and their answers.

A runner may be newer than the agent that it asks: these two, and what `take` reads, stay as they are between versions.
"""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, Digest, FileNameWord, MachineId, Positive


class Take(NamedTuple):
    """Options of `take`: an order for the table of `key`, and the signatures of keepers under its very bytes.

    The program that it names comes on standard input.
    """

    key: FileNameWord
    order: str
    signatures: str


class TakenOrder(NamedTuple):
    """Answer of `take`: the number of the order, and whether the policy and the program were written now."""

    taken: Positive
    policy: bool
    program: bool


class AskTaken(NamedTuple):
    """Options of `taken`: the key that asks."""

    key: FileNameWord


class OrderStanding(NamedTuple):
    """Answer of `taken`: what an order for this host has to say, and what it would change.

    `taken` is the number of the last one, 0 where there was none; `signed` how many keepers have to sign, 0 where no
    order is taken. `was` is the SHA-256 of the whole policy, `agent` that of the program; `policy` is the key's table.
    """

    machine: MachineId
    taken: Count
    signed: Count
    was: Digest
    agent: Digest
    policy: str
