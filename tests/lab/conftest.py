"""Fixtures for the tests that need real machines; all of this folder is marked `lab`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.machines import Lab

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the folder, and say why it is skipped where it cannot run."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.lab)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="the lab makes namespaces, mounts: root only"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two hosts for all tests of a module; a test leaves the cable in, the disk mounted, both hosts up."""
    with Lab() as machines:
        yield machines


@pytest.fixture
def fresh_lab() -> Iterator[Lab]:
    """Two hosts for one test, which may leave them as it likes."""
    with Lab() as machines:
        yield machines
