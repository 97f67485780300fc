"""Whatever a message about a value says to write is taken, for every key and for rubbish of every kind."""

from __future__ import annotations

import ast
import copy
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import schema
from runner.config import complaints, load, meant

ROOT: dict[str, Any] = json.loads((Path(schema.__file__).parent / "jobs.schema.json").read_bytes())
SECTIONS = ("controller", "host", "store", "disk")
NAMES = {"hosts": ["here", "Not Taken"], "stores": ["one", "two"], "disks": []}
VALUES: tuple[Any, ...] = (
    0, 1, 5, 30, 700, 99999, 2.5, True, [], ["all"], ["/", "/"], {}, "", " ", "5", "030", "5 %", "150%", "20 gib", "5 GiB", "20 minutes", "3 weeks",
    "1y", "yes", "Off", "all", "All", "none", "apt-get", "Security", "Papio", "Backup Server", " papio ", "a" * 200, "Bücher", "p\u0430pio",
    "/", "//", "/.", "/srv/", "//srv//a", "/srv/../a", "/./srv", "/srv/a b/", "/*", "*.tmp", "~/x", "./srv", "srv", "srv/x/", " /srv", "$HOME", "C:\\x",
    "papio:/", "papio:/srv/", "papio:/a/../b", "papio:/$x", "ssh://papio", "ssh://papio/", "rsync://papio", "rsync://papio/m/x", "file:///srv", "file://",
    "https://x.org", "http://x y", "sdb1", "papio1", "dev/sdb", "LABEL=papio", "LABEL=my disk", "LABEL=..", "UUID=\"0a4f-3c1e\"", "by-label/papio", "0A4F3C1E-5B1E-4C52-9D0C-0D8F5C1F7A55",
    "root@localhost", "root at localhost", "root (at) x dot org", "Karl <k@x.org>", "Karl Pinc", "mailto:k@x", "a at b at c", "k@x_y at z",
    "[::1", "::1]", "[fd00::2]:22", "papio:22", "papio:", "a:b:c", "Root@papio:22", "root@papio:2222", "ssh://root@pa!pio/", "ops@gate:22", "fe80::1%eth0", "0.0.0.0", "10.0.0", "192.168.0.1/33",
    "every night at 11", "at 11 o'clock every night", "every day at 3:15", "Sunday night at 1:00", "@daily", "@reboot", "weekly", "every 2 hours", "every 5 hours", "15 3 L * *", "15 3 * *", "when quiet",
    "daily 7,weekly 4", "daily", "daily 0", "daily 99999", "hourly 3", "17:00-25:00", "Sat 6:00-10:00", "berlin", "CEST", "New York", "Europe/Berlim",
)  # fmt: skip
LITERAL = r'\{.*\}|\[".*\]|"(?:\\.|[^"\\])*"|\'[^\']*\'|\b(?:true|false|[0-9]+)(?=, without|$)'
SAYS = re.compile(r"\b(?:write|such as|like|one of|did you mean|say \w+ =)\s(.*)")
Rules = Mapping[str, Any]


def parts() -> Iterator[tuple[str, Rules]]:
    """Every key of the schema with its rules, those that are the same but for their example once."""
    found: dict[str, tuple[str, Rules]] = {}
    left: list[Any] = [ROOT]
    while left:
        part = left.pop()
        left += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        for key, rules in part.get("properties", {}).items() if isinstance(part, dict) else ():
            same = json.dumps({**rules, "description": "", "default": "", "examples": key in SECTIONS and key})
            found.setdefault(same, (key, rules))
    return iter(found.values())


def told(key: str, rules: Rules, table: Mapping[str, Any]) -> dict[complaints.KeyPath, str]:
    whole = {"type": "object", "properties": {key: rules}, "required": [key], "$defs": ROOT["$defs"]}
    return {problem.path: problem.text for problem in load._against(whole, table, (), NAMES)}


def proposed(text: str) -> Iterator[Any]:
    """The values that a message, without the one that it is about, says to write."""
    asked = SAYS.search(text.replace("from '/'", ""))
    for value in re.findall(LITERAL, asked[1].partition(", and beside it")[0] if asked else ""):
        yield ast.literal_eval(value) if value[0] == "'" else tomllib.loads(f"key = {value}")["key"]


def at(table: Any, path: complaints.KeyPath) -> Any:
    """What stands there, or "" where nothing does."""
    for part in path:
        table = table[part] if isinstance(part, int) or part in table else ""
    return table


def proposals(key: str, rules: Rules, table: dict[str, Any]) -> int:
    """How many values the messages about a table say to write, each of which is then tried in its place."""
    count = 0
    for path, text in told(key, rules, table).items():
        for value in proposed(text.removeprefix(complaints.show(at(table, path)))):
            other = {"": copy.deepcopy(table)}
            at(other, ("", *path[:-1]))[path[-1]] = value
            assert path not in told(key, rules, other[""]), text
            count += 1
    return count


HOST: Mapping[str, Rules] = ROOT["properties"]["hosts"]["additionalProperties"]["properties"]
RETENTION: Rules = ROOT["properties"]["stores"]["additionalProperties"]["properties"]["retention"]
PARTS = tuple(parts())


@pytest.mark.parametrize(("key", "rules"), PARTS, ids=[f"{key}-{number}" for number, (key, _) in enumerate(PARTS)])
def test_what_a_message_says_to_write_is_taken(key: str, rules: Rules) -> None:
    proposals(key, rules, {})
    count = sum(proposals(key, rules, {key: wrong}) for wrong in VALUES)
    assert count or rules.get("format", rules.get("enum")) in (None, "filesystems")


@pytest.mark.parametrize("key", ["address", "jump"])
def test_what_is_to_stand_beside_an_address_is_taken(key: str) -> None:
    texts = [text for wrong in VALUES for text in told(key, HOST[key], {key: wrong}).values()]
    beside = [found for text in texts for found in re.findall(r"(user|port|address) = ('[^']*'|[0-9]+)", text)]
    assert beside
    for other, value in beside:
        assert not told(other, HOST[other], {other: ast.literal_eval(value)})


@pytest.mark.parametrize("own", [None, "daily 7, weekly 4", "daily 7,weekly 4", "rubbish", "", "daily 99999", 5])
def test_a_thin_that_a_message_says_to_write_is_taken(own: object) -> None:
    for count in (0, 7, -1, -5, 99999, True, 2.5, "all", "", "7", "00", "\u0661", []):
        thin_is_taken(own, count)


def thin_is_taken(own: object, count: object) -> None:
    table = {"min": 1, "max": 2, "keep_weekly": count, "monthly": count} | ({} if own is None else {"thin": own})
    rules = RETENTION["properties"]
    keys, text = meant.thinned(table, rules)
    assert keys == ("keep_weekly", "monthly")
    values = list(proposed(text.replace("says it:", "write")))
    assert len(values) == 1 or str(count).strip("0") == "" and "left out" in text
    for value in values:
        assert not told("thin", rules["thin"], {"thin": value}), text
