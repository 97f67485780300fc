"""A sender that lies, as what rsync calls for its ssh: `python3 hostile_sender.py MODE SEED HOST rsync --server ...`.

It runs the rsync that it is asked for, and changes what that says. Standard library only: it runs confined too.
`names`: what stands for a slash or two dots in a name becomes that. `mutate`: some bytes become others, are lost, or
come twice. `endless`: the list of names is SEED MiB long, and does not end. `silent`: nothing more comes, in the middle.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import select
import struct
import subprocess
import sys
from collections.abc import Iterator

# Of one length, so that all else still fits; no name of a tree has them by itself.
SLASH, UP = b"~\xf5~", b"~\xf6~"
# What nobody says any more is over.
PATIENCE = 0.5


def said(run: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What the real sender says; what it hears is passed on meanwhile."""
    assert run.stdin and run.stdout
    listening = [0, run.stdout.fileno()]
    while run.stdout.fileno() in listening:
        ready, _, _ = select.select(listening, (), (), PATIENCE)
        if not ready:
            return
        for each in ready:
            data = os.read(each, 1 << 16)
            if not data:
                listening.remove(each)
            elif each == 0:
                try:
                    os.write(run.stdin.fileno(), data)
                except BrokenPipeError:
                    listening.remove(0)
            else:
                yield data


def named(data: bytes) -> bytes:
    return data.replace(SLASH, b"/./").replace(UP, b"../")


def mutated(data: bytes, dice: random.Random, *, often: float) -> bytes:
    if dice.random() > often or not data:
        return data
    at, kind = dice.randrange(len(data)), dice.randrange(6)
    long = at + dice.randrange(1, 16)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + dice.choice((b"\xff" * 8, b"\x00" * 8, b"\x80" * 4, b"../../", b"/")) + data[at + 1 :]
    if kind == 2:
        return data[:at] + data[long:]
    if kind == 3:
        return data[:long] + data[at:]
    if kind == 4:
        return data[:at] + dice.randbytes(long - at) + data[long:]
    return named(data.replace(b"d", UP[:1], 1)) + data[:at]


def cut(stream: bytes) -> tuple[bytes, bytes]:
    """The beginning of the list of n0000001 and its like, and two of its entries, of which as many as wanted may follow.

    A name after the first is what it shares with the one before (7), the length of the rest (1), and that.
    """
    first, second, third = [found.start() - 2 for found in re.finditer(rb"\x07\x01[0-9]", stream)][:3]
    # The frame: its length, and 7 for data; an empty one may come first.
    frame = next(at for at in range(first) if stream[at] and stream[at + 1 : at + 4] == b"\0\0\x07")
    listed = stream[frame + 4 : second]
    return stream[:frame] + framed(listed), stream[first:third]


def framed(data: bytes) -> bytes:
    return struct.pack("<I", 7 << 24 | len(data)) + data


def changed(mode: str, seed: int, run: subprocess.Popen[bytes]) -> Iterator[bytes]:
    dice, sent = random.Random(seed), b""
    for data in said(run):
        sent += data
        if mode == "names":
            yield named(data)
        elif mode == "mutate":
            # Not the versions: they would end it at once.
            yield mutated(data, dice, often=0.5) if len(sent) > len(data) else data
        elif mode == "silent" and len(sent) > seed:
            return
        elif mode == "endless" and not re.search(rb"\x07\x01[0-9]", data):
            yield data
        elif mode == "endless":
            head, pair = cut(data)
            yield head
            many = framed(pair * (60_000 // len(pair))) * 16
            for _ in range(seed):
                yield many
            return


def main() -> None:
    mode, seed, _, *words = sys.argv[1:]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        try:
            for data in changed(mode, int(seed), run):
                view = memoryview(data)
                while view:
                    # rsync's end of it, which waits for nobody, is ours too.
                    select.select((), (1,), ())
                    view = view[os.write(1, view[:4096]) :]
        finally:
            run.kill()


if __name__ == "__main__":
    # What hears it may end first.
    with contextlib.suppress(OSError):
        main()
