"""The schemas and docs/jobs.md: complete, closed, true, and usable by an editor."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from tests.contract.jobs_schema import KINDS, ROOT, keys, read, rows

HOOKS = ("hooks/announce", "hooks/fsck", "hooks/mail")
JOBS_TOML = ("jobs", *HOOKS, *(f"kinds/{kind}" for kind in KINDS))
KEYS = list(keys())


def editor() -> Draft202012Validator:
    """jobs.schema.json as an editor has it: one file."""
    return Draft202012Validator(read("jobs"))


def example() -> dict[str, Any]:
    return tomllib.loads((ROOT / "jobs.toml").read_text())


def objects(part: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        for inner in part.values():
            yield from objects(inner)


@pytest.mark.parametrize("name", JOBS_TOML)
def test_each_schema_is_json_schema_2020_12(name: str) -> None:
    assert read(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(read(name))


@pytest.mark.parametrize("name", ["jobs", *HOOKS])
def test_no_table_takes_keys_that_it_does_not_name(name: str) -> None:
    rules = read(name)
    if name == "jobs":
        # Of a plugin's hooks and jobs nobody here knows the keys; those of our kinds of job are under `kinds`.
        rules["properties"]["hooks"]["additionalProperties"] = False
        rules["$defs"] = {word: part for word, part in rules["$defs"].items() if word not in ("any_job", "job")}
    for table in objects(rules):
        assert table.get("additionalProperties", True) is not True


@pytest.mark.parametrize(("path", "part"), [(path, part) for path, part, _ in KEYS], ids=[key[0] for key in KEYS])
def test_every_key_has_a_description_and_examples_that_hold(path: str, part: dict[str, Any]) -> None:
    assert part.get("description", "").endswith((".", "."))
    if part.get("type") != "object":
        validator = Draft202012Validator({**part, "$defs": read("jobs")["$defs"]}, format_checker=FormatChecker(()))
        for value in (*part["examples"], *([part["default"]] if "default" in part else [])):
            validator.validate(value)


def test_every_key_is_in_the_documentation_as_the_schema_has_it() -> None:
    text = (ROOT / "docs" / "jobs.md").read_text()
    written = [line for line in text.splitlines() if re.match(r"\| `[a-z]+\.", line)]
    assert sorted(written) == sorted(rows().values())


def test_an_editor_accepts_the_example() -> None:
    assert list(editor().iter_errors(example())) == []


@pytest.mark.parametrize(
    "way", [("site", "nmae"), ("jobs", "backup-papio", "stoer"), ("hooks", "mail", "form")], ids=".".join
)
def test_an_editor_marks_a_misspelt_key(way: tuple[str, ...]) -> None:
    tables = example()
    table = tables
    for name in way[:-1]:
        table = table[name]
    table[way[-1]] = {}
    assert len(list(editor().iter_errors(tables))) == 1


def test_an_editor_lets_the_jobs_and_hooks_of_plugins_be() -> None:
    tables = example()
    tables["jobs"]["own"] = {"kind": "mine", "host": "papio", "anything": 1}
    tables["hooks"] |= {"mysite.quota": {"anything": 1}, "of_an_installed_package": {"anything": 1}}
    assert list(editor().iter_errors(tables)) == []
