"""What the agent answers: one JSON object on the last line of stdout, or why not and what to do."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

FAILED = 1
BUSY = 75
STALE = 77
NO_ROOM = 78
ALREADY = 79

WIDEST, SHOWN = 500, 200
# The types that JSON has.
PLAIN = frozenset((str, int, float, bool, type(None)))
HARMFUL = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class Refused(Exception):
    """The agent will not do it, or could not; `do` is what to do next, `code` the exit code.

    STALE: what is there is not what the plan was made from.

    `again`: another plan may well do better, since this one changed what is there. `cause` is `full`, `unusable` or
    `clock` where the disk is full, or is not as it must be, or a clock is wrong: other jobs suffer from it too.
    `also` is what else the verb answers then, beside the refusal.
    """

    def __init__(
        self,
        error: str,
        do: str = "",
        *,
        code: int = FAILED,
        holder: Mapping[str, Any] | None = None,
        again: bool = False,
        cause: str = "",
    ) -> None:
        super().__init__(error)
        self.error = error
        self.do = do
        self.code = code
        self.holder = holder
        self.again = again
        self.cause = cause
        self.also: dict[str, Any] = {}


class AlreadyDone(Refused):
    """Nothing is left to do: what was wanted for an instant was made for it before, and `made` is its name."""

    def __init__(self, error: str, made: str) -> None:
        super().__init__(error, code=ALREADY)
        self.made = made


class Denied(Refused):
    """The policy of this host does not allow it to the key with which it was asked for; its keepers are told."""


def emit(answer: Mapping[str, Any]) -> None:
    """Write one line of JSON; bytes of file names that are not UTF-8 become lone surrogates."""
    sys.stdout.write(json.dumps(answer, separators=(", ", ": ")) + "\n")


def reply(answer: tuple[Any, ...]) -> None:
    """Write the NamedTuple that is a verb's answer as one line of JSON; those in it are objects too."""
    emit(table(answer))


def table(answer: object) -> Any:  # noqa: ANN401
    """A NamedTuple as a mapping, and what is in it likewise; times as text, UTC."""
    if type(answer) in PLAIN:
        return answer
    if hasattr(answer, "astimezone"):
        from datetime import timezone  # noqa: PLC0415  (who answers a time has it; the others start without)

        moment = answer.astimezone(timezone.utc)  # noqa: UP017
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(answer, dict):
        return {key: table(value) for key, value in answer.items()}
    if hasattr(answer, "_fields"):
        # A line of a reading is one of many, and most of what is in it is plain.
        values: Any = answer
        pairs = zip(_keys(values.__class__), values)  # noqa: B905
        return {key: value if type(value) in PLAIN else table(value) for key, value in pairs}
    return [table(each) for each in answer] if isinstance(answer, (tuple, list)) else answer


@lru_cache(maxsize=None)  # noqa: UP033
def _keys(contract: type[Any]) -> tuple[str, ...]:
    return tuple(key.rstrip("_") for key in contract._fields)


# What is raised where the disk fails, or something that was read, such as a damaged file or what another host
# answered, is as nobody writes it, or more than there is memory for.
TROUBLE = (OSError, ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)


def refusal(problem: Exception) -> Refused:
    """The refusal that `problem` is, or that one of TROUBLE comes to."""
    if isinstance(problem, Refused):
        return problem
    if isinstance(problem, OSError):
        name = f" ({os.fsdecode(problem.filename)!a})" if isinstance(problem.filename, (str, bytes)) else ""
        return Refused(f"{problem.strerror or problem}{name}", "look at the disk and the folder")
    if isinstance(problem, MemoryError):
        do = "what is given to it has too much in it; where that is as it should be, it needs a host with more memory"
        return Refused("it wanted more memory than it may have", do)
    last = problem.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    where = f" ({last.tb_frame.f_code.co_name}, line {last.tb_lineno})" if last else ""
    what = f"{type(problem).__name__}: {plain(str(problem), SHOWN)}{where}"
    do = "look for a damaged file in the store, or for an odd answer of the other host"
    return Refused(f"what it read cannot be understood: {what}", do)


def refuse(refused: Refused) -> int:
    """Write the refusal as the last line and give the exit code."""
    answer: dict[str, Any] = {**refused.also, "error": refused.error, "do": refused.do}
    if refused.holder is not None:
        answer["holder"] = dict(refused.holder)
    if refused.again:
        answer["again"] = True
    if refused.cause:
        answer["cause"] = refused.cause
    if isinstance(refused, AlreadyDone):
        answer["already"] = refused.made
    if refused.code == BUSY:
        answer["held"] = False
    if refused.code == STALE:
        answer["stale"] = True
    emit(answer)
    return refused.code


def shown(name: str) -> str:
    """A file name as a person may safely see it: one line, printable ASCII, quoted."""
    return ascii(name)


def plain(text: bytes | str, widest: int = WIDEST) -> str:
    """`text` with everything escaped that a terminal could take as more than text; cut to `widest`."""
    known = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    known = "".join(each if _harmless(each) else _escaped(each) for each in known[: widest + 1])
    return known if len(known) <= widest else f"{known[:widest]}..."


def _harmless(char: str) -> bool:
    if char.isascii():
        return char.isprintable()
    return unicodedata.category(char) not in HARMFUL


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
