"""What rsync prints in the formats that a plan asks for: a line for each name, and its statistics."""

from __future__ import annotations

import re
from typing import NamedTuple

from .arguments import DIGITS
from .frames import Frame

# How it ends where it came to its end, and a comparison too.
WHOLE = (0, 23, 24)
FILES = b"Number of files"
STATS = re.compile(rb"(Number of files|Total file size): ([0-9,]+)(?:.*[( ]dir: ([0-9,]+))?")
LOOKED = re.compile(rb"([<>ch.*][fdLDS][^|]{9})\|(.+?)//", re.DOTALL)
ESCAPE = re.compile(rb"\\#([0-7]{3})")
UNSAFE = re.compile(rb"[\x00-\x1f\x7f-\xff]|\\(?=#[0-7]{3})")
# How a line of a transfer begins: what is done with the name, and its type; up to the bar.
ITEMS, TYPES, BAR = b"<>ch.", b"fdLDS", 11
HEX = b"0123456789abcdef"
# No algorithm of rsync has a longer checksum than SHA-512.
LONGEST = 128


class Sent(NamedTuple):
    """A line of a transfer (`%i|%C|%l|%n//%L`); `name` is still escaped, `checksum` may be empty.

    `linked`: it was made a hard link of another name.
    """

    item: str
    checksum: str
    size: int
    name: bytes
    linked: bool = False

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
    if line[BAR : BAR + 1] != b"|" or line[:1] not in ITEMS or line[1:2] not in TYPES or line[-1:] != b"\n":
        return None
    item, *fields = line.split(b"|", 3)
    if len(item) != BAR or len(fields) != 3:
        return None
    checksum, size, rest = fields
    checksum = checksum.rstrip(b" ")
    if len(checksum) > LONGEST:
        return None
    name, end, of = rest.partition(b"//")
    if not (name and end and size.isdigit() and len(size) <= DIGITS) or checksum.strip(HEX):
        return None
    # Where it was that already there is nothing behind the name.
    linked = item[:1] == b"h" and bool(of.strip())
    return Sent(item.decode("ascii", "replace"), checksum.decode(), int(size), name, linked)


def looked(line: bytes) -> tuple[str, bytes] | None:
    """Item and escaped name of a line of a comparison (`%i|%n//%L`), None for any other line."""
    match = LOOKED.match(line)
    return (match[1].decode("ascii", "replace"), match[2]) if match else None


def is_about_a_name(line: bytes) -> bool:
    """Whether the line has the mark of an out-format line, whether it can be read or not."""
    return line[BAR : BAR + 1] == b"|"


def unescaped(name: bytes) -> bytes:
    """The name as it is on the disk, without the slash that rsync puts after a folder's."""
    if b"\\#" in name:
        name = ESCAPE.sub(lambda octal: bytes((int(octal[1], 8) & 0xFF,)), name)
    return name.rstrip(b"/") or b"."


def escaped(name: bytes) -> bytes:
    """The name as rsync writes it with LC_ALL=C."""
    return UNSAFE.sub(lambda char: b"\\#%03o" % char[0][0], name)


def counted(frame: Frame) -> int:
    """How many names rsync saw in the transfer whose output this is, 0 where it does not say."""
    statistics = (STATS.match(line) for line in frame.lines() if line.startswith(FILES))
    return max((number(each[2]) for each in statistics if each), default=0)


def number(text: bytes) -> int:
    """A number of the statistics, which has commas in it."""
    return int(text.replace(b",", b""))
