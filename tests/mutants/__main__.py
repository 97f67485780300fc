"""Make one module after another wrong in a copy of the tree, and see whether the tests of its room notice.

usage: python -m tests.mutants [--each N] [--at-once N] [MODULE or folder ...]
Of a module with more than N mutants (0: no limit) a sample is taken, the same each time.
Ends with 1 where fewer than 95 % are noticed, or `accepted.toml` has what is noticed or no longer made.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.operators import Mutant, mutants
from tests.mutants.quick import Quick
from tests.mutants.targets import TARGETS

ROOT = Path(__file__).parents[2]
GOAL = 0.95


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy of the tree; one mutant at a time is tried in it."""

    folder: Path

    def fill(self) -> None:
        """Copy what git knows, and what it does not ignore."""
        listed = subprocess.run(
            ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
            cwd=ROOT, check=True, capture_output=True,
        ).stdout  # fmt: skip
        subprocess.run(
            ("rsync", "-a", "--from0", "--files-from=-", "./", self.folder), cwd=ROOT, check=True, input=listed
        )

    def passes(self, tests: str, most: float) -> bool:
        """Whether the tests pass here within `most` seconds: a mutant that hangs is noticed too."""
        place = f"--basetemp={self.folder}.tmp"
        argv = (sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", place, *tests.split())
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.folder)}
        with subprocess.Popen(
            argv, cwd=self.folder, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                return process.wait(most) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def notices(self, module: str, mutant: Mutant, tests: str, most: float) -> bool:
        """Whether the tests fail on this mutant."""
        path = self.folder / module
        path.write_text(mutant.text)
        try:
            return not self.passes(tests, most)
        finally:
            path.write_bytes((ROOT / module).read_bytes())


@dataclass(kw_only=True)
class Result:
    """What came of a module's mutants."""

    module: str
    tried: int = 0
    survived: list[Mutant] = field(default_factory=list)
    accepted: int = 0
    stale: list[str] = field(default_factory=list)

    @property
    def noticed(self) -> int:
        """How many the tests noticed."""
        return self.tried - self.accepted - len(self.survived)

    def lines(self) -> Iterator[str]:
        """The figures, and what is to be done."""
        share = f"{100 * self.noticed / max(1, self.tried - self.accepted):.0f} %"
        yield f"{self.module}: {self.noticed} of {self.tried - self.accepted} noticed ({share}), {self.accepted} accepted"
        yield from (f"  survived: {self.module}:{mutant.line} {mutant.key}" for mutant in self.survived)
        yield from (f"  stale in accepted.toml: {key}" for key in self.stale)


def accepted(module: str) -> dict[str, str]:
    """The mutants of a module that no test can tell apart, or need not, each with the reason."""
    known = tomllib.loads((Path(__file__).parent / "accepted.toml").read_text())
    return dict(known.get(module, {}))


def sample(module: str, made: Sequence[Mutant], each: int) -> list[Mutant]:
    """At most `each` of them, the same for the same module, and all for 0."""
    if not each or len(made) <= each:
        return list(made)
    return sorted(random.Random(module).sample(made, each), key=lambda mutant: mutant.line)


def attempt(module: str, copies: SimpleQueue[Copy], pool: ThreadPoolExecutor, each: int) -> Result:
    """Try the mutants of a module, as many at once as there are copies."""
    tests, known = TARGETS[module], accepted(module)
    made = list(mutants((ROOT / module).read_text()))
    chosen = sample(module, made, each)
    copy = copies.get()
    quick = Quick(folder=copy.folder, module=module, tests=tests)
    alone = all(path.startswith("tests/unit/") for path in tests.split())
    began = time.monotonic()
    usual = quick.passes() if alone else copy.passes(tests, 3600)
    most = 30 + 4 * (time.monotonic() - began)
    copies.put(copy)
    if not usual:
        sys.exit(f"{module}: its tests fail without a change: {tests}")

    def noticed(mutant: Mutant) -> bool:
        if alone:
            return quick.notices(mutant)
        place = copies.get()
        try:
            return place.notices(module, mutant, tests, most)
        finally:
            copies.put(place)

    result = Result(module=module, tried=len(chosen), stale=[key for key in known if key not in {m.key for m in made}])
    for mutant, seen in zip(chosen, pool.map(noticed, chosen), strict=True):
        if mutant.key in known:
            result.accepted += 1
            result.stale += [mutant.key] if seen else []
        elif not seen:
            result.survived.append(mutant)
            sys.stdout.write(f"    {json.dumps(mutant.key)}\n")
            sys.stdout.flush()
    if alone and not quick.passes():
        sys.exit(f"{module}: its tests fail without a change by now, so nothing is known: {tests}")
    return result


def main() -> int:
    """Read the command line, try everything, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=24)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("modules", nargs="*", default=["runner"])
    options = parser.parse_args()
    wanted = [name for name in TARGETS if any(name.startswith(start) for start in options.modules)]
    results: list[Result] = []
    # What a wrong program left mounted or protected is no reason to lose the figures.
    place = tempfile.TemporaryDirectory(prefix="mutants.", ignore_cleanup_errors=True)
    with place as folder, ThreadPoolExecutor(options.at_once) as pool:
        # Some tests become nobody, who must get at the program too.
        Path(folder).chmod(0o755)
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(options.at_once):
            copy = Copy(folder=Path(folder) / str(number))
            copy.folder.mkdir()
            copy.fill()
            copies.put(copy)
        # Whoever stops it does not wait for the mutants that have not been tried.
        with contextlib.ExitStack() as stopped:
            stopped.callback(pool.shutdown, wait=False, cancel_futures=True)
            for module in wanted:
                results.append(attempt(module, copies, pool, options.each))
                sys.stdout.write("\n".join(results[-1].lines()) + "\n")
                sys.stdout.flush()
    tried = sum(result.tried - result.accepted for result in results)
    noticed = sum(result.noticed for result in results)
    sys.stdout.write(f"{noticed} of {tried} noticed ({100 * noticed / max(1, tried):.1f} %)\n")
    return int(noticed < GOAL * tried or any(result.stale for result in results))


if __name__ == "__main__":
    sys.exit(main())
