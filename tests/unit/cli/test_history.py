"""What `history` says of the jobs of a run."""

from __future__ import annotations

import pytest

from runner.cli.history import _names

IDLE = {f"check-{number}": "nothing done" for number in range(4)}


@pytest.mark.parametrize(
    ("jobs", "text"),
    [
        ({}, ""),
        ({"backup-papio": "done", "purge-papio": "failed"}, "backup-papio, purge-papio (failed)"),
        ({"check-papio": "nothing done"}, "check-papio (nothing done)"),
        ({"check-papio": "nothing done", "backup-papio": "done"}, "backup-papio, check-papio (nothing done)"),
        (IDLE, "4 jobs with nothing to do"),
        ({"backup-papio": "done", **IDLE}, "backup-papio, 4 jobs with nothing to do"),
    ],
)
def test_a_job_that_was_named_is_named(jobs: dict[str, str], text: str) -> None:
    assert _names(jobs) == text
