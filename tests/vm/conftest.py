"""Fixtures for the tests that need a machine which really boots; all of this folder is marked `vm`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.image import missing
from tests.vm.machine import Machine
from tests.vm.site import Site

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "vm: boots an emulated machine; root, some minutes (make vm)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the folder, and say why it is skipped where it cannot run."""
    lacking = missing()
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.vm)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="the machine's image is made by root only"))
            elif lacking:
                item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(lacking)}"))


@pytest.fixture
def machine() -> Iterator[Machine]:
    """backup-server1, just booted, for one test, which may leave it as it likes."""
    with Machine() as made:
        yield made


@pytest.fixture
def site(machine: Machine) -> Iterator[Site]:
    """A site whose controller is this machine and whose backup-server1 is the virtual one."""
    with Site(machine=machine) as made:
        yield made
