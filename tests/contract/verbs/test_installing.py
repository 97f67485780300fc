"""What make installs: exactly the packages of the lock, or nothing; and a program that no environment leads elsewhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
# A project like ours that builds itself without setuptools, which would have to come from a network.
PROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "papio-runner"
version = "0.1.0"
"""
BACKEND = """import pathlib, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name, about = "papio_runner-0.1.0-py3-none-any.whl", "papio_runner-0.1.0.dist-info"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("papio_runner.pth", str(pathlib.Path.cwd()))
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: papio-runner\\nVersion: 0.1.0\\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{about}/RECORD", "")
    return name
"""
MAIN = """import json, sys
import small
def main():
    print(json.dumps([sys.argv[1:], small.WHERE, sys.flags.isolated, small.__file__]))
"""
# Where a Python that listens to its environment would find a module of somebody else's.
HOSTILE = """import os
with open(os.environ["CANARY"], "a") as canary:
    canary.write(__name__ + "\\n")
raise SystemExit("a module of somebody else runs")
"""
STANDARD = ("json", "os", "sitecustomize", "usercustomize", "runner", "argparse", "small", "encodings", "site")


class Checkout:
    """A folder with our Makefile, and a project and a folder of wheels that need no network."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wheels = folder, folder / "my wheels"
        shutil.copytree(ROOT / ".ci", folder / ".ci")
        shutil.copy(ROOT / "Makefile", folder)
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / "backend.py").write_text(BACKEND)
        (folder / "runner").mkdir()
        (folder / "runner/__main__.py").write_text(MAIN)
        self.wheels.mkdir()
        self.wheel = self.package("1.0")

    def package(self, version: str) -> Path:
        """The wheel of a small package; what is locked is this."""
        wheel, about = self.wheels / f"small-{version}-py3-none-any.whl", f"small-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as parts:
            parts.writestr("small.py", f"WHERE = 'its wheel {version}'\n")
            parts.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: small\nVersion: {version}\n")
            parts.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            parts.writestr(f"{about}/RECORD", "")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (self.folder / ".ci/run.txt").write_text(f"# for us\nsmall=={version} \\\n    --hash=sha256:{digest}\n")
        return wheel

    def make(self, target: str = ".venv/run", **environment: str) -> tuple[int, list[str]]:
        """How make ends, and what it says."""
        # As a person calls it: these tests may have been begun by a make, which tells those below it.
        own = {name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        ran = subprocess.run(
            ("make", target, "WHEELS=my wheels", f"PYTHON={sys.executable}"), cwd=self.folder, text=True, check=False,
            capture_output=True, env={**own, **environment}, timeout=120,
        )  # fmt: skip
        return ran.returncode, (ran.stdout + ran.stderr).splitlines()

    def runner(self, cwd: Path, **environment: str) -> str:
        """What the program prints, called from that folder."""
        argv = (self.folder / ".venv/bin/runner", "a b")
        return subprocess.run(
            argv, cwd=cwd, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=True
        ).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "my checkout").mkdir()
    return Checkout(tmp_path / "my checkout")


def hostile(folder: Path) -> dict[str, str]:
    """An environment that would lead Python into this folder in every way that there is, and who has been there."""
    folder.mkdir()
    user = folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    for place in (folder, user):
        place.mkdir(parents=True, exist_ok=True)
        for name in STANDARD:
            (place / f"{name}.py").write_text(HOSTILE)
    # The packages of another virtual environment, whose Python we might be taken for.
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys._base_executable).parent}\n")  # type: ignore[attr-defined]
    (user / "evil.pth").write_text(f"import sys; open({str(folder / 'canary')!r}, 'a').write('pth')\n")
    path = str(folder)
    return {
        "PYTHONPATH": path, "PYTHONHOME": path, "PYTHONSTARTUP": f"{path}/json.py", "PYTHONUSERBASE": path,
        "PYTHONPYCACHEPREFIX": f"{path}/compiled", "PYTHONINSPECT": "1", "PYTHONBREAKPOINT": "json.main",
        "PYTHONPLATLIBDIR": path, "PYTHONWARNINGS": "error::json.Evil", "PYTHONEXECUTABLE": f"{path}/bin/python", "__PYVENV_LAUNCHER__": f"{path}/bin/python",
        "HOME": path, "CANARY": f"{path}/canary", "PATH": os.environ["PATH"],
    }  # fmt: skip


def test_what_is_installed_is_told_first_and_once(checkout: Checkout) -> None:
    code, said = checkout.make()
    told = [
        "  Debian packages to install: none, they are all here",
        "  Python packages to install, into .venv: small 1.0",
    ]
    assert (code, said[1:]) == (0, [*told, "making .venv"]) and said[0].startswith("setting up the runner")
    assert checkout.make() == (0, ["make: '.venv/run' is up to date."])


def test_a_changed_wheel_is_refused_and_no_half_of_a_venv_is_left(checkout: Checkout) -> None:
    whole = checkout.wheel.read_bytes()
    place = whole.index(b"its wheel")
    checkout.wheel.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    code, said = checkout.make()
    assert code != 0 and [line for line in said if "small==1.0" in line] == [
        "not what .ci/run.txt names: small==1.0 was changed on its way here; nothing is installed "
        "(all that pip said: .venv/pip.log)"
    ]
    assert [path.name for path in (checkout.folder / ".venv").iterdir()] == ["pip.log"]
    checkout.wheel.write_bytes(whole)
    assert checkout.make()[0] == 0 and "its wheel 1.0" in checkout.runner(checkout.folder)


def test_one_that_worked_works_on_where_a_newer_lock_cannot_be_had(checkout: Checkout) -> None:
    assert checkout.make()[0] == 0
    newer = checkout.package("2.0")
    newer.write_bytes(newer.read_bytes()[:-1] + b"x")
    code, said = checkout.make()
    assert code != 0 and "  Python packages to install, into .venv: small 2.0" in said
    assert "its wheel 1.0" in checkout.runner(checkout.folder)
    checkout.package("2.0")
    assert checkout.make()[0] == 0 and "its wheel 2.0" in checkout.runner(checkout.folder)


def test_a_source_is_not_built(checkout: Checkout) -> None:
    checkout.wheel.rename(checkout.wheels / "small-1.0.zip")
    code, said = checkout.make()
    assert code != 0 and any("could not be installed from my wheels" in line for line in said)


def test_nothing_that_the_environment_names_runs_in_make_or_in_the_program(checkout: Checkout, tmp_path: Path) -> None:
    environment = hostile(tmp_path / "evil")
    code, said = checkout.make(**environment)
    assert (code, said[-1]) == (0, "making .venv"), said
    where = str(checkout.folder / ".venv/lib")
    for folder in (tmp_path / "evil", checkout.folder):
        assert checkout.runner(folder, **environment).startswith(f'[["a b"], "its wheel 1.0", 1, "{where}')
    assert not (tmp_path / "evil/canary").exists() and not (tmp_path / "evil/compiled").exists()


def test_the_programs_own_door_is_isolated(tmp_path: Path) -> None:
    """The one beside the Python that runs this; not even for a moment is it led elsewhere."""
    program, environment = Path(sys.executable).with_name("runner"), hostile(tmp_path / "evil")
    for argv in (("--help",), ("validate", "--file", str(ROOT / "jobs.toml"))):
        ran = subprocess.run(
            (program, *argv), cwd=tmp_path / "evil", env=environment, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, "")
    assert not (tmp_path / "evil/canary").exists() and not (tmp_path / "evil/compiled").exists()
