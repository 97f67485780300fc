"""Steps of a job that go on beside the ones after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from runner.model.plan import Step
from runner.model.run import State


class Beside:
    """Those of one job; when it is left all of them have ended."""

    def __init__(self) -> None:
        """None goes on yet."""
        self._threads = ThreadPoolExecutor(thread_name_prefix="beside")
        self._going: list[tuple[Step, Future[State]]] = []

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait for those that still go on; raises what one of them raised, a bug of ours."""
        self._threads.shutdown()
        if error is None:
            for _, going in self._going:
                going.result()

    def begin(self, step: Step, run: Callable[[Step], State]) -> None:
        """Let it go on from now."""
        self._going.append((step, self._threads.submit(run, step)))

    def ended(self, step: str) -> Iterator[tuple[str, State]]:
        """Those that have ended by now, and those that `step` waits for, which end here: the id of each, and how."""
        wait([going for other, going in self._going if other.until == step])
        for other, going in [pair for pair in self._going if pair[1].done()]:
            self._going.remove((other, going))
            yield other.id, going.result()
