"""Delivers a message on this machine: to the sendmail program, or into a file of the sandbox."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

from runner.model.errors import ReportUndelivered

# sysexits.h: EX_TEMPFAIL.
_TEMPORARY = 75
PATIENCE = 60  # how many seconds the program may take


def by_sendmail(message: EmailMessage, people: Sequence[str], argv: Sequence[str], table: str) -> None:
    """Give the message to `argv` with the people after `--`; ReportUndelivered unless it exits 0.

    `table` is the one of jobs.toml that says how it is sent.
    """
    program = argv[0]
    # sendmail programs want the line ends of the machine, not those of the wire.
    content = message.as_bytes(policy=message.policy.clone(linesep="\n"))
    try:
        ended = subprocess.run(
            (*argv, "--", *people),
            input=content,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANGUAGE": ""},
        )
    except OSError as problem:
        do = f"install a mail server program, or give {table} in jobs.toml a table smtp"
        raise ReportUndelivered(f"{program} cannot be started: {problem.strerror}", do=do) from problem
    except subprocess.TimeoutExpired as problem:
        text = f"{program} did not end within {PATIENCE} seconds"
        raise ReportUndelivered(text, do="look at the mail queue of this host") from problem
    if ended.returncode != 0:
        output = (ended.stderr or ended.stdout).decode(errors="backslashreplace").strip() or "it printed nothing"
        text = f"{program} ended with {ended.returncode}: {output}"
        raise ReportUndelivered(text, do="look at the mail log of this host", passing=ended.returncode == _TEMPORARY)


def keep(message: EmailMessage, path: Path) -> None:
    """Write the message to `path`, whole or not at all; makes the folder."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as out:
        out.write(message.as_bytes())
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)
