"""What is left of root's rights in a process once a verb has given up what it does not use: asked of the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")

# After it has given them up it does what a fault in it could do, and what it is there for.
_TRIES = """
import ctypes, json, os, signal, sys
from runner.agent.confined import privileges

privileges.keep(sys.argv[1])

def can(act):
    try:
        act()
        return True
    except OSError:
        return False

libc = ctypes.CDLL(None, use_errno=True)
def call(code):
    if code:
        raise OSError(ctypes.get_errno(), "")

folder = sys.argv[2]
said = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uid": os.getuid(), "no_new": said["NoNewPrivs"].strip(),
    "held": int(said["CapPrm"], 16), "bound": int(said["CapBnd"], 16), "inherited": int(said["CapInh"], 16),
    "reads": can(lambda: open(folder + "/secret").read()),
    "writes": can(lambda: open(folder + "/secret", "a").write("x")),
    "makes": can(lambda: open(folder + "/new", "w")),
    "owns": can(lambda: os.chown(folder + "/secret", 1234, 1234)),
    "ends": can(lambda: os.kill(int(sys.argv[3]), 0)),
    "becomes": can(lambda: os.setuid(0)),
    "sets the host's name": can(lambda: call(libc.sethostname(b"x", 1 << 20))),
    "opens a raw socket": can(lambda: __import__("socket").socket(2, 3, 1).close()),
}))
"""
_DAC_READ_SEARCH = 1 << 2


def _left(verb: str, folder: Path) -> dict[str, Any]:
    (folder / "secret").write_text("a")
    (folder / "secret").chmod(0o600)
    folder.chmod(0o700)
    with subprocess.Popen(["sleep", "60"]) as other:
        argv = (sys.executable, "-c", _TRIES, verb, str(folder), str(other.pid))
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
        other.kill()
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def test_what_only_reads_is_nobodys_and_can_read_and_nothing_else(tmp_path: Path) -> None:
    left = _left("newest", tmp_path)
    assert left["uid"] != 0 and left["no_new"] == "1"
    assert left["held"] == left["bound"] == _DAC_READ_SEARCH and left["inherited"] == 0
    assert left["reads"]
    assert [what for what, can in left.items() if can is True] == ["reads"]


def test_what_writes_in_a_store_reaches_files_and_no_kernel_and_no_net(tmp_path: Path) -> None:
    left = _left("seal", tmp_path)
    assert left["uid"] == 0 and left["no_new"] == "1"
    assert left["held"] == left["bound"]
    can = [what for what, can in left.items() if can is True]
    assert can == ["reads", "writes", "makes", "owns", "ends", "becomes"]


def test_what_begins_the_hosts_programs_is_as_it_was_begun(tmp_path: Path) -> None:
    left = _left("probe", tmp_path)
    assert left["uid"] == 0 and left["no_new"] == "0" and left["writes"] and left["opens a raw socket"]
