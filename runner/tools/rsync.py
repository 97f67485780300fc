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

FAITHFUL: Argv = (
    "--archive",
    "--hard-links",
    "--acls",
    "--xattrs",
    "--sparse",
    "--numeric-ids",
    "--one-file-system",
    "--modify-window=-1",
    "--no-inc-recursive",
)

# A dry run against a tree that equals the source must print nothing, so it compares all that
# FAITHFUL keeps and asks for names that should not be there.
COMPARE: Argv = ("--dry-run", "--itemize-changes", "--delete")

# A restore takes one path out of one snapshot, over whatever filesystems it was.
_WHOLE: Argv = (*(option for option in FAITHFUL if option != "--one-file-system"), "--relative")

_STATS: Argv = ("--timeout=600", "--no-human-readable", "--stats")

BLOCK = 4096
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

    Both are absolute paths, with `host:` in front of the remote one. `keep` is the command that runs what receives at
    the target's host, and keeps room there.
    """

    source: str
    target: str
    rsh: Argv = ()
    checksum: str = "xxh128"
    keep: Argv = ()

    @property
    def program(self) -> Argv:
        """The command that begins a transfer here; what receives elsewhere is begun by that host's shell."""
        return (*self.keep, "rsync") if self.target.startswith("/") else ("rsync",)

    @property
    def receiver(self) -> Argv:
        """The option that says how to begin what receives elsewhere; rsync(1): its words are for a shell there."""
        far = self.keep and not self.target.startswith("/")
        return (f"--rsync-path={shlex.join((*self.keep, 'rsync'))}",) if far else ()


def send(ends: Ends, *, link_dest: Sequence[str], exclude: Sequence[str], keep_parts: str = "") -> Argv:
    """Copy a filesystem into an empty folder, sharing what is unchanged with the `link_dest` folders.

    `link_dest` are absolute folders on the target's machine, at most 20 (rsync refuses more);
    `exclude` are patterns from `below`; `keep_parts` is where halves of big files survive.
    """
    if len(link_dest) > 20:
        raise ValueError("rsync takes at most 20 --link-dest folders")
    return (
        *ends.program,
        *FAITHFUL,
        *_STATS,
        f"--checksum-choice={ends.checksum}",
        LINE,
        *((f"--partial-dir={keep_parts}",) if keep_parts else ()),
        *(f"--exclude={pattern}" for pattern in exclude),
        *(f"--link-dest={folder}" for folder in link_dest),
        *ends.receiver,
        *_places(ends),
    )


def look(ends: Ends, *, exclude: Sequence[str]) -> Argv:
    """List every name in which source and target differ; reads only, exit 0 and no line if none."""
    return (
        "rsync",
        *FAITHFUL,
        *COMPARE,
        "--timeout=600",
        "--out-format=%i|%n//%L",
        *(f"--exclude={pattern}" for pattern in exclude),
        *_places(ends),
    )


def foresee(sent: Argv) -> Argv:
    """The dry run that lists what the transfer `sent` (made by `send`) would bring; reads only.

    It compares with the folder that is first shared with, since a dry run into a new folder ends with 23
    for extended attributes. () where there is nothing to share with: then everything is brought.
    """
    shared = next((word.partition("=")[2] for word in sent if word.startswith("--link-dest=")), "")
    if not shared:
        return ()
    kept = ("--exclude=", "--rsh=", "--protect-args")
    before, _, _ = sent[-1].rpartition("/.partial/")
    host = before.partition(":/")[0] + ":" if not before.startswith("/") else ""
    return (
        "rsync",
        *FAITHFUL,
        "--dry-run",
        "--itemize-changes",
        "--no-human-readable",
        "--stats",
        "--timeout=600",
        "--out-format=%i|%l",
        *(word for word in sent if word.startswith(kept)),
        "--",
        sent[-2],
        f"{host}{shared}/",
    )


class Foreseen:
    """Adds up what `foresee` prints, as it comes: bytes and inodes that the snapshot will take.

    Every folder is made anew, a block and an inode each; a file whose attributes alone changed is copied.
    """

    def __init__(self) -> None:
        """Nothing has been read yet."""
        self.bytes = 0
        self.inodes = 0
        self._rest = b""

    def hear(self, chunk: bytes) -> None:
        """Take the next piece of output, cut anywhere."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if line[11:12] == b"|":
            item, size = line[:11], line[12:].decode("ascii", "replace")
            # h is one more name; folders are counted by the statistics, since no line has all of them.
            if item[:1] in b"<>c." and item[1:2] != b"d":
                self.inodes += 1
                self.bytes += (whole_number(size) or 0) if item[1:2] == b"f" else 0
        elif line.startswith(b"Number of files:"):
            folders = line.partition(b"dir: ")[2].partition(b")")[0].partition(b",")[0]
            count = whole_number(folders.decode("ascii", "replace")) or 0
            self.inodes += count
            self.bytes += count * BLOCK


def restore(ends: Ends, *, aside: str = "") -> Argv:
    """Copy one path (with `/./` where its kept parents begin) out of a snapshot, whole.

    Into a folder in use (`aside` given) whatever would be overwritten is moved to `aside` first, and
    parents that are there stay as they are; into an empty one they are restored as they were.
    """
    return (
        *ends.program,
        *_WHOLE,
        *_STATS,
        LINE,
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
        "rsync",
        *_WHOLE,
        "--dry-run",
        "--itemize-changes",
        "--checksum",
        "--timeout=600",
        "--out-format=%i|%n//%L",
        *(() if parents else ("--no-implied-dirs",)),
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
