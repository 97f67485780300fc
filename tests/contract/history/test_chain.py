"""What is done in a store is in its chain, before it counts, wherever it is cut off."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from runner.agent.history.chain import count
from runner.agent.store.layout import StoreFolder
from tests.contract.history.chains import against, chain, digest, events, findings, head, told
from tests.contract.retention.test_expire import expire, verb
from tests.contract.storehouse import Said, Storehouse, copied, filled

NAMES = tuple(f"2026-11-{day}T010000Z" for day in range(20, 24))
NEXT = "2026-11-24T010000Z"
AUDIT = ("audit", "--every", "1", "--bytes", "1000000000", "--seconds", "60")
NEVER, EVER = "1970-01-01T00:00:00.000000Z", "2099-12-31T23:59:59.000000Z"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """Four snapshots; `day` is new in each, `old` came with the first."""
    return filled(tmp_path_factory.mktemp("ready"), NAMES, lambda source, name: (source / "day").write_text(name))


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def audit(house: Storehouse) -> Said:
    said = verb(house, *AUDIT)
    assert said.code == 0, said
    return said


def test_each_seal_is_a_line_with_the_digests_of_what_is_known_of_it(house: Storehouse) -> None:
    assert chain(house).stat().st_mode & 0o7777 == 0o600
    lines = told(house)
    assert [(line.event, line.name) for line in lines] == [("begun", "-"), *(("sealed", name) for name in NAMES)]
    records, before = house.root / ".runner/records", ""
    for number, line in enumerate(lines[1:], 1):
        ends = {"record": ".json", "sums": ".sums.gz", **({"gone": ".gone.gz"} if number > 1 else {})}
        assert line.digests == {key: digest(records / f"{line.name}{end}") for key, end in ends.items()}
        record = json.loads((records / f"{line.name}.json").read_bytes())
        assert record["before"] == before
        # The head before it: the line that this one follows.
        assert record["chain"] == f"{number}:{line.before}"
        before = digest(records / f"{line.name}.json")
    said = house.snapshot(NEXT, NAMES[-1])
    assert said.answer["head"] == head(house) and events(house)[-1] == ("sealed", NEXT)


def test_what_an_audit_lists_and_what_expires_and_who_inherits_is_in_it(house: Storehouse) -> None:
    first = head(house)
    assert audit(house).answer["head"] == head(house)
    assert events(house)[5:] == [("manifest", name) for name in reversed(NAMES)]
    assert expire(house, NAMES[0]).answer["head"] == head(house)
    assert events(house)[9:] == [("inherited", NAMES[1]), ("expired", NAMES[0])]
    assert told(house)[9].digests == {"sums": digest(house.root / f".runner/records/{NAMES[1]}.sums.gz")}
    assert verb(house, "reap").code == 0
    assert findings(house, first) == []
    since = against(house, first).answer
    assert [(each["event"], each["snapshot"]) for each in since["since"]] == [("expired", NAMES[0])]
    assert (since["changes"], since["snapshots"], since["unlisted"]) == (1, 3, [])


def test_what_a_person_does_is_in_it(house: Storehouse) -> None:
    first = head(house)
    audit(house)
    for words, event in (
        (("set-aside", NAMES[1], "--min", "1"), "aside"),
        (("bring-back", NAMES[1]), "back"),
        (("set-aside", NAMES[1], "--min", "1"), "aside"),
        (("drop-aside", NAMES[1]), "dropped"),
    ):
        assert verb(house, *words).code == 0
        assert events(house)[-1] == (event, NAMES[1])
        assert findings(house, first) == []
    shutil.rmtree(house.root / NAMES[2])
    assert findings(house, first) == [("gone", ".", [NAMES[2]])]
    assert verb(house, "set-aside", NAMES[2], "--min", "1").answer["record_only"]
    assert events(house)[-1] == ("lost", NAMES[2])
    assert findings(house, first) == []
    assert [each["event"] for each in against(house, first).answer["since"]][-1] == "lost"


def test_a_store_begun_before_has_a_chain_from_its_next_seal_on(house: Storehouse) -> None:
    for name in NAMES:
        place = house.root / f".runner/records/{name}.json"
        record = json.loads(place.read_bytes())
        place.write_text(json.dumps({key: value for key, value in record.items() if key not in ("before", "chain")}))
    chain(house).unlink()
    assert verb(house, *AUDIT).answer["head"] == ""
    assert expire(house, NAMES[0]).answer["head"] == ""
    assert not chain(house).exists()
    assert house.snapshot(NEXT, NAMES[-1]).answer["head"] == head(house)
    assert events(house) == [("begun", "-"), *(("adopted", name) for name in NAMES[1:]), ("sealed", NEXT)]
    assert set(told(house)[1].digests) == {"record", "sums", "gone", "names"}
    assert findings(house, head(house)) == []


@pytest.mark.parametrize("planted", ["text", "link", "fifo", "folder", "long"])
def test_what_is_no_chain_is_kept_beside_the_one_that_begins(house: Storehouse, planted: str) -> None:
    known, place = head(house), chain(house)
    content = place.read_bytes()
    place.unlink()
    match planted:
        case "text":
            place.write_bytes(content.replace(b"sealed", b"Sealed"))
        case "link":
            place.symlink_to("/dev/zero")
        case "fifo":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case _:
            place.write_bytes(content + b"\xff" * 20_000)
    assert expire(house, NAMES[0]).answer["head"] == ""
    refused = against(house, known)
    assert refused.code == 1 and "broken" in refused.answer["error"]
    assert house.snapshot(NEXT, NAMES[-1]).answer["head"] == head(house)
    assert (house.root / ".runner/chain.damaged.1").lstat() and told(house)[0].event == "begun"
    assert bool(told(house)[0].digests) == (planted in ("text", "long"))
    refused = against(house, known)
    assert refused.code == 1 and "not the chain that this head is of" in refused.answer["error"]


def test_a_line_that_was_cut_off_never_counted(house: Storehouse) -> None:
    known = head(house)
    for torn in (b"6 ", b"\0" * 300, b"6 abc\nx\n\n"):
        with chain(house).open("ab") as stream:
            stream.write(torn)
        assert findings(house, known) == []
        assert verb(house, "set-aside", NAMES[1], "--min", "1").code == 0
        assert verb(house, "bring-back", NAMES[1]).code == 0
        assert events(house)[-1] == ("back", NAMES[1])


def test_how_many_there_were_since_is_counted(house: Storehouse) -> None:
    store = StoreFolder(house.root)
    assert (count(store, "sealed", NEVER, EVER), count(store, "expired", NEVER, EVER)) == (4, 0)
    since = told(house)[3].time
    assert count(store, "sealed", since, EVER) == 2
    assert count(store, "sealed", NEVER, since) == 3, "its own line too"
    assert expire(house, NAMES[0]).code == 0
    assert count(store, "expired", since, EVER) == 1
    assert count(store, "expired", "2099-01-01T00:00:00.000000Z", EVER) == 0
    # One that was cut off before it was done, and was undone.
    (house.root / NEXT).mkdir()
    with chain(house).open("ab") as stream:
        last = told(house)[-1]
        stream.write(last._replace(number=last.number + 1, before=digest_of_last(house), name=NAMES[1]).raw)
    assert verb(house, "set-aside", NAMES[2], "--min", "1").code == 0
    assert events(house)[-2:] == [("undone", NAMES[1]), ("aside", NAMES[2])]
    assert count(store, "expired", since, EVER) == 1
    chain(house).unlink()
    assert count(store, "sealed", NEVER, EVER) == 0


def digest_of_last(house: Storehouse) -> str:
    return head(house).partition(":")[2]
