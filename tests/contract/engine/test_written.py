"""What the journal knows of the stores that a job wrote."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from runner.agent.snapshots.contract.begin import Begun
from runner.agent.store.contract.disk import DiskChecked
from runner.model.role import Role
from runner.model.run import Verdict
from tests.contract.engine.test_journal import NOW, PLAN, STEP, done, line, opened


def begun(store: str, name: str, uuid: str | None = None) -> dict[str, Any]:
    """What the agent answers: were it to answer otherwise, the journal would know of no seal at all.

    An older one did not tell the disk.
    """
    answer = Begun(partial=f"{store}/.partial/{name}", whole_seconds=False, uuid=uuid or "")._asdict()
    return answer if uuid is not None else {key: answer[key] for key in answer if key != "uuid"}


def disk(uuid: str) -> dict[str, Any]:
    return DiskChecked(ok=True, uuid=uuid)._asdict()


def test_where_a_job_sealed_its_snapshots_is_known_by_folder_and_disk(tmp_path: Path) -> None:
    """Only what was sealed counts, whatever else the answers hold, and whatever became of the job afterwards."""
    moved = begun("/srv/new", "2026-11-23T081500Z")
    with opened(tmp_path / "state" / "journal.sqlite") as journal:
        for day, (answer, checked, sealed) in enumerate((
            (begun("/srv/old", "2026-11-20T081500Z"), disk("AA"), True),
            (begun("/srv/old", "2026-11-21T081500Z"), disk("AA"), True),
            (begun("/srv/old", "2026-11-22T081500Z", "BB"), None, True),
            (moved, None, True),
            (moved, None, False),
            ({"partial": 7}, {"uuid": [1]}, True),
        )):  # fmt: skip
            answers: dict[str, Any] = {"begin": answer, "disk": checked, "seal": {} if sealed else None}
            run, plan = f"run{day}", replace(PLAN, id=f"plan{day}")
            given = [name for name in answers if answers[name] is not None]
            steps = [replace(STEP, id=f"backup/{name}", job="backup", role=Role(name)) for name in given]
            journal.run_started(run, NOW)
            journal.plan_started(run, plan, {})
            for step in steps:
                journal.step_started(plan.id, step, NOW)
                result = answers[step.role.value] or {}
                ended = replace(done(step), result=result, ended=NOW + timedelta(hours=day))
                journal.step_ended(plan.id, step, ended)
            if day:
                journal.job_ended(run, line("backup", Verdict.DONE, day, (1, 1) if day > 1 else None))
        wrote = journal.wrote()
    assert [(each.path, each.uuid, each.names) for each in sorted(wrote["backup"], key=lambda one: one.first)] == [
        ("/srv/old", "AA", ("2026-11-20T081500Z", "2026-11-21T081500Z")),
        ("/srv/old", "BB", ("2026-11-22T081500Z",)),
        ("/srv/new", "", ("2026-11-23T081500Z",)),
    ]
    (old,) = [each for each in wrote["backup"] if len(each.names) == 2]
    assert (old.last - old.first) == timedelta(hours=1)
