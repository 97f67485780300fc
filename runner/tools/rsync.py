"""rsync(1): the commands that a snapshot and a restore need, and which rsync can do what.

Options and traps: rsync(1), and docs/decisions for the ones that are not obvious.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from runner.model.facts import Rsync
from runner.model.plan import Argv
from runner.model.text import whole_number

# %n is escaped by rsync (\#ooo) and cannot hold "//", so every line parses in one way only.
LINE = "--out-format=%i|%C|%l|%n//%L"

_EXACT = "--modify-window=-1"

FAITHFUL: Argv = (
    "--archive",
    "--hard-links",
    "--acls",
    "--xattrs",
    "--sparse",
    "--numeric-ids",
    "--one-file-system",
    _EXACT,
    "--no-inc-recursive",
)

# A dry run against a tree that equals the source must print nothing, so it compares all that
# FAITHFUL keeps and asks for names that should not be there, also where something cannot be read.
COMPARE: Argv = ("--dry-run", "--itemize-changes", "--delete", "--ignore-errors")

# A restore takes one path out of one snapshot, over whatever filesystems it was.
_WHOLE: Argv = (*(option for option in FAITHFUL if option != "--one-file-system"), "--relative")

# rsync(1), --files-from. One that lists the top folder itself would bring all that is in it.
# Names that are gone are passed over; to take them from the target too (--delete-missing-args) not every 3.2.7 is able.
_LISTED: Argv = ("--files-from=-", "--from0", "--ignore-missing-args")

# rsync(1): else it checks what arrives against the list, in a time that grows with the square of its length (8,000
# names: 4 s, 16,000: 13 s), and 3.5.0 refuses names of over 2,048 bytes that it asked for. What is received so
# is taken by the list alone.
_TRUSTED: Argv = ("--trust-sender",)

# What an interrupted copy left and this one would not bring, also below what is mounted since, and whatever else
# cannot be read.
_NOTHING_ELSE: Argv = ("--delete-excluded", "--ignore-errors")

# What is nobody's has the rights all the same: else it ignores owners, devices and most attributes.
_AS_ROOT: Argv = ("--super",)

_STATS: Argv = ("--timeout=600", "--no-human-readable", "--stats")

PARTIAL_OK = (0, 23, 24)
INTERRUPTED = (10, 12, 20, 30, 255)

# That of `keep-room` of the agent, which ended it before it took the last of the disk.
NO_ROOM = 78

# rsync(1), EXIT VALUES. What a sender cannot read is 23: of 11 it is the receiver that speaks, and the
# last line is often the sender's broken pipe.
FILE_IO = 11
WORDS = {
    FILE_IO: "the receiving disk took no more: it is full, or it fails (rsync exit 11); what was sent is kept",
    NO_ROOM: "no space left where it goes: it was ended before it took the last; what was sent is kept",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ends:
    """Where a transfer starts and ends; `rsh` is the ssh command for a remote end, "" for none.

    Both are absolute paths, with `host:` in front of the remote one. `coarse`: the target's disk keeps whole seconds
    only, and no more is compared of times. `keep` is the command that runs what receives at
    the target's host, and keeps room there. `trusts`: what receives takes --trust-sender. `confined`: it is nobody's
    there, and has the rights that a copy takes. `looks` is the command that runs what only looks at it, likewise.
    `less` are options that leave something out of a restore, and of what compares it.
    """

    source: str
    target: str
    rsh: Argv = ()
    checksum: str = "xxh128"
    keep: Argv = ()
    coarse: bool = False
    trusts: bool = False
    confined: bool = False
    looks: Argv = ()
    less: Argv = ()

    @property
    def listed(self) -> Argv:
        """The options for a transfer of the names on stdin."""
        pulls = bool(self.rsh) and self.target.startswith("/")
        return (*_LISTED, *(_TRUSTED if self.trusts and pulls else ()))

    @property
    def program(self) -> Argv:
        """The command that begins a transfer here; what receives elsewhere is begun by that host's shell."""
        return (*self.keep, "rsync") if self.target.startswith("/") else ("rsync",)

    @property
    def faithful(self) -> Argv:
        """FAITHFUL, as far as times can be compared."""
        return tuple("--modify-window=0" if self.coarse and word == _EXACT else word for word in FAITHFUL)

    @property
    def receiver(self) -> Argv:
        """The options that say how to begin what receives elsewhere, whose words are for a shell there: rsync(1).

        And that it may do what root may, where it is not root.
        """
        far = self.keep and not self.target.startswith("/")
        rights = _AS_ROOT if self.confined else ()
        return (*rights, *((f"--rsync-path={shlex.join((*self.keep, 'rsync'))}",) if far else ()))


def send(ends: Ends, *, exclude: Sequence[str], keep_parts: str = "") -> Argv:
    """Copy a whole filesystem into a folder in which nothing is shared with anything sealed.

    What is there of an interrupted copy is taken up, and goes where the source has it no more. `exclude` are patterns
    from `below`; `keep_parts` is where halves of big files survive.
    """
    return (
        *ends.program,
        *FAITHFUL,
        *_NOTHING_ELSE,
        *_STATS,
        f"--checksum-choice={ends.checksum}",
        LINE,
        *((f"--partial-dir={keep_parts}",) if keep_parts else ()),
        *(f"--exclude={pattern}" for pattern in exclude),
        *ends.receiver,
        *_places(ends),
    )


def send_listed(ends: Ends, *, exclude: Sequence[str], bases: Sequence[str], keep_parts: str = "") -> Argv:
    """Copy the names on stdin (`./PATH`, each with a NUL), as `send` would, whatever size and time say of them.

    A folder is copied without what is in it. Of what one of `bases` has (folders on the target's machine, at most 20)
    only the difference is sent to another host; the copy shares nothing with them.
    """
    if len(bases) > 20:
        raise ValueError("rsync takes at most 20 --copy-dest folders")
    again = send_again(ends, exclude=exclude, keep_parts=keep_parts)
    place = again.index(LINE) + 1
    # On one machine it copies whole files, rsync(1): to look for each in these folders would be half of its work.
    older = tuple(f"--copy-dest={folder}" for folder in bases) if ends.rsh else ()
    return (*again[:place], "--ignore-times", *older, *again[place:])


def send_again(ends: Ends, *, exclude: Sequence[str], keep_parts: str = "") -> Argv:
    """Make what `send_listed` brought exact: the same names on stdin, compared with what is there.

    What changed meanwhile is sent again. And rsync up to 3.5.0 drops the extended attributes of a link, a device or a
    FIFO that is in a --copy-dest folder as it is at the source.
    """
    whole = send(ends, exclude=exclude, keep_parts=keep_parts)
    place = whole.index(_NOTHING_ELSE[0])
    return (*whole[:place], *ends.listed, "--force", *whole[place + len(_NOTHING_ELSE) :])


def far(argv: Argv) -> bool:
    """Whether one end of this transfer is on another host."""
    return any(word.startswith("--rsh=") for word in argv)


def look(ends: Ends, *, exclude: Sequence[str]) -> Argv:
    """List every name in which source and target differ; reads only, exit 0 and no line if none."""
    return (
        *ends.looks,
        "rsync",
        *ends.faithful,
        *COMPARE,
        "--timeout=600",
        "--out-format=%i|%n//%L",
        *(f"--exclude={pattern}" for pattern in exclude),
        *(_AS_ROOT if ends.looks else ()),
        *_places(ends),
    )


def look_listed(ends: Ends, *, exclude: Sequence[str]) -> Argv:
    """List those of the names on stdin in which source and target differ; reads only."""
    whole = look(ends, exclude=exclude)
    words = (word for each in whole for word in (ends.listed if each == "--delete" else (each,)))
    return tuple(word for word in words if word != COMPARE[-1])


def foresee(differ: Argv) -> Argv:
    """The dry run that lists what a transfer would bring, where `differ` (made by `look`) compares it; reads only."""
    counted = ("--no-human-readable", "--stats", "--out-format=%i|%l")
    kept = tuple(word for word in differ if not word.startswith(("--out-format=", "--delete", "--ignore-errors")))
    place = kept.index("--timeout=600")
    return (*kept[:place], *counted, *kept[place:])


def restore(ends: Ends, *, aside: str = "") -> Argv:
    """Copy one path (with `/./` where its kept parents begin) out of a snapshot, whole.

    Into a folder in use (`aside` given) whatever would be overwritten is moved to `aside` first, and
    parents that are there stay as they are; into an empty one they are restored as they were.
    """
    return (
        *ends.program,
        *(*_WHOLE, *ends.less),
        *(*_STATS, LINE),
        f"--checksum-choice={ends.checksum}",
        *(("--no-implied-dirs", "--backup", f"--backup-dir={aside}") if aside else ()),
        *ends.receiver,
        *_places(ends),
    )


def chosen(ends: Ends) -> Argv:
    """Copy the names on stdin (`./SNAPSHOT/PATH`, each with a NUL) out of a store, as faithfully as `restore`.

    A folder is copied without what is in it; a name that is not there is exit 23.
    """
    return (
        *ends.program,
        *_WHOLE,
        "--files-from=-",
        "--from0",
        *_STATS,
        f"--checksum-choice={ends.checksum}",
        *ends.receiver,
        *_places(ends),
    )


def verify(ends: Ends, *, parents: bool) -> Argv:
    """Compare a restored path with the snapshot, by content; prints a line for each difference."""
    return (
        *ends.looks,
        "rsync",
        *(*_WHOLE, *ends.less),
        *("--dry-run", "--itemize-changes"),
        "--checksum",
        "--timeout=600",
        "--out-format=%i|%n//%L",
        *(() if parents else ("--no-implied-dirs",)),
        *(_AS_ROOT if ends.looks else ()),
        *_places(ends),
    )


def below(source: str, path: str) -> str:
    """The pattern that leaves out what is in `path`, a folder in the tree `source`, but keeps it.

    Both absolute. rsync(1), FILTER RULES: a leading slash anchors at the transfer's root, and a
    backslash takes the meaning from `*?[` once a pattern has a wildcard, which the final `*` is.
    """
    return _escaped(_inside(source, path)) + "/*"


def exactly(source: str, path: str) -> str:
    """The pattern that leaves out `path` itself, a file or folder in the tree `source`."""
    inside = _inside(source, path)
    return _escaped(inside) if set(inside) & set("*?[") else inside


def _inside(source: str, path: str) -> str:
    return path.rstrip("/")[len(source.rstrip("/")) :]


def _escaped(inside: str) -> str:
    return "".join("\\" + char if char in "*?[\\" else char for char in inside)


def checksum(sender: Rsync, receiver: Rsync) -> str:
    """The best checksum that both ends know; named in every command, since a sum does not say what it is."""
    return "xxh128" if "xxh128" in sender.checksums and "xxh128" in receiver.checksums else "md5"


def takes_up_halves(receiver: Rsync) -> bool:
    """Whether this rsync, receiving, may be given an absolute --partial-dir.

    Since the security fixes of January 2025, that distributions put into older versions without another
    number, it dies on a half file there (rsync issues 715 and 722, Debian bug 1093696); 3.5.0 does not.
    """
    return version_number(receiver.version) >= (3, 5)


def version_number(version: str) -> tuple[int, ...]:
    """`3.2.7` as (3, 2, 7), to be compared; () where there is no rsync."""
    numbers = map(whole_number, version.split("."))
    return tuple(number for number in numbers if number is not None)


def _places(ends: Ends) -> Argv:
    # rsync(1), --rsh: blanks separate, single quotes quote, two of them inside mean one.
    words = (f"'{word.replace(chr(39), chr(39) * 2)}'" if set(word) & set(" '\"\t") else word for word in ends.rsh)
    rsh = (f"--rsh={' '.join(words)}", "--protect-args") if ends.rsh else ()
    return (*rsh, "--", ends.source, ends.target)
