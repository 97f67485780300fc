"""jobs.toml: read, checked as a whole, and turned into the Site. The only door of jsonschema."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec

import schema
from runner.config import (
    address,
    complaints,
    crosscheck,
    meant,
    order,
    paths,
    plugin_source,
    quantity,
    readiness,
    remedy,
    site_values,
    soundness,
)
from runner.config.complaints import KeyPath, Problem, no_such
from runner.model.errors import ConfigError, HookUnfit
from runner.model.fitting import Fitting
from runner.model.kind import JobKind
from runner.model.site import Site

Table = dict[str, Any]
Names = Mapping[str, Sequence[str]]

_SCHEMAS = Path(schema.__file__).parent
_EMPTY = "is empty: it needs [site], with name and controller, and [hosts.NAME]; the jobs.toml of a checkout has all"
_REST = "mend this first: the rest of the file is looked at once it can be read"
_NO_NAMES: Names = {}
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugins:
    """What is known of the plugins that do not come with the runner: those that cannot be used, and why, by name;
    and those that carry reports.
    """

    unfit: Mapping[str, HookUnfit] = field(default_factory=dict)
    delivering: frozenset[str] = frozenset()

    @property
    def carriers(self) -> frozenset[str]:
        """Every hook that carries reports, or that might if it could be used."""
        return plugin_source.CARRIERS | self.delivering | self.unfit.keys()


def load(
    path: Path, *, kinds: Mapping[str, JobKind], plugins: Plugins | None = None, acting: readiness.Unfit | None = None
) -> Site:
    """Read the jobs.toml at `path`; `kinds` are the kinds of job it may use, by name.

    The Site that comes back is complete: every name in it exists, every path is absolute and in
    its plain form, every default is filled in (hooks' settings excepted: they are as written).
    `acting` also asks what a live site needs: see `readiness.check`.
    ConfigError holds every problem at once, in the order of the file, each as
    `jobs.toml:LINE: KEY PATH: what is wrong`; it says so where the rest could not be looked at.
    """
    content = _read(path)
    text, tables = _parse(content, path)
    if not tables:
        raise ConfigError(str(path), [f"{path.name}:1: {_EMPTY}"])
    if hopeless := soundness.hopeless(tables):
        raise _error(path, text, hopeless, do=_REST)
    root = json.loads((_SCHEMAS / "jobs.schema.json").read_bytes())
    hidden = soundness.control_characters(tables)
    seen = {problem.path for problem in hidden}
    plugins = plugins or Plugins()
    visible = (*_violations(tables, root, kinds), *_unfit(plugins))
    problems = [*hidden, *(problem for problem in visible if problem.path not in seen)]
    sound, declared = soundness.sound_part(tables, problems)
    hosts = root["properties"]["hosts"]["additionalProperties"]
    families = hosts["properties"]["packages"]["enum"]
    digest = hashlib.sha256(content).hexdigest()
    site = site_values.site(sound, schema=root, kinds=kinds, folder=path.parent.resolve(), digest=digest)
    wrong = [*problems, *crosscheck.check(site, declared, families), *soundness.stand_ins(site)]
    if acting:
        # Of a table that is wrong it is not known what it lacks.
        known = {problem.path[:2] for problem in wrong}
        hears = any(name in plugins.carriers for name, _ in _tables(tables, "hooks"))
        ready = readiness.check(site, hears=hears, unfit=acting)
        wrong += (problem for problem in ready if not {problem.path[:1], problem.path[:2]} & known)
    if wrong:
        raise _error(path, text, (problem for problem in wrong if not (plugins.unfit and _is_of_a_kind(problem))))
    return site


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), [f"{path.name}: cannot be read: {error.strerror}"]) from error


def _parse(content: bytes, path: Path) -> tuple[str, Table]:
    """Decode and parse; of a syntax error tomllib knows only the first, with its place."""
    text = ""
    try:
        # Editors of another system put a mark before the text.
        text = content.decode("utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        line, what = content[: error.start].count(b"\n") + 1, "is not UTF-8 text: save the file as UTF-8"
    except RecursionError:
        line, what = 1, "is nested too deeply"
    except ValueError as error:
        from runner.config import syntax  # late, as what finds a line: a file is right nearly always

        line, what = syntax.explain(text, error)
    raise ConfigError(str(path), [f"{path.name}:{line}: {what}"], do=_REST)


def _error(path: Path, text: str, wrong: Iterable[Problem], *, do: str = "") -> ConfigError:
    from runner.config.toml_lines import key_lines, line_of

    lines = key_lines(text)
    placed = sorted({(line_of(problem.path, lines), _line(problem)) for problem in wrong})
    return ConfigError(str(path), [f"{path.name}:{line}: {text}" for line, text in placed], do=do)


def _line(problem: Problem) -> str:
    return f"{_dotted(problem.path)}: {problem.text}" if problem.path else problem.text


def _dotted(path: KeyPath) -> str:
    """Write a key path as TOML does; the number of a list's item in brackets, from 1."""
    words = ""
    for part in path:
        if isinstance(part, int):
            words += f"[{part + 1}]"
        else:
            words += "." * bool(words) + (part if _BARE.fullmatch(part) else json.dumps(part))
    return words


def _is_of_a_kind(problem: Problem) -> bool:
    """Whether a job's kind is not known; where a plugin cannot be used, that may be the one that brings it."""
    return problem.path[:1] == ("jobs",) and problem.path[2:] == ("kind",)


def _unfit(plugins: Plugins) -> Iterable[Problem]:
    """The plugins that cannot be used, each at its table."""
    for name, error in plugins.unfit.items():
        yield Problem(path=("hooks", name), text=f"{error.why}; {error.do}")


def _violations(tables: Table, root: Table, kinds: Mapping[str, JobKind]) -> tuple[Problem, ...]:
    """Hold the file to its schema, each job to its kind's and each hook to its own."""
    parts = ("jobs", "hooks")
    outer = {**root, "properties": {**root["properties"]}}
    for part in parts:
        outer["properties"][part] = {"type": "object"}
    outer["properties"]["jobs"]["propertyNames"] = root["properties"]["jobs"]["propertyNames"]
    names = {part: [name for name, _ in _tables(tables, part)] for part in ("hosts", "disks", "stores")}
    problems = list(_against(outer, tables, (), names))
    for name, table in _tables(tables, "jobs"):
        problems += _job(name, table, root["$defs"], kinds, names)
    for name, table in _tables(tables, "hooks"):
        problems += _hook(name, table, root["$defs"]["hooks"])
    return tuple(problems)


def _tables(tables: Table, part: str) -> Iterable[tuple[str, Any]]:
    held = tables.get(part, {})
    return held.items() if isinstance(held, dict) else ()


def _job(name: str, table: object, defs: Table, kinds: Mapping[str, JobKind], names: Names) -> tuple[Problem, ...]:
    """Check a job against the keys that all jobs have together with those of its kind."""
    path: KeyPath = ("jobs", name)
    common = defs["job"]
    rules = {"type": "object", "properties": common["properties"], "required": common["required"], "$defs": defs}
    word = table.get("kind") if isinstance(table, dict) else None
    if not isinstance(word, str):
        known: Table = {key: {} for kind in kinds.values() for key in kind.schema.get("properties", {})}
        named = {"kind": {**common["properties"]["kind"], "enum": list(kinds)}}
        rules |= {"properties": {**known, **common["properties"], **named}, "additionalProperties": False}
        return _against(rules, table, path, names)
    kind = kinds.get(word)
    if kind is None:
        rest = (problem for problem in _against(rules, table, path, names) if problem.path != (*path, "kind"))
        return (Problem(path=(*path, "kind"), text=_no_kind(word, kinds)), *rest)
    own = kind.schema
    merged = {
        **own,
        "properties": {**own.get("properties", {}), **common["properties"]},
        "required": [*common["required"], *own.get("required", ())],
        "additionalProperties": False,
        "$defs": {**defs, **own.get("$defs", {})},
    }
    if "hostFrom" in own:
        merged["properties"].pop("host")
    else:
        merged["required"].append("host")
    wrong = _against(merged, table, path, names)
    if not wrong and isinstance(table, dict):
        try:
            site_values.options(table, kind)
        except msgspec.ValidationError as error:
            return (Problem(path=path, text=f"kind {word!r} does not take what its schema allows: {error}"),)
    return wrong


def _no_kind(word: str, kinds: Mapping[str, JobKind]) -> str:
    called = meant.kind(word)
    return (
        f"there is no kind {word!r}; it is called {called!r} here" if called in kinds else no_such("kind", word, kinds)
    )


def _hook(name: str, settings: object, bundled: Table) -> tuple[Problem, ...]:
    path: KeyPath = ("hooks", name)
    if name in bundled:
        return _against(bundled[name], settings, path)
    wrong = plugin_source.problem(name, settings if isinstance(settings, dict) else {})
    return (wrong,) if wrong else _against({"type": "object"}, settings, path)


def _against(rules: Table, value: object, path: KeyPath, names: Names = _NO_NAMES) -> tuple[Problem, ...]:
    """What the schema `rules` says against a value; `names` are those that the file declares, by section."""
    if Fitting(rules, _FORMATS).surely(value):
        return ()
    validator, formats = _dialect()
    checker = validator(rules, format_checker=formats)
    rulebook = remedy.Rulebook(takes=lambda other, part: checker.evolve(schema=part).is_valid(other), names=names)
    return complaints.problems(checker.iter_errors(value), rulebook, path)


@cache
def _dialect() -> tuple[Any, Any]:
    """The validator of our schemas and the formats that it checks: one for all, as it takes milliseconds to make."""
    import jsonschema  # type: ignore[import-untyped]  # 70 ms that only this needs

    formats = jsonschema.FormatChecker(formats=())
    for word, read in _FORMATS.items():
        formats.checks(word, raises=ValueError)(partial(_reads, read))
    dialect = jsonschema.Draft202012Validator
    strict = dialect.TYPE_CHECKER.redefine("integer", _is_integer)
    return jsonschema.validators.extend(dialect, type_checker=strict), formats


def schema_fault(rules: object) -> str:
    """What keeps `rules` from being a JSON Schema of a table's keys; "" where nothing does."""
    import jsonschema

    if not isinstance(rules, Mapping):
        return f"{type(rules).__name__} is no table"
    try:
        jsonschema.Draft202012Validator.check_schema(rules)
    except jsonschema.SchemaError as error:
        return f"{'.'.join(map(str, error.absolute_path))}: {error.message}".removeprefix(": ")
    return ""


_FORMATS: Mapping[str, Callable[[str], object]] = {
    "duration": quantity.duration,
    "amount": quantity.amount,
    "percent": quantity.percent,
    "share": quantity.share,
    "size": quantity.size,
    "thinning": quantity.thinning,
    "week": quantity.week,
    "network": quantity.network,
    "address": address.address,
    "jump": address.jump,
    "mail": address.mail,
    "crontab": order.crontab,
    "absolute": paths.absolute,
    "below": paths.below,
    "device": paths.device,
    "plain": paths.plain,
    "rooted": paths.rooted,
    "whole": paths.whole,
    "timezone": soundness.timezone,
}


def _reads(read: Callable[[str], object], value: object) -> bool:
    """Let a format pass for anything but text: its type is complained about already."""
    return not isinstance(value, str) or read(value) is not None


def _is_integer(_: object, value: object) -> bool:
    """Take neither true nor 30.0 for an integer, as JSON Schema would the latter."""
    return isinstance(value, int) and not isinstance(value, bool)
