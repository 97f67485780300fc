r"""rsync's out-format lines, read by position: nothing in them that a file name could imitate.

The 12th character of every line about a name is `|`, of no other line of rsync's; names come escaped
(`\#ooo`) and cannot hold `//`, which ends them. rsync(1), --out-format and --itemize-changes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SENT = re.compile(rb"([<>ch.][fdLDS][^|]{9})\|([0-9a-f]*) *\|([0-9]+)\|(.+?)//", re.DOTALL)
LOOKED = re.compile(rb"([<>ch.*][fdLDS][^|]{9})\|(.+?)//", re.DOTALL)
ESCAPE = re.compile(rb"\\#([0-7]{3})")
UNSAFE = re.compile(rb"[\x00-\x1f\x7f-\xff]|\\(?=#[0-7]{3})")
BAR = 11


class Sent(NamedTuple):
    """A line of a transfer (`%i|%C|%l|%n//%L`); `name` is still escaped, `checksum` may be empty."""

    item: str
    checksum: str
    size: int
    name: bytes

    @property
    def transferred(self) -> bool:
        """Whether it is about a regular file whose content was sent."""
        return self.item[0] in "<>" and self.item[1] == "f"

    @property
    def copied(self) -> bool:
        """Whether a file got an inode of its own here, with the content of an older one."""
        return self.item.startswith("cf") and "+" not in self.item

    @property
    def created(self) -> bool:
        """Whether a name that is no regular file was made."""
        return self.item[0] == "c" and self.item.endswith("+++++++++")


def sent(line: bytes) -> Sent | None:
    """The line as a `Sent`, None if it is another kind of line or is cut off."""
    found = SENT.match(line) if line.endswith(b"\n") else None
    if found is None:
        return None
    item, checksum, size, name = found.groups()
    return Sent(item.decode("ascii", "replace"), checksum.decode(), int(size), name)


def looked(line: bytes) -> tuple[str, bytes] | None:
    """Item and escaped name of a line of a comparison (`%i|%n//%L`), None for any other line."""
    found = LOOKED.match(line)
    return (found[1].decode("ascii", "replace"), found[2]) if found else None


def is_about_a_name(line: bytes) -> bool:
    """Whether the line has the mark of an out-format line, whether it can be read or not."""
    return line[BAR : BAR + 1] == b"|"


def unescaped(name: bytes) -> bytes:
    """The name as it is on the disk, without the slash that rsync puts after a folder's."""
    return ESCAPE.sub(lambda found: bytes((int(found[1], 8) & 0xFF,)), name).rstrip(b"/") or b"."


def escaped(name: bytes) -> bytes:
    """The name as rsync writes it with LC_ALL=C."""
    return UNSAFE.sub(lambda found: b"\\#%03o" % found[0][0], name)
