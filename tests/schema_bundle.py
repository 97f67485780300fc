"""schema/jobs.schema.json is one file, because editors follow no reference to another: this puts the kinds and hooks in.

`make schema` after a change below schema/kinds or schema/hooks. Everything else in jobs.schema.json is written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parents[1] / "schema"
WHOLE = SCHEMAS / "jobs.schema.json"
END = ".schema.json"


def bundled() -> str:
    """The text of jobs.schema.json with every kind and hook as its own file has it."""
    whole: dict[str, Any] = json.loads(WHOLE.read_text())
    defs, common = whole["$defs"], whole["$defs"]["job"]["properties"]
    kinds, hooks = _parts("kinds"), _parts("hooks")
    defs["kinds"] = {name: _closed(name, kind, common) for name, kind in kinds.items()}
    defs["hooks"] = hooks
    defs["any_job"] = _any_job(kinds, common)
    whole["properties"]["hooks"]["properties"] = {name: {"$ref": f"#/$defs/hooks/{name}"} for name in hooks}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _parts(folder: str) -> dict[str, dict[str, Any]]:
    parts = {path.name.removesuffix(END): json.loads(path.read_text()) for path in (SCHEMAS / folder).iterdir()}
    return {name: {key: parts[name][key] for key in parts[name] if key != "$schema"} for name in sorted(parts)}


def _closed(name: str, kind: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    """A kind with the keys that every job has, and no other: editors know no `unevaluatedProperties`."""
    has_host = "hostFrom" not in kind
    inherited = {key: _common(key) for key in common if has_host or key != "host"}
    needed = ["kind", *(["host"] if has_host else []), *kind.get("required", ())]
    return {
        **kind,
        "required": needed,
        "properties": {**inherited, **kind["properties"]},
        "additionalProperties": False,
    }


def _any_job(kinds: dict[str, dict[str, Any]], common: dict[str, Any]) -> dict[str, Any]:
    """What an editor completes, the keys of every kind, and after that which of them a kind takes.

    One `if` in another, because a list of them hides the keys from an editor. A kind that is not ours is a plugin's,
    and takes whatever that says: so the keys here have words only.
    """
    words: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        for key, part in kind["properties"].items():
            words.setdefault(key, []).append(f"{name}: {part['description']}")
    own = {key: {"description": " ".join(said)} for key, said in words.items()}
    rules: dict[str, Any] = {}
    for name in reversed(kinds):
        when = {"properties": {"kind": {"const": name}}, "required": ["kind"]}
        rules = {"if": when, "then": {"$ref": f"#/$defs/kinds/{name}"}, **({"else": rules} if rules else {})}
    keys = {**{key: _common(key) for key in common}, **own}
    return {"type": "object", "description": "A job.", "properties": keys, "required": ["kind"], **rules}


def _common(key: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/job/properties/{key}"}


if __name__ == "__main__":
    WHOLE.write_text(bundled())
