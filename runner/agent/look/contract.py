"""The options of `look` and `settle`, and their answers."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import AbsolutePath, Count, PathWord, SnapshotName, SnapshotNameOrNone

# How `look` ends where it has no record of the basis that it can trust: it lists nothing, and makes the new record.
NO_RECORD = 80
# How it ends where the source has much fewer names than the basis had, or where no record says how many these were:
# rsync is to compare, and nothing may expire for the new snapshot. What it printed is no list.
SHRUNK, UNCOUNTED = SPARING = 81, 82
NO_LIST = (NO_RECORD, *SPARING)


class Look(NamedTuple):
    """Options of `look`: the filesystem at `source`, whose records are in the folder `scans`, is to become `name`.

    What is in `emptied` is not copied, and neither are `left_out` themselves. Compared is with the record that was made
    for the snapshot `basis`. Where `compared` names a step, its output on stdin is rsync's comparison, which began
    after a first look: what it names is listed too, and where the basis has no record, what changed since that look.
    A record that came of `most` looks by record in a row, or more, is not used; 0 for any number. With `anew` none is:
    rsync is to compare, and what it finds is listed with what differs from the record. `shrink` is by how many percent
    the source may have fewer names than the basis, 100 for any. The output of a step `damaged` on stdin is a list of
    names that are damaged in the basis: they are listed as well.
    """

    source: PathWord
    scans: AbsolutePath
    name: SnapshotName
    basis: SnapshotNameOrNone = ""
    emptied: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    compared: str = ""
    most: Count = 0
    anew: bool = False
    shrink: Count = 100
    damaged: str = ""


class Settle(NamedTuple):
    """Options of `settle`: what `look` of the same source found for `name`; its output is that of a step in `listed`.

    `looked` names the step whose output compares what was sent with the source, "" where all was sent.
    """

    source: PathWord
    scans: AbsolutePath
    name: SnapshotName
    listed: tuple[str, ...] = ()
    looked: str = ""


class Changed(NamedTuple):
    """Options of `changed`: what `look` of the same source found for `name`; its list is all of stdin."""

    source: PathWord
    scans: AbsolutePath
    name: SnapshotName


class GoneName(NamedTuple):
    """A line of `settle`: a listed name that the source did not have when it was looked at, or has no more.

    Whatever was sent for it is not to be in the snapshot: it came meanwhile, or by a transfer that was interrupted.
    """

    gone: str


class StayingFolder(NamedTuple):
    """A line of `settle`: a listed folder that was there at the look, and may not be there any more as it was sent.

    What was not listed in it is as it was: where it was not sent it stays as the snapshot before has it.
    """

    stays: str


class ReplacedFolder(NamedTuple):
    """A line of `settle`: a listed name that is a folder in the snapshot before, and was none at the look.

    What that folder had is not to be in the snapshot, whatever was sent in its place: it may have been back by then.
    Or it is a folder of which nothing is copied but itself, and no record says what the snapshot before has in it.
    """

    replaced: str


class FolderAttributes(NamedTuple):
    """Those of the filesystem's top folder; the values of `extended` are base64."""

    mode: Count
    uid: Count
    gid: Count
    mtime_ns: int
    extended: dict[str, str]


class Settled(NamedTuple):
    """Answer of `settle`, its last line: `names` the source had when it was looked at, its top among them.

    Of these, `folders` are folders; `size` is how long the files and links are. `listed` names differed, `gone` of
    them since they are not there any more. `counts` are those of the lines before, by cause. `look_exit` is how the
    comparison of what was sent ended, 0 where there was none. `missed` names differed by rsync's comparison and not by
    the record.
    """

    names: Count
    folders: Count
    size: Count
    listed: Count
    gone: Count
    top: FolderAttributes
    counts: dict[str, Count]
    look_exit: Count = 0
    missed: Count = 0
