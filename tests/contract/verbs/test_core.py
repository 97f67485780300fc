"""A runner that crashes leaves no core, in which its secrets would be; and nobody of the same user looks into it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.site import REPOSITORY, small

CRASHES = """import ctypes, os, signal
from runner.hookspecs import hookimpl
class Crash:
    @hookimpl
    def observe(self, event):
        if type(event).__name__ == "RunFinished":
            print("dumpable", ctypes.PyDLL(None).prctl(3), flush=True)  # PR_GET_DUMPABLE
            os.kill(os.getpid(), signal.SIGSEGV)
def plugin(settings):
    return Crash()
"""


def crashed(cwd: Path, *argv: str) -> tuple[int, bool]:
    """By which signal it ended, and whether it left a core, where as large a one may be left as there can be."""
    most = ("sh", "-c", 'ulimit -S -c "$(ulimit -H -c)" && exec "$@"', "sh")
    with (cwd / "out").open("wb") as out, subprocess.Popen(
        (*most, sys.executable, *argv), cwd=cwd, stdout=out, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as process:  # fmt: skip
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -os.WTERMSIG(status)
    return os.WTERMSIG(status), os.WCOREDUMP(status)


def test_a_crash_leaves_no_core(tmp_path: Path) -> None:
    if not resource.getrlimit(resource.RLIMIT_CORE)[1]:
        pytest.skip("no core may be left here, by whomever")
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    if crashed(tmp_path, "-c", kill) != (signal.SIGSEGV, True):
        pytest.skip("this machine keeps no cores")
    place = small(tmp_path, '[hooks."mysite.crash"]\n')
    (place.folder / "mysite").mkdir()
    (place.folder / "mysite/crash.py").write_text(CRASHES)
    assert crashed(place.folder, "-m", "runner", "run", "backup-papio") == (signal.SIGSEGV, False)
    assert "dumpable 0" in (place.folder / "out").read_text()
    assert len(place.sealed) == 1 and not list(place.folder.glob("core*"))
