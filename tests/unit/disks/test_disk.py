"""Kind `disk`: what is planned for each state of a disk, and which states forbid every step."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runner.jobs.disks.disk import DiskKind, DiskOptions
from runner.model.errors import PlanRefused
from runner.model.facts import Facts, Filesystem, HostFacts, Reading, StoreFacts
from runner.model.kind import Draft
from runner.model.plan import Command, Effect, Plan, Step
from runner.model.role import Role
from runner.model.site import Disk, Host, Job, Site, Store
from runner.planning import planner, review

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
UUID, OTHER = "0a4f3c1e-5b1e-4c52-9d0c-0d8f5c1f7a55", "11111111-2222-3333-4444-555555555555"
DEVICE, MOUNT, NUMBER = "/dev/disk/by-id/usb-1", "/srv/backups/papio", os.makedev(8, 16)
LINE = f"UUID={UUID} {MOUNT} ext3 noatime,nodev,nosuid,nofail 0 2"
BLANK = "1000204886016 bytes, T5 S49W: blank, unused"
JOB = Job(name="disk-papio", kind="disk", host="backup-server1", options=DiskOptions(disk="papio-snapshots"))
DISK = Disk(name="papio-snapshots", host="backup-server1", device=DEVICE, mount=MOUNT, fsck_every=timedelta(days=120))
SITE = Site(
    name="babase", controller="papio", folder="/f", state="/s", sandbox="/x", digest="d", live=True,
    hosts=(Host(name="papio", address=""), Host(name="backup-server1", address="192.0.2.2")),
    disks=(DISK,), jobs=(JOB,),
    stores=(Store(name="papio", host="backup-server1", path=MOUNT, disk="papio-snapshots"),),
)  # fmt: skip
SUPERBLOCK = """
Filesystem magic number:  0xEF53
Filesystem state:         clean
Inode count:              244195328
Block count:              244190646
Block size:               4096
Inode size:	          256
Maximum mount count:      -1
Last checked:             Mon Nov 23 03:45:39 2026
Check interval:           10368000 (4 months)
"""
MOUNTED = Filesystem(mount=MOUNT, source="/dev/sdb", type="ext3", dev=NUMBER, size=1)
ROOT = Filesystem(mount="/", source="/dev/sda1", type="ext4", dev=os.makedev(8, 1), size=1)


def device(**changes: Any) -> str:
    fields: dict[str, Any] = {
        "name": "/dev/sdb", "type": "disk", "size": 1000204886016, "maj:min": "8:16", "model": "T5",
        "serial": "S49W", "ro": False, "mountpoint": None,
    }  # fmt: skip
    return json.dumps({"blockdevices": [{**fields, **changes}]})


def marks(*signatures: tuple[str, str, str]) -> str:
    listed = [{"type": kind, "uuid": uuid, "label": label} for kind, uuid, label in signatures]
    return json.dumps({"signatures": listed})


OWN = ("ext3", UUID, "papio-snapshots")
BLANK_DISK: dict[str, str | None] = {
    "device": device(),
    "marks": marks(),
    "stamp": json.dumps({"device": BLANK}),
    "would": "Creating filesystem with 244190646 4k blocks and 244195328 inodes\n",
    "fstab": "UUID=1 / ext4 defaults 0 1\n",
    "point": "missing\n",
    "systemd": None,
}
RIGHT_DISK: dict[str, str | None] = {
    "device": device(mountpoint=MOUNT),
    "marks": marks(OWN),
    "stamp": json.dumps({"device": "1000204886016 bytes, T5 S49W: not blank, in use"}),
    "superblock": SUPERBLOCK,
    "fstab": LINE + "\n",
    "point": "empty ----i---------e-------\n",
    "systemd": "",
    "identity.papio": json.dumps({"uuid": UUID, "since": "2026"}),
}


def facts(answers: dict[str, str | None], *mounts: Filesystem) -> Facts:
    readings = {
        f"disk.papio-snapshots.{name}": Reading(
            exit=1 if text is None else 0, out=text or "", err="no such thing" if text is None else ""
        )
        for name, text in answers.items()
    }
    host = HostFacts(name="backup-server1", filesystems=(ROOT, *mounts), readings=readings, program="p")
    return Facts(at=NOW, hosts={"backup-server1": host}, program="p")


def drafted(answers: dict[str, str | None], *mounts: Filesystem, site: Site = SITE, job: Job = JOB) -> Draft:
    return DiskKind().draft(site, job, facts(answers, *mounts), NOW)


def with_disk(**changes: Any) -> Site:
    return replace(SITE, disks=(replace(DISK, **changes),))


def names(draft: Draft) -> list[str]:
    return [step.id.removeprefix("disk-papio/") for step in draft.steps]


def argv(step: Step) -> tuple[str, ...]:
    assert isinstance(step.action, Command)
    return step.action.argv


def refused(draft: Draft) -> str:
    """The one refusal of a draft that does nothing."""
    assert draft.steps == ()
    assert draft.planned is None
    (finding,) = draft.findings
    assert finding.severity == "refusal"
    assert finding.advice
    assert draft.skip is not None
    assert draft.skip.reason == finding.text
    return f"{finding.text} -> {finding.advice}"


def test_a_blank_device_becomes_a_mounted_store() -> None:
    draft = drafted(BLANK_DISK)
    uuid = argv(draft.steps[0])[argv(draft.steps[0]).index("-U") + 1]
    assert len(uuid) == 36
    assert names(draft) == ["format", "interval", "folder", "unwritable", "fstab", "mount", "mounted", "identity-papio"]
    by_name = dict(zip(names(draft), draft.steps, strict=True))
    assert argv(by_name["format"]) == (
        "mke2fs", "-q", "-t", "ext3", "-b", "4096", "-i", "4096", "-I", "256", "-m", "1", "-e", "remount-ro",
        "-L", "papio-snapshots", "-U", uuid, "--", DEVICE,
    )  # fmt: skip
    assert argv(by_name["interval"]) == ("tune2fs", "-i", "120d", "-c", "0", "--", DEVICE)
    assert argv(by_name["folder"])[:2] == ("sh", "-c")
    assert argv(by_name["folder"])[-2:] == ("sh", MOUNT)
    program = "/usr/local/sbin/runner-agent"
    assert argv(by_name["unwritable"]) == (program, "make-unwritable", MOUNT)
    assert argv(by_name["fstab"]) == (program, "put-fstab-line", f"--new={LINE.replace(UUID, uuid)}")
    assert argv(by_name["mount"]) == ("mount", "--", MOUNT)
    assert argv(by_name["mounted"]) == (
        "/usr/local/sbin/runner-agent", "check-disk", MOUNT, f"--mount={MOUNT}", f"--uuid={uuid}",
    )  # fmt: skip
    assert argv(by_name["identity-papio"]) == (
        program, "mark-disk", MOUNT, f"--uuid={uuid}", f"--since={NOW.isoformat()}",
    )  # fmt: skip
    assert {step.host for step in draft.steps} == {"backup-server1"}
    assert all(step.needs == ("device",) for step in draft.steps)


def test_a_disk_that_is_mounted_without_nosuid_and_nodev_is_mounted_again_at_once() -> None:
    store = StoreFacts(path=MOUNT, exists=True, mounted=True, lacks=("nosuid", "nodev"))
    for known, steps in (
        (store, ["remount"]), (replace(store, lacks=("nodev",)), ["remount"]),
        (replace(store, lacks=()), []), (replace(store, mounted=False), []),
    ):  # fmt: skip
        seen = facts(RIGHT_DISK, MOUNTED)
        host = replace(seen.hosts["backup-server1"], stores={"papio": known})
        draft = DiskKind().draft(SITE, JOB, replace(seen, hosts={"backup-server1": host}), NOW)
        assert names(draft) == steps
        for step in draft.steps:
            assert argv(step) == ("mount", "-o", f"remount,{','.join(known.lacks)}", "--", MOUNT)
            assert (step.effect, step.role) == (Effect.WRITE, Role.MOUNT)


def test_only_the_format_destroys_and_only_while_the_device_is_what_was_reviewed() -> None:
    draft = drafted(BLANK_DISK)
    (destroying,) = [step for step in draft.steps if step.effect >= Effect.EXPIRE]
    assert (destroying.id, destroying.effect) == ("disk-papio/format", Effect.DESTROY)
    assert destroying.guard is not None
    assert (destroying.guard.field, destroying.guard.relation, destroying.guard.value) == ("device", "==", BLANK)
    assert destroying.guard.why == "/dev/disk/by-id/usb-1 is still the same disk, and as blank as it was"
    assert "T5, serial S49W, 931.5 GiB: all on it is lost" in destroying.why
    assert destroying.timeout >= 86400


def test_the_reviewer_reads_which_device_what_is_on_it_and_what_it_becomes() -> None:
    texts = "\n".join(finding.text for finding in drafted(BLANK_DISK).findings)
    for piece in (
        DEVICE,
        "/dev/sdb",
        "T5",
        "S49W",
        "931.5 GiB",
        "1000204886016 bytes",
        "no signature",
        "244,195,328 inodes",
    ):
        assert piece in texts
    assert {finding.severity for finding in drafted(BLANK_DISK).findings} == {"note"}


def test_the_uuid_is_in_the_plan_the_same_twice_and_new_for_another_disk_or_day() -> None:
    def chosen(site: Site, now: datetime) -> str:
        words = argv(DiskKind().draft(site, JOB, facts(BLANK_DISK), now).steps[0])
        return words[words.index("-U") + 1]

    assert chosen(SITE, NOW) == chosen(SITE, NOW)
    assert len({chosen(SITE, NOW), chosen(SITE, NOW + timedelta(seconds=1)), chosen(replace(SITE, name="x"), NOW)}) == 3
    assert chosen(with_disk(uuid=UUID), NOW) == UUID


@pytest.mark.parametrize("known", ["uuid", "fstab"])
def test_a_blank_device_in_the_place_of_a_known_disk_is_pointed_out(known: str) -> None:
    site = with_disk(uuid=UUID) if known == "uuid" else SITE
    draft = drafted({**BLANK_DISK, **({"fstab": LINE} if known == "fstab" else {})}, site=site)
    assert "format" in names(draft)
    (finding,) = [finding for finding in draft.findings if finding.severity == "attention"]
    assert "may be another one, or damaged" in finding.do


def test_who_made_the_disk_is_told_to_write_its_uuid_down_and_then_no_more() -> None:
    made = drafted(BLANK_DISK, site=with_disk(uuid="")).planned
    assert made and made.details[0].startswith('write uuid = "') and "[disks.papio-snapshots]" in made.details[0]
    known = drafted(BLANK_DISK, site=with_disk(uuid=UUID)).planned
    assert known and known.details == ()


def test_systemd_reads_a_changed_fstab_before_the_mount() -> None:
    order = names(drafted({**BLANK_DISK, "systemd": ""}))
    assert order.index("fstab") + 1 == order.index("reload") < order.index("mount")


def test_a_disk_as_declared_needs_nothing() -> None:
    for site in (SITE, with_disk(uuid=UUID)):
        draft = drafted(RIGHT_DISK, MOUNTED, site=site)
        assert draft.steps == ()
        assert draft.skip is not None
        assert draft.skip.reason == "as declared"
        assert {finding.severity for finding in draft.findings} <= {"note"}


DRIFTED: dict[str, tuple[dict[str, str | None], list[str]]] = {
    "label": ({"marks": marks(("ext3", UUID, "old"))}, ["label"]),
    "no label": ({"marks": marks(("ext3", UUID, ""))}, ["label"]),
    "no interval": ({"superblock": SUPERBLOCK.replace("10368000", "0")}, ["interval"]),
    "another interval": ({"superblock": SUPERBLOCK.replace("10368000", "15552000")}, ["interval"]),
    "a mount count": ({"superblock": SUPERBLOCK.replace("-1", "30")}, ["interval"]),
    "fstab without nofail": ({"fstab": LINE.replace(",nofail", "")}, ["fstab", "reload"]),
    "fstab never checks": ({"fstab": LINE.replace("0 2", "0 0")}, ["fstab", "reload"]),
    "fstab by device": ({"fstab": LINE.replace(f"UUID={UUID}", DEVICE)}, ["fstab", "reload"]),
    "no line in fstab": ({"fstab": "# none\n"}, ["fstab", "reload"]),
    "a writable mount point": ({"point": "empty --------------e-------\n"}, ["unwritable"]),
    "no identity": ({"identity.papio": None}, ["mounted", "identity-papio"]),
    "two at once": ({"marks": marks(("ext3", UUID, "old")), "fstab": LINE + ",ro"}, ["label", "fstab", "reload"]),
}  # fmt: skip


@pytest.mark.parametrize("case", DRIFTED)
def test_what_drifted_is_put_right_and_nothing_else(case: str) -> None:
    change, expected = DRIFTED[case]
    if case == "two at once":
        change = {**change, "fstab": LINE.replace("nofail", "nofail,ro")}
    draft = drafted({**RIGHT_DISK, **change}, MOUNTED)
    assert names(draft) == expected
    assert max(step.effect for step in draft.steps) <= Effect.WRITE
    for step in draft.steps:
        if argv(step)[0] == "tune2fs":
            assert step.guard is not None
            assert step.guard.value == "1000204886016 bytes, T5 S49W: not blank, in use"


def test_a_right_disk_that_is_not_mounted_is_mounted_and_looked_at() -> None:
    away = {**RIGHT_DISK, "device": device(), "identity.papio": None}
    assert names(drafted(away)) == ["mount", "mounted", "identity-papio"]


def test_a_disk_without_an_interval_in_jobs_toml_keeps_the_one_it_has() -> None:
    never = {**RIGHT_DISK, "superblock": SUPERBLOCK.replace("10368000", "0")}
    assert drafted(never, MOUNTED, site=with_disk(fsck_every=None)).steps == ()
    assert "interval" not in names(drafted(BLANK_DISK, site=with_disk(fsck_every=None)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("Inode count:              244195328", "Inode count:              61048832"), "one inode for 16383 bytes"),
        (("          256", "          128"), "128-byte inodes"),
    ],
)  # fmt: skip
def test_what_only_a_new_filesystem_could_change_is_told_and_left(change: tuple[str, str], says: str) -> None:
    draft = drafted({**RIGHT_DISK, "superblock": SUPERBLOCK.replace(*change)}, MOUNTED)
    assert draft.steps == ()
    (finding,) = [finding for finding in draft.findings if finding.severity == "attention"]
    assert says in finding.text


STRANGERS = {
    "a partition table": [("dos", "", "")],
    "swap": [("swap", UUID, "")],
    "another filesystem": [("xfs", OTHER, "data")],
    "an ext3 nobody knows": [("ext3", OTHER, "photos")],
    "several at once": [("gpt", "", ""), ("PMBR", "", "")],
    "a label that lies": [("ext3", OTHER, "blank, unused")],
}


@pytest.mark.parametrize("case", STRANGERS)
def test_a_device_with_any_signature_is_refused_and_the_way_to_wipe_it_is_told(case: str) -> None:
    refusal = refused(drafted({**BLANK_DISK, "marks": marks(*STRANGERS[case])}))
    assert "not blank" in refusal
    assert refusal.endswith(f"wipe it and plan again; on backup-server1 run: wipefs --all -- {DEVICE}")
    assert STRANGERS[case][0][0] in refusal


KNOWN: dict[str, tuple[dict[str, str | None], Site]] = {
    "declared ext4, is ext3": (RIGHT_DISK, with_disk(filesystem="ext4")),
    "a partition table besides": ({**RIGHT_DISK, "marks": marks(OWN, ("dos", "", ""))}, SITE),
    "another uuid than jobs.toml's": (RIGHT_DISK, with_disk(uuid=OTHER)),
    "another uuid than fstab's": ({**RIGHT_DISK, "fstab": LINE.replace(UUID, OTHER)}, SITE),
    "a store of another disk": ({**RIGHT_DISK, "identity.papio": json.dumps({"uuid": OTHER})}, SITE),
}


@pytest.mark.parametrize("case", KNOWN)
def test_a_disk_that_may_hold_snapshots_is_refused_without_a_word_of_wiping(case: str) -> None:
    answers, site = KNOWN[case]
    assert "wipefs" not in refused(drafted(answers, MOUNTED, site=site))


@pytest.mark.parametrize("record", ["", '{"uu', "[]", '{"uuid": ""}'])
def test_a_record_of_the_disk_that_makes_no_sense_is_not_a_store_without_one(record: str) -> None:
    refusal = refused(drafted({**RIGHT_DISK, "identity.papio": record}, MOUNTED))
    assert refusal.startswith("store papio does not say on which disk it was made: its .runner/disk.json cannot")


DEEP = "[" * 200_000
NESTED = '{"name": "a", "type": "disk", "size": 1, "maj:min": "8:1", "children": ['


@pytest.mark.parametrize("what", ["device", "marks", "stamp"])
def test_an_answer_without_an_end_to_its_depth_is_that_disks_trouble_alone(what: str) -> None:
    assert "cannot be read" in refused(drafted({**BLANK_DISK, what: DEEP}))
    assert "cannot be understood" in refused(drafted({**RIGHT_DISK, "identity.papio": DEEP}, MOUNTED))


@pytest.mark.parametrize(
    "text", [f'{{"blockdevices": [{NESTED * 5000}{"]}" * 5000}]}}', device(**{"maj:min": "99999999999999:1"})]
)
def test_a_device_that_no_kernel_has_is_none(text: str) -> None:
    assert "cannot be read" in refused(drafted({**BLANK_DISK, "device": text}))


def test_another_disk_with_the_right_label_is_not_taken_for_it() -> None:
    wrong = {**RIGHT_DISK, "device": device(), "marks": marks(("ext3", OTHER, "papio-snapshots"))}
    for site in (SITE, with_disk(uuid=UUID)):
        refusal = refused(drafted(wrong, site=site))
        assert "attach the right disk" in refusal
        assert "wipefs" not in refusal


PART = {"name": "/dev/sdb1", "type": "part", "size": 1, "maj:min": "8:17", "mountpoint": "/"}
USED: dict[str, tuple[dict[str, str | None], tuple[Filesystem, ...], str]] = {
    "mounted elsewhere": (RIGHT_DISK, (replace(MOUNTED, mount="/mnt"),), "in use at /mnt"),
    "the root filesystem": (RIGHT_DISK, (replace(MOUNTED, mount="/"),), "in use at /"),
    "swap": ({**BLANK_DISK, "device": device(mountpoint="[SWAP]")}, (), "in use at [SWAP]"),
    "partitions": ({**BLANK_DISK, "device": device(children=[PART])}, (), "/dev/sdb1 (in use at /)"),
    "another disk is there": (BLANK_DISK, (replace(MOUNTED, dev=1),), "/dev/sdb is mounted at"),
    "a bind mount": (RIGHT_DISK, (replace(MOUNTED, root="/sub"),), "only the folder /sub"),
    "write-protected": ({**BLANK_DISK, "device": device(ro=True)}, (), "write-protected"),
    "two lines": ({**RIGHT_DISK, "fstab": f"{LINE}\n{LINE}\n"}, (MOUNTED,), "2 lines"),
    "files below": ({**BLANK_DISK, "point": "x --------------e-------\n"}, (), "there are files in"),
    "mke2fs says no": ({**BLANK_DISK, "would": None}, (), "mke2fs would not"),
    "no device": ({**BLANK_DISK, "device": None}, (), "cannot be read: no such thing"),
    "no list of signatures": ({**BLANK_DISK, "marks": None}, (), "cannot be read: no such thing"),
    "signatures that make no sense": ({**BLANK_DISK, "marks": "{"}, (), "makes no sense"),
    "no stamp": ({**BLANK_DISK, "stamp": None}, (), "cannot be read"),
    "no fstab": ({**BLANK_DISK, "fstab": None}, (), "fstab of backup-server1 cannot be read"),
    "written to meanwhile": ({**BLANK_DISK, "stamp": '{"device": "x: not blank, unused"}'}, (), "changed while"),
    "taken meanwhile": ({**BLANK_DISK, "stamp": '{"device": "x: blank, in use"}'}, (), "changed while"),
    "nothing was asked": ({}, (), "it was not asked"),
}  # fmt: skip


@pytest.mark.parametrize("case", USED)
def test_a_disk_in_other_hands_or_not_to_be_read_is_refused(case: str) -> None:
    answers, mounts, words = USED[case]
    assert words in refused(drafted(answers, *mounts))


def test_no_reading_at_all_of_any_kind_leads_to_a_format_unless_all_three_say_blank() -> None:
    for what in ("device", "marks", "stamp", "would", "fstab"):
        for bad in (None, "", "{}", "null", '{"signatures": [{"type": "x"}]}'):
            draft = drafted({**BLANK_DISK, what: bad})
            assert "format" not in names(draft) or (what, bad) == ("fstab", bad)


def test_files_that_a_mounted_disk_hides_are_told() -> None:
    draft = drafted({**RIGHT_DISK, "point": "x ----i---------e-------\n"}, MOUNTED)
    assert draft.steps == ()
    assert any("below the mount" in finding.text for finding in draft.findings)


@pytest.mark.parametrize("point", [None, "empty unknown\n"])
def test_a_mount_point_that_cannot_be_made_unwritable_is_told(point: str | None) -> None:
    draft = drafted({**BLANK_DISK, "point": point})
    assert "unwritable" not in names(draft)
    assert any("is not known" in finding.text for finding in draft.findings)


def test_a_job_with_a_schedule_does_not_stop_the_others() -> None:
    draft = drafted({**BLANK_DISK, "device": None}, job=replace(JOB, schedule="0 5 * * 0"))
    assert draft.steps == ()
    assert [finding.severity for finding in draft.findings] == ["attention"]


@pytest.mark.parametrize("job", [replace(JOB, host="papio"), replace(JOB, options=DiskOptions(disk="nope"))])
def test_a_disk_that_is_not_of_this_host_is_refused(job: Job) -> None:
    assert DiskKind().probes(SITE, job) == ()
    assert "not a disk of" in refused(DiskKind().draft(SITE, job, Facts(at=NOW, hosts={}), NOW))


def test_the_sandbox_has_no_disks() -> None:
    draft = drafted({}, site=replace(SITE, live=False))
    assert draft.skip is not None
    assert (draft.steps, draft.findings) == ((), ())


def test_nothing_that_is_asked_changes_anything() -> None:
    probes = DiskKind().probes(SITE, JOB)
    assert all(probe.needs == ("device",) and probe.host == "backup-server1" for probe in probes)
    words = {probe.id.removeprefix("disk.papio-snapshots."): probe.argv for probe in probes}
    assert "-n" in words["would"]
    assert "--no-act" in words["marks"]
    assert len({probe.id for probe in probes}) == len(probes)


def test_an_unattended_run_never_formats_and_a_reviewed_plan_may() -> None:
    plan = planner.draft(SITE, (JOB,), facts(BLANK_DISK), {"disk": DiskKind()}, {})
    assert isinstance(plan, Plan)
    assert review.check(plan) == ()
    for confirmed in (False, True):
        with pytest.raises(PlanRefused, match="disk-papio/format would destroy"):
            review.allow(plan, ceiling=Effect.EXPIRE, reviewed=False, confirmed=confirmed)
    review.allow(plan, ceiling=Effect.EXPIRE, reviewed=True, confirmed=False)
