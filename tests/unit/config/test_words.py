"""Words of people and of other programs, and what is proposed in their place."""

from __future__ import annotations

import pytest

from runner.config import meant
from runner.config.address import address, jump
from runner.config.complaints import nearest, no_such
from runner.config.order import crontab
from runner.jobs.catalogue import KINDS

HOOKS = ("announce", "fsck", "mail")


@pytest.mark.parametrize(
    ("typed", "known", "near"),
    [
        ("slack", HOOKS, ""), ("mial", HOOKS, "mail"), ("mails", HOOKS, "mail"), ("post", HOOKS, ""), ("announcer", HOOKS, "announce"),
        ("papoi", ("papio", "paris"), "papio"), ("snapshit", KINDS, "snapshot"), ("form", ("from", "to"), "from"),
        ("America/New_Yrok", ("America/New_York", "America/Nome"), "America/New_York"), ("", HOOKS, ""), ("x", HOOKS, ""),
        ("backup-server", ("backup-server1", "papio"), "backup-server1"), ("elsewhere", ("papio",), ""), ("disc", ("disk",), "disk"),
    ],
)  # fmt: skip
def test_only_a_slip_of_the_hand_is_proposed(typed: str, known: tuple[str, ...], near: str) -> None:
    assert nearest(typed, known) == near


def test_where_nothing_is_near_all_are_named() -> None:
    assert no_such("hook", "slack", HOOKS) == "there is no hook 'slack'; known: announce, fsck, mail"


def test_every_word_for_a_kind_leads_to_a_kind_and_none_is_one() -> None:
    assert {meant.kind(word) for word in meant._KINDS} <= set(KINDS)
    assert not set(meant._KINDS) & set(KINDS)
    assert (meant.kind("Backup"), meant.kind("snapshot"), meant.kind("nonsense")) == ("snapshot", "", "")


@pytest.mark.parametrize(
    ("word", "value", "known", "said"),
    [
        ("keep_daily", 60, ("store",), 'thin = "daily 60"'), ("keep-monthly", "all", ("retention",), 'thin = "monthly 7"'),
        ("weekly", True, ("min", "max"), 'thin = "weekly 7"'), ("keep_daily", 60, ("name",), ""), ("keep_last", 5, ("store",), "`min` and `max`"),
        ("ignore", [], ("exclude",), "exclude = [...]"), ("hostname", "x", ("address",), "address = ..."), ("hostname", "x", ("kind",), ""),
        ("dry-run", True, ("kind",), "`runner plan`"), ("colour", 1, ("kind", "store", "schedule"), ""),
    ],
)  # fmt: skip
def test_a_key_of_other_programs_leads_to_ours(word: str, value: object, known: tuple[str, ...], said: str) -> None:
    told = meant.key(word, value, known)
    assert said in told if said else told == ""


@pytest.mark.parametrize(
    "text", ["papio.test", "192.168.199.2", "fd00::2", "::1", "backup-server1", "-oProxyCommand=x", ""]
)
def test_a_plain_address_passes(text: str) -> None:
    assert address(text) == jump(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[fd00::2]", "write 'fd00::2'"), ("[fd00::2]:2222", "write 'fd00::2', and beside it port = 2222"),
        ("root@papio:2222", "write 'papio', and beside it user = 'root' and port = 2222"),
        ("root@fd00::2", "write 'fd00::2', and beside it user = 'root'"), ("papio:22", "write 'papio', and beside it port = 22"),
        ("ssh://root@papio:22/", "write 'papio', and beside it user = 'root' and port = 22"), ("papio:/srv", "write 'papio'"),
        ("fe80::1%eth0", "on one cable only"), ("[fe80::1%eth0]:22", "on one cable only"), ("fe80::1", "on one cable only"),
    ],
)  # fmt: skip
def test_what_is_more_than_an_address_is_taken_apart(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        address(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gate:2222", "address = 'gate' and port = 2222"), ("ops@[fd00::2]:22", "address = 'fd00::2' and port = 22"),
        ("[fd00::2]", "write 'fd00::2'"), ("ops@fe80::1%eth0", "on one cable only"), ("ssh://ops@gate", "write 'ops@gate'"),
    ],
)  # fmt: skip
def test_a_host_to_jump_over_with_a_port_gets_a_table(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        jump(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("@daily", "0 0 * * *"), ("daily", "0 0 * * *"), ("@Weekly", "0 0 * * 0"), ("@hourly", "0 * * * *"), ("3:15", "15 3 * * *"),
        ("03:05", "5 3 * * *"), ("@reboot", "@reboot line of cron"), ("@yearly", "0 0 1 1 *"),
    ],
)  # fmt: skip
def test_other_ways_to_say_when_are_put_into_five_fields(text: str, fields: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        crontab(text)
    assert fields in str(caught.value)


@pytest.mark.parametrize("text", ["0 0 * * *", "15 3 * * Sun", "never", "25:00"])
def test_five_fields_and_nonsense_are_left_to_who_reads_them(text: str) -> None:
    assert crontab(text) == text
