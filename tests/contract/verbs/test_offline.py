"""Setting up where there is no network, or no root: what is missing, and what to do, in a few lines."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.site import entered

ROOT = Path(__file__).parents[3]
# As pip goes on where there is no network.
PIP = """#!/bin/sh
[ "$1" != -V ] || { echo Python 3.11.2; exit; }
[ -z "${BREAKS-}" ] || { echo "Traceback"; echo "ModuleNotFoundError: no pip"; exit 1; }
echo "$@" >words
for each in 1 2 3 4 5 6 7 8 9 10; do echo "WARNING: Retrying after connection broken: $each" >&2; done
echo "  ERROR: Could not find a version that satisfies the requirement pytest==9.2.0 (from versions: none)" >&2
exit ${FAILS:-1}
"""


def packages(folder: Path, **environment: str) -> tuple[int, list[str], str]:
    """How .ci/python-packages ends, what it says, and what pip was asked for."""
    program = folder / ".venv/bin/python"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(PIP)
    program.chmod(0o755)
    (folder / ".venv/run").touch()
    ran = subprocess.run(
        ("sh", str(ROOT / ".ci/python-packages"), "dev"), cwd=folder, env={"PATH": os.environ["PATH"], **environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    words = folder / "words"
    return ran.returncode, (ran.stdout + ran.stderr).splitlines(), words.read_text() if words.exists() else ""


def test_without_a_network_it_says_what_to_do_and_not_all_that_pip_says(tmp_path: Path) -> None:
    code, said, words = packages(tmp_path)
    assert (code, len(said)) == (1, 4) and "pytest==9.2.0" in said[1]
    assert "make wheels" in said[2] and said[3].endswith("and: make run WHEELS=wheels") and "Python 3.11.2" in said[3]
    assert "--no-index" not in words
    assert len((tmp_path / ".venv/pip.log").read_text().splitlines()) == 11


def test_what_breaks_without_an_error_of_pip_is_told_by_its_last_lines(tmp_path: Path) -> None:
    code, said, _ = packages(tmp_path, BREAKS="yes")
    assert code == 1 and said[1:3] == ["Traceback", "ModuleNotFoundError: no pip"]


def test_out_of_a_folder_of_wheels_nobody_else_is_asked(tmp_path: Path) -> None:
    for name in ("my wheels", "wheels"):
        (tmp_path / name).mkdir()
    code, said, words = packages(tmp_path, WHEELS="my wheels")
    assert code == 1 and "could not be installed from my wheels" in said[0] and "same version of Python" in said[-1]
    assert "--require-hashes --only-binary=:all: --no-index --find-links=my wheels --requirement .ci/dev.txt" in words
    assert packages(tmp_path, WHEELS="wheels", FAILS="0")[:2] == (0, [])


def test_a_folder_of_wheels_that_is_not_there_is_named_and_nobody_is_asked(tmp_path: Path) -> None:
    code, said, words = packages(tmp_path, WHEELS="nosuch")
    assert (code, words, len(said)) == (1, "", 1) and said[0].startswith("there is no folder nosuch here")


@pytest.fixture
def place() -> Iterator[Path]:
    with entered() as folder:
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
@pytest.mark.parametrize(
    ("jobs", "wants"), [('kind     = "drill"\n', True), ('kind = "check"\n# kind = drill\n', False)]
)
def test_what_only_a_drill_wants_keeps_nobody_from_beginning(place: Path, jobs: str, wants: bool) -> None:
    (place / "jobs.toml").write_text(jobs)
    programs = place / "bin"
    programs.mkdir()
    for name in ("rsync", "ionice", "ssh", "sh", "grep", "id", "python3"):
        (programs / name).symlink_to(shutil.which(name) or pytest.fail(f"{name} is not here"))
    programs.chmod(0o755)
    (place / "jobs.toml").chmod(0o644)
    ran = subprocess.run(
        (shutil.which("setpriv") or "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-s", "run"),
        input=(ROOT / ".ci/packages").read_text(), cwd=place, capture_output=True, text=True, check=False,
        env={"PATH": f"{programs}:/usr/sbin", "PYTHON": "/usr/bin/python3"}, timeout=60,
    )  # fmt: skip
    if "python3-venv" in ran.stderr:
        pytest.skip("this machine's own python has no venv")
    assert (ran.returncode, "apt-get install xxhash  as root" in ran.stdout) == (0, wants), ran.stderr
