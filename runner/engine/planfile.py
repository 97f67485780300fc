"""plan.toml: a plan as a person reads it, and back, exactly."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from runner.model.errors import UsageError
from runner.model.plan import (
    Action,
    Basis,
    Check,
    Command,
    Effect,
    Ended,
    Finding,
    Forecast,
    Lock,
    Plan,
    PlannedJob,
    PutFile,
    Skip,
    Step,
    WaitFor,
)
from runner.model.role import Phase, Role

FORMAT = 2


def data(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON and TOML values; empty and default values are left out.

    Text that is not UTF-8 (a name with bytes of its own) becomes `{"escaped": "..."}`, as Python
    writes it, since TOML has no form for it.
    """
    return {"format": FORMAT, **_plain(plan)}


def write(plan: Plan, path: Path) -> None:
    """Write `plan` to `path` in one piece; a plan that is being read is never half there."""
    import tomli_w

    heading = (
        "# A plan of runner. What is written here is what `runner apply` runs: nothing else, and once.\n"
        "# It is refused when jobs.toml, a store or a host has changed since.\n\n"
    )
    values = data(plan)
    content = (heading + tomli_w.dumps({**values, "sha256": _sum(values)})).encode("utf-8")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"{path}: {error.strerror}", do="name a file that can be written") from error


def read(path: Path) -> Plan:
    """The plan in `path`. UsageError if it is not one, or of a format this runner does not know."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", do="make one: runner plan --out plan.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a plan: {error}", do="make it again: runner plan --out plan.toml") from error
    if "format" not in values:
        raise UsageError(f"{path}: is not a plan", do="make one: runner plan --out plan.toml")
    if values["format"] != FORMAT:
        raise UsageError(
            f"{path}: another version of the runner wrote it: its format is {values['format']!r}, not {FORMAT}",
            do="make it again: runner plan --out plan.toml",
        )
    if values.pop("sha256", "") != _sum(values):
        raise UsageError(
            f"{path}: it was changed after it was made",
            do="make it again: runner plan --out plan.toml; what should run is said in jobs.toml",
        )
    try:
        return plan(values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: not a whole plan: {error}", do="make it again; it is not for editing") from error


def plan(values: Mapping[str, Any]) -> Plan:
    """The plan of which `data` made these values; AttributeError, KeyError, TypeError or ValueError if of none."""
    return _plan(_unescaped({**values}))


def _sum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:  # noqa: ANN401  (any value of a plan)
    if isinstance(value, Effect):
        return value.name.lower()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name), field.default) for field in fields(value))
        return {name: _plain(item) for name, item, default in pairs if item != default and item is not None}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and not _is_utf8(value):
        return {"escaped": value.encode("unicode_escape").decode("ascii")}
    return value


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _unescaped(value: Any) -> Any:  # noqa: ANN401  (any value of a plan file)
    if isinstance(value, list):
        return [_unescaped(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"escaped"}:
        return value["escaped"].encode("ascii").decode("unicode_escape")
    return {name: _unescaped(item) for name, item in value.items()}


def _plan(values: Mapping[str, Any]) -> Plan:
    return Plan(
        id=values["id"],
        made_at=datetime.fromisoformat(values["made_at"]),
        site=values["site"],
        live=values["live"],
        jobs=tuple(_job(job) for job in values.get("jobs", ())),
        steps=tuple(_step(step) for step in values.get("steps", ())),
        skips=tuple(_skip(skip) for skip in values.get("skips", ())),
        findings=tuple(_finding(finding) for finding in values.get("findings", ())),
        basis=tuple(Basis(**basis) for basis in values.get("basis", ())),
    )


def _skip(values: Mapping[str, Any]) -> Skip:
    return Skip(**_but(values, "done"), done=_moment(values, "done"))


def _moment(values: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(values[name]) if name in values else None


def _finding(values: Mapping[str, Any]) -> Finding:
    return Finding(**_but(values, "phase"), phase=Phase(values.get("phase", Phase.PLAN)))


def _job(values: Mapping[str, Any]) -> PlannedJob:
    return PlannedJob(
        **_but(values, "after", "locks", "details", "forecast", "since", "instant"),
        after=tuple(values.get("after", ())),
        details=tuple(values.get("details", ())),
        locks=tuple(Lock(**_but(lock, "argv"), argv=tuple(lock["argv"])) for lock in values.get("locks", ())),
        forecast=Forecast(**values.get("forecast", {})),
        since=_moment(values, "since"),
        instant=_moment(values, "instant"),
    )


def _step(values: Mapping[str, Any]) -> Step:
    action, unless = values["action"], values.get("unless")
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in _but(values, "action", "effect", "role", "guard", "unless").items()
    }
    return Step(
        **plain,
        action=_action(action),
        effect=Effect[values["effect"].upper()],
        role=Role(values.get("role", Role.STEP)),
        guard=_check(values["guard"]) if "guard" in values else None,
        unless=_unless(unless) if unless else None,
    )


def _action(values: Mapping[str, Any]) -> Action:
    if "artifact" in values:
        return PutFile(**values)
    if "until" in values:
        return WaitFor(**_but(values, "until"), until=_check(values["until"]))
    return Command(argv=tuple(values["argv"]))


def _unless(values: Mapping[str, Any]) -> Check | Ended:
    if "step" in values:
        return Ended(step=values["step"], codes=tuple(values.get("codes", (0,))))
    return _check(values)


def _check(values: Mapping[str, Any]) -> Check:
    return Check(**_but(values, "argv"), argv=tuple(values["argv"]))


def _but(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
