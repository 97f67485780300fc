"""The options of `refused`, and its answer."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ...arguments import Count


class ListRefused(NamedTuple):
    """Options of `refused`: with `forget` what is noted is removed, once it is printed."""

    forget: bool = False


class RefusedAttempt(NamedTuple):
    """What was refused to a key of this host's policy: how often, when first and last."""

    key: str
    what: str
    first: datetime
    last: datetime
    times: Count


class RefusedList(NamedTuple):
    """Answer of `refused`."""

    attempts: tuple[RefusedAttempt, ...]
