"""The identity that a store keeps of its disk, `.runner/disk.json`, where no snapshot has written it yet."""

from __future__ import annotations

import json
from datetime import datetime

from runner.model.plan import Argv

_WRITE = "; ".join((
    "set -eu",
    "umask 022",
    'mkdir --parents -- "$1"',
    'if [ -e "$1/disk.json" ]; then exit; fi',
    'printf "%s\\n" "$2" > "$1/disk.json.tmp"',
    'sync -- "$1/disk.json.tmp"',
    'mv --force --no-target-directory -- "$1/disk.json.tmp" "$1/disk.json"',
    'sync -- "$1"',
))  # fmt: skip


def show(store: str) -> Argv:
    """Print the identity that the store at `store` keeps. Reads only; exit 1 where there is none."""
    return ("cat", "--", f"{store}/.runner/disk.json")


def write(store: str, uuid: str, since: datetime) -> Argv:
    """Write that the store is on the disk `uuid` since then, in one move; one that is there stays.

    The script is fixed, the folder and the text are words of their own.
    """
    text = json.dumps({"uuid": uuid, "since": since.isoformat()})
    return ("sh", "-c", _WRITE, "sh", f"{store}/.runner", text)


def parse(text: str) -> str:
    """The UUID in what `show` printed, lower case; "" where it says none."""
    try:
        return str(json.loads(text).get("uuid", "")).lower()
    except (ValueError, AttributeError):
        return ""
