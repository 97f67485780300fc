"""What a transfer would bring, by the dry run that `rsync.foresee` asks for."""

from __future__ import annotations

from runner.model.text import whole_number

BLOCK = 4096


class Foreseen:
    """Adds up what it prints, as it comes: bytes and inodes that the snapshot will take.

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
