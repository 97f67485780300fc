"""What papio's own agent reads of a host that lies, in its frames: its store's sealed files stay, and all around it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compare import fingerprint
from tests.contract.hosts import mutations
from tests.contract.storehouse import Said, Storehouse, copied, filled, frame
from tests.soak import few

OLD, NEW = "2026-11-21T010000Z", "2026-11-22T010000Z"
# Of each verb that reads frames, so many lies.
READERS = ("compose", "seal", "changed", "settle")
SEEDS, SOME = 60, 2


def change(source: Path, name: str) -> None:
    """Some files of every sort, so that there is something to lie about."""
    (source / "folder").mkdir(exist_ok=True)
    (source / "folder/file").write_text(name)
    (source / "link").unlink(missing_ok=True)
    (source / "link").symlink_to(f"/{name}")
    (source / f"only {name}").write_text("once")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A store with one snapshot and a second on its way, and what the source said for it."""
    house = filled(tmp_path_factory.mktemp("frames"), (OLD,), change)
    change(house.source, NEW)
    (house.source / f"only {OLD}").unlink()
    with house.held():
        assert house.begin(NEW, OLD).code == 0
        assert house.clone(NEW, OLD).code == 0
        names = house.listed(NEW, OLD)
        sent = house.send_listed(NEW, OLD, names)
        settled = house.settle(NEW, names)
    assert names.code == sent.code == settled.code == 0
    return {"house": house, "names": names, "sent": sent, "settled": settled}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("seed", few(range(SEEDS), *range(SOME)))
def test_no_frame_gets_out_of_the_store_or_at_what_is_sealed(
    ready: dict[str, object], tmp_path: Path, reader: str, seed: int
) -> None:
    own = random.Random(f"{reader} {seed}")
    known = {name: each for name, each in ready.items() if isinstance(each, Said)}
    lied = own.choice(sorted(known) if reader != "changed" else ["names"])
    sort, told = mutations.lie(own.randrange(2**32), known[lied].out, known[lied].code, endless=3 << 20)
    known[lied] = Said(code=known[lied].code, out=b"".join(told.pieces), err=b"", state=known[lied].state)
    house = ready["house"]
    assert isinstance(house, Storehouse)
    house = copied(house, tmp_path / "copy")
    (tmp_path / "MARK").mkdir()
    before = fingerprint(house.root / OLD), fingerprint(house.source), sorted(tmp_path.rglob("*MARK*"))
    with house.held():
        said = read_by(reader, house, known, own)
    case = f"{reader} {seed}: {lied} {sort}\n{said}"
    assert b"Traceback" not in said.err and said.code not in (70, -11, -6), case
    assert said.code in (0, 1, 75, 77, 78, 79), case
    assert (fingerprint(house.root / OLD), fingerprint(house.source)) == before[:2], case
    assert [path for path in sorted(tmp_path.rglob("*MARK*")) if house.root not in path.parents] == before[2], case
    assert not (set(b"\x1b\0") & set(said.out) if reader != "changed" else ()), case


def read_by(reader: str, house: Storehouse, known: dict[str, Said], own: random.Random) -> Said:
    """What that verb says of these frames, the head of one of which may lie too."""
    frames = [frame("settle", known["settled"]), frame("list", known["names"])]
    match reader:
        case "compose":
            return house.compose(NEW, torn(b"".join(frames), own))
        case "seal":
            composed = house.compose(NEW, b"".join(frames))
            more = [frame("send", known["sent"]), frame("settle", known["settled"]), frame("first", known["sent"])]
            return house.seal(NEW, torn(b"".join(more), own)) if composed.code == 0 else composed
        case "changed":
            words = (f"--scans={house.scans}", f"--name={NEW}")
            return house.call("changed", house.top() or "/", *words, given=known["names"].out)
        case _:
            words = (f"--scans={house.scans}", f"--name={NEW}", "--listed=list", "--looked=again")
            given = frame("list", known["names"]) + frame("again", replace(known["sent"], state="done"))
            return house.call("settle", house.top() or "/", *words, given=torn(given, own))


def torn(frames: bytes, own: random.Random) -> bytes:
    """The frames, the first head of which now and then says another length than there is."""
    if own.random() < 0.7:
        return frames
    number = own.choice((b"-1", b"0", b"1", b"9" * 18, b"9" * 400, b"1e999", b"1.5", b"null", b'"7"', b"5" * 5000))
    head, newline, rest = frames.partition(b"\n")
    return head.rpartition(b": ")[0] + b": " + number + b"}" + newline + rest
