"""A backup server that lies about its past: what it says itself is not asked, and its lines have to lead there."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from runner import __main__ as door
from runner.agent.history import chain
from runner.agent.store.layout import open_store
from runner.hosts.transport import Local, Result
from runner.verbs.app import App
from runner.verbs.load import load
from tests.contract import life
from tests.contract.site import Place

pytestmark = pytest.mark.long
KEPT, UUID = "kept", "00000000-1111-2222-3333-444444444444"
ANOTHER = "the history of store papio at backup-server1 is not the one that this runner saw on 20"

Lie = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Three snapshots, and a run that saw them all, of three that may be."""
    folder = tmp_path_factory.mktemp("liars")
    made = Place(folder=folder / "site", trees=(life.small_tree(folder / "tree"),))
    made.folder.mkdir()
    life.policy(made, "min = 1, max = 3", counting=", per_day = 9")
    for number in range(3):
        (made.trees[0] / "day").write_text(f"day {number}")
        life.good(made, "run", "backup-papio")
    subprocess.run(("cp", "-a", made.sandbox, folder / KEPT), check=True)
    return made


@pytest.fixture
def place(ready: Place) -> Iterator[Place]:
    """The same each time: the tests have one sandbox after the other."""
    shutil.rmtree(ready.sandbox)
    subprocess.run(("cp", "-a", ready.folder.parent / KEPT, ready.sandbox), check=True)
    yield ready


def forge(place: Place) -> str:
    """What root there does: the second is gone without a trace, the first has other content, the history begins anew."""
    one, two, *_ = (each.name for each in place.sealed)
    shutil.rmtree(place.store / two)
    for path in (place.store / ".runner/records").glob(f"{two}*"):
        path.unlink()
    (place.store / ".runner/chain").unlink()
    chain.begin(open_store(os.fspath(place.store)))
    return two


def lying(place: Place, lie: Lie, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    """How a verb of the runner ends, and what it prints, where each answer of the backup server is changed by `lie`."""
    with App(load(place.folder / "jobs.toml"), lambda event: None, threading.Event()) as app:
        ways = dict(app.transports)

    class Liar(Local):
        def run(self, *args: Any, **options: Any) -> Result:
            said = super().run(*args, **options)
            if b'"readings"' not in said.out:
                return said
            answer = json.loads(said.out)
            lie(answer)
            return replace(said, out=json.dumps(answer).encode() + b"\n")

    honest = ways["backup-server1"]
    assert isinstance(honest, Local)
    ways["backup-server1"] = Liar("backup-server1", honest.agent)
    out = io.StringIO()
    with (
        monkeypatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        contextlib.chdir(place.folder),
    ):
        patch.setattr(App, "transports", ways)
        code = door.run(words)
    return code, " ".join(out.getvalue().split())


def nothing_changed(known: str, two: str) -> Lie:
    """It has the history that was seen last, word for word, and all that there was then."""

    def lie(answer: dict[str, Any]) -> None:
        for key, reading in answer["readings"].items():
            if key.startswith("history."):
                reading["out"] = json.dumps({"head": known, "lines": [], "broken": "", "continues": True}) + "\n"
        sealed = answer["stores"]["papio"]["sealed"]
        sealed.insert(1, {**sealed[0], "name": two})

    return lie


def another_disk(uuid: str) -> Lie:
    def lie(answer: dict[str, Any]) -> None:
        for stored in answer["stores"].values():
            stored["uuid"] = uuid

    return lie


def known_head(place: Place) -> str:
    """What the journal has proven so far: all but what the last run sealed."""
    known = place.runner("history", "papio", "--json").json["known"]
    assert isinstance(known, str) and known
    return known


def test_a_history_that_was_begun_anew_is_told_until_somebody_knows_and_nothing_expires(place: Place) -> None:
    forge(place)
    for jobs in (("backup-papio",), ("check-papio", "purge-papio"), ("backup-papio", "purge-papio")):
        ran = place.runner("run", *jobs)
        assert ran.code == 3 and ANOTHER in " ".join(ran.out.split())
    assert len(place.sealed) == 4


def test_it_is_not_believed_that_nothing_changed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    known = known_head(place)
    lie = nothing_changed(known, forge(place))
    # What the last seal was answered is not in that history.
    code, said = lying(place, lie, monkeypatch, "run", "backup-papio")
    assert code == 3 and ANOTHER in said
    code, said = lying(place, lie, monkeypatch, "run", "check-papio", "purge-papio")
    assert code == 3 and ANOTHER in said
    # And it is told still where it is honest again, however it goes on from there.
    ran = place.runner("run", "backup-papio", "check-papio")
    assert ran.code == 3 and ANOTHER in " ".join(ran.out.split())


def test_another_disk_is_no_excuse(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    forge(place)
    code, said = lying(place, another_disk(UUID), monkeypatch, "run", "backup-papio", "check-papio")
    assert code == 3 and ANOTHER in said
    ran = place.runner("run", "check-papio")
    assert ran.code == 3 and ANOTHER in " ".join(ran.out.split())


def test_another_disk_is_told_where_all_else_fits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = lying(place, another_disk(UUID), monkeypatch, "run", "check-papio")
    assert code == 0, said
    code, said = lying(place, another_disk(UUID[::-1]), monkeypatch, "run", "check-papio")
    assert code == 3 and "store papio at backup-server1 says that it is in another folder or on another disk" in said
