"""Outputs on their way: what one step prints and a later one reads, on disk and never in memory.

What an interrupted snapshot's transfers printed stays under `kept/` until the snapshot that takes
it up is sealed: it holds the checksums of what was already sent.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from runner.model.plan import Step
from runner.model.run import Outcome

_CHUNK = 1 << 18


class Spool:
    """The spool of one plan, below `folder`; `close` removes all but what is kept."""

    def __init__(self, folder: Path, plan: str) -> None:
        """Nothing is made before the first output comes."""
        self._kept = folder / "kept"
        self._plan = folder / plan

    def path(self, step: Step) -> Path:
        """Where the output of `step` goes; its folder is made."""
        path = self._kept / step.keep_output_as if step.keep_output_as else self._plan / step.id.replace("/", "_")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def open(self, step: Step) -> BinaryIO:
        """A new, empty file for the output of `step`."""
        return self.path(step).open("wb")

    def frames(self, step: Step, earlier: Mapping[str, tuple[Step, Outcome]]) -> Iterator[bytes]:
        """The inputs of `step` one after the other: a line of JSON, the bytes, a newline."""
        for name in step.inputs:
            if name.startswith("kept:"):
                path = self._kept / name.removeprefix("kept:")
                source_line: dict[str, object] = {"from": name, "state": "done" if path.exists() else "missing"}
            else:
                source, outcome = earlier[name]
                path = self.path(source)
                source_line = {"from": name, "state": outcome.state.value, "exit": outcome.exit}
            yield from _frame(source_line, path)

    def drop(self, step: Step) -> None:
        """Forget all that was kept for the store this step writes, under its lock and after a seal.

        A snapshot takes up every interrupted one of its store, so nothing there is wanted any more, nor
        what a runner left that was killed between a seal and this.
        """
        if step.keep_output_as:
            shutil.rmtree(self._kept / step.keep_output_as.partition("/")[0], ignore_errors=True)

    def close(self) -> None:
        """Remove the outputs of this plan that nobody needs any more."""
        shutil.rmtree(self._plan, ignore_errors=True)


def _frame(header: Mapping[str, object], path: Path) -> Iterator[bytes]:
    size = path.stat().st_size if path.exists() else 0
    yield json.dumps({**header, "bytes": size}).encode("ascii") + b"\n"
    if size:
        with path.open("rb") as file:
            left = size
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
    yield b"\n"
