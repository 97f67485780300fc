"""The folder of the records: one of each filesystem and snapshot, and what has to be listed again whatever it says."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .. import durable, regular
from ..store import owned
from . import bounds
from .draft import NO_ROOM, ScanDraft, drafting
from .record import FORMAT, Scan, ScanHeader, Unusable, new_digest

# Of root, and of any other user: he may not even look into root's.
SPARE = Path("/run/runner/scans") if os.geteuid() == 0 else Path(f"/run/user/{os.geteuid()}/runner/scans")


class KnownScan(NamedTuple):
    """A record to compare with, and the names that are listed whatever it says."""

    scan: Scan
    again: Sequence[bytes]


class ScanFolder:
    """The records of the filesystem at `source`, in the folder `scans`.

    Those for which there was no room in it are in another, which is empty after each boot: a host whose disk is full or
    read-only is the one that needs its snapshot most.
    """

    def __init__(self, scans: str, source: str) -> None:
        self._folders = (bounds.own(Path(scans)), bounds.own(SPARE / _digest(scans)))
        self._mark = _digest(source)

    def scan(self, name: str) -> Path:
        """Where the record for snapshot `name` is."""
        return self._place(f"{self._mark}-{name}.scan")

    def again(self, name: str) -> Path:
        """Where the names are that the look after that for `name` lists again."""
        return self._place(f"{self._mark}-{name}.again")

    def make(self) -> None:
        """Make the folder where it is missing and there is room; Refused where others may write in it."""
        try:
            self._make(self._folders[0])
        except OSError as problem:
            if problem.errno not in NO_ROOM:
                raise

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[ScanDraft]:
        """Write the record, or what was noted, at `path` anew, wherever there is room; no other one of it stays."""
        places = [self._folders[0] / path.name, self._folders[1] / path.name]
        with drafting([partial(self._made, place) for place in places]) as draft:
            yield draft
        for place in places:
            if place.parent != draft.folder:
                _remove(place)

    def keep(self, names: Collection[str]) -> None:
        """Remove all that is of this filesystem and not of these snapshots."""
        kept = {f"{self._mark}-{name}.{kind}" for name in names for kind in ("scan", "again")}
        for folder in self._folders:
            others = list[Path]()
            with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
                mine = (each.name for each in entries if each.name.startswith(f"{self._mark}-"))
                others += (folder / name for name in mine if name not in kept)
            for path in others:
                _remove(path)

    def drop(self, name: str) -> None:
        """Remove what is of snapshot `name`."""
        _remove(self.scan(name))
        self.forget(name)

    def forget(self, name: str) -> None:
        """Remove what was noted for snapshot `name`: its record is no basis any more."""
        _remove(self.again(name))

    def known(self, header: ScanHeader, *, settled: bool) -> KnownScan:
        """The record of the snapshot and source in `header`, and what `settle` noted; Unusable where it is not that.

        A record that nothing settled is no basis: what of it was never sent is not known.
        """
        scan = Scan(self.scan(header.name))
        try:
            if scan.header._replace(began=header.began) != header:
                raise Unusable("it is of another format, filesystem, store or machine")
            return KnownScan(scan, _again(self.again(header.name), scan.digest) if settled else ())
        except Unusable:
            scan.close()
            raise

    def note(self, name: str, scan: Scan, again: Sequence[bytes]) -> None:
        """Note what the next look lists whatever the record says; only with that is the record a basis."""
        text = b"\0".join(again)
        digest = new_digest()
        digest.update(text)
        head = {"format": FORMAT, "scan": scan.digest.hex(), "digest": digest.hexdigest()}
        with self.writing(self.again(name)) as draft:
            draft.write(json.dumps(head).encode() + b"\n" + text)

    def _place(self, name: str) -> Path:
        first, *others = (folder / name for folder in self._folders)
        return next((path for path in (first, *others) if os.path.lexists(path)), first)

    def _made(self, path: Path) -> Path:
        self._make(path.parent)
        return path

    @staticmethod
    def _make(folder: Path) -> None:
        bounds.require_few(folder)
        durable.make_folders(folder)
        owned.require_folder(folder, "name a folder for the records that nobody else may write")


def _digest(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:24]


def _again(path: Path, scan: bytes) -> Sequence[bytes]:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise Unusable("what was noted with it is no regular file")
        line, _, text = regular.content(path).partition(b"\n")
        head = json.loads(line)
        digest = new_digest()
        digest.update(text)
        whole = head == {"format": FORMAT, "scan": scan.hex(), "digest": digest.hexdigest()}
    except FileNotFoundError:
        raise Unusable("nothing was settled with it") from None
    except (OSError, ValueError, RecursionError) as problem:
        raise Unusable(f"what was noted with it cannot be read: {problem}") from None
    if not whole:
        raise Unusable("what was noted with it is damaged or another's")
    return text.split(b"\0") if text else ()


def _remove(path: Path) -> None:
    """Remove it; on a filesystem that is read-only it stays."""
    try:
        if path.is_dir() and not path.is_symlink():
            import shutil  # noqa: PLC0415  (slow to load: all compressions come along)

            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as problem:
        if problem.errno != errno.EROFS:
            raise
