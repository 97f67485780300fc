"""A transfer that stopped for want of room, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.agent.host.contract.room import RoomThere
from runner.model.role import Role
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.text import size
from runner.tools.answers import read


def no_room(report: JobReport, outcomes: Sequence[Outcome], head: str, cause: str = "") -> JobReport:
    """The report, and what a transfer really stopped of, where the host of the disk says that nothing was left."""
    looked = next((each for each in outcomes if each.role == Role.ROOM and each.state == State.FAILED), None)
    there = read(looked.result, RoomThere) if looked else None
    if there is None or not there.error:
        return report
    scarce = there.free_inodes * there.last_bytes < there.free_bytes * there.last_inodes
    free = f"{size(there.free_bytes)}{f' and {there.free_inodes:,} inodes' if scarce else ''}"
    last = f"{size(there.last_bytes)}{f' and {there.last_inodes:,} inodes' if scarce else ''}"
    whose = f"its system, which is on the same filesystem ({there.system})" if there.system else "the disk itself"
    sent = f" (about {size(there.sent)})" if there.sent else ""
    text = f"{head}: {free} free, and the last {last} stay free for {whose}; what was sent{sent} is kept"
    # What rsync said last is only that it was ended.
    return replace(report, verdict=Verdict.FAILED, headline=text, details=(), cause=cause)
