"""What is lent for a key has nothing of any store but what is lent of it, whatever else of the host it has."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.storehouse import READABLE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to confine anything")
_LENT = """
import sys
from runner.agent.confined import looking
at, reads, hidden, script = sys.argv[1:]
sys.exit(looking.lend(("sh", "-c", script), reads.split(), hidden.split()))
"""
_RECEIVING = """
import os, sys
from runner.agent.confined import receiver
at, reads, hidden, script = sys.argv[1:]
made = receiver.prepared((f"{at}/store/.incoming/one",), reads.split(), hidden.split())
if os.fork() == 0:
    made.enter()
    os.execvpe("sh", ("sh", "-c", script), made.environment)
os.wait()
"""


@pytest.fixture(params=["srv", "opt"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder with two stores, and what is in none: somewhere, or among the programs of the host."""
    if request.param == "srv":
        at = tmp_path / "srv"
    else:
        Path("/opt").mkdir(exist_ok=True)
        at = Path(tempfile.mkdtemp(dir="/opt"))
    for folder in ("store/new", "store/old", "store/.runner", "store/.incoming/one", "other/old", "data"):
        (at / folder).mkdir(parents=True)
        (at / folder / "kept").write_text(folder)
    yield at
    subprocess.run(("rm", "-rf", at), check=True)


@pytest.fixture
def link(host: Path) -> Iterator[Path]:
    """A link to that which root alone could make: nobody else has anything to say in /run."""
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        (Path(folder) / "link").symlink_to(host)
        yield Path(folder) / "link"


@pytest.mark.parametrize("program", [_LENT, _RECEIVING], ids=["lent", "receiving"])
@pytest.mark.parametrize("source", ["{at}", "{link}", "{at}/data", "/"])
def test_of_the_stores_there_is_what_is_lent_of_them_and_nothing_else(
    host: Path, link: Path, program: str, source: str
) -> None:
    if source == "/" and program is _RECEIVING:
        pytest.skip("nothing receives with all of the host")
    folder = source.format(at=host, link=link)
    top = str(host) if source == "/" else folder
    script = f"find {top}/ {host}/store {host}/other -name kept 2>&1 | sort -u"
    argv = (sys.executable, "-c", program, host, f"{folder} {host}/store/new", f"{host}/store {host}/other", script)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(READABLE)}
    said = subprocess.run(argv, check=False, env=environment, capture_output=True)
    found = {line for line in said.stdout.decode().split() if line.endswith("/kept")}
    data = f"{top}/kept" if source.endswith("data") else f"{top}/data/kept"
    lent = {f"{host}/store/new/kept", *([f"{host}/store/.incoming/one/kept"] if program is _RECEIVING else [])}
    assert found == {data, *lent} and said.stderr == b"", said


def test_what_is_hidden_looks_as_it_does_on_the_host(host: Path) -> None:
    """A copy of the host names the folder: as another one it would be an exception of each snapshot."""
    os.chown(host / "store", 1234, 4321)
    (host / "store").chmod(0o2750)
    os.utime(host / "store", ns=(10**18 + 7, 10**18 + 9))
    for reads in ("/", f"{host} {host}/store/new"):
        about = f"stat -c '%n %u:%g %a %Y %y' {host}/store {'/proc' if reads == '/' else host}"
        argv = (sys.executable, "-c", _LENT, host, reads, f"{host}/store {host}/other", about)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(READABLE)}
        lent = subprocess.run(argv, check=True, env=environment, capture_output=True).stdout
        here = subprocess.run(("sh", "-c", about), check=True, capture_output=True).stdout
        assert lent == here
