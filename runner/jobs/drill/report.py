"""How a drill ended: what came back as it was sealed, or the first that did not, and how many more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.agent.drill.contract import Compared, DumpProblem, DumpsTried, NameProblem, TriedDatabase
from runner.agent.store.contract.proven import ProofKept
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import STOPPED, JobReport, Outcome, State, Verdict
from runner.model.text import count, one_line
from runner.tools import answers

_SHOWN = 5


def drill_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """The report of a drill, with its numbers; None where it was not begun.

    Failed where anything that was tried did not come back whole, and where it could not be tried.
    """
    if not outcomes or any(outcome.state == State.BUSY for outcome in outcomes):
        return None
    tried = [outcome for outcome in outcomes if outcome.role in (Role.COMPARE, Role.RESTORE)]
    stopped = [outcome for outcome in outcomes if outcome.state in STOPPED]
    failed = [outcome for outcome in stopped if outcome.role != Role.CLEAR]
    summaries = [text for outcome in tried for text in _came_back(outcome)]
    again = (f"the same sample again: {job.headline}",) if job.headline else ()
    if failed:
        details = (*(line for outcome in failed for line in _wrong(outcome)), *summaries, *again)
        return JobReport(job=job.name, verdict=Verdict.FAILED, headline=_first(*failed), details=details)
    unread = [each.label for each in tried if each.state == State.DONE and _answer(each) is None]
    labels = " and of ".join(unread)
    doubts = [f"whether all came back is not known: the answer of {labels} cannot be read"] if unread else []
    doubts += [line for outcome in tried for line in (*_untried(outcome), *_passed(outcome), *_left(outcome))]
    doubts += [f"what was restored is still there: {one_line(outcome.note)}" for outcome in stopped]
    proofs = [each for each in outcomes if each.role == Role.PROVEN and each.state == State.DONE]
    if any(answers.read(each.result, ProofKept) is None for each in proofs):
        doubts.append("whether the store remembers it is not known: the answer cannot be read")
    known = "; ".join(summaries) or ("" if doubts else job.headline)
    # One line, however many databases there are: what it has no place for is below.
    doubt = doubts[0] if len(doubts) == 1 else f"{doubts[0]} (and {len(doubts) - 1} more, below)" if doubts else ""
    headline = "; but ".join(filter(None, (known, doubt)))
    verdict = Verdict.ATTENTION if doubts else Verdict.DONE
    numbers = [line for outcome in tried for each in (_compared_with, _each, _asked_for) for line in each(outcome)]
    details = (*doubts[1:], *numbers, *again)
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=details)


def _answer(outcome: Outcome) -> Compared | DumpsTried | None:
    """The answer of a step that tried something; None where it has none, or it cannot be read."""
    if outcome.role == Role.RESTORE:
        return answers.read(outcome.result, DumpsTried)
    return answers.read(outcome.result, Compared) if outcome.role == Role.COMPARE else None


def _databases(outcome: Outcome) -> tuple[TriedDatabase, ...]:
    """The databases that came back."""
    answer = _answer(outcome)
    return answer.databases if isinstance(answer, DumpsTried) else ()


def _came_back(outcome: Outcome) -> Iterator[str]:
    answer = _answer(outcome)
    if isinstance(answer, Compared) and outcome.state == State.DONE and not answer.untried:
        canaries = f" and {count(answer.canaries, 'canary', 'canaries')}" if answer.canaries else ""
        files, snapshots = count(answer.files, "file"), count(answer.snapshots, "snapshot")
        yield f"{files}{canaries} of {snapshots} came back as sealed"
    databases = _databases(outcome)
    if len(databases) == 1:
        yield _database(databases[0])
    elif databases:
        tables, rows = sum(each.tables for each in databases), sum(each.rows for each in databases)
        oldest = min(one_line(each.at)[:16] for each in databases)
        yield (
            f"{count(len(databases), 'database')} came back with {count(tables, 'table')} and {count(rows, 'row')} "
            f"(the oldest dump is of {oldest})"
        )


def _database(each: TriedDatabase) -> str:
    tables, rows = count(each.tables, "table"), count(each.rows, "row")
    return f"database {one_line(each.database)}: {tables}, {rows} (dump of {one_line(each.at)[:16]})"


def _each(outcome: Outcome) -> Iterator[str]:
    """The databases that the headline only counts."""
    databases = _databases(outcome)
    if len(databases) > 1:
        yield from map(_database, databases[:_SHOWN])
        if len(databases) > _SHOWN:
            yield f"and {count(len(databases) - _SHOWN, 'more database')}"


def _untried(outcome: Outcome) -> Iterator[str]:
    """Why nothing was proven, although nothing is wrong."""
    answer = _answer(outcome)
    if isinstance(answer, DumpsTried) and answer.untried:
        yield f"no database was tried: {one_line(answer.error)}; {one_line(answer.do)}"
    if isinstance(answer, Compared) and answer.untried:
        files = count(answer.files + answer.canaries, "file")
        yield f"whether {files} came back as sealed is not known: the store has no checksums of them"


def _passed(outcome: Outcome) -> Iterator[str]:
    """Newer dumps than those that were tried."""
    answer = _answer(outcome)
    for each in answer.passed if isinstance(answer, DumpsTried) else ():
        yield f"a newer dump was passed over: {_line(each)}"


def _left(outcome: Outcome) -> Iterator[str]:
    """Settings that did not come back."""
    for each in _databases(outcome):
        yield from (f"of database {one_line(each.database)} did not come back: {one_line(left)}" for left in each.left)


def _asked_for(outcome: Outcome) -> Iterator[str]:
    """The databases that need a superuser's rights."""
    for each in _databases(outcome):
        if each.superuser:
            name = one_line(each.database)
            yield f"database {name}: restore-db will need --as-superuser for it: {one_line(each.superuser)}"


def _first(outcome: Outcome, *others: Outcome) -> str:
    answers = [answer for each in others if (answer := _answer(each)) and answer.wrong]
    rest = len(others) - len(answers)
    more = "".join(f"; and {one_line(answer.error)}" for answer in answers)
    more += f"; and {count(rest, 'step')} more failed" if rest else ""
    stopped = {State.STALE: "is stale", State.INTERRUPTED: "was interrupted"}.get(outcome.state)
    if stopped:
        return f"{outcome.label} {stopped}: {one_line(outcome.note)}{more}"
    answer = _answer(outcome)
    if answer and answer.wrong:
        return f"what came back is not what it was: {one_line(answer.error)}{more}"
    return f"{outcome.label} failed: {one_line(outcome.note)}{more}"


def _wrong(outcome: Outcome) -> Iterator[str]:
    answer = _answer(outcome)
    if answer is None:
        return
    yield from map(_line, answer.wrong[:_SHOWN])
    total = max(answer.total, len(answer.wrong))
    if total > _SHOWN:
        yield f"and {total - _SHOWN:,} more"


def _line(problem: NameProblem | DumpProblem) -> str:
    if isinstance(problem, DumpProblem):
        name = f"database {problem.database}: " if problem.database else ""
        return one_line(f"{name}{problem.what}")
    where = f" of {problem.snapshot}" if problem.snapshot else ""
    return one_line(f"{problem.path}{where}: {problem.what}")


def _compared_with(outcome: Outcome) -> Iterator[str]:
    answer = _answer(outcome)
    if not isinstance(answer, Compared):
        return
    # Who is not root gets no owners back, and compares no attributes.
    attributes = f", the attributes of {answer.attributes:,}" if answer.attributes else ""
    files, source = count(answer.recorded, "file"), count(answer.source, "name")
    yield f"compared: {files} with the checksums of the seal{attributes}; {source} with the source as it is now"
    if answer.unchecked:
        files = count(answer.unchecked, "file")
        yield f"{files} with a checksum that no program at the store can check; install xxhash"
