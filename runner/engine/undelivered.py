"""Reports that could not be delivered, each in a file of its own in `state/undelivered`, until they are."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from runner.model.run import Report
from runner.tools import private
from runner.tools.answers import json_object, understood

_FOLDER = "undelivered"


@dataclass(frozen=True, kw_only=True, slots=True)
class _ReportFile:
    """What a file holds."""

    report: Report
    hooks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptReport:
    """A report that `hooks` have not delivered yet; None where its file cannot be understood.

    `error` says why it cannot be read now, "" where it can: then it may be whole all the same.
    """

    path: Path
    report: Report | None = None
    hooks: tuple[str, ...] = ()
    error: str = ""


@contextmanager
def at_work(state: Path) -> Iterator[tuple[KeptReport, ...]]:
    """What is kept, oldest first; nothing where there is none, and while another run delivers it: once is enough.

    Raises OSError where it cannot be seen.
    """
    folder = state / _FOLDER
    if not folder.is_dir():
        yield ()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield tuple(map(_read, sorted(folder.glob("*.json")))) if _alone(descriptor) else ()
    finally:
        os.close(descriptor)


def waiting(state: Path) -> int:
    """How many are kept, as far as that can be seen."""
    return len(list((state / _FOLDER).glob("*.json")))


def keep(state: Path, report: Report, hooks: tuple[str, ...]) -> None:
    """Keep the report for these hooks, whole or not at all, for its owner alone; without any it is removed. OSError."""
    path = state / _FOLDER / f"{report.run}.json"
    if not hooks:
        path.unlink(missing_ok=True)
        return
    private.put(path, json.dumps({"report": asdict(report), "hooks": hooks}, default=_text, indent=1))


def _alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> KeptReport:
    try:
        content = understood(json_object(path.read_bytes()), _ReportFile)
    except ValueError:
        return KeptReport(path=path)
    except OSError as error:
        return KeptReport(path=path, error=error.strerror or str(error))
    return KeptReport(path=path, report=content.report, hooks=content.hooks)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a report has no {type(value).__name__}")
