"""plan.toml as a forger without the key would change it: any value or byte, and every sum made anew that he can make."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, TypeVar

import tomli_w

from runner.engine import seal

Values = dict[str, Any]
T = TypeVar("T")
# Whoever holds these may do anything, and none of them is the site's.
KNOWN = (b"", b"\0" * 32, b"k" * 32, b"plan.key", hashlib.sha256(b"babase").digest())
WORDS = (
    "rm", "--recursive", "/", "sh", "-c", "id >/tmp/x", "--delete", "--min=0", "--per-day=0", "..", "/srv/backups/other",
    "2020-01-01T000000Z", "mke2fs", "/dev/sda", "", "é", "\\", "\x1b[2J", "$(id)", "-oProxyCommand=id",
)  # fmt: skip
HOSTS = ("papio", "backup-server1", "server", "stranger", "", "-oProxyCommand=id")
EFFECTS = ("read", "write", "expire", "interrupt", "destroy")
NUMBERS = (-1, 0, 1, 2, 60, 2**31, 2**63, 10**4000, 0.5, float("inf"), float("nan"), True, "1", [], {})
# What is TOML and odd, or none; a number in hexadecimal digits may be longer than Python writes.
LINES = (
    f"format = 0x{'f' * 5000}", f"more = 0x{'f' * 5000}", "format = 3.0", "format = true", 'format = "3"', "format = 2",
    "seal = 1", 'seal = ""', 'seal = "é"', "seal = 2026-11-23T08:15:00Z", "a = " + "[" * 3000, "a" + ".a" * 3000 + " = 1",
    "a = " + "{a=" * 900 + "1" + "}" * 900, "made_at = 2026-11-23", "[[steps]]", "[steps]", "steps = []", "\0", "\x1b[2J",
    'seal = "\\ud800"', "= 1", '"" = 1', "live = false", 'id = "x"', "more = 1e999", "\ufeff", "\r",
)  # fmt: skip


def _all(value: Any, kind: type, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Each holder and key of a value of this kind."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        if type(inner) is kind:
            yield value, key
        yield from _all(inner, kind, (*path, key))


def _replace(kind: type, new: tuple[Any, ...]) -> Callable[[random.Random, Values], None]:
    def change(dice: random.Random, values: Values) -> None:
        # What was changed before may have left none.
        for holder, key in _any(dice, [*_all(values, kind)]):
            holder[key] = deepcopy(dice.choice(new))

    return change


def _any(dice: random.Random, places: list[T]) -> list[T]:
    """One of them; none where there is none."""
    return [dice.choice(places)] if places else []


def _named(name: str, new: tuple[Any, ...]) -> Callable[[random.Random, Values], None]:
    """Another value for one of the keys of this name; where there is none, such a key in the plan."""

    def change(dice: random.Random, values: Values) -> None:
        holders = [holder for kind in (str, int, bool, list, dict) for holder, key in _all(values, kind) if key == name]
        dice.choice(holders or [values])[name] = deepcopy(dice.choice(new))

    return change


def _argv(dice: random.Random, values: Values) -> None:
    """A command with a word more, a word less, another word, or its words in another order."""
    for words in _any(dice, [holder[key] for holder, key in _all(values, list) if key == "argv" and holder[key]]):
        at = dice.randrange(len(words))
        match dice.randrange(4):
            case 0:
                words.insert(at, dice.choice(WORDS))
            case 1:
                del words[at]
            case 2:
                words[at] = dice.choice(WORDS)
            case _:
                dice.shuffle(words)


def _order(dice: random.Random, values: Values) -> None:
    """A list in another order, with an item less, or with one twice."""
    for part in _any(dice, [holder[key] for holder, key in _all(values, list) if holder[key]]):
        match dice.randrange(4):
            case 0:
                dice.shuffle(part)
            case 1:
                del part[dice.randrange(len(part))]
            case 2:
                part.append(deepcopy(dice.choice(part)))
            case _:
                part.clear()


def _lose(dice: random.Random, values: Values) -> None:
    for holder, key in _any(dice, [pair for kind in (str, int, list, dict) for pair in _all(values, kind)]):
        del holder[key]


def _digit(dice: random.Random, values: Values) -> None:
    """One more or one less of any number, or another digit in a text."""
    for holder, key in _any(dice, [*_all(values, int), *_all(values, str)]):
        value = holder[key]
        if isinstance(value, int):
            holder[key] = value + dice.choice((-1, 1))
        elif places := [place for place, sign in enumerate(value) if sign.isdigit()]:
            at = dice.choice(places)
            holder[key] = f"{value[:at]}{(int(value[at]) + 1) % 10}{value[at + 1 :]}"


CHANGES: tuple[Callable[[random.Random, Values], None], ...] = (
    _argv, _argv, _order, _lose, _digit,
    _replace(str, WORDS), _replace(int, NUMBERS), _replace(bool, (True, False, 0, "")), _replace(list, ([], [1], "", [[]])),
    _named("host", HOSTS), _named("effect", EFFECTS), _named("timeout", NUMBERS), _named("ok_codes", ([0, 1, 255], [])),
    _named("value", NUMBERS), _named("relation", ("==", "!=", "<=", "x")), _named("guard", ({}, "", {"argv": ["true"]})),
    _named("site", ("other", "")), _named("live", (True, False, 1)), _named("id", ("../x", "x", "")),
    _named("digest", ("0" * 64, "")), _named("severity", ("note", "refusal")), _named("action", ({}, {"argv": ["id"]})),
    _named("made_at", ("2020-01-01T00:00:00+00:00", "x")), _named("detached", (True, 1)), _named("more", (1, "x", [])),
)  # fmt: skip


def _sums(values: Values, own: str, others: tuple[str, ...]) -> tuple[Values, ...]:
    """The values with each seal that can be made, or taken, without the key."""
    plain = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
    seals: list[object] = [own, *others, plain, own.upper(), f" {own}", own[:-1], "0" * 64, "", True, []]
    seals += [seal.of(values, key) for key in KNOWN]
    old = {**values, "format": 2}
    return (
        *({**values, "seal": each} for each in seals),
        {**values, "sha256": plain},
        {**old, "sha256": plain},
        values,
    )


def _bytes(dice: random.Random, content: bytes) -> bytes:
    """The file with a few bytes or lines changed, with no thought of what they mean."""
    lines = content.split(b"\n")
    at, byte = dice.randrange(len(lines)), dice.randrange(len(content))
    match dice.randrange(7):
        case 0:
            return content[:byte] + bytes([dice.randrange(256)]) + content[byte + 1 :]
        case 1:
            return content[:byte]
        case 2:
            return content[:byte] + content[byte + 1 :]
        case 3:
            return b"\n".join((*lines[:at], *lines[at + 1 :]))
        case 4:
            return b"\n".join((*lines[:at], *lines[at:][:2][::-1], *lines[at + 2 :]))
        case 5:
            return b"\n".join((*lines[:at], dice.choice(LINES).encode(), *lines[at:]))
        case _:
            return dice.choice(LINES).encode() + b"\n" + content


def _written(values: Any, dice: random.Random) -> Any:
    """The same values, their keys in another order."""
    if isinstance(values, dict):
        return {key: _written(values[key], dice) for key in dice.sample(sorted(values), len(values))}
    return [_written(each, dice) for each in values] if isinstance(values, list) else values


def alike(dice: random.Random, values: Values) -> bytes:
    """A file that means the same: other order, other quotes, other ends of lines, remarks."""
    text = tomli_w.dumps(_written(values, dice), indent=dice.randrange(8))
    lines = [
        f"{line}{dice.choice(('', ' # a remark', '   '))}" if line.startswith("[") else line
        for line in text.split("\n")
    ]
    return dice.choice(("\n", "\r\n")).join(("# read and found good", *lines)).encode()


def forgery(dice: random.Random, plans: tuple[bytes, ...], parsed: tuple[Values, ...]) -> bytes:
    """One of these sealed plans, changed, and summed anew as far as one can who lacks the key."""
    which = dice.randrange(len(plans))
    if dice.random() < 0.25:
        return _bytes(dice, plans[which])
    values = deepcopy(parsed[which])
    own = values.pop("seal")
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        dice.choice(CHANGES)(dice, values)
    others = tuple(other["seal"] for other in parsed if other["seal"] != own)
    return tomli_w.dumps(dice.choice(_sums(values, own, others))).encode("utf-8", "surrogateescape")
