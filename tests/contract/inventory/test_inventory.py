"""What a host was, kept beside its snapshots: the same twice, whole or not at all, gone with the snapshot."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from runner.agent.database.stored import MOST_ROLES
from runner.agent.host.mounts import Mount
from runner.agent.inventory import host
from runner.agent.inventory.dumps import dumps_in
from tests.contract.disks.test_disks import UUID, disk
from tests.contract.storehouse import Said, Storehouse, execute, frame

ONE, TWO, THREE = "2026-11-21T010000Z", "2026-11-22T010000Z", "2026-11-23T010000Z"
SITE = b'[site]\nname = "babase"\n'
DIGEST = hashlib.sha256(SITE).hexdigest()
ABOUT = {"facts": {"format": 1, "system": "Debian", "missing": []}, "files": {"fstab.txt": "UUID=1 / ext4\n"}}


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("text")
    made = Storehouse(root=tmp_path / "store", source=source)
    assert made.snapshot(ONE, "", (), "--host", "papio").code == 0
    return made


def keep(
    house: Storehouse, name: str, about: Any = ABOUT, *more: str, site: bytes = SITE, digest: str = DIGEST
) -> Said:
    text = about if isinstance(about, bytes) else json.dumps(about).encode() + b"\n"
    given = frame("job/about", Said(code=0, out=text)) + frame("job/site", Said(code=0, out=site))
    words = ("--about=job/about", "--site=job/site", f"--site-sha256={digest}", f"--plan={house.plan}")
    with house.held():
        return house.call("keep-about", str(house.root), name, *words, *more, given=given)


def home(house: Storehouse, name: str) -> Path:
    return house.root / ".runner/about" / name


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces")
def test_a_host_is_told_the_same_twice_and_what_lacks_is_named(house: Storehouse) -> None:
    # Whatever else runs on this machine may mount something, or plug in a cable, between two looks: it is not seen here.
    apart = ("unshare", "--mount", "--net", "sh", "-c", '"$@" && "$@"', "sh")
    told = house.call("about", around=apart)
    assert told.code == 0, told
    first, again = map(json.loads, told.out.splitlines())
    assert first == again
    assert again["facts"]["kernel"] == os.uname().release
    assert "packages.txt" in again["files"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_mounted_filesystem_is_told_with_what_makes_it_again(house: Storehouse, tmp_path: Path) -> None:
    with disk(tmp_path) as mount:
        facts = house.call("about").answer["facts"]
    (about,) = (each for each in facts["filesystems"] if each["mount"] == str(mount))
    assert (about["type"], about["uuid"]) == ("ext3", UUID)
    assert about["source"].startswith("/dev/loop") and about["size"] > 8 << 20 and about["inodes"] > 0


def test_a_host_without_any_program_of_this_sort_is_told_all_the_same(tmp_path: Path) -> None:
    # Programs are looked for in fixed places: without them there is nothing but the kernel to ask.
    bare = "import sys; sys.argv = ['x', 'about']; import runner.agent.command as a, runner.agent.inventory.host as d; "
    bare += "a.ENVIRONMENT['PATH'] = '/nowhere'; from runner.agent.__main__ import main; main()"
    output = execute(("/usr/bin/python3", "-B", "-c", bare))
    assert output.code == 0
    missing = " ".join(output.answer["facts"]["missing"])
    assert all(word in missing for word in ("lsblk", "findmnt", "packages.txt"))


def test_a_filesystem_that_nobody_can_look_at_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        raise OSError(errno.EIO if path == "/srv" else errno.ENOENT, os.strerror(errno.EIO), path)

    points = [Mount(0, dev, "/", point, (), "ext4", "/dev/sdx1") for dev, point in enumerate(("/srv", "/hidden"))]
    monkeypatch.setattr(host, "mounts", lambda: points)
    monkeypatch.setattr(os, "statvfs", statvfs)
    assert host.run(()) == 0
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert facts["filesystems"] == []
    assert [each for each in facts["missing"] if each.startswith("filesystem")] == [
        "filesystem /srv: Input/output error"
    ]


def test_it_is_kept_beside_the_snapshot_for_its_owner_only(house: Storehouse) -> None:
    output = keep(house, ONE, ABOUT, "--dumps=/srv/dumps")
    assert output.code == 0, output.out
    assert output.answer == {"kept": ONE, "files": 2, "fresh": 2, "site": True}
    assert (home(house, ONE) / "fstab.txt").read_text() == "UUID=1 / ext4\n"
    assert json.loads((home(house, ONE) / "about.json").read_text())["dumps"] == ["/srv/dumps"]
    for path in (*home(house, ONE).iterdir(), house.root / ".runner/jobs.toml"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (house.root / ".runner/jobs.toml").read_bytes() == SITE


def test_what_did_not_change_is_on_the_disk_once(house: Storehouse) -> None:
    keep(house, ONE)
    house.snapshot(TWO, ONE)
    assert keep(house, TWO, {**ABOUT, "facts": {"format": 1, "system": "Debian 13"}}).answer["fresh"] == 1
    assert (home(house, ONE) / "fstab.txt").samefile(home(house, TWO) / "fstab.txt")
    assert not (home(house, ONE) / "about.json").samefile(home(house, TWO) / "about.json")


@pytest.mark.parametrize(
    "about",
    [
        b"", b"not json", b"[]\n", b'{"facts": 1, "files": {}}\n', b'{"facts": {}}\n',
        b'{"facts": {}, "files": {"a.txt": "' + b"x" * (5 << 20) + b'"}}\n',
    ],
    ids=["nothing", "no json", "no object", "no facts", "no files", "too long"],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_jobs_toml_is_kept_all_the_same(house: Storehouse, about: bytes) -> None:
    output = keep(house, ONE, about)
    assert output.code == 1
    assert "it is not known what the host is" in output.answer["error"]
    assert not home(house, ONE).exists()
    assert (house.root / ".runner/jobs.toml").read_bytes() == SITE


def test_a_name_leads_nowhere_else_and_replaces_no_facts(house: Storehouse) -> None:
    names = ("../x.txt", "/etc/x.txt", ".txt", "a/b.txt", "about.json", "x.sh", "a\n.txt", "ok.txt")
    assert keep(house, ONE, {"facts": {"format": 1}, "files": dict.fromkeys(names, "text")}).code == 0
    assert sorted(path.name for path in home(house, ONE).iterdir()) == ["about.json", "ok.txt"]
    assert json.loads((home(house, ONE) / "about.json").read_text())["format"] == 1


def test_another_jobs_toml_than_that_of_the_plan_is_not_kept(house: Storehouse) -> None:
    assert keep(house, ONE, site=b"changed since").answer["site"] is False
    assert not (house.root / ".runner/jobs.toml").exists()


def test_it_is_for_sealed_snapshots_under_the_lock_only(house: Storehouse) -> None:
    assert "no sealed snapshot" in keep(house, TWO).answer["error"]
    assert house.call("keep-about", str(house.root), ONE, f"--plan={house.plan}").code != 0


def test_drafts_and_what_lost_its_snapshot_are_removed_and_nothing_else(house: Storehouse) -> None:
    keep(house, ONE)
    (home(house, f"{TWO}.tmp")).mkdir()
    (home(house, THREE)).mkdir()
    (home(house, "link")).symlink_to(house.source)
    house.snapshot(TWO, ONE)
    assert keep(house, TWO).code == 0
    assert sorted(path.name for path in home(house, "").iterdir()) == [ONE, TWO, "link"]
    assert (house.source / "file").exists()


def test_it_goes_with_its_snapshot_and_what_that_frees_was_counted(house: Storehouse) -> None:
    keep(house, ONE)
    house.snapshot(TWO, ONE)
    keep(house, TWO, {**ABOUT, "facts": {"format": 1, "system": "Debian 13"}})
    without = house.call("freed", str(house.root), "--exact", "--", ONE).answer["freed"][0]["inodes"]
    home(house, ONE).rename(house.root / "aside")
    bare = house.call("freed", str(house.root), "--exact", "--", ONE).answer["freed"][0]["inodes"]
    (house.root / "aside").rename(home(house, ONE))
    # The folder and about.json; the other file lives on with the next snapshot.
    assert without - bare == 2
    with house.held():
        output = house.call("expire", str(house.root), ONE, f"--plan={house.plan}", "--min=1")
        assert output.code == 0, output.out
        assert not home(house, ONE).exists()
        assert house.call("reap", str(house.root), f"--plan={house.plan}").code == 0
    assert not any((house.root / ".trash").iterdir())
    assert (home(house, TWO) / "fstab.txt").read_text() == "UUID=1 / ext4\n"


def test_the_readme_is_filled_in_and_follows_what_changes(house: Storehouse) -> None:
    readme = house.root / ".runner/README.txt"
    assert "of papio" not in readme.read_text()
    keep(house, ONE, {"facts": {"system": "Debian\n    rm -rf /"}, "files": {}}, "--dumps=/srv/my dumps")
    text = readme.read_text()
    assert "of papio, which ran" in text
    assert """    dumps="$store/latest"/'srv/my dumps'\n""" in text
    assert "\n    rm" not in text
    before = readme.stat().st_ino
    house.snapshot(TWO, ONE)
    assert readme.stat().st_ino == before
    readme.write_text("somebody wrote here")
    (house.root / ".runner/restore.sh").unlink()
    house.snapshot(THREE, TWO)
    assert readme.read_text() == text
    assert (house.root / ".runner/restore.sh").read_text().startswith("#!/bin/sh\n")


def dump(folder: Path, database: str, at: str, content: bytes = b"a dump", size: int = 0) -> None:
    place = folder / "databases" / database
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{at}.dump").write_bytes(content)
    size = size or len(content)
    about = {"database": database, "dump": f"{at}.dump", "bytes": size, "server": "15.14", "owner": "o"}
    (place / f"{at}.json").write_text(json.dumps(about))


def test_the_newest_whole_dump_of_each_database_in_a_snapshot_is_found(house: Storehouse) -> None:
    folder = house.source / "srv/dumps"
    dump(folder, "babase", "2026-11-20T070000Z")
    dump(folder, "babase", "2026-11-21T070000Z")
    dump(folder, "babase", "2026-11-22T070000Z", size=99)
    (folder / "globals").mkdir()
    (folder / "globals/2026-11-21T070000Z.sql").write_text("--\n-- PostgreSQL database cluster dump complete\n--\n")
    (house.source / "elsewhere").symlink_to("/srv")
    house.snapshot(TWO, ONE)
    keep(house, TWO, ABOUT, "--dumps=/srv/dumps")
    answer = house.call("about-of", str(house.root), TWO, "--dumps=/elsewhere/dumps", "--dumps=/not/there").answer
    (dumps,) = answer["dumps"]
    assert dumps["folder"] == "/srv/dumps"
    assert dumps["globals"] == "globals/2026-11-21T070000Z.sql"
    assert [each["dump"] for each in dumps["databases"]] == ["databases/babase/2026-11-21T070000Z.dump"]
    assert answer["facts"]["system"] == "Debian"
    assert answer["files"] == ["about.json", "fstab.txt"]
    assert house.call("about-of", str(house.root), ONE).answer["facts"] == {}
    assert house.call("about-of", str(house.root), THREE).code == 1


def test_dumps_that_do_not_count_are_named_and_so_are_the_tablespaces(house: Storehouse) -> None:
    folder = house.source / "srv/dumps"
    dump(folder, "babase", "2026-11-21T070000Z")
    dump(folder, "babase", "2026-11-22T070000Z", size=99)
    dump(folder, "torn", "2026-11-22T070000Z", size=99)
    (folder / "databases/bare").mkdir()
    (folder / "globals").mkdir()
    end = "--\n-- PostgreSQL database cluster dump complete\n--\n"
    # As pg_dumpall writes them; the last is one inside the data folder.
    spaces = (
        "CREATE TABLESPACE fast OWNER postgres LOCATION '/srv/fa st';\n"
        'CREATE TABLESPACE "it\'s ""odd""; x" OWNER "a b" LOCATION E\'/srv/\\\\b\';\n'
        "CREATE TABLESPACE inside OWNER postgres LOCATION '';\n"
    )
    (folder / "globals/2026-11-21T070000Z.sql").write_text(spaces + end)
    (folder / "globals/2026-11-22T070000Z.sql").write_text(f"{spaces}CREATE TABLESPACE torn OWNER x LOCA")
    house.snapshot(TWO, ONE)
    (dumps,) = house.call("about-of", str(house.root), TWO, "--dumps=/srv/dumps").answer["dumps"]
    assert dumps["globals"] == "globals/2026-11-21T070000Z.sql"
    assert dumps["tablespaces"] == [
        {"name": "fast", "folder": "/srv/fa st"}, {"name": 'it\'s "odd"; x', "folder": "/srv/\\b"},
        {"name": "inside", "folder": ""},
    ]  # fmt: skip
    assert [each["database"] for each in dumps["lacking"]] == ["bare", "torn"]
    assert "has 6 bytes, and its record says 99" in dumps["lacking"][1]["why"]
    assert [each["passed"] for each in dumps["databases"]] == [
        ["2026-11-22T070000Z: it has 6 bytes, and its record says 99"]
    ]


def test_roles_that_cannot_be_read_lose_no_database(tmp_path: Path) -> None:
    dump(tmp_path / "srv", "babase", "2026-11-21T070000Z")
    (tmp_path / "srv/globals").mkdir()
    with (tmp_path / "srv/globals/2026-11-21T070000Z.sql").open("wb") as roles:
        # Longer than any is.
        roles.truncate(MOST_ROLES + 1)
        roles.seek(0, os.SEEK_END)
        roles.write(b"\n--\n-- PostgreSQL database cluster dump complete\n--\n")
    read = dumps_in(tmp_path, "/srv")
    assert read and [each.database for each in read.databases] == ["babase"]
    assert read.problem.startswith("the tablespaces are not known: ") and read.problem.endswith("bytes")


@pytest.mark.parametrize("dumps", [5, "/srv/dumps", {"a": 1}, None])
def test_kept_facts_whose_dumps_are_no_list_are_said_to_be_damaged_and_stop_no_snapshot(
    house: Storehouse, dumps: Any
) -> None:
    keep(house, ONE)
    (home(house, ONE) / "about.json").write_text(json.dumps({"format": 1, "system": "Debian", "dumps": dumps}))
    answer = house.call("about-of", str(house.root), ONE).answer
    assert answer["facts"] == {} and answer["dumps"] == []
    assert f"{home(house, ONE)}/about.json cannot be understood" in answer["problem"]
    assert house.snapshot(TWO, ONE).code == 0
