"""What a partial was begun as: that it is there, and that of the plan that goes on with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..answer import Refused
from . import received, receivers
from .layout import StoreFolder, is_name, partials, read_json, sealed


def require(store: StoreFolder, name: str, plan: str, descriptor: int) -> Mapping[str, Any]:
    """What `begin` wrote about the partial `name`; Refused unless `plan` did, and the newest is its basis.

    Nobody receives into it from here on, while the lock file is open as `descriptor`.
    """
    if not is_name(name) or name not in partials(store):
        raise Refused(f"there is no partial {name!a}", "run `begin` and the transfers first")
    # What receives writes down how it ended: only then it is known what was begun.
    receivers.end(descriptor, (name,))
    begun = read_json(store.begun(name))
    if begun.get("plan") != plan or begun.get("name") != name:
        raise Refused(f"the partial {name} was begun by another plan", "make a new plan")
    if begun.get("format") != received.BESIDE:
        raise Refused(
            f"the partial {name} was begun by an older runner-agent", "make a new plan; what was sent is used"
        )
    counted = sealed(store)
    newest = counted[-1] if counted else ""
    if newest != begun.get("basis", ""):
        raise Refused(f"the newest snapshot is {newest or 'none'} now", "make a new plan")
    if os.path.lexists(store.root / name):
        raise Refused(f"there is a {name} already", "look at what it is; nothing was changed")
    return begun
