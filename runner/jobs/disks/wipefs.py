"""wipefs(8), which here only looks: the signatures on a device, and whether it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.model.names import UUID
from runner.model.plan import Argv, Check
from runner.tools.answers import json_object

BLANK = "blank, unused"
# One JSON line, so that it can be a guard: size, name, whether anything is on it or uses it. A command that
# fails ends it without an answer. A sector that cannot be read shows no signature, so the ends are read first:
# what is damaged is not blank. The name is cut down to letters that mean nothing in JSON.
_STAMP = "; ".join(
    (
        "set -euf",
        'size=$(blockdev --getsize64 "$1")',
        'dd if="$1" of=/dev/null bs=1M count=4 status=none',
        'dd if="$1" of=/dev/null bs=1M skip=$((size / 1048576 - 1)) status=none',
        'name=$(lsblk --nodeps --noheadings --output MODEL,SERIAL "$1")',
        'marks=$(wipefs --no-act --noheadings --output OFFSET -- "$1")',
        'users=$(lsblk --noheadings --raw --output TYPE,MOUNTPOINT "$1")',
        "name=$(printf %s \"$name\" | tr -cs 'A-Za-z0-9.:+_-' ' ')",
        'state=blank; [ -z "$marks" ] || state="not blank"',
        'set -- $users; if [ $# -eq 1 ]; then state="$state, unused"; else state="$state, in use"; fi',
        'printf \'{"device": "%s bytes, %s: %s"}\\n\' "$size" "${name% }" "$state"',
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """Something that a program would take for its own: a filesystem, a partition table, swap, RAID..."""

    type: str
    uuid: str = ""
    label: str = ""


def look(device: str) -> Argv:
    """List the signatures on `device` as JSON, its partition table's too. Reads only (`--no-act`)."""
    return ("wipefs", "--no-act", "--json", "--", device)


def wipe(device: str) -> Argv:
    """What a person types to wipe every signature; no plan of ours ever holds it."""
    return ("wipefs", "--all", "--", device)


def stamp(device: str) -> Argv:
    """Print `{"device": "SIZE bytes, MODEL SERIAL: STATE"}`, STATE `BLANK` only if nothing is there.

    Reads only; the script is fixed and the device a word of its own.
    """
    return ("sh", "-c", _STAMP, "sh", device)


def unchanged(host: str, device: str, stamped: str) -> Check:
    """The claim that `device` is what `stamp` printed: the same one, in the same state."""
    why = f"{device} is still the same disk, and as blank as it was"
    return Check(host=host, argv=stamp(device), field="device", relation="==", value=stamped, why=why)


def parse(text: str) -> tuple[Signature, ...] | None:
    """Read what `look` printed; None where it makes no sense, which is not the same as no signature."""
    try:
        return tuple(map(_signature, json_object(text)["signatures"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _signature(mark: Mapping[str, Any]) -> Signature:
    uuid = str(mark.get("uuid") or "").lower()
    # It may be written into fstab.
    if not UUID.fullmatch(uuid):
        raise ValueError(f"{uuid!r} is no uuid")
    return Signature(type=str(mark["type"]), uuid=uuid, label=str(mark.get("label") or ""))


def parse_stamp(text: str) -> str:
    """Read what `stamp` printed; "" where it makes no sense."""
    try:
        return str(json_object(text)["device"])
    except (ValueError, KeyError, TypeError):
        return ""
