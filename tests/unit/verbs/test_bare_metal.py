"""The page `runner bare-metal` prints: what it tells to do, for hosts of several sorts."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest

from runner.config.here import seen_from
from runner.jobs.database.agent import DatabaseServer
from runner.jobs.snapshots import inventory
from runner.model.facts import Snapshot
from runner.model.options import DumpOptions
from runner.model.site import Disk, Host, Job, Store
from runner.tools.called import Spelling
from runner.verbs.bare_metal import Lost, _jobs_of, page
from tests.unit import parts

NAME = "2026-11-23T081500Z"
GB = 10**9
FILES = ["about.json", "fstab.txt", "network.txt", "partitions-sda.sfdisk"]
SDA = {
    "name": "/dev/sda", "type": "disk", "size": 500 * GB, "model": "ACME", "serial": "s1",
    "table": "partitions-sda.sfdisk",
    "parts": [
        {"name": "/dev/sda1", "type": "part", "fstype": "vfat"},
        {"name": "/dev/sda2", "type": "part", "fstype": "ext4"},
        {"name": "/dev/sda3", "type": "part", "fstype": "swap", "uuid": "33-44"},
        {"name": "/dev/sda5", "type": "part", "parts": [{"name": "/dev/mapper/vg-home", "type": "lvm"}]},
    ],
}  # fmt: skip
FILESYSTEMS = [
    {"mount": "/", "source": "/dev/sda2", "type": "ext4", "uuid": "11-22", "label": "root", "inodes": 4096},
    {"mount": "/boot/efi", "source": "/dev/sda1", "type": "vfat", "uuid": "ABCD-1234"},
    {"mount": "/home", "source": "/dev/mapper/vg-home", "type": "xfs", "uuid": "55-66", "label": "home dirs"},
    {"mount": "/srv/backups", "source": "/dev/sdb1", "type": "ext3", "uuid": "77-88"},
]
DUMPS = {
    "folder": "/srv/pg dumps", "globals": "globals/2026-11-23T070000Z.sql",
    "databases": [
        {"database": "babase", "dump": "databases/babase/2026-11-23T070000Z.dump", "time": "2026-11-23T070000Z",
         "server": "15.14", "bytes": 3 << 20},
        {"database": "postgres", "dump": "databases/postgres/2026-11-23T070000Z.dump"},
        {"database": "it's\x1b[31m\n    rm -rf /", "dump": "databases/it%27s/2026-11-23T070000Z.dump"},
    ],
}  # fmt: skip


def answer(**facts: Any) -> dict[str, Any]:
    known = {
        "hostname": "papio", "system": "Debian GNU/Linux 12", "family": "debian", "kernel": "6.1.0-40",
        "firmware": "efi", "disks": [SDA], "filesystems": FILESYSTEMS, "missing": ["lvm.txt: there is no pvs"],
        "swaps": [{"name": "/dev/sda3", "uuid": "33-44"}],
    }  # fmt: skip
    return {"facts": {**known, **facts}, "files": FILES, "folder": "/kept", "dumps": [DUMPS]}


def lost(about: dict[str, Any], **changes: Any) -> Lost:
    values: dict[str, Any] = {
        "host": Host(name="papio", address="papio.example.edu"),
        "keeper": Host(name="server", address="192.168.199.2"),
        "snapshot": Snapshot(name=NAME, host="papio", filesystems=("/", "/boot/efi", "/home")),
        "store": Store(name="papio", host="server", path="/srv/backups/papio", disk="usb"),
        "disk": Disk(name="usb", host="server", device="/dev/disk/by-id/usb", mount="/srv/backups"),
        "path": "/srv/backups/papio", "uuid": "99-00", "job": "backup-papio", "about": inventory.read(about),
        "servers": {"/srv/pg dumps": DatabaseServer(user="pg")},
    }  # fmt: skip
    return Lost(**{**values, **changes})


def commands(text: str) -> list[str]:
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def test_every_filesystem_of_the_snapshot_is_made_with_its_uuid_and_mounted_outer_ones_first() -> None:
    lines = commands(page(lost(answer())))
    made = [line for line in lines if line.startswith("mkfs")]
    assert made == [
        'mkfs.ext4 -U 11-22 -L root -N 4096 "$part1"2',
        'mkfs.vfat -i ABCD1234 "$part1"1',
        "mkfs.xfs -m uuid=55-66 -L 'home dirs' /dev/mapper/vg-home",
    ]
    assert 'mkswap -U 33-44 "$part1"3' in lines
    assert [line.split()[-1] for line in lines if "&& mount" in line] == [
        "/mnt/newroot", "/mnt/newroot/boot/efi", "/mnt/newroot/home",
    ]  # fmt: skip


def test_the_disk_is_mounted_read_only_and_the_store_is_where_it_is_on_it() -> None:
    lines = commands(page(lost(answer())))
    assert "mount -o ro UUID=99-00 /mnt/disk" in lines
    assert "store=/mnt/disk/papio" in lines
    assert f'sh "$store/.runner/restore.sh" {NAME} / /mnt/newroot' in lines
    assert any(line.endswith(f"root@192.168.199.2:/srv/backups/papio/{NAME}/ /mnt/newroot/") for line in lines)


def test_the_runners_own_commands_are_shown_as_they_are_typed() -> None:
    snapshot = Snapshot(name=NAME, host="papio", filesystems=("/",), exceptions=2)
    shown = page(lost(answer(), snapshot=snapshot), Spelling(program="/srv/runner"))
    assert "then: /srv/runner run backup-papio" in shown
    assert f"/srv/runner snapshots papio --exceptions {NAME}" in " ".join(shown.split())


def test_partitions_come_from_the_kept_table_and_a_name_may_want_a_p() -> None:
    lines = commands(page(lost(answer())))
    assert "disk1=/dev/sda part1=/dev/sda" in lines
    assert f'sfdisk "$disk1" < "$store/.runner/about/{NAME}/partitions-sda.sfdisk"' in lines
    parts = [{"name": "/dev/nvme0n1p2", "type": "part"}]
    nvme = {"name": "/dev/nvme0n1", "type": "disk", "size": GB, "parts": parts}
    root = {"mount": "/", "source": "/dev/nvme0n1p2", "type": "ext4"}
    text = page(lost(answer(disks=[nvme], filesystems=[root])))
    assert "disk1=/dev/nvme0n1 part1=/dev/nvme0n1p" in commands(text)
    assert 'mkfs.ext4 "$part1"2' in commands(text)
    assert "sfdisk" not in " ".join(commands(text))
    assert "no device is known for /home" in text


def test_what_was_between_partitions_and_filesystems_and_what_is_not_kept_is_said() -> None:
    text = page(lost(answer()))
    assert "there was lvm" in text
    assert "not kept with the snapshot: lvm.txt: there is no pvs" in text


@pytest.mark.parametrize(
    ("family", "firmware", "wanted", "never"),
    [
        ("debian", "efi", "grub-install --target=x86_64-efi", "grub2"),
        ("debian", "bios", 'grub-install "$disk1"', "efi-directory"),
        ("redhat", "bios", 'grub2-install "$disk1"', "update-initramfs"),
        ("redhat", "efi", "reinstall grub2-efi-x64 shim-x64", "grub2-install"),
    ],
)
def test_the_boot_loader_is_that_of_the_family_and_the_firmware(
    family: str, firmware: str, wanted: str, never: str
) -> None:
    lines = "\n".join(commands(page(lost(answer(family=family, firmware=firmware)))))
    assert wanted in lines
    assert never not in lines


def test_an_unknown_family_is_told_both_ways() -> None:
    text = page(lost(answer(family="")))
    assert "Debian and its kin" in text
    assert "Red Hat and its kin" in text


def test_databases_come_back_from_the_dumps_in_that_snapshot() -> None:
    lines = commands(page(lost(answer())))
    assert f"""dumps="$store/{NAME}"'/srv/pg dumps'""" in lines
    restores = [line for line in lines if " pg_restore " in line]
    assert [shlex.split(line)[-1] for line in restores] == [
        f"$dumps/databases/{name}/2026-11-23T070000Z.dump" for name in ("babase", "postgres", "it%27s")
    ]
    # The new server has postgres already; made anew, it gets its owner, rights and settings back.
    assert ["--create" in line for line in restores] == [True, True, True]
    assert ["--clean --if-exists --dbname=template1" in line for line in restores] == [False, True, False]
    assert all(line.startswith("runuser -u pg -- ") for line in restores)


def test_a_database_name_makes_no_line_and_no_colour_of_its_own() -> None:
    text = page(lost(answer()))
    assert "\x1b" not in text
    assert not any("rm -rf" in line for line in commands(text))


EVIL = ["$(EVIL)", "`EVIL`", "\n    EVIL\n", "    EVIL", "'; EVIL; '", '"; EVIL; "', "x; EVIL", "-x || EVIL", "\\"]


def everywhere(known: Any, text: str) -> Any:
    """Every text of an answer is this one, but for those that may be nothing but a file's name or a type."""
    if isinstance(known, dict):
        return {key: each if key in ("table", "family") else everywhere(each, text) for key, each in known.items()}
    if isinstance(known, list):
        return [everywhere(each, text) for each in known]
    return text if isinstance(known, str) else known


@pytest.mark.parametrize("text", EVIL)
def test_whatever_a_host_said_of_itself_is_no_command_on_its_page(text: str) -> None:
    facts = everywhere(answer(), text)
    # Disks and their partitions stand for themselves: only so are there commands with their names.
    for odd in (facts, {**facts, "facts": {**facts["facts"], "disks": [SDA], "filesystems": FILESYSTEMS}}):
        lines = commands(page(lost(odd)))
        assert len(lines) > 10
        for line in lines:
            # A shell that finds no program at all says which ones it looked for.
            ran = subprocess.run(("/bin/sh", "-c", line), env={"PATH": "/nowhere"}, capture_output=True, check=False)
            assert b"EVIL: not found" not in ran.stderr, line


def test_the_name_of_a_table_is_that_of_a_file() -> None:
    assert inventory.read(answer(disks=[{**SDA, "table": "$(EVIL)"}])) is None


def test_what_the_lost_controller_started_is_on_the_page_that_another_host_prints() -> None:
    dump = Job(name="dump", kind="dump", host="papio", options=DumpOptions(to="/srv/pg", user="pg"))
    other = Job(name="other", kind="dump", host="server", options=DumpOptions(to="/srv/other"))
    jobs = (other, dump, parts.job("backup-papio", host="papio"))
    for site in (parts.site(jobs=jobs), seen_from(parts.site(jobs=jobs), "server")):
        assert _jobs_of(site, "papio") == ({"/srv/pg": DatabaseServer(user="pg")}, "backup-papio")
    assert seen_from(parts.site(jobs=jobs), "server").jobs == ()
    assert _jobs_of(parts.site(jobs=()), "papio") == ({}, "")


def test_every_command_is_one_that_a_shell_understands() -> None:
    for line in commands(page(lost(answer()))):
        assert shlex.split(line)


def test_without_kept_facts_the_snapshot_s_own_fstab_is_shown() -> None:
    text = page(lost({"facts": {}, "files": [], "folder": "/kept", "dumps": []}, servers={}))
    assert f'cat "$store/{NAME}/etc/fstab"' in commands(text)
    assert "mkfs" not in " ".join(commands(text))
    assert "DATABASES" not in text
    assert "10. AT THE END" in text


def test_exceptions_missing_dumps_and_a_lost_controller_are_warned_of() -> None:
    snapshot = Snapshot(name=NAME, host="papio", filesystems=("/",), exceptions=3)
    about = answer() | {"dumps": []}
    text = page(lost(about, snapshot=snapshot, controller="papio"))
    assert "3 names could not be read" in text
    assert "there is no dump of a database in /srv/pg dumps" in text
    assert "this tool runs on papio" in text


@pytest.mark.parametrize("odd", [{}, {"facts": 3}, {"facts": {"disks": [1, {"parts": "x"}], "swaps": {}}}])
def test_an_answer_that_makes_no_sense_is_not_known_rather_than_an_error(odd: dict[str, Any]) -> None:
    text = page(lost(odd))
    assert "nothing is known of the disks and databases of papio" in text
    assert "server cannot be read" in text
    assert "were like cannot be read;" in text
    assert "there is no dump of a database" not in text


def test_facts_that_are_kept_and_cannot_be_read_are_not_said_to_be_missing() -> None:
    text = page(lost({"facts": {}, "folder": "/kept", "dumps": [DUMPS], "problem": "about.json cannot be understood"}))
    assert "what papio was like cannot be read: about.json cannot be understood" in text
    assert "is not kept with this snapshot" not in text
    assert "10. THE DATABASES" in text


def with_spaces(**changes: Any) -> dict[str, Any]:
    """An answer whose first dump says all that dumps say since tablespaces are known."""
    first, *others = DUMPS["databases"]
    known = {"sha256": "a" * 64, "tables": 18, "rows": 345, "encoding": "UTF8", "collate": "C", "ctype": "C",
             "data": "/var/lib/pgsql/15/data", "tablespaces": ["fast"], "roles": ["pg", "owner"]}  # fmt: skip
    spaces = [{"name": "fast", "folder": "/srv/fast"}, {"name": "b", "folder": "/srv/it\\ is b"}]
    folder = {**DUMPS, "tablespaces": spaces, "databases": [{**first, **known}, *others]}  # type: ignore[dict-item]
    return {**answer(family="redhat"), "dumps": [{**folder, **changes}]}


def at(lines: list[str], beginning: str) -> int:
    (place,) = (number for number, line in enumerate(lines) if line.startswith(beginning))
    return place


def test_everything_is_there_before_what_needs_it_and_what_came_back_is_counted_last() -> None:
    lines = commands(page(lost(with_spaces())))
    order = (
        "(cd ", "systemctl stop", '[ ! -e "$data" ] || mv -T', "runuser -u pg -- initdb ", "systemctl start",
        "place=/srv/fast", "place='/srv/it\\ is b'", "sed ", "runuser -u pg -- pg_restore --exit-on-error --create "
        '--dbname=postgres < "$dumps"/databases/babase/', "count babase ",
    )  # fmt: skip
    places = [at(lines, each) for each in order]
    assert places == sorted(places)
    assert "data=/var/lib/pgsql/15/data unit=postgresql-15" in lines
    for place in (at(lines, "place=/srv/fast"), at(lines, "place='/srv/it")):
        assert lines[place + 1] == 'mkdir -p -- "$place" && chown pg: "$place" && chmod 0700 "$place"'
    assert sum("chcon --recursive --type=postgresql_db_t" in line for line in lines) == 2
    # A blank ends the pattern in SELinux's list.
    assert [line.split()[-1] for line in lines if "semanage" in line] == ["'/srv/fast(/.*)?'"]
    assert not any("chcon" in line for line in commands(page(lost(answer()))))
    assert all("ON_ERROR_STOP=1" in line for line in lines if " psql " in line)
    assert all("--exit-on-error" in line for line in lines if " pg_restore " in line)


def test_the_rows_that_are_to_come_back_are_on_the_page() -> None:
    assert "* babase: 18 tables, 345 rows (as of 2026-11-23T070000Z, 3.0 MiB, PostgreSQL 15.14)" in page(
        lost(with_spaces())
    ).splitlines()  # fmt: skip


def test_what_is_not_known_of_a_server_is_asked_for_and_not_guessed() -> None:
    text = page(lost(answer(family="")))
    assert "data=/THE/DATA/FOLDER unit=postgresql" in commands(text)
    assert "Where its data were is not kept with these dumps" in text
    assert "data=/var/lib/postgresql/15/main unit=postgresql@15-main" in commands(page(lost(answer())))
    assert "Where its data were" not in page(lost(with_spaces()))
    text = page(lost(with_spaces(globals="", tablespaces=[])))
    assert "! There is no whole dump of its roles. Make them first, as superuser (CREATE ROLE): owner" in text
    assert "! Nothing here makes these tablespaces. Make them first (CREATE TABLESPACE): fast" in text


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ({"databases": [], "problem": "Input/output error"}, "in /srv/pg dumps cannot all be read: Input/output error"),
        ({"databases": [], "lacking": [{"database": "babase", "why": "torn"}]}, "database babase comes back: torn"),
        ({"databases": [{**DUMPS["databases"][0], "passed": ["T: torn"]}]}, "database babase does not count: T: torn"),  # type: ignore[dict-item]
    ],
)
def test_a_folder_of_dumps_that_cannot_be_read_is_not_one_without_dumps(folder: dict[str, Any], told: str) -> None:
    text = page(lost({**answer(), "dumps": [{**DUMPS, **folder}]}))
    assert told in text
    assert "there is no dump of a database in /srv/pg dumps" not in text


def test_a_server_that_only_a_service_knows_is_not_taken_for_one_of_this_machine() -> None:
    server = DatabaseServer(user="pg", service="far", service_file="/etc/my services")
    lines = commands(page(lost(with_spaces(), servers={"/srv/pg dumps": server})))
    assert "export PGSERVICE=far" in lines and "export PGSERVICEFILE='/etc/my services'" in lines
    assert not any(word in line for line in lines for word in ("initdb --auth", "systemctl", "$data"))


@pytest.mark.parametrize(
    ("one", "two", "emptied"),
    [
        ("/d", "/d", ["/d"]),
        ("/d", "/e", ["/d", "/e"]),
        ("/d", "", ["/d", "/THE/DATA/FOLDER"]),
        ("", "", ["/THE/DATA/FOLDER", "/THE/DATA/FOLDER"]),
    ],
)
def test_no_server_is_emptied_once_more_when_its_databases_are_back(one: str, two: str, emptied: list[str]) -> None:
    about = answer()
    about["dumps"] = [
        {"folder": f"/dumps/{data}{number}", "databases": [{"database": f"n{number}", "dump": "d.dump", "data": data}]}
        for number, data in enumerate((one, two))
    ]
    servers = {each["folder"]: DatabaseServer(socket=f"/s{number}") for number, each in enumerate(about["dumps"])}
    lines = commands(page(lost(about, servers=servers)))
    assert [line.split()[0] for line in lines if line.startswith("data=")] == [f"data={each}" for each in emptied]
    counted = [line for line in lines if line.startswith("count n")]
    assert counted == ['count n0 "$dumps"/d.json', 'count n1 "$dumps2"/d.json']


def test_nothing_that_a_host_or_a_dump_says_makes_a_line_of_its_own() -> None:
    evil = "x\n    rm -rf /\x1b[31m'; rm -rf /; '"
    about = with_spaces(
        lacking=[{"database": evil, "why": evil}], problem=evil, globals=f"globals/{evil}",
        tablespaces=[{"name": evil, "folder": evil}, {"name": evil, "folder": ""}],
        databases=[{**dict.fromkeys(("database", "dump", "time", "server", "encoding", "data"), evil),
                    "sha256": "a" * 64, "roles": [evil], "tablespaces": [f"{evil}2"], "passed": [evil]}],
    )  # fmt: skip
    disk = {**SDA, "model": evil, "serial": evil}
    facts = {"disks": [disk], "hostname": evil, "kernel": evil, "system": evil, "missing": [evil], "family": ""}
    about["facts"] |= facts
    about |= {"files": [evil], "folder": evil}
    text = page(lost(about))
    assert "\x1b" not in text
    for line in commands(text):
        # Whatever a shell would take for a word or an operator of its own.
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.commenters, words.whitespace_split = "", True
        assert "rm" not in list(words), line
