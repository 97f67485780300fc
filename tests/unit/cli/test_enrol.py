"""runner enrol: what only a person on the host decides is in no order."""

from __future__ import annotations

import pytest

from runner.__main__ import run


@pytest.mark.parametrize("way", [("--out", "order.toml"), ("--order", "order.toml")])
@pytest.mark.parametrize("more", [("--keepers", "1"), ("--from", "192.168.199.1")])
def test_an_order_says_nothing_of_who_signs_or_from_where(
    way: tuple[str, ...], more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["enrol", "server", *way, *more]) == 2
    said = capsys.readouterr().err
    assert "an order changes neither who signs nor from where the key is good" in said and "--with KEY" in said


def test_what_is_signed_is_not_added_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["enrol", "server", "--order", "order.toml", "--allow", "reboot"]) == 2
    assert "give --allow with --out" in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--out", "a", "--order", "b"), ("--out", "a", "--with", "b"), ("--keepers", "9")])
def test_ways_that_exclude_each_other(more: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as left:
        run(["enrol", "server", *more])
    assert left.value.code == 2
