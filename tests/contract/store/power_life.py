"""The life of a store and a journal on a disk that remembers, and what must be left of it after a power cut."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.engine.journal import Journal
from runner.model.run import State
from tests import powerdisk
from tests.compare import Entry, fingerprint, walk
from tests.contract import life
from tests.contract.engine.test_journal import NOW, PLAN, STEP, done
from tests.contract.store.power_chain import PLACE, chain_troubles
from tests.contract.storehouse import Said, Storehouse, frame

NAMES = tuple(f"2026-11-{day}T010000Z" for day in range(20, 27))
AGAIN = "2026-12-01T010000Z"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a store holds: its snapshots to the last attribute and inode, and every file about them."""

    snapshots: Mapping[str, Mapping[bytes, tuple[int, Entry]]]
    files: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A verb's work: the places in the disk's log where it began and had answered, and the store then."""

    verb: str
    begin: int
    end: int
    before: Kept
    after: Kept


def kept(root: Path) -> Kept:
    """What a store holds now; the lock, which is written in place and holds nobody's word, is left out."""
    files = {}
    for place in (".runner", ".runner/records", ".partial"):
        for path in (root / place).glob("*"):
            if path.is_file() and path.name != "lock" and not _is_draft(path.name):
                files[f"{place}/{path.name}"] = path.read_bytes()
    with contextlib.suppress(FileNotFoundError):
        files["latest"] = bytes((root / "latest").readlink())
    return Kept(snapshots={path.name: fingerprint(path) for path in sorted(root.glob("*Z"))}, files=files)


def _is_draft(name: str) -> bool:
    return name.endswith(".tmp") or name.startswith("trial.")


@dataclass(frozen=True, kw_only=True)
class NotedHouse(Storehouse):
    """A house of which the cloning and the composing, which others begin, are moments of their own."""

    around: list[Callable[[str], contextlib.AbstractContextManager[None]]] = field(default_factory=list)
    recycled: list[str] = field(default_factory=list)

    def clone(self, name: str, basis: str, *options: str) -> Said:
        old = [f"--recycle={each}" for each in self.recycled]
        with self.moment("clone"):
            return super().clone(name, basis, *options, *old, *(("--min=1",) if old else ()))

    def compose(self, name: str, given: bytes = b"") -> Said:
        with self.moment("compose"):
            return super().compose(name, given)

    @contextlib.contextmanager
    def moment(self, verb: str) -> Iterator[None]:
        with contextlib.ExitStack() as noted:
            for each in self.around:
                noted.enter_context(each(verb))
            yield


@dataclass(kw_only=True)
class DiskLife:
    """A house on a disk that remembers; every step of its life is noted, and in `told` where a journal had it."""

    disk: powerdisk.PowerDisk
    house: NotedHouse
    moments: list[Moment] = field(default_factory=list)
    told: list[tuple[int, int]] = field(default_factory=list)

    @contextlib.contextmanager
    def moment(self, verb: str) -> Iterator[None]:
        """What is done in the block is one moment."""
        begin, before = self.disk.now(), kept(self.house.root)
        yield
        end = self.disk.now()
        self.moments.append(
            Moment(verb=verb, begin=begin, end=end, before=before, after=kept(self.house.root))
        )  # fmt: skip

    def held(self, verb: str, *argv: str) -> None:
        """A verb under the store's lock."""
        with self.house.held():
            self.noted(verb, verb, *argv, "--plan", self.house.plan)

    def noted(self, name: str, verb: str, *argv: str, given: bytes = b"") -> None:
        """Any verb of the store."""
        with self.moment(name):
            good(self.house.call(verb, str(self.house.root), *argv, given=given))


@dataclass(kw_only=True)
class PowerLife(DiskLife):
    """The same with a journal on that disk."""

    journal: Journal

    def live(self) -> None:
        """Snapshots, pins, proofs, a measurement, an audit, expiries, an interrupted snapshot gone on with, a recycled one."""
        self.begin_to_live(4)
        self.held("freed", "--save")
        proof = Said(code=0, out=b'{"tried": {"files": 3}}')
        self.noted("proven", "proven", "files", NAMES[2], "--at=2026-11-23T02:00:00Z", given=frame("drill", proof))
        self.held("audit", "--bytes", "1000000", "--seconds", "60", "--every", "1")
        self.held("expire", NAMES[0], "--min", "1")
        self.snapshot(NAMES[4], NAMES[3], cut=True)
        self.snapshot(NAMES[5], NAMES[3], resume=NAMES[4])
        self.held("unpin", NAMES[1])
        self.held("reap")
        self.held("expire", NAMES[1], "--min", "1")
        self.held("reap")
        self.snapshot(NAMES[6], NAMES[5], recycle=NAMES[3])

    def begin_to_live(self, days: int = 2) -> None:
        """The first of it: a snapshot a day, a floor, a pin."""
        for number in range(days):
            self.snapshot(NAMES[number], NAMES[number - 1] if number else "")
        self.held("floor", "1")
        self.held("pin", NAMES[1], "--until", "2096-01-01T00:00:00Z", "--why", "the good one")

    def snapshot(self, name: str, basis: str, *, resume: str = "", recycle: str = "", cut: bool = False) -> None:
        """A day goes by, and its snapshot is begun, cloned, sent, composed and, unless it is cut off, sealed."""
        house, resumed = self.house, ((resume,) if resume else ())
        house.recycled[:] = (recycle,) if recycle else ()
        (house.source / "day").write_text(name * 40)
        with house.held():
            with self.moment("begin"):
                good(house.begin(name, basis, resumed))
            sent = house.send_all(name, basis)
            if not cut:
                with self.moment("seal"):
                    good(house.seal(name, sent))

    @contextlib.contextmanager
    def moment(self, verb: str) -> Iterator[None]:
        """A moment is a step of the journal."""
        number = len(self.moments)
        step = replace(STEP, id=f"job/{number}")
        with super().moment(verb):
            yield
        self.journal.step_ended(PLAN.id, step, replace(done(step), note=""))
        self.told.append((self.disk.now(), number))


def good(said: Said) -> None:
    assert said.code == 0, said.out + said.err


@contextlib.contextmanager
def lived(
    folder: Path, options: str, live: Callable[[PowerLife], None], before: tuple[str, ...] = (), pragma: str = ""
) -> Iterator[PowerLife]:
    """A life that was lived; `before` is put before every command, `pragma` given to the journal."""
    with powerdisk.powerdisk(folder, 24, (*life.EXT3, "-i", "4096"), options) as disk:
        source = life.small_tree(folder / "source", 6)
        house = NotedHouse(root=disk.mount / "store", source=source, before=before, points=("/", "/folder"))
        journal = Journal(disk.mount / "state/journal.sqlite")
        try:
            if pragma:
                journal._do(pragma)
            journal.run_started("run", NOW)
            journal.plan_started("run", PLAN, {})
            subject = PowerLife(disk=disk, house=house, journal=journal)
            house.around.append(subject.moment)
            live(subject)
            house.around.clear()
            house.recycled.clear()
        finally:
            journal.close()
    yield subject


def troubles(subject: DiskLife, mount: Path, place: int) -> list[str]:
    """What a power cut at `place` of the log did that it may not do; `mount` is the disk after it."""
    past = [moment for moment in subject.moments if moment.end <= place]
    under_way = [moment for moment in subject.moments if moment.begin < place < moment.end]
    nothing = Kept(snapshots={}, files={})
    last = past[-1].after if past else nothing
    allowed = (last, *(moment.after for moment in under_way))
    now = kept(mount / "store")
    listed = []
    listed += [f"{name} is in the store" for name in sorted(foreign(mount / "store"))]
    for name, content in now.snapshots.items():
        if all(content != each.snapshots.get(name) for each in allowed):
            listed.append(f"snapshot {name} is not whole")
        if f".runner/records/{name}.json" not in now.files:
            listed.append(f"snapshot {name} has no record")
    for name in set.intersection(*(set(each.snapshots) for each in allowed)) - set(now.snapshots):
        listed.append(f"snapshot {name} is lost")
    listed += chain_troubles(mount / "store", last.files.get(PLACE))
    for name in {*now.files, *last.files} - {PLACE}:
        content = now.files.get(name)
        known = {each.files.get(name) for each in allowed}
        half = under_way and name.startswith(".partial/")
        if content not in known and not (half and any(_is_half_of(content, each) for each in known)):
            listed.append(f"{name} is neither the old nor the new")
    return listed + journal_troubles(subject, mount / "state/journal.sqlite", place)


def foreign(root: Path) -> set[str]:
    """What lies in a store beside snapshots and its own places: what is half made is in one of those."""
    there = {path.name for path in root.iterdir()} if root.exists() else set()
    return there - {".incoming", ".partial", ".trash", ".runner", "latest"} - {path.name for path in root.glob("*Z")}


def _is_half_of(content: bytes | None, told: bytes | None) -> bool:
    """Whether a partial's file is as `clone` and `compose` have it while they work: what is half is not said to be whole."""
    if content is None or told is None:
        return False
    half, whole = json.loads(content), json.loads(told)
    rest = {key: value for key, value in whole.items() if key not in ("cloned", "composed", "composing")}
    return half in ({**rest, "cloned": {}}, {**rest, "composing": sorted(whole.get("cloned", ()))}, rest)


def journal_troubles(subject: DiskLife, path: Path, place: int) -> list[str]:
    """Whether every step that was told is recorded."""
    promised = {f"job/{number}" for end, number in subject.told if end <= place}
    if not promised:
        return []
    try:
        journal = Journal(path)
    except Exception as error:
        return [f"the journal cannot be opened: {error!r}"]
    try:
        ((_, outcomes),) = journal.passes_of("run") or (({}, ()),)
        known = {outcome.step for outcome in outcomes if outcome.state is State.DONE}
    finally:
        journal.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        sound = database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return [f"{step} is not in the journal" for step in promised - known] + (
        [] if sound else ["the journal is damaged"]
    )


def goes_on(subject: DiskLife, mount: Path) -> list[str]:
    """Whether another day can be lived on what a cut left: a snapshot that goes on with the partials, and an expiry."""
    house = replace(subject.house, root=mount / "store", before=())
    names = sorted(path.name for path in house.root.glob("*Z"))
    # Of one that has its name already an empty folder may be left there.
    partials = sorted({path.name for path in house.root.glob(".partial/*Z")} - set(names))
    basis = names[-1] if names else ""
    for begun in house.root.glob(".partial/*.json"):
        begun.write_text(json.dumps({**json.loads(begun.read_text()), "boot": "the one before"}))
    with house.held():
        good(house.begin(AGAIN, basis, partials))
        good(house.seal(AGAIN, house.send_all(AGAIN, basis)))
    request = {"host": "h", "stores": [{"name": "s", "path": str(house.root), "mount": "", "uuid": ""}]}
    store = house.call("probe", given=json.dumps(request).encode()).answer["stores"]["s"]
    whole = walk(house.source)
    copy = walk(house.root / AGAIN)
    listed = [] if {name: copy.get(name) for name in whole} == whole else ["the next snapshot is not whole"]
    if [each["name"] for each in store["sealed"]] != [*names, AGAIN] or store["partials"]:
        listed.append(f"the probe answers {store['sealed']} and {store['partials']}")
    with house.held():
        good(house.call("reap", str(house.root), "--plan", house.plan))
    left = [path for place in (".incoming", ".partial", ".trash") for path in (house.root / place).glob("*")]
    listed += [f"{path.name} is left" for path in left if path.name != "parts"]
    listed += chain_troubles(house.root, (house.root / PLACE).read_bytes())
    return listed


def checked(image: Path) -> None:
    """Mend the disk as a machine does when it boots; more than that must not be necessary."""
    ran = subprocess.run(("e2fsck", "-p", image), capture_output=True, check=False)
    assert ran.returncode in (0, 1), ran.stdout


def wrong_after(
    subject: DiskLife, folder: Path, chosen: Sequence[tuple[int, powerdisk.Loss]], every: int = 0
) -> Iterator[str]:
    """What is wrong after each of these cuts, one after another; `every` so many of them another day is lived."""
    mount = folder / "cut"
    mount.mkdir()
    listed = subject.disk.events()
    for number, (place, loss) in enumerate(chosen):
        # A name of its own: the kernel lets go of a loop device in its own time.
        image = folder / f"cut{number}.img"
        subject.disk.cut([event for at, event in listed if at <= place], loss, image, str(place))
        checked(image)
        subprocess.run(("mount", "-o", f"loop,{subject.disk.options}", image, mount), check=True)
        try:
            bad = troubles(subject, mount, place)
            if every and not number % every:
                bad += goes_on(subject, mount)
        finally:
            subprocess.run(("umount", mount), check=True)
            image.unlink()
        if bad:
            verb = next((moment.verb for moment in subject.moments if place <= moment.end), "the end")
            yield f"{number}: {loss} at {place}, {verb}: {', '.join(bad)}"
