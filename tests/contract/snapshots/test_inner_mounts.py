"""What is mounted inside what is copied: left out on purpose, told, and an accepted exception is none."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.clock import now
from runner.agent.host.mounts import filesystems
from runner.jobs.snapshots.filesystems import choose, inner_mounts
from runner.model.facts import Filesystem
from runner.tools import rsync
from tests.contract.site import Place
from tests.contract.storehouse import Storehouse, execute, frame
from tests.mounts import need_loops, need_mounts
from tests.powerdisk import serving

NAME = "2026-11-21T010000Z"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own, with a folder of itself mounted once more inside it."""
    top = tmp_path / "disk"
    top.mkdir()
    need_mounts()
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", top), check=True)
    try:
        for folder in ("photos", "www", "other"):
            (top / folder).mkdir()
        (top / "photos/one").write_text("one")
        subprocess.run(("mount", "--bind", top / "photos", top / "www"), check=True)
        subprocess.run(("mount", "-t", "tmpfs", "tmpfs", top / "other"), check=True)
        (top / "other/far").write_text("far")
        yield top
    finally:
        subprocess.run(("umount", "--recursive", top), check=True)


def test_a_folder_that_is_mounted_twice_is_copied_once_and_its_mount_point_stays_empty(
    disk: Path, tmp_path: Path
) -> None:
    mounts = [Filesystem(mount=each.mount, source=each.source, type=each.type, dev=each.dev, root=each.root)
              for each in filesystems()]  # fmt: skip
    choice = choose(mounts, declared=(str(disk),), stores=(), expected=())
    inner = inner_mounts(mounts, choice.chosen)
    assert inner.emptied == (f"{disk}/other", f"{disk}/www")
    house = Storehouse(root=tmp_path / "store", source=disk)
    exclude = [rsync.below(str(disk), path) for path in inner.emptied]
    with house.held():
        assert house.begin(NAME).code == 0
        sent = execute(rsync.send(house.ends(NAME), exclude=exclude))
        emptied = [word for path in inner.emptied for word in ("--emptied", path)]
        walked = house.call("walk", str(disk), "--since", now(), *emptied, given=frame("send", sent))
        words = (str(house.root), NAME, f"--plan={house.plan}", "--transfer=send=/", "--walked=walk=/")
        assert house.compose(NAME).code == 0
        sealed = house.call("seal", *words, given=frame("send", sent) + frame("walk", walked))
    assert sealed.code == 0, sealed.out
    copy = house.root / NAME
    assert sorted(str(path.relative_to(copy)) for path in copy.rglob("*")) == ["other", "photos", "photos/one", "www"]


def test_a_file_that_is_mounted_over_another_is_seen_as_one_and_left_out_by_its_name(
    disk: Path, tmp_path: Path
) -> None:
    point = disk / "photos/[k]ey\n"
    point.write_text("hidden")
    (tmp_path / "secret").write_text("secret")
    subprocess.run(("mount", "--bind", tmp_path / "secret", point), check=True)
    (mount,) = (each for each in filesystems() if each.mount == str(point))
    assert mount.file and [each.mount for each in filesystems() if each.file and f"{disk}/" in each.mount] == [
        str(point)
    ]
    mounts = [Filesystem(mount=each.mount, source=each.source, type=each.type, dev=each.dev, root=each.root,
                         file=each.file) for each in filesystems()]  # fmt: skip
    choice = choose(mounts, declared=(str(disk),), stores=(), expected=())
    assert inner_mounts(mounts, choice.chosen).left_out == (str(point),)


@pytest.mark.parametrize("behind_a_link", [False, True])
def test_in_the_sandbox_what_is_mounted_in_a_stand_in_is_left_out_and_told(
    disk: Path, tmp_path: Path, *, behind_a_link: bool
) -> None:
    (disk / "photos/key").write_text("hidden")
    (tmp_path / "secret").write_text("secret")
    subprocess.run(("mount", "--bind", tmp_path / "secret", disk / "photos/key"), check=True)
    tree = tmp_path / "link" if behind_a_link else disk
    if behind_a_link:
        tree.symlink_to(disk)
    place = Place(folder=tmp_path / "site", trees=(tree,))
    place.declare()
    said = place.runner("plan", "backup-papio")
    assert said.code == 0, said.out + said.err
    text = (
        f"left out inside {tree}: {tree}/other (in memory (tmpfs)), "
        f"{tree}/photos/key (one file, mounted by itself), {tree}/www (in memory (tmpfs))"
    )
    assert text.replace(" ", "") in "".join(said.out.split())
    ran = place.runner("run", "backup-papio")
    assert ran.code == 0, ran.out + ran.err
    copy = place.copy_of(tree)
    assert sorted(str(path.relative_to(copy)) for path in copy.rglob("*")) == ["other", "photos", "photos/one", "www"]
    assert place.record(place.sealed[0])["exceptions"] == 0


def test_a_subvolume_that_is_no_mount_is_an_exception_by_name_and_one_that_is_mounted_is_none(tmp_path: Path) -> None:
    image, top = tmp_path / "btrfs.img", tmp_path / "btrfs"
    top.mkdir()
    with image.open("wb") as stream:
        stream.truncate(128 << 20)
    made = subprocess.run(("mkfs.btrfs", "--quiet", "--mixed", image), check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    need_loops()
    mounted = subprocess.run(("mount", "-t", "btrfs", "-o", "loop", image, top), check=False)
    # A kernel that has it as a module knows it since this mount.
    if mounted.returncode and "\tbtrfs\n" not in Path("/proc/filesystems").read_text():
        pytest.skip("this machine has no btrfs")
    mounted.check_returncode()
    try:
        for name in ("hidden", "mounted"):
            subprocess.run(("btrfs", "subvolume", "create", top / name), check=True, capture_output=True)
            (top / name / "file").write_text(name)
        (top / "own").mkdir()
        (top / "own/file").write_text("own")
        device = next(each.source for each in filesystems() if each.mount == str(top))
        subprocess.run(("mount", "-o", "subvol=mounted", device, top / "mounted"), check=True)
        house = Storehouse(root=tmp_path / "store", source=top)
        assert house.snapshot(NAME).code == 0
        record = house.call("record", str(house.root), NAME).answer
        assert [(each["path"], each["cause"]) for each in record["exceptions_list"]] == [
            ("/hidden", "another filesystem")
        ]
        copy = house.root / NAME
        assert sorted(str(each.relative_to(copy)) for each in copy.rglob("*")) == [
            "hidden",
            "mounted",
            "own",
            "own/file",
        ]
    finally:
        subprocess.run(("umount", "--recursive", top), check=True)


def test_what_a_program_shows_to_one_user_alone_is_left_out_on_purpose_and_is_no_exception(tmp_path: Path) -> None:
    source = tmp_path / "source"
    point = source / "home/anna/mnt"
    point.mkdir(parents=True)
    (source / "home/anna/thesis").write_text("thesis")
    (tmp_path / "shown").write_bytes(b"x" * 512)
    with serving(tmp_path / "shown", point, tmp_path / "log", user=1000):
        with pytest.raises(PermissionError):
            list(point.iterdir())
        mounts = [Filesystem(mount=each.mount, source=each.source, type=each.type, dev=each.dev, root=each.root)
                  for each in filesystems()]  # fmt: skip
        here = max((each for each in mounts if source.is_relative_to(each.mount)), key=lambda each: len(each.mount))
        assert str(point) in inner_mounts(mounts, (here,)).left_out
        house = Storehouse(root=tmp_path / "store", source=source)
        with house.held():
            assert house.begin(NAME).code == 0
            sent = execute(rsync.send(house.ends(NAME), exclude=[rsync.exactly("/", "/home/anna/mnt")]))
            assert sent.code == 0, sent.out
            walked = house.call("walk", str(source), "--since", now(), f"--left-out={point}", given=frame("send", sent))
            words = (str(house.root), NAME, f"--plan={house.plan}", "--transfer=send=/", "--walked=walk=/")
            assert house.compose(NAME).code == 0
            sealed = house.call("seal", *words, given=frame("send", sent) + frame("walk", walked))
        assert (sealed.code, sealed.answer["exceptions"]) == (0, 0), sealed.out


@pytest.mark.parametrize(
    ("accept", "exceptions", "accepted"),
    [((), 1, 0), (("/home/anna",), 0, 1), (("/home/anna/mnt",), 0, 1), (("/home/ann",), 1, 0), (("/data",), 1, 0)],
)
def test_what_jobs_toml_accepts_by_name_is_told_and_is_no_exception(
    tmp_path: Path, accept: tuple[str, ...], exceptions: int, accepted: int
) -> None:
    source = tmp_path / "source"
    (source / "home/anna/mnt").mkdir(parents=True)
    (source / "file").write_text("text")
    house = Storehouse(root=tmp_path / "store", source=source)
    closed = {"path": "home/anna/mnt", "item": ".d.........", "cause": "unreadable", "errno": 13}
    counts = {"counts": {"unreadable": 1}, "look_exit": 23}
    explained = "".join(f"{json.dumps(line)}\n" for line in (closed, counts))
    with house.held():
        assert house.begin(NAME).code == 0
        sent = house.send(NAME)
        given = frame("send", sent).replace(b'"exit": 0', b'"exit": 23')
        given += frame("explain", execute(("printf", "%s", explained)))
        given += frame("walk", house.walk(0, frame("send", sent), now()))
        words = (str(house.root), NAME, f"--plan={house.plan}", "--transfer=send=/", "--walked=walk=/")
        options = ("--explained=explain=/", *(f"--accept={path}" for path in accept))
        assert house.compose(NAME).code == 0
        sealed = house.call("seal", *words, *options, given=given)
    assert sealed.code == 0, sealed.out
    assert (sealed.answer["exceptions"], sealed.answer["accepted"]) == (exceptions, accepted)
    record = house.call("record", str(house.root), NAME).answer
    assert (record["exceptions"], len(record["exceptions_list"])) == (exceptions, exceptions)
    assert record["exceptions_by_cause"]["accepted"] == accepted
