"""Loads the plugins that jobs.toml names, and calls them: in name order, each on its own.

pluggy calls the last registered first and lets the first exception silence the rest. So every
plugin gets a registry to itself, and the order and what an exception means are decided here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from runner.config.load import schema_fault
from runner.config.plugin_source import FAILURES, line, make, reason, table, unfit
from runner.model.errors import HookFailed, HookUnfit, ReportUndelivered, RunnerError
from runner.model.event import Event
from runner.model.facts import Facts, Probe
from runner.model.kind import JobKind
from runner.model.notice import Notice
from runner.model.plan import Finding, Insertion, Plan, PlannedJob, Step
from runner.model.run import Report, Undelivered
from runner.model.site import Hook, Site

if TYPE_CHECKING:
    import pluggy

T = TypeVar("T")

KIND = ("name", "schema", "options", "probes", "draft")
_PLANNING = ("probes", "draft", "doubt", "together", "done")


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A plugin that is in use: its name in jobs.toml, and the pluggy registry that it has alone."""

    name: str
    registry: pluggy.PluginManager

    def call(self, spec: str, values: Mapping[str, object]) -> object:
        """Call one hook of this plugin; None where it does not implement it. Raises what it raises."""
        answers = getattr(self.registry.hook, spec)(**values)
        return answers[0] if answers else None


class Hooks:
    """The plugins of a site. Its methods mirror `hookspecs.Specs`.

    The planning methods raise HookFailed, naming hook, function and reason, for whatever goes
    wrong in a plugin. `observe` and `deliver_report` never raise.
    """

    def __init__(self, loaded: Sequence[Loaded] = ()) -> None:
        """Call `loaded` in this order."""
        self._loaded = tuple(loaded)
        self._deaf: dict[str, tuple[int, str]] = {}

    @classmethod
    def load(cls, site: Site) -> Self:
        """Import every plugin that `[hooks.NAME]` tables name; raises HookFailed."""
        return cls.named(site.hooks, site.folder)

    @classmethod
    def named(cls, hooks: Sequence[Hook], folder: str) -> Self:
        """Import these plugins, a site's own from `folder`; raises HookFailed for the first bad one."""
        return cls([_load(hook, folder) for hook in sorted(hooks, key=lambda hook: hook.name)])

    @classmethod
    def tried(cls, hooks: Sequence[Hook], folder: str) -> tuple[Self, Mapping[str, HookUnfit]]:
        """Those of these plugins that can be used; and, by name, what is wrong with each of the others."""
        loaded, unfit = [], {}
        for hook in hooks:
            try:
                loaded.append(_load(hook, folder))
            except HookUnfit as error:
                unfit[hook.name] = error
        return cls(loaded), unfit

    @property
    def names(self) -> tuple[str, ...]:
        """The plugins in the order in which they are called."""
        return tuple(hook.name for hook in self._loaded)

    def declare_kinds(self, taken: Collection[str] = ()) -> tuple[JobKind, ...]:
        """The kinds of jobs that plugins bring, no name twice and none that is `taken`."""
        kinds: dict[str, JobKind] = {}
        for hook in self._loaded:
            for kind in _answers(hook, "declare_kinds", {}):
                if not all(hasattr(kind, word) for word in KIND):
                    raise _wrong(hook, "declare_kinds", f"{kind!r} is no JobKind: that has {', '.join(KIND)}")
                if kind.name in kinds:
                    raise _wrong(hook, "declare_kinds", f"another hook has a kind '{kind.name}' already")
                if kind.name in taken:
                    raise _wrong(hook, "declare_kinds", f"the runner has a kind '{kind.name}' already")
                if fault := _kind_fault(kind):
                    raise _wrong(hook, "declare_kinds", f"kind '{kind.name}': {fault}")
                kinds[kind.name] = cast("JobKind", _Brought(hook, kind))
        return tuple(kinds.values())

    def declare_probes(self, site: Site) -> tuple[Probe, ...]:
        """The READ commands that plugins want answered, no id twice on a host."""
        known = {host.name for host in site.hosts}
        probes: dict[tuple[str, str], Probe] = {}
        for hook in self._loaded:
            for probe in _typed(hook, "declare_probes", Probe, {"site": site}):
                if probe.host not in known:
                    raise _wrong(hook, "declare_probes", f"jobs.toml has no host '{probe.host}'")
                if (probe.host, probe.id) in probes:
                    raise _wrong(hook, "declare_probes", f"probe '{probe.id}' on {probe.host} is there twice")
                probes[probe.host, probe.id] = probe
        return tuple(probes.values())

    def add_steps(self, site: Site, job: PlannedJob, steps: tuple[Step, ...], facts: Facts) -> tuple[Insertion, ...]:
        """The steps that plugins want in this job, in name order; `added_by` is set to their name."""
        anchors = {step.id for step in steps}
        taken = set(anchors)
        insertions: list[Insertion] = []
        values = {"site": site, "job": job, "steps": steps, "facts": facts}
        for hook in self._loaded:
            for insertion in _typed(hook, "add_steps", Insertion, values):
                step = insertion.step
                if step.job != job.name:
                    raise _wrong(hook, "add_steps", f"step '{step.id}' is of '{step.job}', not of '{job.name}'")
                if insertion.anchor not in anchors:
                    raise _wrong(hook, "add_steps", f"job '{job.name}' has no step '{insertion.anchor}'")
                if step.id in taken:
                    raise _wrong(hook, "add_steps", f"job '{job.name}' has a step '{step.id}' already")
                taken.add(step.id)
                insertions.append(replace(insertion, step=replace(step, added_by=hook.name)))
        return tuple(insertions)

    def check_plan(self, site: Site, plan: Plan, facts: Facts) -> tuple[Finding, ...]:
        """What plugins have to say about the plan; the source of each is `hooks.<name>`."""
        values = {"site": site, "plan": plan, "facts": facts}
        return tuple(
            replace(finding, source=f"hooks.{hook.name}")
            for hook in self._loaded
            for finding in _typed(hook, "check_plan", Finding, values)
        )

    def observe(self, event: Event) -> None:
        """Tell every plugin; one that raises is remembered for `deaf` and told the next event too."""
        for hook in self._loaded:
            try:
                hook.call("observe", {"event": event})
            except FAILURES as problem:
                count, first = self._deaf.get(hook.name, (0, reason(problem)))
                self._deaf[hook.name] = (count + 1, first)

    def deaf(self) -> tuple[Finding, ...]:
        """One finding for every plugin whose `observe` raised so far; each failure is told once."""
        findings = tuple(
            Finding(
                severity="attention",
                text=f"{name} could not follow the run ({count} times observe failed, first: {first})",
                source=f"hooks.{name}",
                do=f"mend the plugin, or take {table(name)} out of jobs.toml",
            )
            for name, (count, first) in self._deaf.items()
        )
        self._deaf.clear()
        return findings

    def deliver_report(self, report: Report, only: Collection[str] | None = None) -> tuple[Undelivered, ...]:
        """Let every plugin carry the report, or `only` those of these names; those that could not."""
        return self._failures("deliver_report", {"report": report}, self.names if only is None else only)

    def deliver_notice(self, notice: Notice) -> tuple[tuple[str, str], ...]:
        """Let every plugin carry the notice; the names and reasons of those that could not."""
        failed = self._failures("deliver_notice", {"notice": notice}, self.names)
        return tuple((each.hook, each.why) for each in failed)

    @property
    def tells_users(self) -> bool:
        """Whether any plugin carries notices at all."""
        return any(hook.registry.hook.deliver_notice.get_hookimpls() for hook in self._loaded)

    @property
    def delivering(self) -> frozenset[str]:
        """The plugins that carry reports."""
        return frozenset(hook.name for hook in self._loaded if hook.registry.hook.deliver_report.get_hookimpls())

    def _failures(self, spec: str, values: Mapping[str, object], names: Collection[str]) -> tuple[Undelivered, ...]:
        failed: list[Undelivered] = []
        for hook in self._loaded:
            try:
                if hook.name in names:
                    hook.call(spec, values)
            except FAILURES as problem:
                passing = isinstance(problem, ReportUndelivered) and problem.passing
                failed.append(Undelivered(hook=hook.name, why=reason(problem), passing=passing))
        return tuple(failed)


def _answers(hook: Loaded, spec: str, values: Mapping[str, object]) -> tuple[Any, ...]:
    try:
        answer = hook.call(spec, values)
    except FAILURES as problem:
        raise _wrong(hook, spec, reason(problem)) from problem
    if answer is None:
        return ()
    if not isinstance(answer, Sequence) or isinstance(answer, str | bytes):
        raise _wrong(hook, spec, f"it must return a list or a tuple, not {type(answer).__name__}")
    return tuple(answer)


def _typed(hook: Loaded, spec: str, to_return: type[T], values: Mapping[str, object]) -> tuple[T, ...]:
    answers = _answers(hook, spec, values)
    for answer in answers:
        if not isinstance(answer, to_return):
            raise _wrong(hook, spec, f"it must return {to_return.__name__}s, not {type(answer).__name__}")
    return answers


class _Brought:
    """A kind that a plugin brings, as it is; but what it raises while planning is its hook's failure."""

    def __init__(self, hook: Loaded, kind: JobKind) -> None:
        self._hook = hook
        self._kind = kind

    def __getattr__(self, word: str) -> object:
        member: object = getattr(self._kind, word)
        return partial(self._plan, word, member) if word in _PLANNING and callable(member) else member

    def _plan(self, word: str, method: Callable[..., object], *values: object) -> object:
        try:
            return method(*values)
        except RunnerError:
            raise
        except FAILURES as problem:
            raise _wrong(self._hook, f"kind '{self._kind.name}': {word}", reason(problem)) from problem


def _kind_fault(kind: JobKind) -> str:
    if not is_dataclass(kind.options) or not isinstance(kind.options, type):
        return f"its options are no dataclass: {kind.options!r}"
    fault = schema_fault(kind.schema)
    return f"its schema is no JSON Schema: {fault}" if fault else ""


def _wrong(hook: Loaded, spec: str, reason: str) -> HookFailed:
    return HookFailed(
        f"hooks.{hook.name}: {spec}: {reason}",
        do=f"mend the plugin (docs/hooks.md), or take {table(hook.name)} out of jobs.toml",
    )


def _load(hook: Hook, folder: str) -> Loaded:
    import pluggy

    from runner import hookspecs

    plugin = make(hook, folder)
    registry = pluggy.PluginManager(hookspecs.PROJECT)
    registry.add_hookspecs(hookspecs.Specs)
    specs = tuple(name for name in vars(hookspecs.Specs) if hasattr(registry.hook, name))
    try:
        registry.register(plugin, hook.name)
        registry.check_pending()
    except (pluggy.PluginValidationError, ValueError) as problem:
        raise unfit(hook, f"{line(problem)}; the hooks are {', '.join(specs)}") from problem
    callers = registry.get_hookcallers(plugin) or []
    if not callers:
        raise unfit(hook, f"nothing in it is marked @hookimpl; the hooks are {', '.join(specs)}")
    for caller in callers:
        for implementation in caller.get_hookimpls():
            _check_arguments(hook, caller.name, implementation)
    return Loaded(name=hook.name, registry=registry)


def _check_arguments(hook: Hook, spec: str, implementation: pluggy.HookImpl) -> None:
    if implementation.wrapper or implementation.hookwrapper:
        raise unfit(hook, f"{spec} is a wrapper; a plugin speaks for itself only")
    for argument in inspect.signature(implementation.function).parameters.values():
        # What pluggy passes for these differs from version to version.
        if argument.default is not argument.empty or argument.kind is not argument.POSITIONAL_OR_KEYWORD:
            raise unfit(hook, f"{spec}: argument '{argument}' must be plain, without a default")
