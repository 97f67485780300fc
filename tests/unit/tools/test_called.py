"""Advice is shown with the command that works from any folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.cli.verbs import VERBS
from runner.tools import called
from runner.tools.called import Spelling

HERE = "/srv/runner/.venv/bin/runner"


def test_every_verb_is_known() -> None:
    assert set(called._VERBS.split("|")) == set(VERBS)


@pytest.mark.parametrize(
    ("advice", "shown"),
    [
        ("runner run reboot --yes", f"{HERE} run reboot --yes"),
        ("see in `runner history` which runs failed", f"see in `{HERE} history` which runs failed"),
        ("runner plan a --out p, then: runner apply p", f"{HERE} plan a --out p, then: {HERE} apply p"),
        ("runner restore-db --swap a b", f"{HERE} restore-db --swap a b"),
        ("(runner snapshots --exceptions)", f"({HERE} snapshots --exceptions)"),
        ("the runner has a kind 'x' already", "the runner has a kind 'x' already"),
        ("a runner running runner-agent probe", "a runner running runner-agent probe"),
        ("/home/a/runner run and my.runner run", "/home/a/runner run and my.runner run"),
    ],
)
def test_a_command_is_shown_with_the_programs_path_once(advice: str, shown: str) -> None:
    spelling = Spelling(program=HERE)
    assert spelling.advice(advice) == shown == spelling.advice(shown)
    assert Spelling().advice(advice) == advice


@pytest.mark.parametrize(
    "advice",
    [
        "look at /srv/my runner plan.txt",
        "see: runner plan.txt",
        "runner plan/x is a file",
        "x runner run y",
        "a:runner run",
    ],
)
def test_a_path_with_the_words_of_a_command_is_none(advice: str) -> None:
    assert Spelling(program=HERE, file="/x").advice(advice) == advice


def test_of_a_command_only_its_beginning_is_the_runners() -> None:
    spelling = Spelling(program=HERE)
    assert spelling.command("runner restore papio '/srv: runner run x'") == f"{HERE} restore papio '/srv: runner run x'"
    assert spelling.command("mount '/srv: runner run x'") == "mount '/srv: runner run x'"


def test_a_file_that_was_named_is_named_again() -> None:
    shown = "runner run --file /etc/runner/jobs.toml a --yes"
    spelling = Spelling(file="/etc/runner/jobs.toml")
    assert spelling.advice("runner run a --yes") == spelling.command("runner run a --yes") == shown


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ((), ""), (("status",), ""), (("status", "-f", "x"), "x"), (("status", "--file=x"), "x"), (("status", "-fx"), "x"),
        (("status", "--file", "x", "y"), "x"), (("restore-db", "--", "-f", "x"), ""), (("status", "-f"), ""),
    ],
)  # fmt: skip
def test_which_file_was_named(words: tuple[str, ...], file: str) -> None:
    assert called.file_named(words) == file


def test_what_advises_a_command_names_a_verb_that_there_is() -> None:
    house = Path(called.__file__).parents[1]
    texts = [path.read_text("utf-8") for path in (*house.rglob("*.py"), *house.parent.glob("docs/*.md"))]
    advised = {word for text in texts for word in re.findall(r"`runner ([a-z][a-z-]+)[ `]", text)}
    assert len(advised) > 5 and advised <= set(VERBS)
