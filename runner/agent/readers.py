"""The verbs that only read and that a probe may ask for, answered by the program that probes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .answer import Refused
from .database import databases, dumps
from .detached import carried
from .host import up
from .packages import outdated
from .power import boot_checks, idle

PROGRAM = "runner-store"
READERS: Mapping[str, Callable[[Sequence[str]], Mapping[str, Any]]] = {
    "up": up.read,
    "outdated": outdated.read,
    "carried": carried.read,
    "still": idle.read,
    "boot-checks": boot_checks.read,
    "databases": databases.read,
    "dumps": dumps.read,
}


def reading(argv: Sequence[str]) -> dict[str, Any]:
    """What `runner-store VERB ...` would have printed, as a reading; nothing need be installed for it."""
    read = READERS.get(argv[1]) if len(argv) > 1 else None
    if read is None:
        return _reading(1, {"error": f"a probe may ask for: {', '.join(READERS)}", "do": "see docs/store.md"})
    try:
        return _reading(0, read(argv[2:]))
    except Refused as refused:
        return _reading(refused.code, {"error": refused.error, "do": refused.do})
    except (OSError, ValueError) as problem:
        return _reading(1, {"error": ascii(str(problem)), "do": "look at the host"})


def _reading(code: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    return {"exit": code, "out": json.dumps(answer) + "\n", "err": ""}
