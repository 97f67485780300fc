"""What a probe asks of this host, as far as the key has a right to it; what it has none to is answered with why."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .. import probe as probing
from ..answer import Denied, Refused, emit
from . import refusals
from .allowed import require_question
from .rights import Rights
from .verdict import Allowed

LONGEST = 16 << 20
_FORMER = "/usr/local/sbin/runner-store"
_DENIED = 126


def probe(rights: Rights, require_readable: Callable[[Allowed], None]) -> int:
    """Answer the request on stdin for this host itself: only stores of this key, and only looks it has a right to."""
    request = _request(rights)
    asked, denied = [], {}
    for each in request["commands"]:
        argv = tuple(each["argv"])
        try:
            require_readable(require_question(rights, argv))
            asked.append({"id": each["id"], "argv": argv, "timeout": min(each.get("timeout", 20), 3600)})
        except Refused as refused:
            # A job that wants it is left out, and its host says why; no other is.
            refusals.note(rights.name, " ".join(argv))
            denied[each["id"]] = _reading(refused)
    answer = probing.answer({**request, "commands": asked})
    emit({**answer, "served": rights.name, "readings": {**answer["readings"], **denied}})
    return 0


def _reading(refused: Refused) -> Mapping[str, Any]:
    answer = json.dumps({"error": refused.error, "do": refused.do})
    return {"exit": _DENIED, "out": f"{answer}\n", "err": refused.error}


def _request(rights: Rights) -> Mapping[str, Any]:
    """The request on stdin. Denied where it asks for more than this host and the stores of the key, or is none."""
    content = sys.stdin.buffer.read(LONGEST + 1)
    request = json.loads(content) if len(content) <= LONGEST else None
    if not isinstance(request, dict) or request.get("root", "") != "" or request.get("stand_ins", []) != []:
        raise Denied("a probe asks here for this host itself, and for nothing else", "see docs/trust.md")
    stores, commands = request.get("stores", []), request.get("commands", [])
    if not (_are(stores, {"path": str}) and _are(commands, {"id": str, "argv": list})) or not all(map(_fits, commands)):
        raise Denied("that is no request of a probe", "see docs/store.md")
    for path in (each["path"] for each in stores):
        if path not in rights.stores:
            raise Denied(f"the key {rights.name} has no right to the store {path[:100]!a}", "see docs/trust.md")
    return {**request, "commands": commands, "program": sys.argv[0], "former": _FORMER}


def _are(tables: object, types: Mapping[str, type]) -> bool:
    """Whether it is a list of tables that have values of these types."""
    return isinstance(tables, list) and all(
        isinstance(each, dict) and all(isinstance(each.get(name), kind) for name, kind in types.items())
        for each in tables
    )


def _fits(command: Mapping[str, Any]) -> bool:
    """Whether its words are texts, and its time is one: what is no number is longer than none."""
    return all(isinstance(word, str) for word in command["argv"]) and _is_time(command.get("timeout", 20))


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and value > 0
