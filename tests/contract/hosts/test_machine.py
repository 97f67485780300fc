"""The id of a machine, as systemd and D-Bus keep it, and what stands there on machines that have none."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from runner.agent.host.machine import machine_id
from runner.engine import machines
from runner.model.errors import RunnerError
from runner.model.facts import BoundMachine

ID, OTHER = "0123456789abcdef0123456789abcdef", "f" * 32


@pytest.mark.parametrize(
    ("etc", "dbus", "known"),
    [
        (f"{ID}\n", OTHER, ID),
        (ID, None, ID),
        (None, f"{ID}\n", ID),
        (None, None, ""),
        ("", None, ""),
        ("\n", OTHER, ""),
        ("uninitialized\n", OTHER, ""),
        ("0" * 32, None, ""),
        (f"{ID}0\n", None, ""),
        (ID.upper(), None, ""),
        ("\xff\n", None, ""),
        ("a" * 5000, None, ""),
    ],
)
def test_what_stands_there_is_an_id_or_unknown(tmp_path: Path, etc: str | None, dbus: str | None, known: str) -> None:
    for place, text in (("etc/machine-id", etc), ("var/lib/dbus/machine-id", dbus)):
        (tmp_path / place).parent.mkdir(parents=True)
        if text is not None:
            (tmp_path / place).write_text(text, "latin-1")
    assert machine_id(tmp_path) == known


def test_a_fifo_there_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/machine-id")
    (tmp_path / "var/lib/dbus").mkdir(parents=True)
    (tmp_path / "var/lib/dbus/machine-id").write_text(OTHER)
    assert machine_id(tmp_path) == "", "which of the two is right is not known"


def test_what_is_bound_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert machines.bound(state) == {}
    machines.bind(state, {"papio": BoundMachine(machine=ID)})
    machines.bind(state, {"server": BoundMachine(machine=OTHER, former=(ID,))})
    assert machines.bound(state) == {
        "papio": BoundMachine(machine=ID),
        "server": BoundMachine(machine=OTHER, former=(ID,)),
    }
    assert [stat.S_IMODE(path.stat().st_mode) for path in (state, state / "machines.json")] == [0o700, 0o600]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"hosts": {"papio": {}}}', '{"hosts": {"papio": {"machine": "x"}}}', "\x00" * 200]
)
def test_what_cannot_be_read_is_not_the_same_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "machines.json").write_text(text)
    with pytest.raises(RunnerError, match=r"machines\.json cannot be understood"):
        machines.bound(tmp_path)
    with pytest.raises(RunnerError) as told:
        machines.own(tmp_path)
    assert told.value.command == f"rm -- {tmp_path}/machines.json"


def test_two_hosts_of_one_id_do_not_say_which_of_them_this_is(tmp_path: Path) -> None:
    own = machine_id()
    if not own:
        pytest.skip("this machine has no id")
    machines.bind(tmp_path, {"papio": BoundMachine(machine=own)})
    assert machines.own(tmp_path) == "papio"
    machines.bind(tmp_path, {"server": BoundMachine(machine=own)})
    assert machines.own(tmp_path) == ""
    assert set(json.loads((tmp_path / "machines.json").read_text())["hosts"]) == {"papio", "server"}
