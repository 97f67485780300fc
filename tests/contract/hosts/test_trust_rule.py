"""Who may change a file, as the kernel sees it: owners, modes, groups, access lists, links, and folders like /tmp."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent import trust

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")

STRANGER = 12345
RULE = Path(trust.__file__)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where every user gets to; pytest's own folders are closed."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def file(folder: Path, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Path:
    path = folder / "file"
    path.write_text("")
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


def changeable(path: Path) -> bool:
    """Whether a user whom nobody trusts really can write it, as a user or through any group."""
    script = f"import os; os.close(os.open({str(path)!r}, os.O_WRONLY))"
    return not subprocess.run(
        ("/usr/bin/python3", "-c", script), user=STRANGER, group=STRANGER, extra_groups=[], capture_output=True, check=False
    ).returncode  # fmt: skip


def open_places(path: Path | str, **how: bool) -> list[str]:
    return [place.path for place in trust.exposures(str(path), **how)]


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "is_open"),
    [
        (0o644, 0, 0, False), (0o600, 0, STRANGER, False), (0o664, 0, 0, False), (0o664, 0, STRANGER, True),
        (0o646, 0, 0, True), (0o642, 0, 0, True), (0o644, STRANGER, 0, True), (0o000, STRANGER, STRANGER, True),
        (0o664, 0, 100, True),
    ],
)  # fmt: skip
def test_owner_and_mode(folder: Path, mode: int, uid: int, gid: int, is_open: bool) -> None:
    path = file(folder, mode, uid, gid)
    assert open_places(path) == ([str(path)] if is_open else [])
    assert is_open or not changeable(path)


@pytest.mark.parametrize("gid", [0, STRANGER])
@pytest.mark.parametrize(
    ("entries", "grants"),
    [
        (("u:{}:r-x",), False), (("u:{}:rw-",), True), (("g:{}:rw-",), True), (("u:{}:rw-", "m::r--"), False),
        (("g:{}:rwx", "m::r-x"), False), (("u:{}:-w-", "m::-w-"), True),
    ],
)  # fmt: skip
def test_an_access_list_shows_in_the_bits_of_the_group(
    folder: Path, entries: tuple[str, ...], grants: bool, gid: int
) -> None:
    """So it costs nothing to look for one; and root's own group is no excuse where there is one."""
    path = file(folder, 0o644, 0, gid)
    words = [word for entry in entries for word in ("-m", entry.format(STRANGER))]
    subprocess.run(("setfacl", *words, path), check=True)
    assert changeable(path) == grants
    assert open_places(path) == ([str(path)] if grants else [])
    if grants:
        (place,) = trust.exposures(str(path))
        subprocess.run(place.command, shell=True, check=True)
        assert open_places(path) == [] and not changeable(path)


def test_a_default_access_list_opens_nothing_by_itself(folder: Path) -> None:
    subprocess.run(("setfacl", "-d", "-m", f"u:{STRANGER}:rwx", folder), check=True)
    assert open_places(folder, whole=True) == []
    made = folder / "made"
    made.mkdir()
    assert open_places(made) == [str(made)]


def test_what_is_not_there_is_as_open_as_where_it_would_be(folder: Path) -> None:
    assert open_places(folder / "no/where") == []
    folder.chmod(0o1777)
    assert open_places(folder / "no/where") == [str(folder)]
    folder.chmod(0o777)
    assert open_places(folder / "no") == [str(folder)]
    folder.chmod(0o755)
    assert open_places(file(folder) / "below a file") == []


def test_links_are_followed_and_no_longer_than_the_kernel_does(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a/b").symlink_to("../c")
    (folder / "c").mkdir()
    (folder / "c/d").symlink_to("/")
    assert open_places(folder / "a/b/d/etc/passwd") == []
    (folder / "c").chmod(0o777)
    assert open_places(folder / "a/b/../a/./b//d/etc/passwd") == [str(folder / "c")]
    (folder / "turn").symlink_to("turn")
    with pytest.raises(OSError, match="symbolic links"):
        trust.exposures(str(folder / "turn"))


def test_in_a_folder_like_tmp_the_owner_of_each_name_counts(folder: Path) -> None:
    folder.chmod(0o1777)
    assert open_places(folder) == [] and open_places(folder, whole=True) == [str(folder)]
    assert open_places(file(folder)) == []
    (folder / "link").symlink_to("file")
    assert open_places(folder / "link") == []
    os.lchown(folder / "link", STRANGER, -1)
    assert open_places(folder / "link") == [str(folder / "link")]
    os.chown(folder / "file", STRANGER, -1)
    assert open_places(folder / "file") == [str(folder / "file")]
    os.chown(folder, STRANGER, -1)
    assert str(folder) in open_places(folder / "file")


def as_karl(path: Path, *, group: str = "karl:x:12345:", shell: str = "") -> bool:
    """Whether the rule finds it open for karl, whose own group is 12345: in a world of its own with this /etc/group."""
    world = path.parent / "world"
    world.mkdir(exist_ok=True)
    karl = f"karl:x:{STRANGER}:{STRANGER}::/:/bin/sh\n"
    (world / "passwd").write_text(Path("/etc/passwd").read_text() + karl + shell)
    (world / "group").write_text(f"{group}\nroot:x:0:\ndaemon:x:1:\nstaff:x:50:\nusers:x:100:\n")
    enter = 'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && shift && exec "$@"'
    ids = f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"
    script = f"{RULE.read_text()}\nprint([place.path for place in exposures({str(path)!r})])"
    argv = ("unshare", "--mount", "sh", "-ec", enter, "sh", world, "setpriv", *ids, "/usr/bin/python3", "-")
    said = subprocess.run(argv, input=script, cwd="/", capture_output=True, text=True, check=True).stdout.strip()
    assert said in ("[]", f"['{path}']")
    return said != "[]"


def test_a_private_group_is_its_users_and_one_that_others_share_is_not(folder: Path) -> None:
    """A clone of an ordinary user with umask 002, as Red Hat has it, is closed; root does not obey it."""
    path = file(folder, 0o664, STRANGER, STRANGER)
    assert not as_karl(path) and open_places(path) == [str(path)]
    assert as_karl(path, group="karl:x:12345:anna")
    assert as_karl(path, group="karl:x:12345:", shell="anna:x:12346:12345::/:/bin/sh\n")
    assert as_karl(path, group="researchers:x:12345:")
    assert as_karl(path, group="")
    os.chown(path, STRANGER, 100)
    assert as_karl(path)


def test_an_empty_group_of_the_system_is_nobodys(folder: Path) -> None:
    """Where Debian was once installed long ago, `staff` may write to /usr/local, and has no member."""
    path = file(folder, 0o664, 0, 50)
    assert not as_karl(path)
    assert as_karl(path, group="karl:x:12345:\nstaff:x:50:anna")
    os.chown(path, 0, 1)
    assert as_karl(path)


def test_the_rule_is_the_same_for_the_oldest_python_of_a_host() -> None:
    """No import but the standard library's, so that it travels with the agent."""
    script = f"{RULE.read_text()}\nprint(exposures('/'))"
    said = subprocess.run((sys.executable, "-IS", "-"), input=script, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
