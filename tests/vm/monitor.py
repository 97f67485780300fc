"""The monitor of a virtual machine: commands and events by QMP on a socket."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any


class Monitor:
    """An open monitor; `events` are the names of all that happened since, in order."""

    def __init__(self, path: Path, seconds: float = 20) -> None:
        self.events: list[str] = []
        self._answers: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._socket = _connected(path, seconds)
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        threading.Thread(target=self._hear, daemon=True).start()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: object) -> Any:
        """Give a command; what it answers. RuntimeError if it is refused, OSError if the machine is gone."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        with self._changed:
            if not self._changed.wait_for(lambda: self._answers, timeout=60):
                raise TimeoutError(f"no answer to {command}")
            answer = self._answers.pop(0)
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']}")
        return answer["return"]

    def await_event(self, name: str, seconds: float, *, seen: int = 0) -> None:
        """Wait until `name` has happened more than `seen` times."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.events.count(name) > seen, timeout=seconds):
                raise TimeoutError(f"waited {seconds} s for {name}; there were {self.events}")

    def close(self) -> None:
        """Let go of it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _hear(self) -> None:
        with suppress(OSError, ValueError):
            for line in self._lines:
                said = json.loads(line)
                with self._changed:
                    if "event" in said:
                        self.events.append(said["event"])
                    else:
                        self._answers.append(said)
                    self._changed.notify_all()
        self._lines.close()


def _connected(path: Path, seconds: float) -> socket.socket:
    end = time.monotonic() + seconds
    while True:
        found = socket.socket(socket.AF_UNIX)
        try:
            found.connect(str(path))
        except OSError:
            found.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return found
