"""Mounts that tests make: whether this machine has any for them, and that none outlives the tests."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import powerdisk

NEW_NAMESPACE, RECURSIVE, SLAVE, DETACH = 0x20000, 1 << 14, 1 << 19, 2


def own_namespace() -> None:
    """Give this process a namespace of mounts, if it may have one.

    What it and its children mount nobody else sees or keeps in use, and it is gone with the last of them, however
    that ends.
    """
    libc = ctypes.CDLL(None)
    if libc.unshare(NEW_NAMESPACE):
        return
    # What others unmount is to be unmounted here too.
    libc.mount(None, b"/", None, RECURSIVE | SLAVE, None)
    for point in _dead():
        libc.umount2(point, DETACH)


def _dead() -> Iterator[bytes]:
    """Where a power disk lost its server. mkfs.btrfs, for one, looks at every mount, and fails at such a one."""
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        before, _, after = line.partition(b" - ")
        if after.split()[1] == powerdisk.NAME.encode():
            point = before.split()[4].decode("unicode_escape").encode("latin-1")
            try:
                Path(os.fsdecode(point)).stat()
            except OSError as error:
                if error.errno == errno.ENOTCONN:
                    yield point


@contextlib.contextmanager
def attached(image: Path) -> Iterator[str]:
    """A loop device on the image, for as long as the block: see `borrowed`."""
    need_loops()
    argv = ("losetup", "--find", "--show", image)
    name = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    with borrowed(name):
        yield name


@contextlib.contextmanager
def borrowed(name: str) -> Iterator[None]:
    """Have the loop device let go of once the block or this process ends, however it does, and nobody has it mounted."""
    held = os.open(name, os.O_RDONLY)
    try:
        # Who holds it puts that off.
        subprocess.run(("losetup", "--detach", name), check=True)
        yield
    finally:
        os.close(held)


@functools.cache
def _loops() -> bool:
    return os.access("/dev/loop-control", os.R_OK | os.W_OK)


@functools.cache
def _namespaces() -> bool:
    return subprocess.run(("unshare", "--mount", "true"), check=False, capture_output=True).returncode == 0


def need_loops() -> None:
    """Leave the test out where this machine has no loop devices; whatever else goes wrong with one is a failure."""
    if not (_loops() and _namespaces()):
        pytest.skip("this machine has no loop devices")


def need_mounts() -> None:
    """Leave the test out where nobody may mount on this machine; whatever else goes wrong with it is a failure."""
    if not _namespaces():
        pytest.skip("this machine mounts nothing")
