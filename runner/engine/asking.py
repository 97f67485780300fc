"""Ask runner-store something that changes nothing; the program travels along, as for a probe."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from runner.engine.artifact import BOOT, runner_store
from runner.hosts.transport import Result, Transport
from runner.model.errors import RunnerError
from runner.model.text import printable

_PATIENCE = 6 * 3600.0


def ask(transport: Transport, verb: tuple[str, ...], question: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON object that a READ verb answers; RunnerError with its reason where it does not."""
    last: dict[str, Any] = {}
    ask_lines(transport, verb, question, last.update)
    return last


def ask_lines(
    transport: Transport,
    verb: tuple[str, ...],
    question: Mapping[str, Any],
    heard: Callable[[Mapping[str, Any]], None],
) -> None:
    """Tell `heard` of every JSON line that a READ verb prints, as they come."""
    program = runner_store()
    rest = b""
    answers: list[Mapping[str, Any]] = []

    def sink(chunk: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + chunk).split(b"\n")
        for text in lines:
            answer = json.loads(text)
            if "error" in answer:
                answers.append(answer)
            else:
                heard(answer)

    argv = ("python3", "-I", "-c", BOOT, str(len(program)), *verb)
    stdin = (program, json.dumps(question).encode("ascii"))
    result = transport.run(argv, stdin=stdin, timeout=_PATIENCE, sink=sink)
    if answers:
        raise RunnerError(str(answers[0]["error"]), do=str(answers[0].get("do", "")))
    if result.exit != 0:
        raise RunnerError(f"{transport.host}: {_why(result)}")


def _why(result: Result) -> str:
    lines = printable(result.err).strip().splitlines()
    return result.error or (lines[-1] if lines else f"runner-store ended {result.exit}")
