"""What the program tells without changing anything: probe, newest, find, diff, and its one file."""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runner.agent import tree
from runner.agent.answer import Refused
from runner.agent.retention import manifest
from runner.agent.snapshots import diff
from runner.agent.snapshots.search import _matching
from runner.agent.store.layout import StoreFolder, open_store
from runner.engine.probe import runner_agent
from runner.hosts.boot import BOOT
from runner.model.facts import HostFacts
from tests.contract.storehouse import PROGRAM, Storehouse, execute

ONE, TWO, THREE = "2026-11-21T010000Z", "2026-11-22T010000Z", "2026-11-23T010000Z"


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    (tmp_path / "source").mkdir()
    return Storehouse(root=tmp_path / "store", source=tmp_path / "source")


def request(house: Storehouse, **more: Any) -> bytes:
    store = {"name": "papio", "path": str(house.root), "mount": "", "uuid": ""}
    return json.dumps({"host": "papio", "stores": [store], **more}).encode()


def test_a_probe_has_the_shape_of_host_facts_and_leaves_no_trace(house: Storehouse) -> None:
    house.snapshot(ONE)
    with house.held():
        house.begin(TWO, ONE)
        before = sorted((str(path), path.lstat().st_mtime_ns) for path in house.root.rglob("*"))
        commands = [{"id": "a", "argv": ["echo", "hi"], "timeout": 5}, {"id": "b", "argv": ["no-such-program"]}]
        result = house.call("probe", given=request(house, commands=commands, program=sys.executable))
        assert before == sorted((str(path), path.lstat().st_mtime_ns) for path in house.root.rglob("*"))
    facts = msgspec.convert(result.answer, HostFacts)
    store = facts.stores["papio"]
    assert [(each.name, each.files, each.recorded) for each in store.sealed] == [(ONE, 1, True)]
    assert store.sealed[0].filesystems == ("/",)
    assert [(each.name, each.basis, each.filesystems) for each in store.partials] == [(TWO, ONE, ("/",))]
    assert store.holder is not None
    assert store.holder.plan == "plan-1"
    assert (store.problem, store.whole_seconds) == ("", False)
    assert facts.readings["a"].out == "hi\n"
    assert facts.readings["b"].exit is None
    assert facts.rsync.version
    assert "/" in {each.mount for each in facts.filesystems}
    assert facts.program == hashlib.sha256(Path(sys.executable).read_bytes()).hexdigest()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to see every call")
def test_a_probe_opens_nothing_for_writing(house: Storehouse) -> None:
    house.snapshot(ONE)
    calls = "open,openat,creat,mkdir,mkdirat,unlink,unlinkat,rename,renameat2,link,symlink,chmod,utimensat"
    around = ("strace", "-f", "-qq", "-s", "200", "-o", "/dev/stdout", f"--trace={calls}")
    result = house.call("probe", given=request(house), around=around)
    writes = [
        line
        for line in result.out.splitlines()[:-1]
        if re.search(rb"O_WRONLY|O_RDWR|O_CREAT|^[0-9 ]+(?!open)[a-z]+[a-z0-9]*\(", line)
    ]
    assert [line for line in writes if b'"/dev/null"' not in line] == []


def test_a_probe_of_a_store_that_is_not_there_yet_makes_nothing(house: Storehouse) -> None:
    facts = msgspec.convert(house.call("probe", given=request(house)).answer, HostFacts)
    assert (facts.stores["papio"].exists, facts.stores["papio"].problem) == (False, "")
    assert not house.root.exists()


def test_in_the_sandbox_folders_play_the_filesystems(house: Storehouse) -> None:
    given = request(house, root="/sandbox/papio", stand_ins=["/usr/share", "/nonexistent"])
    found = msgspec.convert(house.call("probe", given=given).answer, HostFacts).filesystems
    assert [(each.mount, each.type) for each in found] == [("/usr/share", "stand-in"), ("/nonexistent", "stand-in")]
    given = request(house, root=str(house.source))
    only = msgspec.convert(house.call("probe", given=given).answer, HostFacts).filesystems
    assert [(each.mount, each.source) for each in only] == [("/", str(house.source))]


def test_four_hundred_snapshots_are_read_in_well_under_a_second(house: Storehouse) -> None:
    house.snapshot(ONE)
    record = house.root / f".runner/records/{ONE}.json"
    for number in range(400):
        name = f"2025-01-01T{number // 60:04d}{number % 60:02d}Z"
        (house.root / name).mkdir()
        record.with_name(f"{name}.json").write_bytes(record.read_bytes())
    # Processor time: how long one waits for it beside other work is the machine's affair.
    begun = os.times()
    result = house.call("probe", given=request(house))
    ended = os.times()
    used = ended.children_user - begun.children_user + ended.children_system - begun.children_system
    assert used < 1
    assert len(result.answer["stores"]["papio"]["sealed"]) == 401


def test_a_folder_without_a_record_is_listed_but_does_not_count(house: Storehouse) -> None:
    house.snapshot(ONE)
    (house.root / TWO).mkdir()
    (house.root / "lost+found").mkdir()
    listed = house.call("probe", given=request(house)).answer["stores"]["papio"]["sealed"]
    assert [(each["name"], each["recorded"]) for each in listed] == [(ONE, True), (TWO, False)]
    newest = house.call("newest", str(house.root)).answer
    assert (newest["newest"], newest["sealed"], newest["partials"]) == (ONE, 1, 0)
    assert 0 < newest["free_percent"] <= 100


def test_a_record_that_cannot_be_read_is_not_one_without_exceptions(house: Storehouse) -> None:
    house.snapshot(ONE)
    (house.root / f".runner/records/{ONE}.json").write_text('{"exceptions": 0')
    facts = msgspec.convert(house.call("probe", given=request(house)).answer, HostFacts)
    (snapshot,) = facts.stores["papio"].sealed
    assert (snapshot.recorded, snapshot.exceptions) == (True, None)
    refused = house.call("record", str(house.root), ONE)
    assert (refused.code, "cannot be understood" in refused.answer["error"]) == (1, True)


@pytest.mark.parametrize("path", ["/none", "/file/below", "/loop/below", "/" + "n" * 300])
def test_what_is_not_in_a_snapshot_is_missing(house: Storehouse, path: str) -> None:
    (house.source / "file").write_text("text")
    (house.source / "loop").symlink_to("loop")
    house.snapshot(ONE)
    answer = house.call("find", str(house.root), given=json.dumps({"path": path}).encode()).answer
    assert answer == {"versions": [], "missing": 1}
    assert house.call("diff", str(house.root), ONE, ONE, given=json.dumps({"path": path}).encode()).code == 0


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_what_could_not_be_looked_at_is_not_missing(code: int) -> None:
    assert not tree.is_absence(OSError(code, os.strerror(code)))


def test_the_shipped_file_is_reproducible_and_probes_without_being_installed(house: Storehouse, tmp_path: Path) -> None:
    file = tmp_path / "runner-agent"
    file.write_bytes(runner_agent())
    runner_agent.cache_clear()
    assert runner_agent() == file.read_bytes()
    assert "\n" not in BOOT
    given = runner_agent() + request(house, program=str(file))
    digest = hashlib.sha256(runner_agent()).hexdigest()
    result = execute(("/usr/bin/python3", "-I", "-c", BOOT, digest, str(len(runner_agent())), ""), given)
    assert result.answer["program"] == digest
    file.chmod(0o755)
    assert execute((str(file), "newest", str(house.root))).answer["sealed"] == 0
    assert execute((str(file), "nothing")).code == 1


def test_find_gives_one_entry_a_version_and_never_leaves_the_snapshot(house: Storehouse) -> None:
    name = "new\nline \udcff"
    (house.source / name).write_text("one")
    house.snapshot(ONE)
    house.snapshot(TWO, ONE)
    (house.source / name).write_text("three")
    (house.source / "link").symlink_to("/etc")
    house.snapshot(THREE, TWO)
    found = house.call("find", str(house.root), given=json.dumps({"path": f"/{name}"}).encode()).answer
    assert [(each["first"], each["last"], each["snapshots"], each["size"]) for each in found["versions"]] == [
        (ONE, TWO, 2, 3),
        (THREE, THREE, 1, 5),
    ]
    linked = house.call("find", str(house.root), given=b'{"path": "/link/hosts"}').answer
    assert linked == {"versions": [], "missing": 3}
    target = house.call("find", str(house.root), given=b'{"path": "/link"}').answer["versions"][0]
    assert (target["type"], target["target"]) == ("symlink", "/etc")
    assert house.call("find", str(house.root), given=b'{"path": "/../x"}').code == 1


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("f?r.txt", ["/für.txt"]), ("/f?r.txt", ["/für.txt"]), ("[ü]*", ["/ü"]), ("b?d", ["/b\udcffd"]), ("??", [])],
)
def test_a_pattern_is_matched_by_letters(house: Storehouse, pattern: str, found: list[str]) -> None:
    for name in ("für.txt", "fxyr.txt", "ü", "b\udcffd"):
        (house.source / name).touch()
    house.snapshot(ONE)
    answer = house.call("search", str(house.root), ONE, given=json.dumps({"pattern": pattern}).encode()).answer
    assert [each["path"] for each in answer["names"]] == found


def test_a_pattern_that_is_none_for_an_older_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As Python 3.9 translates it; a newer one has it match nothing.
    monkeypatch.setattr(fnmatch, "translate", lambda pattern: f"(?s:{pattern[:-1]}.*)\\Z")
    with pytest.raises(Refused, match=r"^'\[z-a\]\*' is no pattern$"):
        next(_matching(StoreFolder(tmp_path), ONE, "[z-a]*"))


@pytest.mark.parametrize("given", [b"", b"[]", b'{"path": 1}', b'{"path": ""}', b"{"])
def test_a_request_that_names_nothing_is_refused(house: Storehouse, given: bytes) -> None:
    house.snapshot(ONE)
    for argv in (("find", str(house.root)), ("diff", str(house.root), ONE, ONE), ("search", str(house.root), ONE)):
        assert "the request on stdin names no " in house.call(*argv, given=given).answer["error"]


def test_diff_tells_content_attributes_types_and_names_apart(house: Storehouse) -> None:
    for name in ("same", "content", "mode", "gone", "type", "a\nb", "extended"):
        (house.source / name).write_text("text")
    (house.source / "folder/inside").mkdir(parents=True)
    house.snapshot(ONE)
    (house.source / "content").write_text("longer text")
    (house.source / "a\nb").write_text("longer text")
    (house.source / "mode").chmod(0o600)
    os.setxattr(house.source / "extended", "user.note", b"1")
    for name in ("gone", "type"):
        (house.source / name).unlink()
    (house.source / "type").symlink_to("same")
    (house.source / "folder/inside").rmdir()
    (house.source / "folder/new").write_text("new")
    (house.source / "pair").hardlink_to(house.source / "same")
    house.snapshot(TWO, ONE)
    result = house.call("diff", str(house.root), ONE, TWO, given=b'{"path": "/"}')
    assert [(each["path"], each["change"]) for each in result.lines[:-1]] == [
        ("/a\nb", "content"),
        ("/content", "content"),
        ("/extended", "attributes"),
        ("/folder/inside", "removed"),
        ("/folder/new", "added"),
        ("/gone", "removed"),
        ("/mode", "attributes"),
        ("/pair", "added"),
        ("/type", "type"),
    ]
    assert result.answer["counts"]["content"] == 2
    below = house.call("diff", str(house.root), ONE, TWO, given=b'{"path": "/folder"}')
    assert [each["path"] for each in below.lines[:-1]] == ["/folder/inside", "/folder/new"]


def test_attributes_that_cannot_be_read_are_not_none(house: Storehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> list[str]:
        raise OSError(errno.EIO, "a broken disk")

    (house.source / "same").write_text("text")
    house.snapshot(ONE)
    (house.source / "same").chmod(0o444)
    house.snapshot(TWO, ONE)
    # Two inodes, of which all else is equal.
    (house.root / ONE / "same").chmod(0o444)
    given = house.source / "given"
    given.write_text(json.dumps({"path": "/same"}))
    with given.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "listxattr", broken)
        with pytest.raises(OSError, match="a broken disk"):
            diff.run((str(house.root), ONE, TWO))
        with pytest.raises(OSError, match="a broken disk"):
            manifest.take(open_store(str(house.root)), ONE)


def test_an_answer_that_nobody_reads_ends_quietly(house: Storehouse) -> None:
    house.snapshot(ONE)
    argv = f"{sys.executable} -m runner.agent newest {house.root} | true"
    done = subprocess.run(("sh", "-c", argv), check=False, capture_output=True, cwd=Path(__file__).parents[3])
    assert done.stderr == b""


def test_whether_the_newest_of_a_host_has_a_path_is_asked_beside_all_else(house: Storehouse) -> None:
    (house.source / "etc").mkdir()
    (house.source / "etc/hosts").write_text("x")
    house.snapshot(ONE)
    (house.source / "etc/hosts").unlink()
    house.snapshot(TWO, ONE)
    (house.root / THREE).mkdir()  # it is not sealed
    record = house.root / f".runner/records/{TWO}.json"
    host = json.loads(record.read_text())["host"]

    def seen(whose: str, path: str) -> dict[str, Any]:
        argv = ["in-newest", str(house.root), whose, "--", path]
        answer = house.call(*argv).answer
        given = request(house, commands=[{"id": "a", "argv": ["runner-agent", *argv], "timeout": 5}])
        reading = house.call("probe", given=given).answer["readings"]["a"]
        assert (reading["exit"], json.loads(reading["out"])) == ("error" in answer, answer)
        return dict(answer)

    assert seen(host, "/etc") == {"snapshot": TWO, "type": "directory"}
    assert seen(host, "/etc/hosts") == {"snapshot": TWO, "type": ""}
    assert seen("other", "/etc") == {"snapshot": "", "type": ""}
    record.write_text(json.dumps({**json.loads(record.read_text()), "host": "other"}))
    assert seen(host, "/etc/hosts") == {"snapshot": ONE, "type": "file"}
    assert seen("other", "/etc/hosts") == {"snapshot": TWO, "type": ""}
    assert "error" in seen(host, "/../x")


def test_a_folder_of_dumps_that_is_not_there_is_named_whole(tmp_path: Path) -> None:
    result = execute((*PROGRAM, "db-newest", str(tmp_path), "/srv/dumps"), b'{"database": "babase"}')
    assert (result.code, f"'{tmp_path}/srv/dumps'" in result.answer["error"]) == (1, True)
    result = execute((*PROGRAM, "db-newest", f"{tmp_path}/dumps", "/"), b'{"database": "babase"}')
    assert f"'{tmp_path}/dumps'" in result.answer["error"]
