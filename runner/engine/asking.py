"""Ask a host one question by a READ verb of the agent, and hear its answer: within a time, and within bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runner.engine.probe import MEND, advice, runner_agent, why
from runner.hosts import boot
from runner.hosts.transport import Transport
from runner.model.errors import RunnerError
from runner.model.text import excerpt, printable
from runner.tools.answers import ANSWER, json_object

# A verb answers at once, or reads much of a store first.
SMALL, LONGEST = 600.0, 6 * 3600.0

# How much of a line that cannot be read is shown.
_SHOWN = 60


def ask(
    transport: Transport, verb: tuple[str, ...], question: Mapping[str, Any], *, within: float = SMALL
) -> Mapping[str, Any]:
    """The JSON object that a READ verb answers in so many seconds; RunnerError with its reason where it does not."""
    answers: list[Mapping[str, Any]] = []

    def heard(answer: Mapping[str, Any]) -> None:
        if answers:
            # There may be no end of them.
            raise RunnerError(f"{transport.host}: it answered {verb[0]} more than once", do=MEND)
        answers.append(answer)

    ask_lines(transport, verb, question, heard, within=within)
    return answers[0] if answers else {}


def ask_lines(
    transport: Transport,
    verb: tuple[str, ...],
    question: Mapping[str, Any],
    heard: Callable[[Mapping[str, Any]], None],
    *,
    within: float = LONGEST,
) -> None:
    """Tell `heard` of every JSON line that a READ verb prints, as they come.

    RunnerError for the reason that the verb gives, and where a line cannot be read: nothing is heard after that.
    """
    # What is not ended yet is added to, and never copied: a host may send it byte by byte.
    rest = bytearray()

    def hear(text: bytes) -> None:
        try:
            answer = json_object(text)
        except ValueError:
            start = printable(text[:_SHOWN])
            error = f"{transport.host}: the answer to {verb[0]} cannot be read: {start}"
            raise RunnerError(error, do=MEND) from None
        if "error" in answer:
            raise RunnerError(excerpt(answer["error"]), do=advice(transport.host, answer))
        heard(answer)

    def sink(chunk: bytes) -> None:
        *ended, last = chunk.split(b"\n")
        # What is raised here ends the command: what cannot be read may go on for ever.
        for end in ended:
            rest.extend(end)
            text = bytes(rest)
            rest.clear()
            hear(text)
        rest.extend(last)
        if len(rest) > ANSWER:
            hear(bytes(rest))

    result = boot.run_agent(transport, runner_agent(), verb, question, timeout=within, sink=sink)
    if rest and result.exit == 0:
        hear(bytes(rest))
    if result.exit != 0:
        raise RunnerError(f"{transport.host}: {why(result)}")
