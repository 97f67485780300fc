"""Causes: the names by which findings, skips and reports that have one cause are known to have it.

A person has one thing to do about a cause, however many jobs it keeps from being done.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

# Somebody stopped the run with Ctrl-C or a signal, whichever run it is.
STOPPED = "run/stopped"


class Fault(StrEnum):
    """What is wrong with a host or a store, where several jobs may suffer from it."""

    UNREACHABLE = "unreachable"
    CLOCK = "clock"
    UNUSABLE = "unusable"
    FULL = "full"
    LOST = "lost"
    EMPTY = "empty"
    BUSY = "busy"
    STRANGER = "stranger"
    SHELL = "shell"
    HISTORY = "history"


def of_host(name: str, fault: Fault) -> str:
    """`host/backup-server1/unreachable`."""
    return f"host/{name}/{fault}"


def of_store(name: str, fault: Fault) -> str:
    """`store/papio/full`."""
    return f"store/{name}/{fault}"


def of_job(name: str) -> str:
    """`job/prepare-papio`: what the others were not begun for."""
    return f"job/{name}"


def of_run(name: str) -> str:
    """`run/20261129T081500.000Z-77/busy`: another run is at it."""
    return f"run/{name}/{Fault.BUSY}"


def is_busy(cause: str) -> bool:
    """Whether it is that somebody else is at it."""
    # A job may be called that too, and has a cause of two parts.
    return cause.count("/") == 2 and cause.endswith(f"/{Fault.BUSY}")


def fault_of(answer: Mapping[str, Any]) -> Fault | None:
    """The fault that an outcome's answer names under `cause`; None where there is none of these."""
    word = answer.get("cause")
    return next((fault for fault in Fault if fault == word), None)
