"""A file with a secret: whoever else could know it or have put it there, it is not taken."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runner.model.errors import Exposed
from runner.tools import secret
from tests.contract.site import entered

NOBODY = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a secret"
    path.write_bytes(b"canary\nmore\n")
    path.chmod(0o600)
    return path


def refused(path: Path) -> tuple[str, str]:
    """Why it is not taken, in the same words before and when it is read."""
    with pytest.raises(Exposed) as caught:
        secret.read(str(path), 100)
    assert secret.complaint(str(path)) == f"{caught.value.text}; {caught.value.command}".removesuffix("; ")
    return caught.value.text, caught.value.command


def test_it_is_taken_where_it_is_ours_alone(file: Path) -> None:
    assert secret.read(str(file), 6) == b"canary" and secret.unfit(str(file)) is None
    file.chmod(0o400)
    assert secret.read(str(file), 100) == b"canary\nmore\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o777])
def test_whatever_others_may_do_with_it_is_too_much(file: Path, mode: int) -> None:
    file.chmod(mode)
    why, command = refused(file)
    assert f"(mode {mode:04o})" in why and command == f"chmod 600 '{file}'"
    assert os.system(command) == 0 and secret.unfit(str(file)) is None


@root
def test_what_belongs_to_somebody_else_is_not_taken(file: Path) -> None:
    os.chown(file, NOBODY, NOBODY)
    why, command = refused(file)
    assert "belongs to somebody else" in why and os.system(command) == 0 and secret.unfit(str(file)) is None


def test_what_is_no_file_keeps_nobody_waiting(file: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for path in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/zero")):
        assert refused(path) == (f"{path} is to hold a secret, and is no file", "")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError):
            secret.read(str(tmp_path / "socket"), 100)


def test_one_that_is_not_there_is_nothing_that_can_be_judged(tmp_path: Path) -> None:
    assert secret.complaint(str(tmp_path / "none")) == "" == secret.complaint("~nobody-has-this-name/none")
    with pytest.raises(FileNotFoundError):
        secret.read(str(tmp_path / "none"), 100)


def test_a_link_of_ours_is_followed_and_what_it_leads_to_is_judged(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    assert secret.read(str(tmp_path / "link"), 6) == b"canary"
    file.chmod(0o644)
    assert "others may read it" in refused(tmp_path / "link")[0]


@root
def test_a_link_that_somebody_else_made_is_not_followed(file: Path) -> None:
    with entered() as folder:
        own = folder / "secret"
        own.write_bytes(b"canary")
        own.chmod(0o600)
        shared = folder / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        (shared / "link").symlink_to(own)
        assert secret.read(str(shared / "link"), 100) == b"canary"
        os.lchown(shared / "link", NOBODY, NOBODY)
        with pytest.raises(Exposed, match="belongs to user"):
            secret.read(str(shared / "link"), 100)


def test_what_is_in_a_folder_where_others_may_put_another_is_not_taken(file: Path) -> None:
    file.parent.chmod(0o777)
    with pytest.raises(Exposed, match="others may change"):
        secret.read(str(file), 100)
