"""The schemas as data for tests: every key with its description, default and example."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.jobs.catalogue import KINDS as CATALOGUE
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.site import Job, Site

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schema"


def read(name: str) -> dict[str, Any]:
    return dict(json.loads((SCHEMAS / f"{name}.schema.json").read_text()))


class KindKeys:
    """A kind as far as jobs.toml is concerned; it never plans."""

    def __init__(self, name: str, options: type[Any]) -> None:
        self.name = name
        self.options = options

    @property
    def schema(self) -> Mapping[str, Any]:
        return read(f"kinds/{self.name}")

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        raise NotImplementedError

    def draft(self, site: Site, job: Job, facts: Facts, now: object) -> Draft:
        raise NotImplementedError


KINDS = {name: KindKeys(name, kind.options) for name, kind in CATALOGUE.items()}


def rows() -> dict[str, str]:
    """Give the line of docs/jobs.md for each key that has a value of its own."""
    return {path: _row(path, part, needed) for path, part, needed in keys() if "examples" in part}


def _row(path: str, part: Mapping[str, Any], needed: bool) -> str:
    choice = part.get("enum", ())
    words = f" One of {', '.join(f'`{toml(word)}`' for word in choice)}." if len(choice) > 1 else ""
    default = f"`{toml(part['default'])}`" if "default" in part else "*required*" if needed else ""
    return f"| `{path}` | {part['description']}{words} | {default} | `{toml(part['examples'][0])}` |"


def keys() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield the path of every key with its part of a schema, and whether its table needs it.

    NAME stands for a name of the user's choice.
    """
    root = read("jobs")
    yield from _inner("", root, root["$defs"])
    yield from _inner("jobs.NAME.", read("kinds/snapshot"), root["$defs"])
    for kind in sorted(KINDS.keys() - {"snapshot"}):
        yield from _inner(f"jobs.NAME({kind}).", read(f"kinds/{kind}"), root["$defs"])


Keys = Iterator[tuple[str, dict[str, Any], bool]]


def _inner(prefix: str, table: Mapping[str, Any], defs: Mapping[str, Any]) -> Keys:
    for name, inner in table.get("properties", {}).items():
        part = _whole(inner, defs)
        yield f"{prefix}{name}", part, name in table.get("required", ())
        yield from _inner(f"{prefix}{name}.", part, defs)
    if isinstance(each := table.get("additionalProperties"), dict):
        part = _whole(each, defs)
        yield f"{prefix}NAME", part, False
        yield from _inner(f"{prefix}NAME.", part, defs)


def _whole(part: dict[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """Put what a reference leads to in its place."""
    ref = part.get("$ref", "")
    if not ref:
        return part
    # What an editor is told of a job is made of the job's own keys and those of its kind, which are read apart.
    whole: dict[str, Any] = defs
    for word in ref.removeprefix("#/$defs/").replace("any_job", "job").split("/"):
        whole = whole[word]
    return {**part, **whole} if "properties" in whole else {**whole, **part}


def toml(value: object) -> str:
    """Write a JSON value as TOML would have it."""
    return json.dumps(value, ensure_ascii=False)
