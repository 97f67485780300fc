"""What leaves hands its checksums on to those that share its files."""

from __future__ import annotations

import contextlib
import itertools
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

from .. import durable, regular
from ..compose.leaving import GoneNames, gone_names
from ..inodes import InodeNumbers, Inodes
from ..rsync_lines import escaped, unescaped
from ..snapshots.sums import LEVEL, RawSumLine, algorithm, raw_sum_lines, sum_lines, zipped
from ..store.layout import StoreFolder, read_json
from .counted import left_behind, mounts_of

LINES = 1000
# Files of which a line is looked for under another name.
MOST_ORPHANS = 250_000


class ListOfSums:
    """The lines of a snapshot's list, many at once; once all were read, `lines` are how many, and none until then."""

    def __init__(self, store: StoreFolder, name: str) -> None:
        self.lines = 0
        self._place = store, name

    def __iter__(self) -> Iterator[Sequence[RawSumLine]]:
        lines = 0
        for many in raw_sum_lines(*self._place):
            lines += len(many)
            yield many
        self.lines = lines


def bequeath(
    store: StoreFolder,
    name: str,
    later: Sequence[str],
    listed: Optional[ListOfSums] = None,  # noqa: UP045
) -> Optional[int]:  # noqa: UP045
    """Add to the checksums of each heir those of `name` whose inode it has, at whatever place, and no heir before it.

    Of the sealed snapshots `later` than `name` the heirs are the next, since each is linked against the one before,
    any that says that it was linked against `name` too; or that alone which was made of it, where that is known to
    have all that lives on. Returns how many, None where the disk has no room for them or a list is damaged or lost:
    that costs the audit of these files, and must not keep a full disk full. `listed` is the list of `name`.
    """
    listed = listed or ListOfSums(store, name)
    count, lost = 0, False
    try:
        for heir, lines in _handed(store, name, later, listed):
            if _lost_its_own(store, heir):
                lost = True
                continue
            count += _append(store, heir, lines)
    except (OSError, EOFError, zlib.error):
        return None
    return None if lost else count


def _handed(
    store: StoreFolder, name: str, later: Sequence[str], listed: ListOfSums
) -> Iterator[tuple[str, Iterator[Sequence[bytes]]]]:
    """Each heir and its lines, many at once."""
    made_of_it = _made_of(store, name, later)
    gone = gone_names(store.gone(made_of_it)) if made_of_it else None
    if gone:
        yield made_of_it, _staying(store, name, made_of_it, listed, gone)
        return
    heirs = [other for number, other in enumerate(later) if not number or name in _older(store, other)]
    orphans = Orphans()
    for number, heir in enumerate(heirs):
        yield heir, _batches(_shared(store, name, heir, heirs[:number], listed, orphans))


def _made_of(store: StoreFolder, name: str, later: Sequence[str]) -> str:
    """The snapshot that was made of all of `name`, where no other shares with that; "" for none."""
    mounts = mounts_of(read_json(store.record(name)))
    made = []
    for other in later:
        record = read_json(store.record(other))
        if name in _older(store, other):
            return ""
        ours = {mount for snapshot, mount, _, _ in left_behind(record) if snapshot == name}
        if mounts and ours.issuperset(mounts):
            made.append(other)
    return made[0] if len(made) == 1 else ""


def _staying(
    store: StoreFolder, name: str, heir: str, listed: ListOfSums, gone: GoneNames
) -> Iterator[Sequence[bytes]]:
    """The lines of the names that are not gone, and of files of which only the name is gone that has a line."""
    before, usual = algorithm(store, name), algorithm(store, heir)
    lost = list[RawSumLine]()
    for many in listed:
        paths = [unescaped(name) if b"\\#" in name else name for _, _, name in many]
        left = gone.among(paths)
        if left:
            lost.extend(line for line, path in zip(many, paths) if path in left)  # noqa: B905
        stay = [line for line, path in zip(many, paths) if path not in left]  # noqa: B905
        if before == usual:
            # Most of an expiry is this list.
            yield [b"%s %s %s\n" % (checksum, size, name) for checksum, size, name in stay]
        else:
            yield [_written(checksum, size, name, before, usual) for checksum, size, name in stay]
    if lost:
        with Inodes(store.root / name) as old, Inodes(store.root / heir) as new:
            yield [_written(*line, before, usual) for line in _orphans(lost, gone, old).lines_in(new)]


def _orphans(lost: Sequence[RawSumLine], gone: GoneNames, old: Inodes) -> Orphans:
    """The lines of which the file may live on: it has more names than those that are gone."""
    seen = ((old.status(unescaped(line[2])), line) for line in lost)
    linked = [(status, line) for status, line in seen if status and status.st_nlink > 1]
    orphans, names = Orphans(), Counter[int]()
    if linked:
        names.update(status.st_ino for path in sorted(gone.names) if (status := old.status(path)))
    for status, line in linked:
        if status.st_nlink > names[status.st_ino]:
            orphans.note(status.st_ino, line)
    return orphans


class Orphans:
    """Lines whose name is gone, by the inode that they are of: of a hard-linked file another name may live on."""

    def __init__(self) -> None:
        self._lines: dict[int, RawSumLine] = {}

    def note(self, inode: int, line: RawSumLine) -> None:
        """Remember a line."""
        if len(self._lines) < MOST_ORPHANS:
            self._lines[inode] = line

    def forget(self, inode: int) -> None:
        """Somebody has it."""
        self._lines.pop(inode, None)

    def lines_in(self, heir: Inodes) -> Iterator[tuple[bytes, bytes, bytes]]:
        """The lines of those that the heir has, each with the first of its names there. It is walked only for some."""
        if not self._lines:
            return
        for path, status in heir.names():
            line = self._lines.pop(status.st_ino, None)
            if line:
                yield line[0], line[1], escaped(path)
            if not self._lines:
                return


def _lost_its_own(store: StoreFolder, name: str) -> bool:
    """Whether the list of `name` is gone. One begun anew would look whole, and nobody would miss what was in it."""
    return bool(read_json(store.record(name)).get("summed")) and not store.sums(name).exists()


def _older(store: StoreFolder, name: str) -> Sequence[str]:
    """The snapshots before the newest of its time that `name` was linked against as well."""
    older = read_json(store.record(name)).get("older")
    return older if isinstance(older, list) else ()


def adopt(store: StoreFolder, name: str, heir: str) -> Optional[int]:  # noqa: UP045
    """Add to `heir`'s checksums those of `name`, whose tree is lost, as far as they are of what `heir` has.

    `heir` is the sealed snapshot after it: what it did not bring itself it shares with the one before. Returns how
    many, None where a list cannot be read, or where it was linked against others too: then that is not sure.
    """
    if _lost_its_own(store, heir) or _older(store, heir):
        return None
    try:
        own = {line.name for line in sum_lines(store, heir)}
        return _append(store, heir, _batches(_alike(store, name, heir, own)))
    except (OSError, EOFError, zlib.error):
        return None


def _append(store: StoreFolder, heir: str, batches: Iterator[Sequence[bytes]]) -> int:
    first = next(filter(None, batches), None)
    if not first:
        return 0
    count, sums = 0, store.sums(heir)
    with durable.replacing(sums, 0o600, lambda draft: _noted(store, heir, draft)) as stream:
        if sums.exists():
            import shutil  # noqa: PLC0415  (slow to load: all compressions come along)

            with regular.opened(sums) as before:
                shutil.copyfileobj(before, stream, regular.CHUNK)
        # A second gzip member: what reads the file reads both as one.
        with zipped(stream, LEVEL) as member:
            for lines in itertools.chain((first,), batches):
                member.write(b"".join(lines))
                count += len(lines)
    return count


def _noted(store: StoreFolder, heir: str, draft: Path) -> None:
    from ..history import chain  # noqa: PLC0415  (every clone starts with this file, and few hand anything on)

    chain.add(store, "inherited", heir, chain.digests(sums=draft))


def _batches(lines: Iterator[bytes]) -> Iterator[tuple[bytes, ...]]:
    while batch := tuple(itertools.islice(lines, LINES)):
        yield batch


def _shared(
    store: StoreFolder, name: str, heir: str, before: Sequence[str], listed: ListOfSums, orphans: Orphans
) -> Iterator[bytes]:
    own, usual = algorithm(store, name), algorithm(store, heir)
    with contextlib.ExitStack() as open_trees:
        trees = [open_trees.enter_context(Inodes(store.root / each)) for each in (name, heir, *before)]
        old, new, *others = map(InodeNumbers, trees)
        for line in itertools.chain.from_iterable(listed):
            checksum, size, path = line
            place = unescaped(path)
            inode = old.of(place)
            if inode is None or any(other.of(place) == inode for other in others):
                continue
            if inode == new.of(place):
                orphans.forget(inode)
                yield _written(checksum, size, path, own, usual)
            elif not before:
                orphans.note(inode, line)
        for checksum, size, path in orphans.lines_in(trees[1]):
            yield _written(checksum, size, path, own, usual)


def _alike(store: StoreFolder, name: str, heir: str, own: set[bytes]) -> Iterator[bytes]:
    usual = algorithm(store, heir)
    with Inodes(store.root / heir) as there:
        for line in sum_lines(store, name):
            if line.name not in own and there.size(line.path) == line.size:
                yield _written(line.checksum.encode(), b"%d" % line.size, line.name, line.algorithm, usual)


def _written(checksum: bytes, size: bytes, name: bytes, own: str, usual: str) -> bytes:
    """The line as it is in a list whose algorithm is `usual`, where in its own it is `own` unless it says."""
    if own != usual:
        other, _, plain = checksum.rpartition(b":")
        algorithm = other or own.encode()
        checksum = plain if algorithm == usual.encode() else algorithm + b":" + plain
    return b"%s %s %s\n" % (checksum, size, name)
