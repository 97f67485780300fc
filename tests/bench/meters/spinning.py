"""How long a spinning disk would have been busy with a list of requests: a model, for ratios only. Pure.

A disk of 7200 turns a minute behind USB 2.0, of the size of the filesystem: 33 MB a second; a seek takes 2 to 10 ms,
by the root of its distance, and half a turn (4.17 ms). A gap of less than 256 KiB ahead is read over instead. Reads are
served as they come; writes wait until there are 128 of them or somebody asks for a flush, and are then sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import NamedTuple

RATE = 33e6
SHORTEST, LONGEST, HALF_TURN = 0.002, 0.010, 0.00417
READ_OVER = 256 << 10
BATCH = 128


class Request(NamedTuple):
    """What was asked of the disk: bytes from `start` on; `flush` asks for no more than what was written before."""

    start: int
    size: int
    write: bool = False
    flush: bool = False


def busy(requests: Iterable[Request], size: int) -> float:
    """Seconds in which a disk of `size` bytes would serve them."""
    total, head = 0.0, 0
    waiting: list[Request] = []
    for one in requests:
        if one.write:
            waiting.append(one)
        served: Sequence[Request] = () if one.write or one.flush else (one,)
        if one.flush or len(waiting) >= BATCH:
            served, waiting = sorted(waiting), []
        for each in served:
            seconds, head = _served(each, head, size)
            total += seconds
    for each in sorted(waiting):
        seconds, head = _served(each, head, size)
        total += seconds
    return total


def _served(one: Request, head: int, size: int) -> tuple[float, int]:
    ahead = one.start - head
    if 0 <= ahead < READ_OVER:
        way = ahead / RATE
    else:
        way = SHORTEST + (LONGEST - SHORTEST) * sqrt(min(abs(ahead), size) / size) + HALF_TURN
    return way + one.size / RATE, one.start + one.size
