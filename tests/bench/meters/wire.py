"""A slow line between two hosts of the lab, played packet by packet: python -m tests.bench.meters.wire PID PID

The kernel's netem is not everywhere. Each host, known by a process in its network namespace, gets a device `wire0`;
what goes in at one end comes out at the other, so many seconds later and so many bits a second. Standard input takes
a line of JSON, `[DELAY, BITS]` (no BITS: as many as can be), and each time the counts since the last are answered.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import select
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

DEVICE = "wire0"
NEW_NETWORK = 0x40000000
# linux/if_tun.h
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
# What a modem keeps before it drops.
QUEUE = 256 << 10
TCP, SSH, SYN, ACK = 6, 22, 0x02, 0x10


@dataclass(kw_only=True, slots=True)
class Counts:
    """What went over the line: bytes of packets both ways, connections to sshd, and how often the talk turned round."""

    bytes: int = 0
    connections: int = 0
    turns: int = 0


class Wire:
    """The line between the hosts of these two processes, from `with` until the block ends."""

    def __init__(self, first: int, second: int) -> None:
        """Nothing is connected yet."""
        self._argv = (sys.executable, "-m", "tests.bench.meters.wire", str(first), str(second))

    def __enter__(self) -> Self:
        """Make both devices; their addresses are the caller's business."""
        self._process = subprocess.Popen(
            ("setpriv", "--pdeathsig", "KILL", "--", *self._argv),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        self.shape()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take it away."""
        self._process.kill()
        self._process.communicate()

    def shape(self, delay: float = 0.0, bits: float = 0.0) -> Counts:
        """From now on so slow; what went over it since the last call."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([delay, bits]) + "\n")
        self._process.stdin.flush()
        return Counts(**json.loads(self._process.stdout.readline()))


@dataclass(kw_only=True, slots=True)
class _Line:
    ends: tuple[int, int]
    delay: float = 0.0
    bits: float = 0.0
    counts: Counts
    free: list[float]
    speaker: int = -1
    order: int = 0

    def take(self, end: int, packet: bytes) -> tuple[float, int, int, bytes] | None:
        """When the packet that came in at `end` comes out of the other; None where it is dropped."""
        now = time.monotonic()
        begun = max(now, self.free[end])
        if self.bits and (begun - now) * self.bits / 8 > QUEUE:
            return None
        self.free[end] = begun + (len(packet) * 8 / self.bits if self.bits else 0.0)
        self._count(end, packet)
        self.order += 1
        return self.free[end] + self.delay, self.order, 1 - end, packet

    def _count(self, end: int, packet: bytes) -> None:
        self.counts.bytes += len(packet)
        if packet[0] >> 4 != 4 or packet[9] != TCP:
            return
        start = (packet[0] & 15) * 4
        port, flags = int.from_bytes(packet[start + 2 : start + 4]), packet[start + 13]
        if flags & SYN and not flags & ACK and port == SSH:
            self.counts.connections += 1
        payload = len(packet) - start - (packet[start + 12] >> 4) * 4
        if payload and end != self.speaker:
            # Two turns of the talk are one question and its answer.
            self.counts.turns += end == 0
            self.speaker = end


def _device(pid: int) -> int:
    """A new device in the network namespace of that process."""
    with Path(f"/proc/{pid}/ns/net").open("rb") as space:
        if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
    made = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(made, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    os.set_blocking(made, False)
    return made


def main() -> None:
    """Carry packets until standard input ends."""
    line = _Line(ends=(_device(int(sys.argv[1])), _device(int(sys.argv[2]))), counts=Counts(), free=[0.0, 0.0])
    waiting: list[tuple[float, int, int, bytes]] = []
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select((*line.ends, 0), (), (), pause)
        for end in (0, 1):
            if line.ends[end] in ready:
                taken = line.take(end, os.read(line.ends[end], 65536))
                if taken:
                    heapq.heappush(waiting, taken)
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(waiting)
            _put(line.ends[end], packet)
        if 0 in ready:
            told = sys.stdin.readline()
            if not told:
                return
            print(json.dumps(asdict(line.counts)), flush=True)
            line.delay, line.bits = json.loads(told)
            line.counts = Counts()


def _put(end: int, packet: bytes) -> None:
    try:
        os.write(end, packet)
    except OSError:
        # The device is not up yet, or its host takes no more: a line loses packets.
        return


if __name__ == "__main__":
    main()
