"""What a start of the agent costs, counted: a day starts it some fourteen times, and to start is most of many a verb."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[3]
# What a verb may load of what is slow to load and few need, and how many NamedTuples it makes at most.
STARTS: dict[str, tuple[set[str], int]] = {
    "snapshots.begin": ({"datetime"}, 32),
    "compose.clone": (set(), 56),
    "compose.compose": ({"base64"}, 49),
    "inventory.stored": ({"hashlib", "shlex"}, 20),
    "look.changed": ({"base64", "hashlib"}, 25),
    "look.look": ({"base64", "datetime", "hashlib"}, 36),
    "look.settle": ({"base64", "hashlib"}, 31),
    "snapshots.find": (set(), 11),
    "confined.looking": ({"ctypes", "signal"}, 12),
    "snapshots.keep_room": ({"signal"}, 16),
    "snapshots.seal": ({"datetime", "shlex"}, 39),
    "store.hold": ({"signal"}, 22),
    "store.newest": (set(), 7),
    "store.trash": (set(), 19),
}


@pytest.mark.parametrize("verb", STARTS)
def test_a_verb_of_every_day_starts_without_what_only_few_need(verb: str) -> None:
    costly = {
        "base64", "bz2", "ctypes", "dataclasses", "datetime", "hashlib", "shlex", "shutil", "signal", "subprocess",
        "tempfile", "threading", "runner.agent.store.contract_probe",
    }  # fmt: skip
    code = f"""
import json, sys
sys.path.insert(0, {str(HOUSE)!r})
import runner.agent.__main__, runner.agent.{verb}
ours = [module for name, module in sys.modules.items() if name.startswith("runner.")]
made = [each for module in ours for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
print(json.dumps([sorted({costly} & set(sys.modules)), sum(hasattr(each, "_fields") for each in made)]))
"""
    loaded, made = json.loads(subprocess.check_output((sys.executable, "-B", "-IS", "-c", code)))
    may, most = STARTS[verb]
    assert set(loaded) <= may and made <= most, (loaded, made)
