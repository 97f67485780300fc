"""The machines that the hosts of a site are, in `state/machines.json`, and the one that this process is on."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.engine.alive import alone
from runner.model.errors import RunnerError, remedy
from runner.model.facts import BoundMachine
from runner.model.names import MACHINE
from runner.tools import private
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
            do="look at each host: without that file the next run binds them as they are then. To remove it:",
            command=shlex.join(("rm", "--", str(path))),
        ) from error


def bind(state: Path, hosts: Mapping[str, BoundMachine]) -> None:
    """Remember these as well, whole or not at all; RunnerError where they cannot be kept."""
    path = state / _FILE
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(state):
            kept = {name: asdict(each) for name, each in {**bound(state), **hosts}.items()}
            private.put(path, json.dumps({"hosts": kept}, indent=1) + "\n")
    except OSError as error:
        raise RunnerError(f"{path} cannot be written: {error.strerror}", do=remedy(error)) from error


def own(state: Path) -> str:
    """The host that this machine was bound to, "" where none was, or more than one; RunnerError as `bound`."""
    machine = _own_id()
    hosts = [name for name, each in bound(state).items() if machine and each.machine == machine]
    return hosts[0] if len(hosts) == 1 else ""


def _own_id() -> str:
    for path in _OWN:
        try:
            text = path.read_text("ascii", "replace").strip()
        except OSError:
            continue
        return text if MACHINE.fullmatch(text) and re.search("[1-9a-f]", text) else ""
    return ""
