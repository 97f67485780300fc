"""How much is done at once for a key, counted by the kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_TAKES = """
import sys
from pathlib import Path
from runner.agent.answer import Denied
from runner.agent.policy import places

places.MOST = 2
try:
    places.take(sys.argv[2], Path(sys.argv[1]))
except Denied as denied:
    print(denied.error, flush=True)
else:
    print("taken", flush=True)
    sys.stdin.read()
"""


def _begin(folder: Path, key: str) -> subprocess.Popen[str]:
    argv = (sys.executable, "-c", _TAKES, str(folder), key)
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_as_many_are_at_work_as_there_may_be_and_who_ends_makes_room(tmp_path: Path) -> None:
    held = [_begin(tmp_path / "run", "papio") for _ in range(2)]
    assert [_said(each) for each in held] == ["taken", "taken"]
    with _begin(tmp_path / "run", "papio") as third, _begin(tmp_path / "run", "karl") as other:
        assert "at work for the key papio, and no more may be" in _said(third)
        assert _said(other) == "taken", "another key has places of its own"
        other.communicate("")
    held[0].kill()
    held[0].communicate()
    with _begin(tmp_path / "run", "papio") as fourth:
        assert _said(fourth) == "taken", "however it ended"
        fourth.communicate("")
    held[1].communicate("")
