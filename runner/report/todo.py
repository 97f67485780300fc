"""What a person must do after a run: an item a cause, what matters most first, at most five of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.model.cause import is_busy, of_job
from runner.model.plan import Finding
from runner.model.run import JobReport, Stop, Todo, Verdict
from runner.model.text import count, one_line

MOST = 5
_NAMES = 3
_SERIOUS = (Verdict.FAILED, Verdict.ATTENTION)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToDo:
    """The items to show, and the findings of those that there was no place for."""

    items: tuple[Todo, ...]
    left: tuple[Finding, ...] = ()


@dataclass(kw_only=True, slots=True)
class _Item:
    """All that has one cause. `rank` is that of its most important part."""

    rank: tuple[int, int]
    findings: list[Finding] = field(default_factory=list)
    jobs: list[JobReport] = field(default_factory=list)


def to_do(jobs: Sequence[JobReport], serious: Sequence[Finding], weights: Mapping[str, int]) -> ToDo:
    """Every job that did not end well and every serious finding, those of one cause in one item.

    What failed comes before what wants attention; among these what is of the job with the least of `weights`. What is
    of no job has that of "", and a refusal comes first of all.
    """
    other = weights.get("", 0)
    items: dict[tuple[str, ...], _Item] = {}
    for finding in serious:
        refused = finding.severity == "refusal"
        weight = -1 if refused and finding.source not in weights else weights.get(finding.source, other)
        _of(items, _key(finding), (int(not refused), weight)).findings.append(finding)
    for job in jobs:
        if job.verdict in _SERIOUS:
            rank = (_SERIOUS.index(job.verdict), weights.get(job.job, other))
            _of(items, (job.cause or of_job(job.job),), rank).jobs.append(job)
    ordered = sorted(items.values(), key=lambda item: item.rank)
    shown = ordered if len(ordered) <= MOST else ordered[: MOST - 1]
    rest = ordered[len(shown) :]
    todos = [_todo(item) for item in shown]
    if rest:
        text, busy = f"and {count(len(rest), 'more thing')}, below", all(map(_is_busy, rest))
        todos.append(Todo(text=text, things=len(rest), busy=busy))
    return ToDo(items=tuple(todos), left=tuple(finding for item in rest for finding in item.findings))


def _of(items: dict[tuple[str, ...], _Item], key: tuple[str, ...], rank: tuple[int, int]) -> _Item:
    item = items.setdefault(key, _Item(rank=rank))
    item.rank = min(item.rank, rank)
    return item


def _key(finding: Finding) -> tuple[str, ...]:
    """What tells one thing to do from another: its cause, or else what to do about it."""
    if finding.cause:
        return (finding.cause,)
    return ("do", finding.do, finding.command) if finding.advice else ("text", finding.source, finding.text)


def _todo(item: _Item) -> Todo:
    """Who is concerned comes behind the cause; where that is one job only, its name leads, as everywhere."""
    sources = tuple(dict.fromkeys((*(each.source for each in item.findings), *(each.job for each in item.jobs))))
    # A job that failed of what a finding says has nothing to add to it here: its own words are below.
    texts = tuple(dict.fromkeys(each.text for each in item.findings)) or (item.jobs[0].headline,)
    advice = next((each for each in item.findings if each.advice), None)
    what = "; ".join((*texts[:_NAMES], *((f"and {len(texts) - _NAMES} more",) if len(texts) > _NAMES else ())))
    headline = f"{sources[0]}: {what}" if len(sources) == 1 else f"{what} ({named(sources)})"
    do, command = (advice.do, advice.command) if advice else ("", "")
    text = ": ".join(filter(None, (headline, do)))
    return Todo(text=text, do=do, command=command, headline=headline, busy=_is_busy(item))


def _is_busy(item: _Item) -> bool:
    """Whether it is over once somebody else is done, and nobody has to do anything."""
    return all(is_busy(each.cause) for each in item.findings) and all(job.stop == Stop.BUSY for job in item.jobs)


def named(names: Sequence[str]) -> str:
    """The first few of them: `backup-papio, purge-papio, check-papio and 2 more`."""
    more = len(names) - _NAMES
    shown = names if more == 1 else names[:_NAMES]
    return one_line(", ".join(shown)) + (f" and {more} more" if more > 1 else "")
