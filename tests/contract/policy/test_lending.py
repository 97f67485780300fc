"""What an rsync that is begun for a key is told to read: a place of the store, and nothing that a link there leads to."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from runner.agent.answer import Refused
from runner.agent.history import expiry
from runner.agent.policy import lending
from runner.agent.policy.newest import newest
from runner.agent.policy.rights import Rights, StoreRights
from runner.agent.store.layout import open_store
from tests.contract.storehouse import READABLE, execute

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to confine anything")
OLD, NEW, NEXT = "2026-11-21T081500Z", "2026-11-22T081500Z", "2026-11-23T081500Z"
# As sshd begins it: what is asked for comes behind the name of the host.
_SERVED = """
import sys
from runner.agent.answer import Refused
from runner.agent.answer import Refused
from runner.agent.history import expiry
from runner.agent.policy import lending
from runner.agent.policy.newest import newest
from runner.agent.policy.rights import Rights, StoreRights
rights = Rights("papio", {sys.argv[1]: StoreRights()})
try:
    sys.exit(lending.look(rights, sys.argv[3:]) if sys.argv[2] == "h" else lending.receiving(rights, sys.argv[2:]) and 0)
except Refused as refused:
    sys.exit(f"{type(refused).__name__}: {refused.error}")
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with two snapshots and a third that is received; in each a link out of it, and one within."""
    root = tmp_path / "store"
    (root / ".runner/records").mkdir(parents=True)
    (root / f".partial/{NEXT}").mkdir(parents=True)
    for name in (OLD, NEW):
        (root / name).mkdir()
        (root / f".runner/records/{name}.json").write_text(json.dumps({"host": "papio", "job": "nightly"}))
    for place in (root / NEW, root / f".incoming/{NEXT}/0"):
        (place / "own").mkdir(parents=True)
        (place / "own/file").write_text("own")
        (place / "out").symlink_to("/usr/bin")
        (place / "within").symlink_to("own")
    return root


def served(store: Path) -> tuple[str, ...]:
    return (sys.executable, "-c", _SERVED, str(store))


@pytest.mark.parametrize(
    "place", [f"{NEW}/out/", f"{NEW}/within/.", f".incoming/{NEXT}/0/out/", f".incoming/{NEXT}/0/within/file"]
)
def test_a_link_that_was_sent_leads_a_reader_nowhere(store: Path, tmp_path: Path, place: str) -> None:
    said = copied(store, tmp_path, place)
    assert b"Denied" in said.stderr and said.returncode and not list((tmp_path / "out").iterdir()), said


@pytest.mark.parametrize(
    ("place", "found"), [(f"{NEW}/out", "out"), (f"{NEW}/own/", "file"), (f"{NEW}/./own/file", "own")]
)
def test_a_link_itself_is_sent_and_what_is_behind_none(store: Path, tmp_path: Path, place: str, found: str) -> None:
    said = copied(store, tmp_path, place)
    assert said.returncode == 0 and [path.name for path in (tmp_path / "out").iterdir()] == [found], said
    missing = copied(store, tmp_path, f"{NEW}/none/")
    assert missing.returncode == 23 and b"Denied" not in missing.stderr


def copied(store: Path, tmp_path: Path, place: str) -> subprocess.CompletedProcess[bytes]:
    (tmp_path / "out").mkdir(exist_ok=True)
    argv = (
        "rsync",
        "-rlRs" if "/./" in place else "-rls",
        "-e",
        shlex.join(served(store)),
        f"h:{store}/{place}",
        f"{tmp_path}/out/",
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(READABLE)}
    return subprocess.run(argv, check=False, env=environment, capture_output=True, timeout=60)


@pytest.mark.parametrize(("old", "denied"), [("own", False), ("out", True), ("within", True), ("none", False)])
def test_what_is_received_is_compared_with_nothing_behind_a_link(store: Path, old: str, denied: bool) -> None:
    here, compared = f"{store}/.incoming/{NEXT}", f"{store}/{NEW}/{old}"
    words = ("rsync", "--numeric-ids", "--partial-dir", f"{here}/parts", "--copy-dest", compared, ".", f"{here}/0/")
    keep = ("keep-room", str(store), f"--partial={NEXT}", "--confined", f"--reads={compared}", "--")
    said = execute(
        (*served(store), *keep, "rsync", "--server", "-slHogDtpre.LsfxCIvu"), "\0".join((*words, "", "")).encode()
    )
    assert (said.code != 0, b"Denied" in said.err) == (denied, denied), said


def test_of_what_is_being_made_nothing_is_lent_that_is_of_another_snapshot(store: Path) -> None:
    """Such as of one that expires for it: only what is composed is of those that are lent as well."""
    made, begun = f"{store}/.partial/{NEXT}", {"filesystems": ["/", "/home"], "format": 2}
    rights, always = Rights("papio", {str(store): StoreRights()}), (f"{store}/{NEW}", f"{store}/.incoming/{NEXT}")
    for noted, lent in (
        ({}, ()),
        ({"cloned": {"/": {"basis": NEW}}}, ()),
        ({"composing": ["/"]}, ()),
        ({"composed": {"/home": 3}}, (f"{made}/1",)),
    ):
        Path(f"{made}.json").write_text(json.dumps({**begun, **noted}))
        assert set(lending.readable(rights, str(store))) == {*always, *lent}, noted
    Path(f"{made}.json").unlink()
    assert set(lending.readable(rights, str(store))) == set(always)
    everything = Rights("papio", {str(store): StoreRights(reads="all")})
    assert lending.readable(everything, str(store)) == (str(store),)


def test_what_was_before_the_newest_of_a_job_is_lent_only_once_it_has_sealed_again(store: Path) -> None:
    """However many expire: of each job the newest that ever was, or nothing."""
    records, days = store / ".runner/records", [f"2026-12-0{day}T081500Z" for day in range(1, 8)]

    def seal(name: str, job: str) -> None:
        (store / name).mkdir()
        (records / f"{name}.json").write_text(json.dumps({"host": "papio", "job": job}))

    def expire(name: str) -> None:
        expiry.expired(open_store(str(store)), name)
        (store / name).rmdir()
        (records / f"{name}.json").unlink()

    def lent() -> set[str]:
        return set(newest(open_store(str(store))))

    for day, job in zip(days, ("a", "a", "a", "b", "c", "c", "last"), strict=True):
        seal(day, job)
    (store / NEW / "out").unlink()
    (store / OLD).rmdir()
    assert lent() == {NEW, days[2], days[3], days[5], days[6]}
    for name in (days[2], days[1], days[3], days[4]):
        expire(name)
    assert lent() == {NEW, days[5], days[6]} and (store / days[0]).exists()
    seal("2026-12-08T081500Z", "a")
    assert lent() == {NEW, days[5], days[6], "2026-12-08T081500Z"}
    (store / ".runner/left.json").write_text("[]")
    with pytest.raises(Refused):
        newest(open_store(str(store)))
