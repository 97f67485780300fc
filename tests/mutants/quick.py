"""Tests that run in one process, quickly: a fork a mutant, which is only in memory, and only the tests that reach it.

Which tests enter which function is seen once, in a run of all of them. A mutant of what runs at import, of what is
called while tests are collected, or of a module that caches what it made, is given to all that enter its module.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import pickle
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from types import CodeType, FrameType

import pytest

from tests.mutants.operators import Mutant

COLLECTED = ""
# How a fork tells the end of its tests: whatever else it ends with says nothing of them.
ENDED = 100
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["tests.mutants.quick", "hypothesis.strategies", "msgspec", "jsonschema", "cronsim"])


@dataclass(kw_only=True)
class Reached:
    """A plugin: which lines' functions of a module each test enters, and how long each test takes."""

    path: str
    lines: dict[str, set[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    test: str = COLLECTED

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if frame.f_code.co_filename == self.path and frame.f_code.co_name != "<module>":
            self.lines.setdefault(self.test, set()).add(frame.f_code.co_firstlineno)

    def pytest_configure(self) -> None:
        sys.settrace(self)  # type: ignore[arg-type]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.test, began = item.nodeid, time.monotonic()
        sys.settrace(self)  # type: ignore[arg-type]
        self.lines.setdefault(self.test, set())
        done = yield
        self.seconds[self.test] = time.monotonic() - began
        return done


@dataclass(frozen=True, kw_only=True)
class Only:
    """A plugin: of all tests those that are wanted, in that order."""

    wanted: tuple[str, ...]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        place = {name: number for number, name in enumerate(self.wanted)}
        items[:] = sorted((item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid])


@dataclass(kw_only=True)
class Quick:
    """The tests of a module, in a copy of the tree that nobody changes."""

    folder: Path
    module: str
    tests: str
    lines: dict[str, set[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def passes(self) -> bool:
        """Whether the tests pass without a change; what each reaches is kept for the mutants."""
        seen = self.folder.with_suffix(".reached")
        passed = self._run(_watch, self.rooms, seen, most=3600)
        if passed:
            self.lines, self.seconds = pickle.loads(seen.read_bytes())
        return passed

    def notices(self, mutant: Mutant) -> bool:
        """Whether one of the tests that reach this mutant fails on it, those of the first room first."""
        reaching = self._reaching(mutant)
        return any(self._fails(mutant, [name for name in reaching if name.startswith(room)]) for room in self.rooms)

    @property
    def rooms(self) -> tuple[str, ...]:
        """Where the tests are, in the order in which they are tried."""
        return tuple(self.tests.split())

    def _fails(self, mutant: Mutant, wanted: Sequence[str]) -> bool:
        files = sorted({name.partition("::")[0] for name in wanted})
        most = 10 + 4 * sum(self.seconds[name] for name in wanted)
        return bool(wanted) and not self._run(_try, files, mutant.text, tuple(wanted), most=most)

    def _reaching(self, mutant: Mutant) -> tuple[str, ...]:
        """The tests that enter the function of a mutant, the quickest first."""
        place = _function((self.folder / self.module).read_text(), mutant.line)
        if not place or self._among(self.lines.get(COLLECTED, set()), place):
            place = range(sys.maxsize)
        tests = (name for name, lines in self.lines.items() if name and self._among(lines, place))
        return tuple(sorted(tests, key=lambda name: self.seconds[name]))

    @staticmethod
    def _among(lines: set[int], place: range) -> bool:
        return any(line in place for line in lines)

    def _run(self, target: Callable[..., None], *of: object, most: float) -> bool:
        process = FORKS.Process(target=target, args=(self.folder, self.module, *of))
        process.start()
        process.join(most)
        process.kill()
        process.join()
        code = process.exitcode or 0
        # Less than 0: it did not end by itself, as no program does that is right.
        if 0 <= code < ENDED:
            raise RuntimeError(f"{self.module}: its tests could not be run: exit {code}")
        return code == ENDED


def _function(source: str, line: int) -> range:
    """The lines of the outermost function that a line is in; none where it runs at import, or something is cached."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    if any("cache" in ast.unparse(decorator) for node in functions for decorator in node.decorator_list):
        return range(0)
    for node in functions:
        if node.lineno <= line <= (node.end_lineno or line):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return range(first, (node.end_lineno or line) + 1)
    return range(0)


def _enter(folder: Path, *arguments: str, plugin: object) -> int:
    """Run pytest in the copy, as a process of its own would."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "runner", "hooks")]:
        del sys.modules[name]
    os.environ["PROPERTIES"] = "mutants"
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    # A mutant that never ends may ask for more and more.
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    silent = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(silent, number)
    place = f"--basetemp={folder}.tmp.{os.getpid()}"
    # hypothesis is imported already, which pytest would have liked to do itself.
    usual = ("-qx", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    return int(pytest.main([*usual, place, *arguments], plugins=[plugin]))


def _watch(folder: Path, module: str, tests: Sequence[str], seen: Path) -> None:
    sys.dont_write_bytecode = False
    reached = Reached(path=str(folder / module))
    code = _enter(folder, *tests, plugin=reached)
    sys.settrace(None)
    seen.write_bytes(pickle.dumps((reached.lines, reached.seconds)))
    os._exit(ENDED + code)


def _try(folder: Path, module: str, files: list[str], text: str, wanted: tuple[str, ...]) -> None:
    usual, path = importlib.machinery.SourceFileLoader.get_code, str(folder / module)

    def code(self: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        return compile(text, path, "exec") if self.path == path else usual(self, name)

    importlib.machinery.SourceFileLoader.get_code = code  # type: ignore[method-assign]
    os._exit(ENDED + _enter(folder, *files, plugin=Only(wanted=wanted)))
