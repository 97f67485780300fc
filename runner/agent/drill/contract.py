"""Options and answers of the verbs of a drill."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Optional

from ..arguments import (
    Count,
    PathWord,
    Pattern,
    RelativePath,
    Rest,
    SnapshotName,
    SnapshotNameOrNone,
    SnapshotsRest,
    SnapshotWord,
    Word,
)

# How `compare-drill` and `try-dumps` end where nothing was wrong and nothing was proven: see their answers.
UNTRIED = 3


class DrillRoom(NamedTuple):
    """Options of `drill-room`; `run` is the folder of the host's locks, "" for the usual one."""

    folder: PathWord
    plan: Word
    measure: bool = False
    remove: bool = False
    run: str = ""


class ScratchFolder(NamedTuple):
    """Answer of `drill-room`: how many folders of earlier drills were `removed`, how many bytes are `free`."""

    folder: str
    removed: Count
    free: Count


class Needed(NamedTuple):
    """What `drill-room --measure` reads of the last line of `sample` or `newest-dumps`."""

    bytes: Count


class Bring(NamedTuple):
    """Options of `bring`: the command that wants the names."""

    argv: Rest


class NameLine(NamedTuple):
    """What `bring` reads of a line of `sample` or `newest-dumps`."""

    snapshot: SnapshotName
    path: RelativePath


class DrawSample(NamedTuple):
    """Options of `sample`: `files` names of `most` bytes together, drawn from `snapshots`, and the canaries."""

    store: PathWord
    snapshots: SnapshotsRest
    seed: str
    files: Count
    most: Count
    canary: tuple[str, ...] = ()


class SampledName(NamedTuple):
    """A line of `sample`: a name in a snapshot, what it is, and in `wrong` how it differs from the records.

    `path` is relative; `started` is when the snapshot was begun. A field is None where the name has no such thing,
    or cannot be read. `main` is false for a folder on the way to a name that was drawn.
    """

    snapshot: SnapshotName
    path: RelativePath
    main: bool
    canary: bool
    started: str
    wrong: tuple[str, ...] = ()
    type: Optional[str] = None
    mode: Optional[str] = None
    owner: Optional[str] = None
    mtime_ns: Optional[int] = None
    xattrs: Optional[dict[str, str]] = None
    size: Optional[Count] = None
    target: Optional[str] = None
    rdev: Optional[int] = None
    sha256: Optional[str] = None


class NameProblem(NamedTuple):
    """What is wrong with a name; `snapshot` is "" where it is a record of the store itself."""

    snapshot: str
    path: str
    what: str


class SampleSummary(NamedTuple):
    """Last line of `sample`: what is wrong with the store, and what was `tried`: the names, canaries and snapshots.

    Compared with what was recorded: the content of `recorded` files, the attributes of so many names; `unchecked`
    have a checksum that no program at the store can check. `bytes` is how long the files are together.
    """

    wrong: tuple[NameProblem, ...]
    tried: dict[str, Count]
    recorded: Count
    unchecked: Count
    attributes: Count
    bytes: Count = 0


class CompareDrill(NamedTuple):
    """Options of `compare-drill`: `source` is "/" where none is named, `margin` seconds."""

    folder: PathWord
    source: str = ""
    margin: Count = 0


class Compared(NamedTuple):
    """Answer of `compare-drill`: how much was compared, `total` differences, and the first of them."""

    files: Count
    canaries: Count
    snapshots: Count
    recorded: Count
    unchecked: Count
    attributes: Count
    source: Count
    bytes: Count = 0
    total: Count = 0
    wrong: tuple[NameProblem, ...] = ()
    error: str = ""
    do: str = ""

    @property
    def untried(self) -> bool:
        """Whether nothing was wrong, since there was nothing to compare with."""
        return not self.wrong and not (self.recorded or self.unchecked or self.attributes or self.source)


class NewestDumps(NamedTuple):
    """Options of `newest-dumps`; the folder of dumps is absolute, as on the host."""

    store: PathWord
    name: SnapshotWord
    folder: PathWord


class DumpLine(NamedTuple):
    """A line of `newest-dumps`: `what` is record, dump, globals, passed, or link for a database whose folder is one.

    `database` is the name of its folder. Nothing else is known of a link, and the `time` alone of a dump that is passed
    over: it is newer than the one that counts, and has no record.
    """

    what: Annotated[str, Pattern("record|dump|globals|passed|link")]
    database: str
    snapshot: SnapshotNameOrNone = ""
    path: RelativePath = ""
    type: str = ""
    time: SnapshotNameOrNone = ""


class DumpSummary(NamedTuple):
    """Last line of `newest-dumps`: `bytes` of all the dumps, and of the largest database when it is restored.

    `none_yet`: neither this snapshot nor an older one has a dump.
    """

    databases: tuple[str, ...]
    bytes: Count
    tried: dict[str, str]
    none_yet: bool = False


class TryDumps(NamedTuple):
    """Options of `try-dumps`: the OS user of the server, the folder of PostgreSQL's programs."""

    folder: PathWord
    user: str = ""
    programs: str = ""


class TriedDatabase(NamedTuple):
    """A database that was restored from a dump with all its rows; `at` is when it was dumped.

    `left` are settings that did not come back; `superuser` is why the rights of owners did not do, "" where they did.
    """

    database: str
    at: str
    tables: Count
    rows: Count
    dump: str = ""
    left: tuple[str, ...] = ()
    superuser: str = ""


class DumpProblem(NamedTuple):
    """What is wrong with a dump; `database` is "" where it is not of one database."""

    database: str
    dump: str
    what: str


class DumpsTried(NamedTuple):
    """Answer of `try-dumps`: the databases that came back, what is wrong with the others, newer dumps passed over.

    `untried`: nothing is known to be wrong, but none could be tried, and `error` says why.
    """

    databases: tuple[TriedDatabase, ...]
    total: Count = 0
    wrong: tuple[DumpProblem, ...] = ()
    error: str = ""
    do: str = ""
    passed: tuple[DumpProblem, ...] = ()
    untried: bool = False
