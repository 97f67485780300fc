"""A disk that remembers every write and every flush, to be looked at as a power cut could have left it.

Run as a program it serves one file, `disk`, in a folder by the kernel's own FUSE protocol (fuse(4), no library);
a loop device on that file is the disk. What was written before a flush that ended is on it; of what was
written later a power cut leaves any part, sector by sector.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
import select
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
NAME = "powerdisk"
PATIENCE = 60
LEAVE = 'for each; do umount --lazy "$each"; done'
SECTOR = 512
HEADER, EVENT = struct.Struct("<IIQQIIIHH"), struct.Struct("<QI")
LOOKUP, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 1, 3, 4, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, OPENDIR, RELEASEDIR, ACCESS = 20, 25, 26, 27, 29, 34
FORGET, INTERRUPT, DESTROY, BATCH_FORGET = 2, 36, 38, 42
BIGGEST = 1 << 17


class Event(NamedTuple):
    """A write, or a flush where there is no data."""

    offset: int
    data: bytes


class Loss(StrEnum):
    """What a power cut does with what was not flushed."""

    ALL = "all of it is lost"
    NONE = "nothing is lost"
    HALF = "of the writes any half is lost"
    TORN = "of each write some sectors are lost"


def kept(events: Sequence[Event], loss: Loss, seed: str) -> Iterator[Event]:
    """What reaches the disk when the power goes after these events."""
    flushes = [number for number, event in enumerate(events) if not event.data]
    settled = flushes[-1] if flushes else 0
    yield from (event for event in events[:settled] if event.data)
    dice = random.Random(seed)
    for event in events[settled:]:
        if loss is Loss.NONE or (loss is Loss.HALF and dice.random() < 0.5):
            yield event
        elif loss is Loss.TORN:
            for start in range(0, len(event.data), SECTOR):
                if dice.random() < 0.5:
                    yield Event(event.offset + start, event.data[start : start + SECTOR])


@dataclass(frozen=True, kw_only=True)
class PowerDisk:
    """A disk of this kind, mounted at `mount`: `image` is what it was before the first event."""

    image: Path
    mount: Path
    log: Path
    options: str

    def now(self) -> int:
        """How much has happened until now, as a place in the log."""
        return self.log.stat().st_size

    def events(self) -> list[tuple[int, Event]]:
        """Everything that happened, each with its place in the log."""
        listed, data, place = [], self.log.read_bytes(), 0
        while place < len(data):
            offset, length = EVENT.unpack_from(data, place)
            place += EVENT.size + length
            listed.append((place, Event(offset, data[place - length : place])))
        return listed

    def cut(self, events: Sequence[Event], loss: Loss, copy: Path, seed: str) -> None:
        """Write to `copy` the disk as it is when the power goes after these events."""
        subprocess.run(("cp", "--sparse=always", self.image, copy), check=True)
        with copy.open("r+b", buffering=0) as stream:
            for event in kept(events, loss, seed):
                os.pwrite(stream.fileno(), event.data, event.offset)


@contextlib.contextmanager
def powerdisk(folder: Path, mib: int, make: Sequence[str], options: str) -> Iterator[PowerDisk]:
    """A disk of `mib` MiB, made by `make` and mounted with `options`."""
    image, served, mount, log = (folder / name for name in ("before.img", "served", "disk", "log"))
    with image.open("wb") as stream:
        stream.truncate(mib << 20)
    subprocess.run((*make, image), check=True)
    served.mkdir()
    mount.mkdir()
    with serving(image, served, log, mounts=(mount,)):
        subprocess.run(("mount", "-o", f"loop,{options}", served / "disk", mount), check=True)
        yield PowerDisk(image=image, mount=mount, log=log, options=options)
        subprocess.run(("umount", mount), check=True)


@contextlib.contextmanager
def serving(image: Path, folder: Path, log: Path, *, user: int = 0, mounts: Sequence[Path] = ()) -> Iterator[None]:
    """Serve `image` in `folder`. Once the block or this process ends, `mounts` and the folder are unmounted."""
    argv = (sys.executable, "-B", "-m", "tests.powerdisk", image, folder, log, str(user), *mounts)
    # A session of its own: what ends a terminal's processes leaves it to unmount.
    with subprocess.Popen(
        argv, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as server:  # fmt: skip
        assert server.stdin and server.stdout and server.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            server.stdin.close()
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
                raise AssertionError(f"somebody keeps what was served in {folder}") from None


class Server:
    """Answers the kernel: a folder with one file in it."""

    def __init__(self, content: bytearray, log: int) -> None:
        self._content = content
        self._log = log

    def answer(self, code: int, node: int, body: bytes) -> bytes | int | None:
        """What is said to a request: bytes, the number of an error, None for nothing at all."""
        if code in (FORGET, BATCH_FORGET, INTERRUPT):
            return None
        if code == INIT:
            return struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 17, 1 | 1 << 5 | 1 << 22, 12, 9, BIGGEST, 1, 32, 0, 0)
        if code == LOOKUP:
            return (
                struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + self._about(2) if body == b"disk\0" else -errno.ENOENT
            )
        if code in (GETATTR, SETATTR):
            return struct.pack("<QII", 3600, 0, 0) + self._about(node)
        if code in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, 0, 0)
        if code == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return bytes(self._content[offset : offset + size])
        if code == WRITE:
            _, offset, size = struct.unpack_from("<QQI", body)
            data = body[40 : 40 + size]
            self._content[offset : offset + size] = data
            self._note(offset, data)
            return struct.pack("<II", size, 0)
        if code == FSYNC:
            self._note(0, b"")
            return b""
        return b"" if code in (FLUSH, RELEASE, RELEASEDIR, ACCESS, DESTROY) else -errno.ENOSYS

    def _note(self, offset: int, data: bytes) -> None:
        os.write(self._log, EVENT.pack(offset, len(data)) + data)

    def _about(self, node: int) -> bytes:
        mode, size = (stat.S_IFDIR | 0o700, 0) if node == 1 else (stat.S_IFREG | 0o600, len(self._content))
        return struct.pack("<QQQQQQ10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def serve(image: str, folder: str, log: str, user: str, *mounts: str) -> None:
    """Serve until it is unmounted; nobody but `user` gets at it, root neither.

    Whoever holds the other end of standard input wants it. Once he is gone, however he went, `mounts` and then the
    folder are unmounted, while this goes on serving: the last blocks are still to be written.
    """
    device = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    server = Server(bytearray(Path(image).read_bytes()), os.open(log, flags, 0o600))
    libc = ctypes.CDLL(None, use_errno=True)
    data = f"fd={device},rootmode=40000,user_id={user},group_id={user}".encode()
    if libc.mount(NAME.encode(), os.fsencode(folder), b"fuse", 0, data):
        raise OSError(ctypes.get_errno(), "mount")
    os.write(1, b"ready\n")
    waiting = select.poll()
    waiting.register(device, select.POLLIN)
    waiting.register(0, 0)
    wanted, leaving = True, None
    while _answered(device, server):
        if not wanted and (leaving is None or leaving.poll() is not None):
            # Again and again: he may have left a mount(8) that ends after him.
            leaving = subprocess.Popen(("sh", "-c", LEAVE, "leave", *mounts, folder), stderr=subprocess.DEVNULL)
        if any(number == 0 for number, _ in waiting.poll(None if wanted else 500)):
            waiting.unregister(0)
            wanted = False


def _answered(device: int, server: Server) -> bool:
    """Answer the request that waits, if one does; False once there is nothing to serve any more."""
    try:
        request = os.read(device, BIGGEST + 8192)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EINTR, errno.ENOENT)
    _, code, unique, node, *_ = HEADER.unpack_from(request)
    said = server.answer(code, node, request[HEADER.size :])
    if said is not None:
        body, number = (b"", said) if isinstance(said, int) else (said, 0)
        # Whoever asked may have been killed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            os.write(device, struct.pack("<IiQ", 16 + len(body), number, unique) + body)
    return True


if __name__ == "__main__":
    serve(*sys.argv[1:])
