"""The chain of a store after a power cut: all that was promised is in it, and nothing in the store is against it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runner.agent.answer import Refused
from runner.agent.history.against import of_names
from runner.agent.history.heard import hear
from runner.agent.history.line import Head
from runner.agent.store.layout import StoreFolder

PLACE = ".runner/chain"


def chain_troubles(root: Path, promised: bytes | None) -> list[str]:
    """What is wrong with it; `promised` is what it was when the last verb had ended, None before there was one."""
    lines = (promised or b"").splitlines(keepends=True)
    known = Head(len(lines), hashlib.sha256(lines[-1]).hexdigest()) if lines else Head()
    store = StoreFolder(root)
    try:
        heard = hear(store, known)
    except FileNotFoundError:
        return ["the chain is lost"] if lines else []
    except Refused as refused:
        return [refused.error]
    if lines and (heard.at is None or heard.undone):
        return ["what was promised is not in the chain"]
    return [f"{each.kind}: {each.path} of {each.snapshots[0]}, by the chain" for each in of_names(store, heard)]
