"""The command line of a verb: words, options with one value, options that may be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .answer import Refused

DISK = ("mount", "uuid")


class Call(NamedTuple):
    """A parsed command line; `one` has "" for an option that was not given, `many` an empty tuple.

    `flags` are the options without a value that were given.
    """

    words: tuple[str, ...]
    one: dict[str, str]
    many: dict[str, tuple[str, ...]]
    flags: frozenset[str] = frozenset()


def parse(
    argv: Sequence[str],
    *,
    words: int,
    one: Sequence[str] = (),
    many: Sequence[str] = (),
    flags: Sequence[str] = (),
    more: bool = False,
) -> Call:
    """Split `argv` into exactly `words` words (at least, with `more`) and the options named.

    `--name value` and `--name=value` are the same; after `--` everything is a word. Raises Refused.
    """
    found: list[str] = []
    said: set[str] = set()
    single = dict.fromkeys(one, "")
    several: dict[str, list[str]] = {name: [] for name in many}
    rest = iter(argv)
    for word in rest:
        if word == "--":
            found.extend(rest)
        elif not word.startswith("--"):
            found.append(word)
        elif word[2:] in flags:
            said.add(word[2:])
        else:
            name, given, value = word[2:].partition("=")
            if name not in single and name not in several:
                raise Refused(f"no option --{name} here", "see docs/store.md")
            text = value if given else next(rest, None)
            if text is None:
                raise Refused(f"--{name} wants a value", "see docs/store.md")
            if name in single:
                single[name] = text
            else:
                several[name].append(text)
    if len(found) < words or (len(found) > words and not more):
        raise Refused(f"{words} words wanted, {len(found)} given", "see docs/store.md")
    repeated = {name: tuple(values) for name, values in several.items()}
    return Call(tuple(found), single, repeated, frozenset(said))


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """Turn repeated `ID=MOUNTPOINT` into a table from ID to mount point. Raises Refused."""
    table: dict[str, str] = {}
    for value in values:
        key, given, mount = value.partition("=")
        if not given or not mount.startswith("/") or key in table:
            raise Refused(f"--{option} wants STEP=/MOUNTPOINT, each step once", "see docs/store.md")
        table[key] = mount
    return table


def number(text: str, option: str, *, least: int = 0) -> int:
    """A whole number of at least `least`, in plain decimal digits. Raises Refused."""
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise Refused(f"{option} wants a number, {least} or more: {text!a}", "see docs/store.md")
    return int(text)
