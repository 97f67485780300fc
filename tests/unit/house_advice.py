"""A rule about advice: a command of the runner that a message gives works when it is pasted."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from runner.cli.verbs import VERBS, parse
from runner.model.errors import UsageError
from tests.unit.house import Offences, nodes, product


def commands(root: Path) -> Offences:
    """What a message quotes as a command of the runner begins with `runner`, and the command line understands it."""
    return [
        f"{path.relative_to(root).as_posix()} advises {quoted!r}"
        for path in product(root)
        for quoted in _quoted(nodes(path))
        if _is_of_the_runner(quoted) and not _is_understood(quoted)
    ]


def _quoted(scope: Sequence[ast.AST]) -> Iterator[str]:
    """Each command that is a value, and what stands in backticks in any text that is no docstring."""
    values = {id(node.value) for node in scope if isinstance(node, ast.keyword) and node.arg == "command"}
    parts = {id(part) for node in scope if isinstance(node, ast.JoinedStr) for part in node.values}
    # A docstring is a statement of its own.
    passed = parts | {id(node.value) for node in scope if isinstance(node, ast.Expr)}
    for node in scope:
        text = _text(node) if id(node) not in passed else ""
        if id(node) in values:
            yield text
        elif "`" in text:
            yield from re.findall(r"`([^`\n]+)`", text)


def _text(node: ast.AST) -> str:
    """The text that it is; what is filled in is a word, or nothing where it is the end of one."""
    if isinstance(node, ast.JoinedStr):
        text = ""
        for part in node.values:
            text += str(part.value) if isinstance(part, ast.Constant) else "" if text[-1:].isalnum() else "x"
        return text
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_of_the_runner(quoted: str) -> bool:
    """Whether it is more than the name of a verb."""
    words = quoted.split()
    return len(words) > 2 if words[:1] == ["runner"] else len(words) > 1 and words[0] in VERBS


def _is_understood(command: str) -> bool:
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            first, *words = shlex.split(command)
            parse(words)
        except (SystemExit, UsageError, ValueError):
            return False
    return first == "runner"


RULES: tuple[Callable[[Path], Offences], ...] = (commands,)
