"""Which machine this is, whatever its name or address: machine-id(5)."""

from __future__ import annotations

from pathlib import Path

from .. import regular
from ..arguments import MACHINE

# Where there is no systemd, D-Bus keeps the same number.
PLACES = ("etc/machine-id", "var/lib/dbus/machine-id")
LONGEST = 4096


def machine_id(root: Path = Path("/")) -> str:
    """The id of this machine; "" where it has none yet, as an image that was never started or a chroot.

    "" also where it cannot be read.
    """
    for place in PLACES:
        try:
            text = regular.content(root / place, LONGEST).decode("ascii", "replace").strip()
        except FileNotFoundError:
            continue
        except OSError:
            # The other may have the number of another machine, from which this one was copied.
            return ""
        # 32 zeros are none, nor is the word `uninitialized`.
        return text if MACHINE.fullmatch(text) and text.strip("0") else ""
    return ""
