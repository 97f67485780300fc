"""A seal that is killed at any of its moves leaves nothing with a final name that is not whole."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.compare import differences, fingerprint
from tests.contract.storehouse import Storehouse, copied
from tests.soak import few

OLD, CUT, NEXT = "2026-11-20T010000Z", "2026-11-21T010000Z", "2026-11-22T010000Z"
POINTS = ("/", "/data", "/data/deep/inner")
PART = "2026-11-20T020000Z"
MOVES = "rename,renameat,renameat2,symlink,symlinkat,unlink,unlinkat,rmdir,fsync,syncfs,mkdir,mkdirat,utimensat"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to cut at a call"),
]


def prepared(tmp_path: Path) -> tuple[Storehouse, bytes]:
    """A store with one snapshot, one interrupted one, which a third took up, composed and ready to seal."""
    source = tmp_path / "source"
    for folder in ("folder", *(point[1:] for point in POINTS[1:])):
        (source / folder).mkdir(parents=True, exist_ok=True)
        (source / folder / "file").write_text(f"text of {folder}")
        os.utime(source / folder, ns=(0, len(folder) * 10**9))
    for number in range(5):
        (source / "folder" / f"{number}").write_text(f"text {number}")
    house = Storehouse(root=tmp_path / "store", source=source, points=POINTS)
    assert house.snapshot(OLD).code == 0
    with house.held():
        assert house.begin(PART, OLD).code == 0
        house.send_all(PART, OLD)
    (source / "new").write_text("new")
    with house.held():
        assert house.begin(CUT, OLD, (PART,)).code == 0
        return house, house.send_all(CUT, OLD)


def moves(house: Storehouse, given: bytes) -> list[tuple[str, int]]:
    """The calls of a seal that change the disk or wait for it, in order: name, how many of that name."""
    around = ("strace", "-qq", "-o", "/dev/stdout", f"--trace={MOVES}")
    with house.held():
        result = house.seal(CUT, given, around=around)
    assert result.code == 0, result.out
    calls = [call[1].decode() for call in re.finditer(rb"^([a-z0-9]+)\(", result.out, re.MULTILINE)]
    return [(call, calls[: place + 1].count(call)) for place, call in enumerate(calls)]


def check(house: Storehouse, old: dict[bytes, object]) -> bool:
    """Whether the cut one got its name; if so it is whole, and the next snapshot works either way."""
    assert fingerprint(house.root / OLD) == old
    named = (house.root / CUT).exists()
    if named:
        assert not differences(house.source, house.root / CUT)
        record = json.loads((house.root / f".runner/records/{CUT}.json").read_bytes())
        assert [each["files"] for each in record["filesystems"]] == [10, 4, 2]
    else:
        assert (house.root / ".partial" / CUT).is_dir()
    request = {"host": "h", "stores": [{"name": "s", "path": str(house.root), "mount": "", "uuid": ""}]}
    facts = house.call("probe", given=json.dumps(request).encode()).answer["stores"]["s"]
    assert [each["name"] for each in facts["sealed"]] == ([OLD, CUT] if named else [OLD])
    resume = [each["name"] for each in facts["partials"]]
    assert house.snapshot(NEXT, facts["sealed"][-1]["name"], resume).code == 0
    assert not differences(house.source, house.root / NEXT)
    assert (house.root / "latest").readlink() == Path(NEXT)
    assert {path.name for path in (house.root / ".partial").iterdir()} == {"parts"}
    assert not list((house.root / ".incoming").iterdir())
    return named


@pytest.mark.parametrize("every", few((9, 1), 9))
def test_a_seal_killed_before_any_of_its_moves_never_names_what_is_not_whole(tmp_path: Path, every: int) -> None:
    ready, given = prepared(tmp_path / "ready")
    calls = moves(copied(ready, tmp_path / "whole"), given)
    named = []
    for call, nth in (*calls[:-1:every], calls[-1]):
        place = tmp_path / f"{call}{nth}"
        house = copied(ready, place)
        old = fingerprint(house.root / OLD)
        around = (
            "strace", "-qq", "-o", "/dev/null", f"--trace={MOVES}",
            f"--inject={call}:signal=KILL:when={nth}",
        )  # fmt: skip
        with house.held():
            result = house.seal(CUT, given, around=around)
        assert result.code != 0, (call, nth)
        named.append(check(house, old))
        shutil.rmtree(place)
    assert len(named) > 15 // every
    assert named == sorted(named)
    assert named[0] is False
    assert named[-1] is True
