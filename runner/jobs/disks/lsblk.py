"""lsblk(8): what a block device is, and what is built on it or mounted from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.model.plan import Argv
from runner.model.text import whole_number
from runner.tools.answers import json_object


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A block device as the kernel knows it; `size` in bytes, `number` as in Filesystem.dev.

    `children` are its partitions and whatever else is built on it, `mount` one place where it is
    mounted ("[SWAP]" for swap). Texts are "" where unknown.
    """

    name: str
    type: str
    size: int
    number: int
    model: str = ""
    serial: str = ""
    read_only: bool = False
    mount: str = ""
    children: tuple[Device, ...] = ()

    @property
    def description(self) -> str:
        """Maker's name and serial number, as far as they are known."""
        serial = f"serial {self.serial}" if self.serial else "without a serial number"
        return f"{self.model or f'a {self.type} without a model name'}, {serial}"


def look(device: str) -> Argv:
    """Describe `device` and all that is built on it, as JSON. Reads only; exit 32 where there is none."""
    columns = "NAME,TYPE,SIZE,MAJ:MIN,MODEL,SERIAL,RO,MOUNTPOINT"
    return ("lsblk", "--json", "--bytes", "--paths", "--output", columns, device)


def parse(text: str) -> Device | None:
    """Read what `look` printed; None where it lists no device, several, or makes no sense."""
    try:
        (device,) = json_object(text)["blockdevices"]
        return _device(device)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _device(fields: Mapping[str, Any]) -> Device:
    major, _, minor = str(fields["maj:min"]).strip().partition(":")
    return Device(
        name=str(fields["name"]),
        type=str(fields["type"]),
        size=_number(fields["size"]),
        number=os.makedev(_number(major), _number(minor)),
        model=" ".join(str(fields.get("model") or "").split()),
        serial=" ".join(str(fields.get("serial") or "").split()),
        # Before version 2.33 truth and numbers were texts.
        read_only=fields.get("ro") not in (False, "0", 0),
        mount=str(fields.get("mountpoint") or ""),
        children=tuple(_device(child) for child in fields.get("children", ())),
    )


def _number(value: object) -> int:
    known = whole_number(str(value))
    if known is None:
        raise ValueError(f"{value!r} is no number")
    return known
