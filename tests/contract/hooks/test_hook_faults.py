"""Plugins that do not fit, fail, exit or lie: what is refused, what is contained, who is named."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runner.config.plugins import Hooks
from runner.model.errors import HookFailed
from runner.model.site import Hook
from tests.contract.hook_parts import EVENT, FACTS, JOB, PLAN, REPORT, SITE, STEP, imports_as_they_were, load, method

HOUSE = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobKeys:
    """What a job of a plugin's kind says."""

    to: str = ""


@pytest.fixture(autouse=True)
def _imports() -> Iterator[None]:
    with imports_as_they_were():
        yield


def test_plugins_are_called_in_name_order_whatever_pluggy_would_do(tmp_path: Path) -> None:
    source = "from runner.model.plan import Finding\n" + method(
        "check_plan", "return [Finding(severity='note', text=__name__, source='x')]", mark="@hookimpl({})"
    )
    hooks = load(tmp_path, c=source.format("tryfirst=True"), a=source.format("trylast=True"), b=source.format(""))
    assert [finding.text for finding in hooks.check_plan(SITE, PLAN, FACTS)] == ["mysite.a", "mysite.b", "mysite.c"]


LOADING = {
    "a module that is not there": (None, "cannot import mysite.bad: ModuleNotFoundError"),
    "a module that does not parse": ("def", "cannot import mysite.bad: SyntaxError"),
    "a module that exits": ("raise SystemExit(3)", "cannot import mysite.bad: SystemExit: 3 (bad.py line 3)"),
    "no plugin function": ("x = 1", "no function plugin(settings)"),
    "a plugin function that fails": ("def plugin(settings): return settings['limit']", "KeyError: 'limit'"),
    "no hook at all": ("def plugin(settings): return object()", "nothing in it is marked @hookimpl"),
    "a misspelt hook": (method("check_plans", "return []"), "unknown hook 'check_plans'"),
    "an unknown argument": (method("check_plan", "return []", ", app"), "Argument(s) {'app'} are declared"),
    "a default": (method("check_plan", "return []", ", plan=None"), "'plan=None' must be plain"),
    "a bundle of arguments": (method("check_plan", "return []", ", **all"), "'**all' must be plain"),
    "a wrapper": (method("check_plan", "return (yield)", mark="@hookimpl(wrapper=True)"), "is a wrapper"),
}


@pytest.mark.parametrize("case", LOADING)
def test_a_plugin_that_does_not_fit_is_refused_by_name(case: str, tmp_path: Path) -> None:
    source, said = LOADING[case]
    if source is None:
        hook = Hook(name="mysite.bad", module="mysite.bad")
        with pytest.raises(HookFailed) as caught:
            Hooks.load(replace(SITE, folder=str(tmp_path), hooks=(hook,)))
    else:
        with pytest.raises(HookFailed) as caught:
            load(tmp_path, bad=source)
    assert caught.value.text.startswith("hooks.mysite.bad: ")
    assert said in caught.value.text
    assert '[hooks."mysite.bad"]' in caught.value.do


PLANNING = {
    "raises": ("check_plan", "return 1 / 0", "ZeroDivisionError: division by zero (bad.py line 6)"),
    "exits": ("declare_kinds", "raise SystemExit(0)", "SystemExit: 0"),
    "returns one": ("check_plan", "return 'refusal'", "must return a list or a tuple, not str"),
    "returns a generator": ("check_plan", "return (x for x in ())", "must return a list or a tuple, not generator"),
    "returns words": ("check_plan", "return ['refusal']", "must return Findings, not str"),
    "kind": ("declare_kinds", "return [object()]", "is no JobKind"),
    "unknown host": (
        "declare_probes",
        "from runner.model.facts import Probe; return [Probe(id='x', host='nobody', argv=('true',))]",
        "jobs.toml has no host 'nobody'",
    ),
    "id twice": (
        "declare_probes",
        "from runner.model.facts import Probe; return [Probe(id='x', host='papio', argv=('true',))] * 2",
        "probe 'x' on papio is there twice",
    ),
}


KINDS = {
    "of the runner": ({"name": "snapshot"}, (), "the runner has a kind 'snapshot' already"),
    "without a dataclass": ({"options": dict}, (), "kind 'own': its options are no dataclass: <class 'dict'>"),
    "no schema": ({"schema": []}, (), "kind 'own': its schema is no JSON Schema: list is no table"),
    "a wrong schema": (
        {"schema": {"properties": {"to": {"type": "strnig"}}}},
        (),
        "kind 'own': its schema is no JSON Schema: properties.to.type: 'strnig' is not valid",
    ),
    "that fails": ({}, ("probes", SITE, None), "kind 'own': probes: ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize("case", KINDS)
def test_a_kind_that_does_not_fit_or_fails_names_its_hook(case: str, tmp_path: Path) -> None:
    changes, call, said = KINDS[case]
    words = {"name": "own", "options": JobKeys, "schema": {}, "looks": True, **changes}
    kind = type("Own", (), {**words, "probes": lambda self, site, job: 1 / 0, "draft": None})()
    hooks = load(tmp_path, bad=method("declare_kinds", "return [type(self).kind]"))
    sys.modules["mysite.bad"].C.kind = kind  # type: ignore[attr-defined]
    with pytest.raises(HookFailed) as caught:
        getattr(hooks.declare_kinds(["snapshot"])[0], call[0])(*call[1:])
    assert caught.value.text.startswith("hooks.mysite.bad: ")
    assert said in caught.value.text


def ask(hooks: Hooks, spec: str) -> object:
    calls: dict[str, Callable[[], object]] = {
        "declare_kinds": hooks.declare_kinds,
        "declare_probes": lambda: hooks.declare_probes(SITE),
        "add_steps": lambda: hooks.add_steps(SITE, JOB, (STEP,), FACTS),
        "check_plan": lambda: hooks.check_plan(SITE, PLAN, FACTS),
    }
    return calls[spec]()


@pytest.mark.parametrize("case", PLANNING)
def test_a_planning_hook_that_fails_refuses_the_plan_and_names_itself(case: str, tmp_path: Path) -> None:
    spec, body, said = PLANNING[case]
    hooks = load(tmp_path, bad=method(spec, body))
    with pytest.raises(HookFailed) as caught:
        ask(hooks, spec)
    assert caught.value.text.startswith(f"hooks.mysite.bad: {spec}: ")
    assert said in caught.value.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("anchor='gone', step=replace(steps[0], id='n')", "has no step 'gone'"),
        ("anchor=steps[0].id, step=steps[0]", "has a step 'backup-papio/send' already"),
        ("anchor=steps[0].id, step=replace(steps[0], id='n', job='other')", "is of 'other', not of 'backup-papio'"),
    ],
)
def test_a_step_that_fits_nowhere_is_refused(change: str, said: str, tmp_path: Path) -> None:
    body = (
        "from dataclasses import dataclass, replace; from runner.model.plan import Insertion; "
        f"return [Insertion(where='after', {change})]"
    )
    hooks = load(tmp_path, bad=method("add_steps", body, ", steps"))
    with pytest.raises(HookFailed, match=re.escape(said)):
        hooks.add_steps(SITE, JOB, (STEP,), FACTS)


def test_a_hook_cannot_speak_or_act_under_the_name_of_another(tmp_path: Path) -> None:
    body = (
        "from dataclasses import dataclass, replace; from runner.model.plan import Insertion; "
        "return [Insertion(where='after', anchor=steps[0].id, step=replace(steps[0], id='n', added_by='x'))]"
    )
    hooks = load(tmp_path, bad=method("add_steps", body, ", steps"))
    assert hooks.add_steps(SITE, JOB, (STEP,), FACTS)[0].step.added_by == "mysite.bad"


@pytest.mark.parametrize("body", ["return 1 / 0", "raise SystemExit(0)", "raise ValueError('a\\nb\\x1b[31m')"])
def test_a_telling_hook_that_fails_silences_nobody_else(body: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    good = method("deliver_report", f"from pathlib import Path; Path({str(told)!r}).touch()", ", report")
    hooks = load(tmp_path, a=method("deliver_report", body), b=good, c=method("deliver_report", body))
    failed = hooks.deliver_report(REPORT)
    assert [each.hook for each in failed] == ["mysite.a", "mysite.c"]
    assert all(each.why.isprintable() and not each.passing for each in failed)
    assert told.exists()


def test_an_observer_that_fails_is_one_finding_once(tmp_path: Path) -> None:
    hooks = load(tmp_path, bad=method("observe", "return 1 / 0", ", event"))
    hooks.observe(EVENT)
    hooks.observe(EVENT)
    (finding,) = hooks.deaf()
    assert finding.severity == "attention"
    assert "2 times" in finding.text
    assert "ZeroDivisionError" in finding.text
    assert hooks.deaf() == ()


def test_what_lies_beside_jobs_toml_does_not_replace_pythons_own_modules(tmp_path: Path) -> None:
    (tmp_path / "sqlite3.py").write_text("raise SystemExit('mine')")
    hooks = load(tmp_path, ok=method("declare_kinds", "import sqlite3; return []"))
    assert hooks.declare_kinds() == ()


def test_a_site_without_hooks_does_not_pay_for_pluggy() -> None:
    code = (
        "import sys; from runner.config.plugins import Hooks; hooks = Hooks.named((), '/'); "
        "assert hooks.deaf() == hooks.names == (); assert 'pluggy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=HOUSE, check=True, timeout=30)
