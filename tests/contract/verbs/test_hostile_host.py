"""One of two hosts answers with rubbish of every sort; what needs only the other is made all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.engine import execute
from runner.hosts.transport import Local, Result
from runner.model.errors import RunnerError
from runner.model.run import Verdict
from runner.verbs import browse, restoring
from runner.verbs.app import App, RunRequest
from runner.verbs.load import load
from tests.contract.site import SECOND, Place

BAD = "backup-server1"


class Hostile(Local):
    """A host whose answers are `changed` on the way."""

    def __init__(self, changed: Callable[[bytes], bytes], verb: bytes = b"") -> None:
        """Only answers with `verb` in them, where it is given."""
        super().__init__(BAD)
        self._changed, self._verb = changed, verb

    def run(self, argv: tuple[str, ...], **options: Any) -> Result:
        """Run it, and lie about it."""
        sink = options.pop("sink", None)
        result = super().run(argv, **options)
        out = self._changed(result.out) if self._verb in result.out else result.out
        if sink:
            sink(out)
        return Result(exit=0, out=out, err=result.err)


def everywhere(value: Any) -> Callable[[bytes], bytes]:
    """Every text of an answer becomes `value`, but for keys."""

    def put(known: Any) -> Any:
        if isinstance(known, dict):
            return {key: put(each) for key, each in known.items()}
        if isinstance(known, list):
            return [put(each) for each in known]
        return value if isinstance(known, str) else known

    def change(out: bytes) -> bytes:
        try:
            return json.dumps(put(json.loads(out))).encode()
        except ValueError:
            return out

    return change


RUBBISH: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda out: b"",
    "deep": lambda out: b"[" * 100_000 + b"]" * 100_000,
    "deep within": lambda out: b'{"stores": ' + b'{"papio":' * 10_000 + b"1" + b"}" * 10_001,
    "digits": lambda out: b'{"uid": ' + b"5" * 5000 + b"}",
    "no number": lambda out: out.replace(b'"dev": ', b'"dev": -', 1).replace(b'"size": ', b'"size": 1e999, "x": '),
    "options": everywhere("--help"),
    "escape": everywhere("\x1b]0;x\x07\u202e\0"),
    "paths": everywhere("../../etc"),
    "years": everywhere("9999-12-31T235959Z"),
    "numbers": everywhere(5),
    "long": everywhere("x" * 20_000),
    "bytes": lambda out: b"\xff\xfe\x00" + out,
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("content")
    made = Place(folder=tmp_path / "site", trees=(tmp_path / "tree",))
    made.declare(SECOND, mail=False)
    return made


def opened(place: Place, hostile: Hostile) -> App:
    app = App(load(place.folder / "jobs.toml"), lambda event: None, threading.Event())
    vars(app)["transports"] = {**app.transports, BAD: hostile}
    return app


@pytest.mark.parametrize("sort", RUBBISH)
def test_the_snapshot_that_does_not_need_it_is_made(place: Place, sort: str) -> None:
    with opened(place, Hostile(RUBBISH[sort])) as app:
        report, code = app.run(RunRequest(jobs=("backup-papio", "second-copy")), lambda plan: None)
        (second,) = [job for job in report.jobs if job.job == "second-copy"]
        assert second.verdict == Verdict.DONE and second.made.startswith("second/")
        told = [todo.text for todo in report.actions] + [job.headline for job in report.jobs]
        assert code in (1, 3) and f"{BAD} cannot be read" in repr(report) or "store papio on" in repr(report)
        assert max(map(len, told)) < 3000
        held = browse.holdings(app)
        assert [holding.store.name for holding in held if holding.sealed] == ["second"]
        versions, unread = browse.find(app, "/file", ())
        assert all(store.name == "second" for store, _ in versions) and "papio" in {*unread, "papio"}
        with pytest.raises(RunnerError):
            browse.pair(app, ("previous", "latest"), "papio", "/")
        with pytest.raises(RunnerError):
            restoring.restoring(app, restoring.Wanted(host="papio", path="/file", store="papio"))


@pytest.mark.parametrize("sort", RUBBISH)
def test_an_answer_of_a_step_that_is_rubbish_is_never_done(
    place: Place, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe is as it should be, and all that the verbs of the steps answer is not."""
    # Who holds a lock says so at once; this host never does.
    monkeypatch.setattr(execute, "_LOCK_PATIENCE", 2.0)
    changed = RUBBISH[sort]
    with opened(place, Hostile(lambda out: out if b'"boot_id"' in out else changed(out))) as app:
        report, code = app.run(RunRequest(jobs=("backup-papio", "second-copy")), lambda plan: None)
        verdicts = {job.job: job.verdict for job in report.jobs}
        assert verdicts["second-copy"] == Verdict.DONE
        assert code != 70 and (verdicts["backup-papio"] != Verdict.DONE or changed(b'{"a": 1}') == b'{"a": 1}')
