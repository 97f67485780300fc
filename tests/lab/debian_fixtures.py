"""Fixtures of the tests that need a real Debian; such a module names this one in its `pytest_plugins`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.archive import Archive
from tests.lab.debian import HOLD, World, unpack


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The installed Debian that all worlds lie over."""
    folder = unpack(tmp_path_factory.mktemp("debian"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive on loopback."""
    with Archive(tmp_path / "archive") as made:
        yield made


@pytest.fixture
def hold() -> tuple[str, ...]:
    """What the Debian is to hold; a module whose tests hold whatever that is has it with none as well."""
    return HOLD


@pytest.fixture
def world(base: Path, tmp_path: Path, archive: Archive, hold: tuple[str, ...]) -> Iterator[World]:
    """A running Debian that knows the archive."""
    with World(base, tmp_path / "world", archive) as made:
        made.hold = hold
        yield made
