"""A sender that lies, as what rsync calls for its ssh: `python3 hostile_sender.py MODE SEED HOST rsync --server ...`.

It runs the rsync that it is asked for, and changes what that says. Standard library only: it runs confined too.
`names`: what stands for a slash or two dots in a name becomes that. `mutate`: some bytes become others, are lost, or
come twice. `endless`: the list of names is SEED MiB long, and does not end. `silent`: nothing more comes, in the middle.
`asked`: it sends all of the folder SEED, itself too (`.`), whatever it was asked for.
`long`: the name that ends in LONG is SEED bytes long, in one piece. `size`: the file SIZED has SEED bytes, or fewer than 0.
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
LONG, SIZED = b"/the-long-one", b"the-sized-one"
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
    frame = next(at for at in range(first) if _is_list(stream, at))
    listed = stream[frame + 4 : second]
    return stream[:frame] + framed(listed), stream[first:third]


def edited(stream: bytes, mode: str, number: int) -> bytes:
    """The stream with another entry for LONG or SIZED in its list of names."""
    frame = next(at for at in range(len(stream) - 4) if _is_list(stream, at))
    head, listed = stream[:frame], b""
    while frame < len(stream):
        long = struct.unpack_from("<I", stream, frame)[0] & 0xFFFFFF
        listed += stream[frame + 4 : frame + 4 + long]
        frame += 4 + long
    if mode == "size":
        at = listed.index(SIZED) + len(SIZED)
        # Three bytes have said it; after this one come eight, which say any number.
        return head + framed(listed[:at] + b"\xfc" + struct.pack("<q", number) + listed[at + 3 :])
    end = listed.index(LONG) + len(LONG)
    # It shares its first 255 bytes with the one before, and the other 962 follow their number; a longer number is fine too.
    begin = listed.rindex(b"\xff\x83\xc2", 0, end) + 1
    return head + framed(listed[:begin] + b"\xf0" + struct.pack("<I", number) + b"n" * number + listed[end:])


def _is_list(stream: bytes, at: int) -> bool:
    """Whether frames of data begin there, and go on to the end."""
    begun = at
    while at + 4 <= len(stream) and stream[at + 3] in (7, 9, 10, 93):
        at += 4 + (struct.unpack_from("<I", stream, at)[0] & 0xFFFFFF)
    return at == len(stream) and stream[begun + 3] == 7 and stream[begun : begun + 3] != b"\0\0\0"


def framed(data: bytes) -> bytes:
    return struct.pack("<I", 7 << 24 | len(data)) + data


def changed(mode: str, seed: int, run: subprocess.Popen[bytes]) -> Iterator[bytes]:
    dice, sent, said_so = random.Random(seed), b"", False
    for data in said(run):
        sent += data
        if mode == "names":
            yield named(data)
        elif mode == "mutate":
            # Not the versions: they would end it at once.
            yield mutated(data, dice, often=0.5) if len(sent) > len(data) else data
        elif mode == "silent" and len(sent) > seed:
            return
        elif mode in ("long", "size") and not said_so:
            said_so = (LONG if mode == "long" else SIZED) in data
            yield edited(data, mode, seed) if said_so else data
        elif mode in ("long", "size") or mode == "endless" and not re.search(rb"\x07\x01[0-9]", data):
            yield data
        elif mode == "endless":
            head, pair = cut(data)
            yield head
            many = framed(pair * (60_000 // len(pair))) * 16
            for _ in range(seed):
                yield many
            return


def asked(folder: bytes) -> bytes:
    """What we are asked for (rsync's --protect-args), but for all of the folder."""
    words = b""
    while not words.endswith(b"\0\0"):
        words += os.read(0, 1)
    *others, _ = words[:-2].split(b"\0")
    return b"\0".join((*others, folder + b"/./")) + b"\0\0"


def main() -> None:
    mode, seed, _, *words = sys.argv[1:]
    if mode == "asked":
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
            assert run.stdin
            run.stdin.write(asked(os.fsencode(seed)))
            run.stdin.flush()
            for data in said(run):
                os.write(1, data)
            run.kill()
        return
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
