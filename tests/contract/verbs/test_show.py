"""What is printed: the runner's own commands as they are typed, everything else as it is."""

from __future__ import annotations

import sys

import pytest

from runner.cli.terminal.show import complain, show
from runner.report.line import Table, line

PROGRAM = "/srv/my runner/.venv/bin/runner"
FILE = "/srv/my runner plan.txt"


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner is not on the PATH, and the site is its own."""
    monkeypatch.setattr("runner.tools.called.is_beside", lambda file: True)
    monkeypatch.setattr(sys, "argv", [PROGRAM, "find"])
    monkeypatch.setenv("PATH", "/nowhere")


def test_a_name_that_looks_like_a_command_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show([line((FILE, "name")), line("  ", FILE), Table(head=("file", "size"), rows=((FILE, "7"), ("b", "123")))])
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == [FILE, f"  {FILE}"]
    assert FILE in shown[3] and PROGRAM not in "".join(shown)


def test_commands_and_what_to_do_are_shown_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    show([line(("runner find PATH", "command")), line(("see: runner plan", "advice"))])
    assert capsys.readouterr().out == f"'{PROGRAM}' find PATH\nsee: '{PROGRAM}' plan\n"
    complain(f"runner: there is no {FILE}", "look:", "runner history")
    assert capsys.readouterr().err == f"runner: there is no {FILE}\n  -> look: '{PROGRAM}' history\n"


def test_nothing_that_a_host_answered_is_more_than_text_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[31m\u202e\udc80\0"
    show([line((hostile, "name")), Table(head=("type", "path"), rows=((f"{hostile}\nfile", hostile),))])
    shown = capsys.readouterr().out
    assert shown.count("\n") == 3
    assert not {"\x1b", "\u202e", "\udc80", "\0"} & set(shown)
