"""papio as a machine of its own: this runner is installed there, and is all that looks after it."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

from tests.contract.site import REPOSITORY
from tests.vm.machine import BY_ID, Machine
from tests.vm.recipe import STORE

HOME = "/srv/runner"
REBOOT = "reboot-papio"
PARTS = ("runner", "hooks", "schema", "Makefile", "pyproject.toml", ".ci")
# What only tests and checks need: half of what is installed here.
LEFT_OUT = ("mypy*", "*mypyc*", "ruff*", "pip*", "setuptools*", "pkg_resources", "hypothesis*", "*pytest*",
            "aiosmtpd*", "librt*", "ast_serialize*", "pygments*", "__pycache__")  # fmt: skip
COMMAND = f"""#!/usr/bin/python3
import sys
sys.path[:0] = ["{HOME}", "{HOME}/.venv/packages"]
from runner.__main__ import main
main()
"""
SENDMAIL = """#!/bin/sh
printf "\\nto: %s\\n" "$*" >>/root/mail
exec cat >>/root/mail
"""
JOBS = f"""
[site]
name = "vm"
controller = "papio"
timezone = "America/New_York"
live = true
[people]
admin = ["root@localhost"]
experts = ["experts@localhost"]
users = ["users@localhost"]
[hosts.papio]
address = "127.0.0.1"
filesystems = ["/etc"]
packages = "apt"
[disks.papio-snapshots]
host = "papio"
device = "{BY_ID}"
mount = "{STORE}"
fsck_every = "120d"
[jobs.{REBOOT}]
kind = "reboot"
host = "papio"
must_run = ["ssh.service", "cron.service"]
announce = "1min"
[hooks.mail]
sendmail = "/root/sendmail"
[hooks.announce]
sendmail = "/root/sendmail"
[hooks.fsck]
"""


def install(machine: Machine) -> None:
    """Put the runner there as a checkout with its environment, with the site and the keeper's line for cron."""
    packages = Path(sysconfig.get_path("purelib"))
    _copy(machine, HOME, REPOSITORY, *PARTS)
    _copy(machine, f"{HOME}/.venv/packages", packages, ".")
    _write(machine, f"{HOME}/.venv/bin/runner", COMMAND, mode="755")
    _write(machine, f"{HOME}/jobs.toml", JOBS)
    _write(machine, "/root/sendmail", SENDMAIL, mode="755")
    _write(machine, "/etc/cron.d/runner", f"{at_boot().replace('/path/to/checkout', HOME)}\n")
    machine.run("touch", f"{HOME}/.venv/run")
    _write(machine, "/etc/hostname", "papio\n")
    machine.run("hostname", "papio")


def at_boot() -> str:
    """The line that the guide tells papio's keeper to give cron."""
    (found,) = re.findall(r"(?m)^ *(@reboot .*)$", (REPOSITORY / "docs/guide.md").read_text())
    return found


def _copy(machine: Machine, there: str, here: Path, *names: str) -> None:
    left_out = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    machine.run("mkdir", "-p", there)
    packed = subprocess.Popen(("tar", "-C", here, *left_out, "-c", "--", *names), stdout=subprocess.PIPE)
    with packed:
        unpack = ("tar", "-C", there, "--no-same-owner", "-x")
        subprocess.run(machine.ssh(*unpack), stdin=packed.stdout, check=True, timeout=120)
    assert packed.returncode == 0


def _write(machine: Machine, path: str, text: str, mode: str = "644") -> None:
    script = 'mkdir -p "${1%/*}"; cat >"$1"; chmod "$2" "$1"'
    argv = machine.ssh("sh", "-euc", script, "write", path, mode)
    subprocess.run(argv, input=text, text=True, check=True, timeout=60)
