"""A host's own folders below a test's, and runner-agent's verbs for a host as a whole, really run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, execute

PLAN, STEP = "2026-11-23T081500Z", "updates-server/install"


def wait_for(what: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class HostHouse:
    """What a host keeps for plans: `state` for /var/lib/runner, `locks` for /run/runner/lock."""

    state: Path
    locks: Path
    program: tuple[str, ...] = PROGRAM

    @property
    def folder(self) -> Path:
        return self.state / "detached" / f"{PLAN}.{STEP.replace('/', '.')}"

    def hold_argv(self, resource: str, plan: str, *options: str) -> tuple[str, ...]:
        return (
            *self.program, "hold-host", resource, f"--plan={plan}", "--who=a test",
            f"--run={self.locks}", f"--state={self.state}", *options,
        )  # fmt: skip

    def hold(self, resource: str = "packages", plan: str = "another", *options: str) -> Said:
        """Take the lock and let go of it at once."""
        return execute(self.hold_argv(resource, plan, *options))

    @contextlib.contextmanager
    def held(self, resource: str = "packages", plan: str = PLAN, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            self.hold_argv(resource, plan, *options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
        ) as process:
            assert process.stdin and process.stdout
            assert json.loads(process.stdout.readline()) == {"held": True}
            try:
                yield process
            finally:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()

    def detach_argv(self, *options: str, plan: str = PLAN, step: str = STEP) -> tuple[str, ...]:
        places = (f"--state={self.state}", f"--run={self.locks}", f"--root={self.state.parent / 'root'}")
        return (*self.program, "detach", f"--plan={plan}", f"--step={step}", *places, *options)

    def detach(self, *options: str, plan: str = PLAN, step: str = STEP) -> Said:
        return execute(self.detach_argv(*options, plan=plan, step=step))

    def again(self) -> Said:
        return self.detach("--again")

    def front(self, *options: str) -> subprocess.Popen[bytes]:
        """A `detach` that is under way, in a process group of its own as one that sshd starts."""
        return subprocess.Popen(
            self.detach_argv(*options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            start_new_session=True,
        )

    def detached(self) -> list[dict[str, Any]]:
        commands = execute((*self.program, "detached", f"--state={self.state}")).answer["detached"]
        assert isinstance(commands, list)
        return commands

    def began(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.folder / name).read_text()))

    def kill_worker(self, how: int = signal.SIGKILL) -> None:
        os.kill(self.began("began.json")["pid"], how)
