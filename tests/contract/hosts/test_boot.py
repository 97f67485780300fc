"""The program travels only to a host that has another, and what is not ours to the last byte is never run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.engine import asking, probe
from runner.hosts.boot import ANOTHER
from runner.hosts.process import Process
from runner.hosts.session import Session
from runner.hosts.transport import Local, Result
from runner.model.errors import RunnerError
from runner.tools import agent


class Counting(Local):
    """This machine, and how many bytes were given to it with each command."""

    def __init__(self, installed: Path) -> None:
        """Nothing was asked yet; the agent is in that file, if it is anywhere."""
        super().__init__("papio", str(installed))
        self.given: list[int] = []

    def run(self, argv: tuple[str, ...], *, stdin: Iterable[bytes] | None = None, **options: Any) -> Result:
        """Run it, and count."""
        self.given.append(0)

        def counted() -> Iterator[bytes]:
            for data in stdin or ():
                self.given[-1] += len(data)
                yield data

        return super().run(argv, stdin=counted(), **options)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store" / ".runner").mkdir(parents=True)
    return tmp_path / "store"


def found(way: Local, store: Path) -> list[Mapping[str, Any]]:
    lines: list[Mapping[str, Any]] = []
    asking.ask_lines(way, agent.find(str(store)), {"path": "/etc"}, lines.append)
    return lines


NOTHING = [{"versions": [], "missing": 0}]
OURS = len(probe.runner_agent())


def test_nothing_of_the_program_travels_where_it_is_installed(store: Path, tmp_path: Path) -> None:
    installed = tmp_path / "runner-agent"
    installed.write_bytes(probe.runner_agent())
    way = Counting(installed)
    assert found(way, store) == NOTHING
    assert len(way.given) == 1 and way.given[0] < 100


def _another(path: Path) -> None:
    # As long as ours, and it would leave a trace if it were run.
    code = f"open({str(path) + '.was-run'!r}, 'w')\n".encode()
    path.write_bytes(code + b"#" * (OURS - len(code)))


def _older(path: Path) -> None:
    path.write_bytes(probe.runner_agent()[:-1])


def _changed(path: Path) -> None:
    path.write_bytes(probe.runner_agent()[:-1] + b"\1")


def _closed(path: Path) -> None:
    path.mkdir()
    (path / "x").write_bytes(b"")


def _itself(path: Path) -> None:
    path.symlink_to(path)


def _absent(_: Path) -> None:
    pass


@pytest.mark.parametrize(
    "put", [_absent, _older, _changed, _another, _closed, _itself, os.mkfifo, lambda path: path.symlink_to("/dev/zero")]
)
def test_it_is_sent_to_a_host_that_has_another_and_that_one_is_not_run(
    put: Callable[[Path], object], store: Path, tmp_path: Path
) -> None:
    installed = tmp_path / "runner-agent"
    put(installed)
    way = Counting(installed)
    assert found(way, store) == NOTHING
    assert [given >= OURS for given in way.given] == [False, True]
    assert not Path(f"{installed}.was-run").exists()


class Answering(Counting):
    """A host on which `script` answers instead."""

    def __init__(self, script: str) -> None:
        """Nothing was asked yet."""
        super().__init__(Path("/nowhere"))
        self._script = script

    def _open(self, argv: tuple[str, ...]) -> Session:
        return Process(("sh", "-c", f"cat >/dev/null; {self._script}"))


@pytest.mark.parametrize(
    ("script", "times"),
    [(f"exit {ANOTHER}", 2), (f"echo '{{}}'; exit {ANOTHER}", 1), (f"kill -9 $$; exit {ANOTHER}", 1), ("exit 1", 1)],
)
def test_a_host_that_never_has_it_is_asked_no_third_time(script: str, times: int, store: Path) -> None:
    way = Answering(script)
    with pytest.raises(RunnerError, match="papio: "):
        found(way, store)
    assert len(way.given) == times


class Torn(Local):
    """A way on which what is given comes `changed`."""

    def __init__(self, changed: Callable[[bytes], bytes]) -> None:
        """Nothing was asked yet."""
        super().__init__("papio")
        self._changed = changed

    def run(self, argv: tuple[str, ...], *, stdin: Iterable[bytes] | None = None, **options: Any) -> Result:
        """Run it with something else."""
        return super().run(argv, stdin=(self._changed(b"".join(stdin or ())),), **options)


@pytest.mark.parametrize(
    "changed", [lambda data: data[: OURS - 1], lambda data: data[:500] + b"?" + data[501:], lambda _: b""]
)
def test_a_program_that_did_not_arrive_whole_is_not_run(changed: Callable[[bytes], bytes], store: Path) -> None:
    with pytest.raises(RunnerError, match="papio: the program was cut off"):
        found(Torn(changed), store)
