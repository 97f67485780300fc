"""A store driven as a run drives it: the real program, the real rsync, outputs passed as frames."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.agent.look.contract import NO_RECORD
from runner.tools import rsync
from tests.contract.over_a_shell import over_a_shell

REPOSITORY = Path(__file__).parents[2]


def _readable() -> Path:
    """Where everybody can read the program: the checkout, or a copy of it where its folders keep others out."""
    closed = [path for path in (REPOSITORY / "runner", *(REPOSITORY / "runner").parents) if not path.stat().st_mode & 1]
    if not closed or os.geteuid() != 0:
        return REPOSITORY
    copy = Path(tempfile.mkdtemp(prefix="runner-readable-", dir="/tmp"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(REPOSITORY / "runner", copy / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return copy


READABLE = _readable()
# The system's own python: a virtual environment may lie where only its owner may look.
PROGRAM = (shutil.which("python3", path="/usr/bin:/bin") or sys.executable, "-B", "-m", "runner.agent")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
COMPOSED = {"listed": "list", "settled": "settle"}
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LANGUAGE": "", "PYTHONPATH": str(READABLE)}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a call of the program, or of rsync, said."""

    code: int
    out: bytes
    err: bytes = b""
    state: str = "done"

    @property
    def answer(self) -> dict[str, Any]:
        assert b"Traceback" not in self.err, self.err.decode()
        return json.loads(self.out.splitlines()[-1])

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def frame(source: str, said: Said, state: str = "") -> bytes:
    head = {"from": source, "state": state or said.state, "exit": said.code, "bytes": len(said.out)}
    return json.dumps(head).encode() + b"\n" + said.out + b"\n"


NOT_NEEDED = Said(code=0, out=b"", state="not needed")


def copied(ready: Storehouse, place: Path) -> Storehouse:
    """The same again at `place`, with the inodes shared as they were."""
    subprocess.run(("cp", "-a", ready.root.parent, place), check=True)
    return replace(ready, root=place / "store", source=place / "source", kept={})


def execute(argv: Sequence[str], given: bytes = b"") -> Said:
    done = subprocess.run(argv, check=False, input=given, capture_output=True, env=ENVIRONMENT, timeout=600)
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


@dataclass(frozen=True, kw_only=True)
class Storehouse:
    """One store and one source; `before` is put before every command (to be somebody else).

    `points` are folders of the source that are taken for mount points, and sent each by itself.
    """

    root: Path
    source: Path
    before: tuple[str, ...] = ()
    disk: tuple[str, ...] = ()
    plan: str = "plan-1"
    points: tuple[str, ...] = ("/",)
    kept: dict[str, bytes] = field(default_factory=dict)

    def call(self, *argv: str, given: bytes = b"", around: tuple[str, ...] = ()) -> Said:
        return execute((*self.before, *around, *PROGRAM, *argv), given)

    @contextlib.contextmanager
    def held(self, plan: str = "") -> Iterator[subprocess.Popen[bytes]]:
        argv = (*PROGRAM, "hold", str(self.root), "--plan", plan or self.plan, "--who", "a test", *self.disk)
        with subprocess.Popen(
            (*self.before, *argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
        ) as process:
            assert process.stdin and process.stdout
            assert json.loads(process.stdout.readline()) == {"held": True}
            try:
                yield process
            finally:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()

    def begin(self, name: str, basis: str = "", resume: Sequence[str] = (), points: Sequence[str] = ()) -> Said:
        again = [word for each in resume for word in ("--resume", each)]
        points = points or self.points
        has = {point: bool(basis) and (self.root / basis / point.strip("/")).is_dir() for point in points}
        shared = [f"--share={basis}{each.rstrip('/')}" if has[each] else f"--whole={each}" for each in points]
        return self.call(
            "begin", str(self.root), name, "--plan", self.plan, "--basis", basis, *again, *shared, *self.disk,
            "--", *points,
        )  # fmt: skip

    def clone(self, name: str, basis: str, *options: str) -> Said:
        bases = [f"--basis={basis}={point}" for point in self.points]
        return self.call("clone", str(self.root), name, "--plan", self.plan, *bases, *options, *self.disk)

    def ends(self, name: str, number: int = 0, place: str = ".incoming") -> rsync.Ends:
        return rsync.Ends(source=f"{self.top(number)}/", target=f"{self.root}/{place}/{name}/{number}/")

    def top(self, number: int = 0) -> str:
        """Where the filesystem of that number is at the source."""
        return f"{self.source}{self.points[number].rstrip('/')}"

    def inner(self, number: int) -> list[str]:
        """The points below that of this number."""
        point = self.points[number].rstrip("/")
        return [each for each in self.points if each != self.points[number] and each.startswith(f"{point}/")]

    def exclude(self, number: int) -> list[str]:
        return [rsync.below(self.points[number].rstrip("/"), each) for each in self.inner(number)]

    def send(self, name: str, extra: tuple[str, ...] = (), number: int = 0) -> Said:
        """Send a whole filesystem."""
        argv = rsync.send(
            self.ends(name, number), exclude=self.exclude(number), keep_parts=f"{self.root}/.partial/parts"
        )
        return execute((*self.before, argv[0], *extra, *argv[1:]))

    def look(self, name: str, basis: str = "", number: int = 0, compared: bytes = b"") -> Said:
        """What differs from the basis by the record at the source, or by the comparison that is given as a frame."""
        emptied = [f"--emptied={self.source}{each}" for each in self.inner(number)]
        words = (f"--scans={self.scans}", f"--name={name}", f"--basis={basis}", *emptied)
        made = ("--compared=differ",) if compared else ()
        return self.call("look", self.top(number) or "/", *words, *made, given=compared)

    @property
    def scans(self) -> Path:
        """Where the records of the looks are."""
        return self.root.parent / "scans"

    def differ(self, name: str, place: str, number: int = 0) -> Said:
        """How rsync sees the source and what is at `place` in the store."""
        ends = replace(self.ends(name, number), target=f"{self.root}/{place}/")
        return execute((*self.before, *rsync.look(ends, exclude=self.exclude(number))))

    def listed(self, name: str, basis: str, number: int = 0) -> Said:
        """The names that differ from the basis, by the record or without one."""
        looked = self.look(name, basis, number)
        if looked.code != NO_RECORD:
            return looked
        differ = self.differ(name, f"{basis}{self.points[number].rstrip('/')}", number)
        return self.look(name, basis, number, frame("differ", differ))

    def send_listed(self, name: str, basis: str, names: Said, number: int = 0) -> Said:
        """Send these names, as to another host."""
        bases = [f"{self.root}/{basis}{self.points[number].rstrip('/')}"]
        argv = rsync.send_listed(
            over_a_shell(self.ends(name, number)), exclude=self.exclude(number), bases=bases,
            keep_parts=f"{self.root}/.partial/parts",
        )  # fmt: skip
        return execute((*self.before, *argv), names.out)

    def send_again(self, name: str, names: Said, number: int = 0) -> Said:
        """Send what changed of these names meanwhile; it says so where nothing did."""
        changed = self.call(
            "changed", self.top(number) or "/", f"--scans={self.scans}", f"--name={name}", given=names.out
        )
        assert changed.code == 0, changed
        return self.send_again_all(name, changed, number) if changed.out else NOT_NEEDED

    def send_again_all(self, name: str, names: Said, number: int = 0) -> Said:
        """Compare these names with what was sent, and send what differs."""
        argv = rsync.send_again(over_a_shell(self.ends(name, number)), exclude=self.exclude(number))
        return execute((*self.before, *argv), names.out)

    def settle(self, name: str, names: Said, number: int = 0) -> Said:
        """What became of these names at the source."""
        looked = execute(
            (*self.before, *rsync.look_listed(self.ends(name, number), exclude=self.exclude(number))), names.out
        )
        words = (f"--scans={self.scans}", f"--name={name}", "--listed=list", "--looked=again")
        return self.call("settle", self.top(number) or "/", *words, given=frame("list", names) + frame("again", looked))

    def cut_off(self, name: str, basis: str, but: Sequence[bytes] = (), number: int = 0) -> Said:
        """As `send_all` begins for a filesystem, cut off before these names, and what is in them, were sent."""
        assert self.clone(name, basis).code == 0
        names = self.listed(name, basis, number)
        assert names.code == 0, names
        kept = [each for each in names.out.split(b"\0") if not (each + b"/").startswith(tuple(but))]
        return self.send_listed(name, basis, replace(names, out=b"\0".join(kept)), number)

    def send_all(self, name: str, basis: str = "", codes: Sequence[int] = (0,)) -> bytes:
        """Send every filesystem and compose it, and give what the seal reads of it; rsync must end with these codes."""
        if not basis:
            sent = [self.send(name, number=number) for number in range(len(self.points))]
            assert all(each.code in codes for each in sent), sent
            return b"".join(frame(f"send{number or ''}", each) for number, each in enumerate(sent))
        assert self.clone(name, basis).code == 0
        made, heard = [], []
        for number in range(len(self.points)):
            names = self.listed(name, basis, number)
            assert names.code == 0, names
            sent_some = self.send_listed(name, basis, names, number)
            assert sent_some.code in codes, sent_some
            again = (self.send_again if sent_some.code == 0 else self.send_again_all)(name, names, number)
            assert again.code in codes, again
            settled = self.settle(name, names, number)
            assert settled.code == 0, settled
            made += [frame(f"send{number or ''}", again), frame(f"settle{number or ''}", settled)]
            made.append(frame(f"first{number or ''}", sent_some))
            heard += [frame(f"settle{number or ''}", settled), frame(f"list{number or ''}", names)]
        composed = self.compose(name, b"".join(heard))
        assert composed.code == 0, composed
        return b"".join(made)

    def begun(self, name: str) -> dict[str, Any]:
        """What is known of a partial."""
        return json.loads((self.root / f".partial/{name}.json").read_bytes())

    def compose(self, name: str, given: bytes = b"") -> Said:
        whole = self.begun(name)["whole"]
        points = [(number or "", point) for number, point in enumerate(self.points) if point not in whole]
        words = [f"--{word}={step}{number}={point}" for number, point in points for word, step in COMPOSED.items()]
        return self.call("compose", str(self.root), name, "--plan", self.plan, *words, *self.disk, given=given)

    def explain(self, looked: Said, since: str) -> Said:
        return self.call("explain", str(self.source), "--since", since, given=frame("look", looked))

    def walk(self, number: int = 0, given: bytes = b"", since: str = "2100-01-01T00:00:00Z") -> Said:
        """The count at the source, given the output of its transfer (or that and more, which tells it nothing)."""
        emptied = [f"--emptied={self.source}{each}" for each in self.inner(number)]
        return self.call("walk", self.top(number), f"--since={since}", *emptied, given=given)

    def seal(self, name: str, given: bytes, *options: str, around: tuple[str, ...] = ()) -> Said:
        """Seal it; what was sent whole is put into its place first, and counted at the source."""
        path = self.root / f".partial/{name}.json"
        begun = json.loads(path.read_bytes()) if path.exists() else {"whole": self.points}
        if "composed" not in begun and path.exists():
            composed = self.compose(name)
            if composed.code:
                return composed
        words = [f"--transfer=send{number or ''}={point}" for number, point in enumerate(self.points)]
        for number, point in enumerate(self.points):
            if point in begun["whole"]:
                words.append(f"--walked=walk{number or ''}={point}")
                given += frame(f"walk{number or ''}", self.walk(number, given))
            else:
                words += [f"--settled=settle{number or ''}={point}", f"--kept=first{number or ''}={point}"]
        return self.call(
            "seal", str(self.root), name, "--plan", self.plan, *words, *options, *self.disk,
            given=given, around=around,
        )  # fmt: skip

    def snapshot(self, name: str, basis: str = "", resume: Sequence[str] = (), *options: str) -> Said:
        """Begin, send and seal in one go; everything but the seal must succeed."""
        with self.held():
            begun = self.begin(name, basis, resume)
            assert begun.code == 0, begun.out
            return self.seal(name, self.send_all(name, basis) + b"".join(self.kept.values()), *options)


def filled(
    place: Path, names: Sequence[str], change: Callable[[Path, str], object] = lambda source, name: None
) -> Storehouse:
    """A new store in `place` with these snapshots, each after the one before; all have the file `old`.

    `change` makes of the source what it is when the snapshot of that name is made.
    """
    (place / "source").mkdir()
    (place / "source/old").write_text("old")
    house = Storehouse(root=place / "store", source=place / "source")
    for before, name in zip(("", *names), names, strict=False):
        change(house.source, name)
        assert house.snapshot(name, before).code == 0
    return house
