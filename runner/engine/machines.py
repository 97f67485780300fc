"""The machines that the hosts of a site are, in `state/machines.json`, and the one that this process is on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.engine.alive import alone
from runner.model.errors import RunnerError, remedy
from runner.model.facts import BoundMachine
from runner.model.names import MACHINE
from runner.tools.answers import json_object, understood

_FILE = "machines.json"
_OWN = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What the file holds."""

    hosts: Mapping[str, BoundMachine]


def bound(state: Path) -> Mapping[str, BoundMachine]:
    """The machines that hosts were bound to; RunnerError where that cannot be read, which is not the same as none."""
    path = state / _FILE
    try:
        return understood(json_object(path.read_bytes()), _Kept).hosts
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunnerError(
            f"{path} cannot be read, so it is not known which machines the hosts are: {error.strerror}",
            do=remedy(error),
        ) from error
    except ValueError as error:
        raise RunnerError(
            f"{path} cannot be understood, so it is not known which machines the hosts are: {error}",
            do="look at each host, and remove that file: the next run binds them as they are then",
        ) from error


def bind(state: Path, hosts: Mapping[str, BoundMachine]) -> None:
    """Remember these as well, whole or not at all; RunnerError where they cannot be kept."""
    path, draft = state / _FILE, state / f"{_FILE}.tmp"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(state):
            kept = {name: asdict(each) for name, each in {**bound(state), **hosts}.items()}
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(json.dumps({"hosts": kept}, indent=1) + "\n")
                stream.flush()
                os.fsync(descriptor)
            draft.rename(path)
    except OSError as error:
        raise RunnerError(f"{path} cannot be written: {error.strerror}", do=remedy(error)) from error


def own(state: Path) -> str:
    """The host that this machine was bound to, "" where none was, or more than one, or where that is not known."""
    try:
        machine = _own_id()
        hosts = [name for name, each in bound(state).items() if machine and each.machine == machine]
    except RunnerError:
        return ""  # who needs it for more than a name is told
    return hosts[0] if len(hosts) == 1 else ""


def _own_id() -> str:
    for path in _OWN:
        try:
            text = path.read_text("ascii", "replace").strip()
        except OSError:
            continue
        return text if MACHINE.fullmatch(text) and re.search("[1-9a-f]", text) else ""
    return ""
