"""Lists and trees as an enemy would make them, and what is cut off anywhere: no sealed snapshot is touched."""

# Names are bytes here, as the kernel has them; pathlib knows only text.

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.agent.answer import Refused
from tests.compare import differences, fingerprint
from tests.contract.compose.world import NEW, World, compose_tree, made, seal_basis
from tests.mounts import need_mounts
from tests.trees import deep

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
WRITES = (
    "rename", "unlink", "mkdir", "rmdir", "link", "utime", "fchmod", "fchown", "setxattr", "removexattr",
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A small tree in which a little of everything is changed."""
    world = made(tmp_path)
    for name in ("folder/inner", "gone/inner", "was folder/inner"):
        (world.source / name).mkdir(parents=True)
        (world.source / name / "file").write_text("text")
    for name in ("touched", "changed", "group1", "gone/file", "was file"):
        (world.source / name).write_text(name)
    (world.source / "group2").hardlink_to(world.source / "group1")
    seal_basis(world)
    (world.source / "changed").write_text("other")
    (world.source / "group0").hardlink_to(world.source / "group1")
    (world.source / "folder/inner/file").write_text("other")
    (world.source / "folder").chmod(0o750)
    os.setxattr(world.source / "folder", "user.note", b"new")
    subprocess.run(
        ("rm", "-r", world.source / "gone", world.source / "was folder", world.source / "was file"), check=True
    )
    (world.source / "was folder").symlink_to("folder")
    (world.source / "was file/new").mkdir(parents=True)
    (world.source / "was file/new/file").write_text("text")
    return world


@pytest.mark.parametrize(
    "name",
    [b"", b".", b"./", b"./.", b"./..", b"./../x", b"./a/../../x", b"/nonexistent/file", b"a", b"./a//b", b"./a/", b".//nonexistent",
     b"./a/./b", b"../x"],
)  # fmt: skip
def test_what_is_no_name_in_the_tree_is_refused(world: World, name: bytes) -> None:
    world.prepare()
    with pytest.raises(Refused, match="no name in a tree"):
        compose_tree(world, [name], start=b"")


def test_what_was_sent_leads_nowhere(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "inner/file").write_text("precious")
    kept = fingerprint(outside)
    names = world.prepare()
    subprocess.run(("rm", "-r", world.incoming / "folder"), check=True)
    (world.incoming / "folder").symlink_to(outside)
    done = compose_tree(world, [*names, b"folder/inner/other"])
    assert fingerprint(outside) == kept
    assert (world.place / "folder").readlink() == outside
    # What is below it was not sent, whatever is there.
    assert done.missing >= 2


@root_only
@pytest.mark.parametrize("where", ["partial", "incoming"])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_what_is_mounted_in_the_way_is_left_alone(world: World, tmp_path: Path, where: str, kind: str) -> None:
    need_mounts()
    names = world.prepare()
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "inner/file").write_text("precious")
    point = (world.place if where == "partial" else world.incoming) / "folder"
    how = ("--bind", str(outside)) if kind == "bind" else ("-t", "tmpfs", "none")
    subprocess.run(("mount", *how, str(point)), check=True)
    try:
        done = world.compose(world.given(names))
        kept = fingerprint(outside)
        # So it is in the tree itself, whatever the table of mounts says.
        if kind == "tmpfs":
            with pytest.raises(Refused, match="mounted"):
                compose_tree(world, names)
    finally:
        subprocess.run(("umount", str(point)), check=True)
    assert done.code == 1
    assert "mounted" in done.answer["error"]
    assert b"inner/file" in kept
    assert "cloned" in world.begun


@pytest.fixture
def deep_world(tmp_path: Path) -> Iterator[World]:
    yield made(tmp_path)
    # Deeper than Python removes trees.
    subprocess.run(("rm", "-r", tmp_path / "store"), check=True)


def test_paths_longer_than_programs_take(deep_world: World) -> None:
    world = deep_world
    levels, name = 1500, b"d" * 20
    for place in (world.place, world.incoming):
        place.mkdir(parents=True)
        deep(place, levels, name.decode(), "file")
        deep(place, 20, "w" * 255, "file")
    names = [b"/".join([name] * level) + b"/file" for level in (*range(levels, levels - 20, -1), 1)]
    names += [b"/".join([b"w" * 255] * level) + b"/file" for level in range(1, 21)]
    world.begin(clone_names=2 * levels + 41)
    given = world.given(names, names=2 * levels + 41, gone=0)
    with world.house.held():
        done = world.house.call(
            "compose", str(world.house.root), NEW, "--plan", world.house.plan, "--listed=look=/",
            "--settled=settle=/", given=given, around=("prlimit", "--nofile=256:256"),
        )  # fmt: skip
    assert done.code == 0, done.out
    answer = done.answer["filesystems"][0]
    # Where times are whole seconds these empty files are alike.
    assert (answer["names"], answer["missing"], answer["placed"] + answer["kept"]) == (2 * levels + 41, 0, 41)


def test_a_deep_way_gets_its_attributes_and_what_was_not_sent_goes_with_few_open_files(deep_world: World) -> None:
    world, levels = deep_world, 1500
    for place in (world.place, world.incoming):
        place.mkdir(parents=True)
        deep(place, levels, "d", "file")
    deep(world.place, levels, "g", "file")
    for number in (1, 33, 700):
        folder = Path(world.incoming, *"d" * number)
        folder.chmod(0o751)
        os.utime(folder, (number, number))
    (world.incoming / "g").mkdir()
    (world.incoming / "g/file").write_text("sent")
    way = [b"/".join([b"d"] * number) for number in range(levels + 1)]
    # Down, up by a little and by much, and where what was sent ends on the way.
    names = [way[700], way[levels] + b"/file", way[levels - 1] + b"/file", way[33], way[2] + b"/file", way[1]]
    names += [way[levels - 40].replace(b"d", b"g") + b"/file", b"g/g/file", b"g/file"]
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 100, open_files[1]))
    try:
        done = compose_tree(world, names)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
    assert (done.missing, done.removed, done.placed + done.kept) == (2, 2 + done.placed, 4)
    for number in (1, 33, 700):
        status = Path(world.place, *"d" * number).stat()
        assert (status.st_mode & 0o777, status.st_mtime) == (0o751, number), number
    assert (world.place / "g/file").read_text() == "sent"


def test_a_folder_that_is_moved_meanwhile_is_no_folder_on_the_way(deep_world: World) -> None:
    world = deep_world
    for place in (world.place, world.incoming):
        place.mkdir(parents=True)
        deep(place, 80, "d", "file")

    def names() -> Iterator[bytes]:
        yield b"d/" * 80 + b"file"
        Path(world.place, *"d" * 20).rename(world.place / "moved")
        yield b"file"

    with pytest.raises(Refused, match="moved meanwhile"):
        compose_tree(world, names())  # type: ignore[arg-type]


@root_only
def test_protected_files_are_replaced_and_stay_protected_where_they_are_sealed(world: World) -> None:
    names = world.prepare()
    protected = [world.basis / name for name in ("changed", "was file", "group1")]
    if subprocess.run(("chattr", "+i", *protected), check=False, capture_output=True).returncode:
        pytest.skip("no chattr on this filesystem")
    try:
        compose_tree(world, names)
        flags = subprocess.run(("lsattr", *protected), check=True, capture_output=True, text=True).stdout
    finally:
        subprocess.run(("chattr", "-i", *protected, world.place / "group1"), check=False, capture_output=True)
    assert differences(world.source, world.place) == []
    assert [line.split()[0].count("i") for line in flags.splitlines()] == [1, 1, 1]


@root_only
@pytest.mark.parametrize("fresh", ["a", "z"])
def test_a_protected_file_of_a_recycled_tree_takes_no_more_names_and_is_sent_anew(world: World, fresh: str) -> None:
    """Its own name was there before the file was protected; the new one comes before it, or after."""
    file = world.source / "k"
    file.write_text("k")
    seal_basis(world)
    (world.source / fresh).hardlink_to(file)
    names = world.prepare([b"k"])
    if subprocess.run(("chattr", "+i", world.basis / "k"), check=False, capture_output=True).returncode:
        pytest.skip("no chattr on this filesystem")
    try:
        compose_tree(world, names)
        flags = subprocess.run(("lsattr", world.basis / "k"), check=True, capture_output=True, text=True).stdout
    finally:
        subprocess.run(("chattr", "-i", world.basis / "k"), check=False, capture_output=True)
    assert differences(world.source, world.place) == []
    assert "i" in flags.split()[0]


def test_what_cannot_be_read_here_any_more_is_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = world.prepare([b"touched"])
    bad = (world.basis / "touched").stat().st_ino
    read = os.read

    def failing(descriptor: int, size: int) -> bytes:
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(errno.EIO, "Input/output error")
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", failing)
    compose_tree(world, names)
    monkeypatch.undo()
    assert differences(world.source, world.place) == []
    assert (world.place / "touched").stat().st_ino != bad


def _failing_at(number: int, failure: Callable[[], object]) -> Iterator[None]:
    """Let the call of that number that writes fail; the others are as they are."""
    left = [number]
    for name in WRITES:
        call = getattr(os, name)

        def counted(*args: object, _call: Callable[..., object] = call, **options: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                failure()
            return _call(*args, **options)

        setattr(os, name, counted)
    yield


def _ends(world: World, names: list[bytes], number: int, code: int) -> bool:
    """Compose in a child that dies, or has an error, at that call; whether it came to its end."""
    child = os.fork()
    if child == 0:
        try:

            def failure() -> None:
                if code == 0:
                    os._exit(9)
                raise OSError(code, os.strerror(code))

            next(_failing_at(number, failure))
            compose_tree(world, names)
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@root_only
def test_cut_off_at_any_call_the_next_run_makes_it_right(world: World) -> None:
    before = fingerprint(world.basis)
    codes = (0, errno.ENOSPC, errno.EIO)
    for number in range(1, 200):
        names = world.prepare([b"touched"])
        whole = _ends(world, names, number, codes[number % 3])
        assert fingerprint(world.basis) == before
        if whole:
            break
    assert 20 < number < 199
    assert differences(world.source, world.place) == []


@pytest.mark.parametrize("depth", ["shallow", "deep"])
def test_who_is_not_root_composes_folders_that_are_closed_to_their_owner(depth: str) -> None:
    with tempfile.TemporaryDirectory(prefix="compose-") as place:
        if os.geteuid() == 0:
            os.chown(place, 65534, 65534)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                code = (_closed if depth == "shallow" else _closed_deep)(made(Path(place)))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _closed_deep(world: World) -> int:
    levels = 100
    ways = [[Path(place, *"d" * number) for number in range(1, levels + 1)] for place in (world.place, world.incoming)]
    for way in ways:
        way[-1].mkdir(parents=True)
        for folder in way:
            (folder / "file").write_text(str(way[0]))
        for number, folder in reversed(list(enumerate(way))):
            folder.chmod(0o500 if number % 2 else 0)
    compose_tree(world, [b"d/" * level + b"file" for level in (levels, levels - 1, 1)])
    for way in ways:
        for number, folder in enumerate(way):
            if stat.S_IMODE(folder.stat().st_mode) != (0o500 if number % 2 else 0):
                return 1
            folder.chmod(0o700)
    texts = [(folder / "file").read_text() for folder in ways[0]]
    sent = [number for number, text in enumerate(texts) if text == str(ways[1][0])]
    return 0 if sent == [0, levels - 2, levels - 1] else 2


def _closed(world: World) -> int:
    folders = [world.source / name for name in ("same", "work", "work/inner", "gone", "gone/inner", "opened")]
    for folder in folders:
        folder.mkdir()
        (folder / "file").write_text("text")
    seal_basis(world)
    for name in ("work/inner/file", "opened/file", "work/new"):
        (world.source / name).write_text("other")
    subprocess.run(("rm", "-r", world.source / "gone"), check=True)
    names = world.prepare()
    for tree in (world.source, world.place, world.incoming):
        for name, mode in (("same", 0o500), ("work/inner", 0o000), ("work", 0o500), ("gone/inner", 0), ("gone", 0)):
            if (tree / name).is_dir():
                (tree / name).chmod(mode)
    compose_tree(world, names)
    # As it is, for who may read all of it.
    now = {path.name: path.stat().st_mode & 0o777 for path in (world.place / "work", world.place / "same")}
    for tree in (world.source, world.place):
        (tree / "work").chmod(0o700)
        assert (tree / "work/inner").stat().st_mode & 0o777 == 0
        (tree / "work/inner").chmod(0o700)
    assert now == {"work": 0o500, "same": 0o500}
    return len(differences(world.source, world.place))
