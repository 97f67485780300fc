"""What an editor makes of jobs.toml and its first line: taplo checks it, and completes its keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.config.editor import complaints, completions
from tests.contract.jobs_schema import ROOT, SCHEMAS
from tests.schema_bundle import WHOLE, bundled

EXAMPLE = (ROOT / "jobs.toml").read_text()
PLUGINS = """
[jobs.own]
kind = "mine"
host = "papio"
store = 7
anything = 1
[hooks.quota]
module = "mysite.quota"
limit = 5
[hooks."mysite.other"]
limit = 5
[hooks.of_a_package]
limit = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schema").symlink_to(SCHEMAS)
    return tmp_path


def said(folder: Path, text: str) -> str:
    (folder / "jobs.toml").write_text(text)
    return complaints(folder / "jobs.toml")


def test_the_schema_for_editors_has_every_kind_and_hook_as_it_is_now() -> None:
    assert WHOLE.read_text() == bundled(), "make schema"


def test_an_editor_finds_the_example_valid_where_it_lies() -> None:
    assert complaints(ROOT / "jobs.toml") == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("controller =", "controler ="), ("canaries =", "canareis ="), ("live       = false", "live = 0")],
)
def test_an_editor_marks_a_misspelt_key_and_a_wrong_value(folder: Path, right: str, wrong: str) -> None:
    assert wrong.partition(" ")[0] in said(folder, EXAMPLE.replace(right, wrong, 1))


def test_an_editor_lets_be_what_a_plugin_may_bring(folder: Path) -> None:
    assert said(folder, EXAMPLE + PLUGINS) == ""


@pytest.mark.parametrize(
    ("header", "keys"),
    [
        ("[site]", {"name", "timezone", "live"}),
        ("[jobs.drill-papio]", {"kind", "schedule", "canaries", "seed"}),
        ("[hooks.mail]", {"to", "when", "smtp"}),
    ],
)
def test_an_editor_completes_keys(folder: Path, header: str, keys: set[str]) -> None:
    lines = EXAMPLE.splitlines()
    place = next(number for number, line in enumerate(lines, start=1) if line.startswith(header))
    lines.insert(place, 'xx = ""')
    assert keys <= set(completions(folder, "\n".join(lines), place))
