"""`carried`: what was begun on this host to outlive its caller, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..answer import emit
from ..arguments import parse
from ..store.layout import read_json
from .records import KEPT, Carriage, alive, carriages


def run(argv: Sequence[str]) -> int:
    """Print `{"carried": [{"plan", "step", "argv", "started", "ended", "exit", "alive", "told"}...]}`.

    Newest first, at most 50. `exit` is null where it still works or nobody saw its end.
    """
    emit(read(argv))
    return 0


def read(argv: Sequence[str]) -> dict[str, Any]:
    """What `run` prints; changes nothing."""
    call = parse(argv, words=0, one=("state",))
    return {"carried": [_about(place) for place in carriages(call.one["state"])[:KEPT]]}


def _about(place: Carriage) -> dict[str, Any]:
    works = alive(place)
    began, ended = read_json(place.began), read_json(place.ended)
    return {
        "plan": began.get("plan", ""),
        "step": began.get("step", ""),
        "argv": began.get("argv", []),
        "started": began.get("started"),
        "ended": ended.get("ended"),
        "exit": ended.get("exit", None if works else read_json(place.child).get("exit")),
        "alive": works,
        "told": place.told.exists(),
    }
