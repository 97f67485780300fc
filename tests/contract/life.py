"""A store on a real ext3 disk, where the sandbox's backup server has papio's snapshots; and years of them."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.compare import Entry, walk
from tests.contract.site import Place, Said
from tests.contract.storehouse import Storehouse
from tests.mounts import need_loops

MIB = 1 << 20
PURGE = """
[jobs.purge-papio]
kind = "prune"
store = "papio"
[jobs.check-papio]
kind = "check"
store = "papio"
"""
EXT3 = ("mke2fs", "-q", "-t", "ext3", "-b", "4096", "-I", "256", "-m", "1")


@contextlib.contextmanager
def disk(place: Place, mib: int, *options: str, image: Path | None = None) -> Iterator[Path]:
    """An ext3 of `mib` MiB mounted where the store is to be; its image."""
    file = image or place.folder.parent / "disk.img"
    with file.open("wb") as stream:
        stream.truncate(mib * MIB)
    subprocess.run((*EXT3, *(options or ("-i", "4096")), file), check=True)
    place.store.mkdir(parents=True)
    need_loops()
    subprocess.run(("mount", "-o", "loop,noatime", file, place.store), check=True)
    try:
        yield file
    finally:
        subprocess.run(("umount", place.store), check=True)


def policy(place: Place, text: str, *, counting: str = ", per_day = 400") -> None:
    """Let jobs.toml have a prune job and a check, and the store this retention."""
    place.declare(PURGE, mail=True)
    path = place.folder / "jobs.toml"
    # Days are played within a minute here, and all of that one real day are to count.
    path.write_text(path.read_text().replace("{ min = 30, max = 400 }", f"{{ {text}{counting} }}"))


def good(place: Place, *argv: str) -> Said:
    """Run it; anything but exit 0 fails the test with what it said."""
    ran = place.runner(*argv)
    assert ran.code == 0, ran.out + ran.err
    return ran


def small_tree(path: Path, files: int = 6) -> Path:
    """A tree of two folders, a link group, and a file that is another one each day."""
    (path / "folder").mkdir(parents=True)
    for number in range(files):
        (path / "folder" / f"file{number}").write_bytes(random.Random(number).randbytes(700 * number))
    (path / "folder/again").hardlink_to(path / "folder/file1")
    (path / "day").write_text("the first day")
    return path


def years(place: Place, count: int, *, each: int = 1000) -> list[str]:
    """Turn the one snapshot there is into `count`, one a day until yesterday; their names, oldest first.

    All is as the seal leaves it: shared inodes, records, checksums. Each has a `day` of its own of
    `each` bytes, which is what it would have brought.
    """
    if shutil.which("xxhsum") is None:
        pytest.skip("needs xxhsum for the checksums of what a transfer would have brought")
    (first,) = place.sealed
    begin = datetime.now(UTC) - timedelta(days=count)
    names = [f"{begin + timedelta(days=day):%Y-%m-%dT%H%M%SZ}" for day in range(count)]
    record, records = place.record(first), place.store / ".runner/records"
    day_path = f"{place.trees[0]}/day".lstrip("/")
    first.rename(place.store / names[0])
    (records / f"{first.name}.sums.gz").rename(records / f"{names[0]}.sums.gz")
    place.record_path(first).unlink()
    for number, name in enumerate(names):
        about = {**record, "name": name, "started": _iso(name), "sealed": _iso(name)}
        if number:
            subprocess.run(("cp", "-al", place.store / names[number - 1], place.store / name), check=True)
            fresh = random.Random(number).randbytes(each)
            day = place.store / name / day_path
            day.unlink()
            day.write_bytes(fresh)
            os.utime(day.parent, ns=(0, number * 10**9))
            about |= {"basis": names[number - 1], "added_files": 1, "added_bytes": each, "summed": 1}
            _sums(place, name, day_path)
        place.record_path(place.store / name).write_text(json.dumps(about))
    latest = place.store / "latest"
    latest.unlink()
    latest.symlink_to(names[-1])
    forget_history(place)
    return names


def forget_history(place: Place) -> None:
    """What was made by hand is in no chain: one begins at the next seal, and nobody has seen another."""
    (place.store / ".runner/chain").unlink()
    forget_heads(place)


def forget_heads(place: Place) -> None:
    """The journal has seen no history: that of a disk as it was is told as an old copy."""
    with contextlib.closing(sqlite3.connect(place.state / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE steps SET result = json_remove(result, '$.head') WHERE result IS NOT NULL")
        journal.execute("DELETE FROM histories")


def _iso(name: str) -> str:
    return datetime.strptime(name, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC).isoformat()


def _sums(place: Place, name: str, path: str) -> None:
    file = place.store / name / path
    told = subprocess.run(("xxhsum", "-H2", file), check=True, capture_output=True, text=True).stdout
    line = f"{told.split()[0]} {file.stat().st_size} {path}\n"
    (place.store / f".runner/records/{name}.sums.gz").write_bytes(gzip.compress(line.encode()))


@dataclass(frozen=True, kw_only=True)
class Room:
    """What statvfs(3) says is free."""

    bytes: int
    inodes: int


def free(place: Place) -> Room:
    """What is free on the store's disk, once all that was decided is on it."""
    subprocess.run(("sync", "-f", place.store), check=True)
    found = os.statvfs(place.store)
    return Room(bytes=found.f_bfree * found.f_frsize, inodes=found.f_ffree)


def foretold(place: Place, *names: str) -> Room:
    """What expiring these, or as many as `names`, frees, as the last measurement says."""
    house = Storehouse(root=place.store, source=place.trees[0])
    (*_, last) = house.call("freed", str(house.root), "--", *names).answer["freed"]
    return Room(bytes=last["bytes"], inodes=last["inodes"])


def whole(place: Place) -> dict[str, dict[bytes, Entry]]:
    """Every sealed snapshot to the last attribute, by name."""
    return {one.name: walk(one) for one in place.sealed}


def audited(place: Place) -> dict[str, Any]:
    """What an audit of all of the store answers."""
    house = Storehouse(root=place.store, source=place.trees[0], plan="audit")
    with house.held():
        ran = house.call(
            "audit", str(house.root), "--plan", "audit", "--bytes", str(1 << 40), "--seconds", "600", "--every", "1",
        )  # fmt: skip
    assert ran.code == 0, ran.out
    return ran.answer


def ballast(tree: Path, mib: float, *, day: int, pieces: int = 600) -> None:
    """Write that many random files of `mib` MiB together into the tree, in place of those of other days."""
    folder = tree / "ballast"
    folder.mkdir(exist_ok=True)
    for number in range(pieces):
        file = folder / f"{number}"
        file.unlink(missing_ok=True)
        file.write_bytes(random.Random(f"{day} {number}").randbytes(int(mib * MIB) // pieces))
