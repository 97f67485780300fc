"""Every collector of the agent with nothing to collect: it says so, says that it cannot know, or refuses.

What a host's package manager is asked has such a table of its own, in a real Debian and a real dnf
(tests/lab/packages).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.agent.database import dumps
from runner.agent.detached import records
from runner.agent.host import fstab, sessions
from runner.agent.packages import installed, kernels
from runner.agent.packages.contract import KernelVersions
from runner.agent.power import boot_checks, idle

REPOSITORY = Path(__file__).parents[3]
Asked = Callable[[Path], Any]


def verb(*argv: str) -> dict[str, Any]:
    """What the agent answers."""
    done = subprocess.run(
        (sys.executable, "-m", "runner.agent", *argv), cwd=REPOSITORY, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def file(folder: Path, name: str) -> Path:
    """An empty file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def asked_access(folder: Path) -> Any:
    log = file(folder, "auth.log")
    os.utime(log, (1, 1))
    answer = verb("access", f"--file={log}")
    return (answer["alive"], answer["tables"]["new"]["rows"])


def store(folder: Path) -> str:
    (folder / "store/.runner").mkdir(parents=True, exist_ok=True)
    return str(folder / "store")


NOTHING: dict[str, tuple[Asked, Any]] = {
    "no kernel": (lambda root: kernels.boot(root)["kernel"].newest, ""),
    "no kernel to boot": (lambda root: (kernels.boot(root)["initrd"], kernels.boot(root)["entry"]), (False, None)),
    "no package": (lambda _: installed.changes(installed.installed([]), installed.installed([]))["upgraded"], []),
    "no family of packages": (lambda _: installed.listed("", {}), []),
    "nothing installed since the boot": (lambda root: installed.since_boot(root / "state", root), []),
    "no fstab": (lambda root: fstab.fstab(root / "fstab"), ()),
    "an empty fstab": (lambda root: fstab.fstab(file(root, "fstab")), ()),
    "no words to the kernel": (lambda root: boot_checks.read((), root).kernel, ()),
    "no session": (sessions.users, ()),
    "an empty utmp": (lambda root: sessions.users(file(root, "run/utmp").parents[1]), ()),
    "no inhibitor": (sessions.inhibitors, []),
    "no check under way": (sessions.checking, []),
    "nothing detached": (lambda root: records.read((f"--state={root}",)).detached, ()),
    "nothing at work": (lambda root: idle.read((f"--state={root}",), root).idle, True),
    "no dump": (lambda root: dict(dumps.read((str(root),)))["databases"], {}),
    "no snapshot": (lambda root: (verb("newest", store(root))["newest"], verb("links", store(root))["fits"]), ("", True)),
    "nothing freed": (lambda root: verb("freed", store(root)), {"freed": []}),
    "a log of nothing": (asked_access, (False, [])),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_answered_as_nothing(name: str, tmp_path: Path) -> None:
    asked, answer = NOTHING[name]
    assert asked(tmp_path) == answer


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a mount namespace")
@pytest.mark.parametrize("words", [("idle", "--state={0}"), ("in-use", "{0}"), ("outdated", "--state={0}"), ("up",)])
def test_a_host_whose_processes_cannot_be_seen_is_not_one_without_any(words: tuple[str, ...], tmp_path: Path) -> None:
    argv = [word.format(tmp_path) for word in words]
    script = 'mount -t tmpfs tmpfs /proc && exec "$@"'
    done = subprocess.run(
        ("unshare", "--mount", "--", "sh", "-c", script, "sh", sys.executable, "-m", "runner.agent", *argv),
        cwd=REPOSITORY, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "/proc" in json.loads(done.stdout)["error"]


def test_an_fstab_that_cannot_be_read_is_not_one_without_lines(tmp_path: Path) -> None:
    (tmp_path / "fstab").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        fstab.fstab(tmp_path / "fstab")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a mount namespace")
def test_an_utmp_that_nobody_keeps_is_not_one_without_people(tmp_path: Path) -> None:
    """Such a host has a logind, which is asked; there is none here, so that nobody knows."""
    folder = tmp_path / "run"
    file(tmp_path, "run/utmp")
    (folder / "systemd/seats").mkdir(parents=True)
    script = (
        f"mount --bind {folder} /run && exec {sys.executable} -c 'from pathlib import Path; "
        'from runner.agent.host.sessions import users; print(users(Path("/")))\''
    )
    done = subprocess.run(
        ("unshare", "--mount", "--", "sh", "-c", script), cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout == "None\n", done


def test_kernels_of_nothing_are_of_the_running_one(tmp_path: Path) -> None:
    assert kernels.boot(tmp_path)["kernel"] == KernelVersions(os.uname().release, "")
