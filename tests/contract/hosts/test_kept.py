"""What is made of the runner's own modules is made once, and never taken from where others may write."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from runner.hosts.kept import kept


class Maker:
    """Makes something, and counts how often."""

    def __init__(self, content: bytes = b"made") -> None:
        self.content, self.made = content, 0

    def __call__(self) -> bytes:
        self.made += 1
        return self.content


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "__pycache__").mkdir(mode=0o755)
    return tmp_path / "module.py"


def place(module: Path) -> Path:
    return Path(cache_from_source(str(module))).with_name("thing")


def test_it_is_made_once_and_anew_when_what_it_is_made_of_changes(module: Path) -> None:
    make = Maker(b"\0" * 70_000)
    assert [kept(module, "thing", b"one", make) for _ in range(3)] == [make.content] * 3 and make.made == 1
    assert place(module).stat().st_mode & 0o777 == 0o600 and list(place(module).parent.iterdir()) == [place(module)]
    other = Maker(b"other")
    assert kept(module, "thing", b"two", other) == kept(module, "thing", b"two", other) == b"other" and other.made == 1
    assert kept(module, "thing", b"one", make) == make.content and make.made == 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("happen", [cut, damage, empty, link, fifo, folder], ids=lambda each: each.__name__)
def test_what_is_not_whole_is_made_anew(happen: Callable[[Path], None], module: Path) -> None:
    make = Maker()
    kept(module, "thing", b"one", make)
    happen(place(module))
    assert kept(module, "thing", b"one", make) == b"made" and make.made == 2
    assert kept(module, "thing", b"one", make) == b"made" and make.made == (3 if happen is folder else 2)


@pytest.mark.parametrize("opened", ["thing", "__pycache__", "."])
def test_what_others_may_change_is_not_taken_and_nothing_is_kept_there(opened: str, module: Path) -> None:
    make = Maker()
    kept(module, "thing", b"one", make)
    where = {"thing": place(module), "__pycache__": place(module).parent, ".": module.parent}[opened]
    where.chmod(where.stat().st_mode | 0o022)
    before = place(module).read_bytes()
    assert kept(module, "thing", b"two", make) == b"made" and make.made == 2
    assert place(module).read_bytes() == before


def test_where_python_keeps_nothing_nothing_is_kept(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    place(module).parent.rmdir()
    assert kept(module, "thing", b"one", make) == b"made" and not place(module).parent.exists()
    place(module).parent.mkdir()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert kept(module, "thing", b"one", make) == b"made" and not place(module).exists()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys.implementation, "cache_tag", None)
    assert kept(module, "thing", b"one", make) == b"made" and make.made == 3
