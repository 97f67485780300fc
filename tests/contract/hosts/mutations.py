"""What a host that lies may answer: a real answer, mutated by a seed. Every word that it puts in has `MARK`."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MARK = "MARK"
PIECE = 1 << 16
WORDS = (
    "--MARK", "-e MARK", "../../MARK", "/../../MARK", "MARK\n-e", "MARK\r\nBcc: MARK", "\x1b[31mMARK\x1b]0;MARK\x07", "\u202eMARK",
    "\x9b31mMARK", "MA\0RK", "", ".", "..", "//MARK", "\udc80MARK", "MARK\udfff", "\ud800", "/a/../MARK", "9999-12-31T235959Z",
    "0000-01-01T000000Z", "2026-02-30T000000Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z",
    "5" * 5000, "-1", "NaN", "1e999", "\u00b2", "\u2028MARK", "\ufeffMARK", "$(MARK)", "`MARK`", "%s%n{MARK}", "[bold]MARK[/]",
    "00000000-0000-0000-0000-000000000000", "x" * 20_000,
)  # fmt: skip
VALUES = (
    -1, 0, 1, 2, 2**31, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, -0.0, 1e308, True, False,
    None, [], {}, [None], [[]], ["--MARK"], {"a": "--MARK"}, {"": {}}, [[[]]] * 1000,
)  # fmt: skip
# What JSON has no word for, put where a string was.
RAW = (
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "5" * 5000,
    "[" * 60 + "]" * 60,
    "[" * 100_000,
    '"\\ud800"',
    '"\\udc80MARK"',
    "nul",
    "'a'",
)
# What the runner itself reads of any answer.
OWN = ("error", "do", "again", "stale", "already", "cause", "held", "holder", "name", "head", "log", "snapshot", "made",
       "partial", "uuid", "waited", "detached", "seconds", "bytes", "ended", "problem", "refused", "recycled")  # fmt: skip
CODES = (0, 0, 0, 1, 2, 3, 10, 11, 20, 23, 24, 25, 30, 70, 75, 76, 77, 78, 79, 80, 126, 127, 254, 255, 256, 10**12, -1, -9,
         -11, -15, None)  # fmt: skip


@dataclass(kw_only=True)
class Lie:
    """An answer as it goes over the wire: `pieces` come one by one; a silent one then says nothing, and goes on."""

    pieces: Iterator[bytes]
    exit: int | None
    err: bytes = b""
    silent: bool = False


def lie(seed: int, out: bytes, ended: int | None, *, endless: int) -> tuple[str, Lie]:
    """The answer of that seed, and its sort; what has no end is `endless` bytes long here."""
    own = random.Random(seed)
    sort = own.choice(sorted(SORTS))
    told = Lie(pieces=iter(()), exit=ended)
    changed = SORTS[sort](own, out, told)
    if isinstance(changed, bytes):
        told.pieces = iter([changed[at : at + PIECE] for at in range(0, len(changed), PIECE)])
    else:
        told.pieces = _so_much(changed, endless)
    if own.random() < 0.15:
        told.exit = own.choice(CODES)
    if own.random() < 0.1:
        told.err = _error(own)
    return sort, told


def _so_much(pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        most -= len(piece)
        if most <= 0:
            return


def _error(own: random.Random) -> bytes:
    text = own.choice(
        ("\x1b[2JMARK\n", "\u202eMARK\n", "MA\0RK", "runner: MARK\n" * 50_000, "x" * 1_000_000, "\r\nMARK: x\r\n")
    )
    return text.encode() + own.choice((b"", b"\xff\xfe\n", b"\n\n\n", b'{"error": "MARK"}\n'))


def _cut(own: random.Random, out: bytes, told: Lie) -> bytes:
    return out[: own.randrange(len(out) + 1)]


def _shuffled(own: random.Random, out: bytes, told: Lie) -> bytes:
    end = b"\0" if b"\0" in out else b"\n"
    lines = out.split(end)
    own.shuffle(lines)
    return end.join(lines)


def _flipped(own: random.Random, out: bytes, told: Lie) -> bytes:
    changed = bytearray(out or b"\0")
    for _ in range(own.choice((1, 1, 4, 50))):
        changed[own.randrange(len(changed))] = own.randrange(256)
    return bytes(changed)


def _inserted(own: random.Random, out: bytes, told: Lie) -> bytes:
    at = own.randrange(len(out) + 1)
    word = own.choice(WORDS).encode("utf-8", "surrogatepass")
    return out[:at] + own.choice((b"", b"\n", b"\0")) + word + own.choice((b"", b"\n", b"\0")) + out[at:]


def _around(own: random.Random, out: bytes, told: Lie) -> bytes:
    rubbish = own.choice(
        (b"\n", b"MARK\n", b"{}\n", b"[]\n", b"null\n", b'{"error": "MARK"}', b"\xff\xfe", b"}" * 9, b"\0" * 99)
    )
    return own.choice((rubbish + out, out + rubbish, out.rstrip(b"\n") + rubbish))


def _names(own: random.Random, out: bytes, told: Lie) -> bytes:
    """Names for snapshots, paths and numbers in all of it: other years, other places."""
    pattern, value = own.choice((
        (rb"20\d\d-\d\d-\d\dT\d{6}Z", b"9999-12-31T235959Z"), (rb"20\d\d-\d\d-\d\dT\d{6}Z", b"../../MARK"),
        (rb"20\d\d-", b"1969-"), (rb"20\d\d-", b"2099-"), (rb"20\d\d-", b"0000-"), (rb"/[a-z.]+/", b"/../MARK/"),
        (rb"[0-9a-f]{64}", b"0" * 64), (rb"\b\d+\b", b"-1"), (rb"\b\d+\b", b"9" * 18), (rb"\b\d+\b", b"1e999"),
        (rb"\b\d+\b", b"5" * 5000), (rb'"[^"]*"', b'"--MARK"'), (rb'": "[^"]*"', b'": "\\u001b[31mMARK\\n\\u202e\\udc80"'),
        (rb"\b(true|false)\b", b"null"), (rb"true", b"false"), (rb"false", b"true"), (rb": \[", b": [null, "),
    ))  # fmt: skip
    return re.sub(pattern, value.replace(b"\\", b"\\\\"), out)


def _parts(own: random.Random, out: bytes, told: Lie) -> bytes:
    """A line of JSON with something in it that does not belong there; often several."""
    lines = out.split(b"\n")
    at = own.choice([number for number, text in enumerate(lines) if text] or [0])
    try:
        known = json.loads(lines[at])
    except ValueError:
        return _inserted(own, out, told)
    for _ in range(own.choice((1, 1, 1, 2, 8))):
        known = changed(own, known)
    text = json.dumps(known)
    if own.random() < 0.2:
        raw = own.choice(RAW)
        text = re.sub(r'"[^"]*"(?=[,}\]])|\b\d+\b', lambda found: raw if own.random() < 0.2 else found[0], text)
    lines[at] = text.encode()
    return b"\n".join(lines)


def changed(own: random.Random, known: Any) -> Any:
    """The value with one thing changed, however deep: also in what a program printed into it."""
    if isinstance(known, str) and known.lstrip()[:1] in ("{", "[") and own.random() < 0.8:
        try:
            return json.dumps(changed(own, json.loads(known)))
        except ValueError:
            return own.choice(WORDS)
    if not isinstance(known, (dict, list)) or not known or own.random() < 0.1:
        return own.choice(own.choice((WORDS, VALUES)))
    copy: Any = known.copy()
    key = own.choice(list(known) if isinstance(known, dict) else range(len(known)))
    what = own.choice(("below", "below", "below", "gone", "twice", "own"))
    if what == "gone":
        del copy[key]
    elif what == "twice" and isinstance(copy, list):
        copy[own.randrange(len(copy) + 1) :] = [known[key], *copy[own.randrange(len(copy) + 1) :]]
    elif what == "own" and isinstance(copy, dict):
        copy[own.choice(OWN)] = own.choice(own.choice((WORDS, VALUES)))
    else:
        copy[key] = changed(own, known[key])
    return copy


def _twice(own: random.Random, out: bytes, told: Lie) -> bytes:
    """A key that is there twice: what is read of it need not be what another reads."""
    return re.sub(
        rb'("[a-z_]+": )', lambda found: found[1] + b'"--MARK", ' + found[1], out, count=own.choice((1, 3, 0))
    )


def _refusal(own: random.Random, out: bytes, told: Lie) -> bytes:
    told.exit = own.choice((1, 75, 77, 78, 79, 0))
    answer = {key: own.choice(own.choice((WORDS, VALUES))) for key in own.sample(OWN, 6)}
    answer |= {"error": own.choice((*WORDS, "MARK" * 9000)), "do": own.choice(WORDS)}
    return json.dumps(answer).encode() + b"\n"


def _silent(own: random.Random, out: bytes, told: Lie) -> bytes:
    told.silent = True
    return _cut(own, out, told)


def _flood(own: random.Random, out: bytes, told: Lie) -> bytes:
    told.err = _error(own)
    return out


def _code(own: random.Random, out: bytes, told: Lie) -> bytes:
    told.exit = own.choice(CODES)
    return own.choice((out, b""))


def _endless(own: random.Random, out: bytes, told: Lie) -> Iterator[bytes]:
    first = own.choice((out, b"", _cut(own, out, told)))
    each = own.choice((
        out or b"\n", b"[" * PIECE, b"MARK" * (PIECE // 4), b"MARK\n" * (PIECE // 5), b"\0" * PIECE, b"{}\n" * (PIECE // 3),
        b'{"MARK": 1}\n' * (PIECE // 12), b"../MARK\0" * (PIECE // 8), b">f+++++++++|1|1|MARK\n" * (PIECE // 21),
    ))  # fmt: skip
    if len(each) < PIECE:
        each *= PIECE // len(each)

    def pieces() -> Iterator[bytes]:
        yield first
        number = 0
        while True:
            number += 1
            yield each.replace(b'{"MARK"', b'{"MARK%d"' % number)

    return pieces()


Change = Callable[[random.Random, bytes, Lie], "bytes | Iterator[bytes]"]
SORTS: dict[str, Change] = {
    "cut": _cut,
    "doubled": lambda own, out, told: out + out,
    "reordered": _shuffled,
    "flipped": _flipped,
    "inserted": _inserted,
    "rubbish around": _around,
    "names": _names,
    "names again": _names,
    "parts": _parts,
    "more parts": _parts,
    "most parts": _parts,
    "a key twice": _twice,
    "refusal": _refusal,
    "silent": _silent,
    "flood of errors": _flood,
    "exit code": _code,
    "endless": _endless,
    "nothing": lambda own, out, told: b"",
    "not text": lambda own, out, told: own.choice(
        (b"\xff\xfe\x00" + out, out.replace(b"\n", b"\r\n"), own.randbytes(3000))
    ),
}
