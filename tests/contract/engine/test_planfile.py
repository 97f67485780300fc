"""plan.toml and back, exactly; the schemas of plans and reports; commands as a real shell reads them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import os
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runner.engine import planfile, seal
from runner.jobs.catalogue import KINDS
from runner.model.errors import PlanRefused, UsageError
from runner.model.plan import (
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
from runner.model.role import Phase as When
from runner.model.role import Role
from runner.model.run import JobReport, Report
from runner.planning import planner
from runner.report.plan import command_lines
from tests.unit.planning.test_planner import GOLDEN, of_case
from tests.unit.report.test_report import GOLDEN as REPORTS

KEY = b"k" * 32
QUIET = settings(
    # Without shrinking: a whole plan takes minutes to shrink, and the value that failed is shown anyway.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Names with bytes of their own come as lone surrogates.
TEXT = st.text(
    st.sampled_from("ab\0\n\r\t\x1b\x7f\"'\\#[]{}=\u0085\u2028\u202e\u00e9\U0001f600\udc80\udcff\ud800"), max_size=6
)
ARGV = st.lists(TEXT, max_size=4).map(tuple)
BIG = st.integers(0, 2**62)
SECONDS = st.floats(allow_nan=False, allow_infinity=False)
CODES = st.lists(st.integers(-64, 255), max_size=3).map(tuple)
NEEDS = st.lists(st.sampled_from(("device", "packages", "power", "network")), max_size=2).map(tuple)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=2).map(tuple)


def plans(name: st.SearchStrategy[str]) -> st.SearchStrategy[Plan]:
    """Plans with every field of every value made up; `name` makes what jobs.toml or the runner names."""
    checks = st.builds(
        Check, host=name, argv=ARGV, field=name, relation=st.sampled_from(("==", "!=", ">=", "<=")),
        value=TEXT | BIG | SECONDS | st.booleans(), why=TEXT, replans=st.booleans(),
    )  # fmt: skip
    command = st.builds(Command, argv=ARGV, artifact=name, sha256=name)
    put = st.builds(PutFile, path=TEXT, artifact=name, sha256=name, mode=st.sampled_from((0o644, 0o755, 0)))
    ended = st.builds(Ended, step=name, codes=CODES, others=st.lists(name, max_size=2).map(tuple))
    wait = st.builds(WaitFor, until=checks, within=st.integers(1, 10**6), every=st.integers(1, 99), gone=st.booleans())
    steps = st.builds(
        Step, id=name, job=name, host=name, action=command | put | wait, effect=st.sampled_from(Effect), why=TEXT,
        guard=st.none() | checks, unless=st.none() | checks | ended, inputs=some(name), ok_codes=CODES,
        keep_output_as=name, silent=st.booleans(), timeout=st.integers(1, 10**6), added_by=name, needs=NEEDS,
        feed=some(name), despite=some(name), until=name, detached=st.booleans(), role=st.sampled_from(Role), subject=TEXT, replans=st.booleans(),
    )  # fmt: skip
    forecasts = st.builds(
        Forecast,
        bytes=st.none() | BIG,
        files=st.none() | BIG,
        seconds=st.none() | SECONDS,
        runs=st.integers(0, 9),
        exact=st.booleans(),
    )
    locks = st.builds(Lock, resource=name, host=name, argv=ARGV, until=name)
    jobs = st.builds(
        PlannedJob, name=name, kind=name, after=some(name), writes=name, resumes=st.integers(0, 30),
        headline=TEXT, details=some(TEXT), about=TEXT, partly=st.booleans(), doubt=st.booleans(), since=st.none() | st.datetimes(timezones=st.just(UTC)), locks=some(locks), forecast=forecasts,
        instant=st.none() | st.datetimes(timezones=st.just(UTC)),
    )  # fmt: skip
    severity = st.sampled_from(("note", "attention", "refusal"))
    return st.builds(
        Plan, id=name, made_at=st.datetimes(timezones=st.just(UTC)), site=TEXT, live=st.booleans(), jobs=some(jobs),
        steps=some(steps), skips=some(st.builds(Skip, job=name, reason=TEXT, cause=name, needless=st.booleans(), done=st.none() | st.datetimes(timezones=st.just(UTC)))),
        findings=some(st.builds(Finding, severity=severity, text=TEXT, source=name, do=TEXT, command=TEXT, phase=st.sampled_from(When), cause=name)),
        basis=some(st.builds(Basis, subject=name, digest=name, description=TEXT)),
    )  # fmt: skip


def validator(name: str) -> Any:
    schema = json.loads(files("schema").joinpath(f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def golden() -> Iterator[tuple[str, Plan]]:
    for name, case in GOLDEN.items():
        site, facts = of_case(case)
        yield name, planner.draft(site, [site.job(job) for job in case["jobs"]], facts, KINDS, {})


@QUIET
@given(plan=plans(TEXT))
def test_a_plan_comes_back_as_it_was(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    planfile.write(plan, file, KEY)
    assert planfile.read(file, KEY) == plan
    assert list(tmp_path.iterdir()) == [file]


def test_no_field_of_a_value_is_forgotten_above() -> None:
    """A field that is added to a value and not to `plans` would always have its usual value."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(plans))) if isinstance(node, ast.Call)]
    made = {ast.unparse(call.args[0]): {each.arg for each in call.keywords} for call in calls if call.args}
    for value in (Step, PlannedJob, Check, Finding, Plan, Forecast, PutFile, Ended, Lock, Skip, Basis):
        assert made[value.__name__] == {field.name for field in dataclasses.fields(value)}


@pytest.mark.parametrize(("name", "plan"), tuple(golden()), ids=lambda each: each if isinstance(each, str) else "")
def test_golden_plans_come_back_and_fit_the_schema(name: str, plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.toml"
    planfile.write(plan, file, KEY)
    assert planfile.read(file, KEY) == plan
    validator("plan").validate(json.loads(json.dumps(planfile.data(plan))))
    validator("plan").validate(tomllib.loads(file.read_text("utf-8")))


@QUIET
@given(plan=plans(st.text("ab/", max_size=2)))
def test_what_plan_json_prints_fits_the_schema(plan: Plan) -> None:
    validator("plan").validate(json.loads(json.dumps(planfile.data(plan))))


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_as_json_fits_the_schema(name: str) -> None:
    values = json.dumps(dataclasses.asdict(REPORTS[name]), default=datetime.isoformat)
    validator("report").validate(json.loads(values))


def objects(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for each in schema.values():
            yield from objects(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from objects(each)


@pytest.mark.parametrize("name", ["plan", "report"])
def test_the_schemas_describe_every_key_and_allow_no_other(name: str) -> None:
    for one in objects(validator(name).schema):
        assert one["additionalProperties"] is False
        for key, value in one["properties"].items():
            assert value.get("description"), key


def test_the_schemas_have_exactly_the_fields_of_the_values() -> None:
    plan, report = validator("plan").schema, validator("report").schema
    same = {
        "job": PlannedJob, "forecast": Forecast, "lock": Lock, "step": Step, "command": Command,
        "put_file": PutFile, "check": Check, "ended": Ended, "skip": Skip, "finding": Finding, "basis": Basis,
    }  # fmt: skip
    pairs = [(plan["$defs"][name], value) for name, value in same.items()]
    pairs += [(report, Report), (report["$defs"]["job"], JobReport)]
    for schema, value in pairs:
        fields = dataclasses.fields(value)
        assert set(schema["properties"]) == {field.name for field in fields}, value
    for schema, value in pairs[: len(same)]:
        needed = [
            field.name for field in dataclasses.fields(value)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]  # fmt: skip
        assert sorted(schema["required"]) == sorted(needed), value
    assert set(plan["properties"]) == {field.name for field in dataclasses.fields(Plan)} | {"format", "seal"}


def test_a_plan_takes_the_place_of_a_plan_and_of_nothing_else(tmp_path: Path) -> None:
    place, plan = tmp_path / "plan.toml", next(golden())[1]
    for _ in range(2):
        planfile.write(plan, place, KEY)
    theirs, notes, link, fifo = (tmp_path / name for name in ("jobs.toml", "notes", "link", "fifo"))
    theirs.write_text("[site]\n")
    notes.write_text("# A plan of runner. What is written here is what I think of it.\n")
    link.symlink_to(place)
    os.mkfifo(fifo)
    others = {theirs: "no plan", notes: "no plan", link: "a link", fifo: "no plain file", tmp_path: "no plain file"}
    for other, what in others.items():
        before = other.lstat().st_ino
        with pytest.raises(UsageError, match=f"is there and is {what}, so it is not replaced"):
            planfile.write(plan, other, KEY)
        assert other.lstat().st_ino == before
    assert theirs.read_text() == "[site]\n" and planfile.read(place, KEY) == plan


def test_a_plan_without_a_place_is_refused_before_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=rf"there is no folder {tmp_path}/nowhere\n.*make it"):
        planfile.require_replaceable(tmp_path / "nowhere/plan.toml")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"there is no folder {tmp_path}/file"):
        planfile.require_replaceable(tmp_path / "file/plan.toml")
    planfile.require_replaceable(tmp_path / "plan.toml")
    planfile.require_replaceable(tmp_path / "file")
    # Root may write everywhere but on a disk that is read-only.
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=rf"no file can be written in {tmp_path}\n.*in another folder"):
        planfile.require_replaceable(Path("plan.toml"))


def test_the_draft_of_a_plan_follows_no_link_and_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, plan, draft = tmp_path / "plan.toml", next(golden())[1], tmp_path / f".plan.toml.{os.getpid()}"
    (tmp_path / "theirs").write_text("theirs")
    draft.symlink_to("theirs")
    planfile.write(plan, place, KEY)
    assert (tmp_path / "theirs").read_text() == "theirs" and not os.path.lexists(draft)
    assert planfile.read(place, KEY) == plan
    # In a folder of all nobody but its owner may take away a name.
    draft.mkdir()
    with pytest.raises(UsageError, match="name a file that can be written"):
        planfile.write(plan, place, KEY)
    assert planfile.read(place, KEY) == plan


def test_an_empty_file_gives_way_to_a_plan(tmp_path: Path) -> None:
    place, plan = tmp_path / "plan.toml", next(golden())[1]
    place.touch()
    planfile.require_replaceable(place)
    planfile.write(plan, place, KEY)
    assert planfile.read(place, KEY) == plan


def test_what_is_no_file_is_no_plan_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    with (tmp_path / "hole").open("wb") as stream:
        stream.truncate(1 << 40)
    for name in ("pipe", "endless", "hole"):
        with pytest.raises((UsageError, PlanRefused)):
            planfile.take(tmp_path / name, KEY)


def test_a_plan_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    planfile.write(next(golden())[1], file, KEY)
    file.write_text(file.read_text("utf-8").replace("--archive", "--delete", 1), "utf-8")
    with pytest.raises(PlanRefused, match="it was changed after it was made"):
        planfile.read(file, KEY)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"x", b"format = 4", b"format = 1", b"format = 2", b"format = 3", b'format = "3"',
        b'format = 3\nid = "x"\nmade_at = "today"\nsite = "s"\nlive = true',
        b'format = 3\nid = "x"\nsite = "s"\nlive = true\nmade_at = 2026-11-23',
        # Longer than Python writes.
        b"format = 0x" + b"f" * 5000, b'format = 3\nseal = ""\nmore = 0x' + b"f" * 5000,
        b"format = 3\nseal = 2026-11-23", b"format = 3\nseal = \"\xc3\xa9\"",
        b"format = 3\na = " + b"[" * 5000, b"format = 3\na = " + b"[" * 200 + b"]" * 200,
    ],
)  # fmt: skip
def test_what_is_no_plan_says_so(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_bytes(content)
    with pytest.raises((UsageError, PlanRefused)) as problem:
        planfile.read(file, KEY)
    assert problem.value.do


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(("escaped", "argv", "step")), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@QUIET
@given(data=st.data(), junk=JUNK.filter(lambda value: value is not None))
def test_a_plan_with_a_wrong_value_anywhere_is_refused_in_words_or_is_a_plan(
    data: st.DataObject, junk: Any, tmp_path: Path
) -> None:
    import tomli_w

    def spoilt(value: Any) -> Any:
        if isinstance(value, dict) and value and data.draw(st.booleans()):
            key = data.draw(st.sampled_from(sorted(value)))
            return {**value, key: spoilt(value[key])}
        if isinstance(value, list) and value and data.draw(st.booleans()):
            return [spoilt(value[0]), *value[1:]]
        return junk

    values = {key: value for key, value in planfile.data(next(golden())[1]).items() if key != "format"}
    key = data.draw(st.sampled_from(sorted(values)))
    values = {"format": planfile.FORMAT, **values, key: spoilt(values[key])}
    file = tmp_path / "plan.toml"
    try:
        file.write_text(tomli_w.dumps({**values, "seal": seal.of(values, KEY)}), "utf-8")
    except TypeError:
        return
    try:
        assert isinstance(planfile.read(file, KEY), Plan)
    except PlanRefused as problem:
        assert problem.do


def through_a_shell(commands: list[list[str]], width: int) -> list[list[bytes]]:
    script = "".join(
        "printf '%s\\0' " + "\n".join(command_lines(argv, width)) + "\nprintf '\\0'\n" for argv in commands
    )
    said = subprocess.run(["sh"], input=script.encode("utf-8"), capture_output=True, check=True)
    assert said.stderr == b""
    return [one.split(b"\0") for one in said.stdout.removesuffix(b"\0\0").split(b"\0\0")]


WORD = st.text(st.sampled_from("ab \n'\"\\%$`*~!#;&|<>(){}[]\t\x1b\x07\u202e\u00e9\udcff-=01"), min_size=1, max_size=8)


@given(commands=st.lists(st.lists(WORD, min_size=1, max_size=5), min_size=1, max_size=6), width=st.integers(40, 200))
def test_a_command_pasted_into_a_shell_is_the_one_that_runs(commands: list[list[str]], width: int) -> None:
    told = through_a_shell(commands, width)
    assert told == [[word.encode("utf-8", "surrogateescape") for word in argv] for argv in commands]


def test_every_command_of_the_golden_plans_survives_a_shell() -> None:
    argvs = [
        list(step.action.argv) for _, plan in golden() for step in plan.steps
        if isinstance(step.action, Command) and "--basis=" not in step.action.argv
    ]  # fmt: skip
    assert through_a_shell(argvs, 81) == [[word.encode() for word in argv] for argv in argvs]


def test_the_schema_of_a_plan_knows_every_role_and_phase_and_no_other() -> None:
    text = files("schema").joinpath("plan.schema.json").read_text("utf-8")
    parts = json.loads(text)["$defs"]
    assert set(parts["step"]["properties"]["role"]["enum"]) == {role.value for role in Role}
    assert set(parts["finding"]["properties"]["phase"]["enum"]) == {phase.value for phase in When}
