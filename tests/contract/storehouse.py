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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.tools import rsync

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
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LANGUAGE": "", "PYTHONPATH": str(READABLE)}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a call of the program, or of rsync, said."""

    code: int
    out: bytes
    err: bytes = b""

    @property
    def answer(self) -> dict[str, Any]:
        assert b"Traceback" not in self.err, self.err.decode()
        return json.loads(self.out.splitlines()[-1])

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def frame(source: str, said: Said, state: str = "done") -> bytes:
    head = {"from": source, "state": state, "exit": said.code, "bytes": len(said.out)}
    return json.dumps(head).encode() + b"\n" + said.out + b"\n"


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
        return self.call(
            "begin", str(self.root), name, "--plan", self.plan, "--basis", basis, *again, *self.disk, "--", *points
        )

    def ends(self, name: str, number: int = 0) -> rsync.Ends:
        source = f"{self.source}{self.points[number].rstrip('/')}/"
        return rsync.Ends(source=source, target=f"{self.root}/.partial/{name}/{number}/")

    def send(self, name: str, bases: Sequence[str] = (), extra: tuple[str, ...] = (), number: int = 0) -> Said:
        point = self.points[number].rstrip("/")
        folders = [str(self.root) + f"/{base}" + (f"/{number}" if ".partial" in base else point) for base in bases]
        inner = [each for each in self.points if each != self.points[number] and each.startswith(f"{point}/")]
        argv = rsync.send(
            self.ends(name, number), link_dest=folders, exclude=[rsync.below(point, each) for each in inner],
            keep_parts=f"{self.root}/.partial/parts",
        )  # fmt: skip
        return execute((*self.before, argv[0], *extra, *argv[1:]))

    def send_all(self, name: str, bases: Sequence[str] = ()) -> bytes:
        """Send every filesystem, and give what the seal reads of it; each must be whole."""
        sent = [self.send(name, bases, number=number) for number in range(len(self.points))]
        assert not any(each.code for each in sent), sent
        return b"".join(frame(f"send{number or ''}", each) for number, each in enumerate(sent))

    def look(self, name: str) -> Said:
        return execute((*self.before, *rsync.look(self.ends(name), exclude=())))

    def explain(self, looked: Said, since: str) -> Said:
        return self.call("explain", str(self.source), "--since", since, given=frame("look", looked))

    def walk(self, number: int = 0, given: bytes = b"", since: str = "2100-01-01T00:00:00Z") -> Said:
        """The count at the source, given the output of its transfer (or that and more, which tells it nothing)."""
        point = self.points[number].rstrip("/")
        inner = [each for each in self.points if each != self.points[number] and each.startswith(f"{point}/")]
        emptied = [f"--emptied={self.source}{each}" for each in inner]
        return self.call("walk", f"{self.source}{point}", f"--since={since}", *emptied, given=given)

    def seal(self, name: str, given: bytes, *options: str, around: tuple[str, ...] = ()) -> Said:
        transfers = [f"--transfer=send{number or ''}={point}" for number, point in enumerate(self.points)]
        walks = [f"--walked=walk{number or ''}={point}" for number, point in enumerate(self.points)]
        given += b"".join(frame(f"walk{number or ''}", self.walk(number, given)) for number in range(len(self.points)))
        return self.call(
            "seal", str(self.root), name, "--plan", self.plan, *transfers, *walks, *options, *self.disk,
            given=given, around=around,
        )  # fmt: skip

    def snapshot(self, name: str, basis: str = "", resume: Sequence[str] = (), *options: str) -> Said:
        """Begin, send and seal in one go; everything but the seal must succeed."""
        with self.held():
            begun = self.begin(name, basis, resume)
            assert begun.code == 0, begun.out
            bases = [each for each in (basis, *(f".partial/{part}" for part in resume)) if each]
            return self.seal(name, self.send_all(name, bases) + b"".join(self.kept.values()), *options)


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
