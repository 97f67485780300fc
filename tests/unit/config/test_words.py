"""Words of people and of other programs, and what is proposed in their place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import schema
from runner.config import load, meant, quantity, remedy
from runner.config.address import address, jump, mail
from runner.config.complaints import nearest, no_such
from runner.config.order import crontab
from runner.config.soundness import timezone
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
    ("word", "known", "said"),
    [
        ("keep_last", ("store",), "`min` and `max`"), ("ignore", ("exclude",), "exclude = [...]"), ("hostname", ("address",), "address = ..."),
        ("hostname", ("kind",), ""), ("dry-run", ("kind",), "`runner plan`"), ("colour", ("kind", "store", "schedule"), ""),
    ],
)  # fmt: skip
def test_a_key_of_other_programs_leads_to_ours(word: str, known: tuple[str, ...], said: str) -> None:
    told = meant.key(word, known)
    assert said in told if said else told == ""


@pytest.mark.parametrize(
    ("table", "known", "thin"),
    [
        ({"keep_daily": 60}, ("store",), "daily 60"), ({"keep-monthly": "all"}, ("retention",), "monthly all"), ({"weekly": -1}, ("min",), "weekly all"),
        ({"weekly": 4, "min": 1, "daily": 7}, ("min",), "daily 7, weekly 4"), ({"daily": 7, "keep_daily": 9}, ("min",), "daily 7"),
        ({"thin": "weekly 4", "daily": 7, "weekly": 9}, ("min", "thin"), "weekly 4, daily 7"), ({"daily": 7, "weekly": 0}, ("min",), "daily 7"),
        ({"thin": "rubbish", "daily": 7}, ("min", "thin"), "daily 7"), ({"thin": "", "daily": 7}, ("min", "thin"), "daily 7"),
        ({"thin": "daily 60,weekly 1", "monthly": "all"}, ("min", "thin"), "daily 60, weekly 1, monthly all"), ({"keep_daily": "14"}, ("min",), "daily 14"),
    ],
)  # fmt: skip
def test_counts_of_periods_become_the_one_thin_that_is_taken(
    table: dict[str, object], known: tuple[str, ...], thin: str
) -> None:
    keys, told = meant.thinned(table, known)
    assert keys == tuple(word for word in table if word not in ("min", "thin"))
    assert f'thin = "{thin}", beside' in told
    assert quantity.thinning(thin)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"weekly": True}, 'such as thin = "daily 7, weekly 4"'), ({"daily": 7, "weekly": -5}, 'such as thin = "daily 7, weekly 4"'),
        ({"weekly": 0}, "a period of which none are kept is left out"),
    ],
)  # fmt: skip
def test_a_count_of_periods_that_says_nothing_plain_is_not_guessed(table: dict[str, object], said: str) -> None:
    keys, told = meant.thinned(table, ("min",))
    assert keys == tuple(table)
    assert said in told


def test_a_table_without_retention_counts_no_periods() -> None:
    assert meant.thinned({"keep_daily": 60}, ("name",)) == ((), "")


def test_every_word_for_a_section_leads_to_one_and_none_is_one() -> None:
    sections = set(json.loads((Path(schema.__file__).parent / "jobs.schema.json").read_bytes())["properties"])
    assert {meant.section(word) for word in meant._SECTIONS} <= sections
    assert not set(meant._SECTIONS) & sections
    assert (meant.section("Servers"), meant.section("nonsense")) == ("hosts", "")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("CEST", "write an area and a city"), ("EDT", "write an area and a city"), ("New York", "'America/New_York'"), ("berlin", "'Europe/Berlin'"),
        ("America/New_Yrok", "'America/New_York'"), ("europe/berlin", "'Europe/Berlin'"), ("Nairobbi", "'Africa/Nairobi'"), ("", "write an area"),
    ],
)  # fmt: skip
def test_a_time_zone_is_a_place_and_no_letters_are_guessed(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone; ") as caught:
        timezone(typed)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "value", "rules", "said"),
    [
        ("boolean", 1, {}, ": write true"), ("boolean", 0, {}, ": write false"), ("boolean", 2, {}, ""), ("boolean", "On", {}, ": write true, without quotes"),
        ("string", 5, {"format": "share"}, ': write "5%"'), ("string", 150, {"format": "share"}, ""), ("string", 0, {"format": "amount"}, ""),
        ("string", 5, {"format": "amount"}, ': write "5%" or "5 GiB"'), ("string", 700, {"format": "week"}, ': write "700s" or "700min"'),
        ("string", 5, {"pattern": "^[0-9]$"}, ': write "5"'), ("integer", "30", {"maximum": 9}, ""), ("string", 5, {"pattern": "^[a-z]$"}, ""), ("string", True, {}, ""),
        ("object", "mail.x", {"required": ["host"]}, ': write { host = "mail.x" }'), ("object", "x", {}, ""), ("object", [{}], {}, ": write its [name] in single brackets"),
        ("array", "/a", {}, ': write ["/a"]'), ("array", "a@x", {"items": {"format": "mail"}, "examples": [["b@x"]]}, ': write ["a@x"]'),
        ("array", "a at x", {"items": {"format": "mail"}, "examples": [["b@x"]]}, ', such as ["b@x"]'), ("array", "a at x", {"items": {"format": "mail"}}, ""),
        ("object", "a b", {"required": ["host"], "properties": {"host": {"pattern": "^[a-z]+$"}}}, ""),
        ("integer", "030", {}, ": write 30, without quotes"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_written_so_that_it_is_taken(
    wanted: str, value: object, rules: dict[str, Any], said: str
) -> None:
    told = said_of(value, {"type": wanted, **rules})
    assert told.endswith(said) if said else "write" not in told


def said_of(value: object, rules: dict[str, Any]) -> str:
    (problem,) = load._against({"properties": {"key": rules}}, {"key": value}, ())
    return problem.text


RULEBOOK = remedy.Rulebook(takes=lambda value, rules: re.search(rules["pattern"], str(value)) is not None, names={})
PATH = "^(/(?!\\.{1,2}(/|$))[^/]+)+$"


@pytest.mark.parametrize(
    ("value", "pattern", "said"),
    [
        ("/var/cache/", PATH, ': write "/var/cache"'), ("//var//cache", PATH, ': write "/var/cache"'), ("/var/../etc", PATH, ""), ("/", PATH, ""), ("var", PATH, ""),
        ("Karl", "^[a-z.]+@[a-z.]+$", ""), (" a", "^[a-z]$", ': write "a"'), ("Backup Server", "^[a-z-]+$", ""), ("0A", "^[0-9a-f]+$", ': write "0a"'),
        ("Büro", "^[a-z-]+$", ""), ("/etc/known hosts", "^[a-z/-]+$", ""), ("Karl@x", "^[a-z@]+$", ""), (5, "^5$", ""),
    ],
)  # fmt: skip
def test_a_text_is_put_into_the_form_that_is_taken_where_it_is_near(value: object, pattern: str, said: str) -> None:
    told = remedy.in_another_way(value, {"pattern": pattern}, RULEBOOK)
    assert told == said


def test_only_a_name_of_ours_gets_other_signs_for_its_blanks() -> None:
    rules = {"pattern": "^[a-z-]+$"}
    assert remedy.in_another_way("Backup Server", {**rules, "format": "name"}, RULEBOOK) == ': write "backup-server"'
    assert remedy.in_another_way("root at localhost", rules, RULEBOOK) == ""


@pytest.mark.parametrize(
    ("key", "names", "said"),
    [
        ("host", {"hosts": ["a"]}, ': say host = "a"'), ("host", {"hosts": ["a", "b", "Not A Name"]}, ': one of "a", "b"'), ("controller", {"hosts": ["a"]}, ': say controller = "a"'),
        ("store", {"hosts": ["a"]}, ": it is the NAME of a [stores.NAME]"), ("disk", {"disks": []}, ": it is the NAME of a [disks.NAME]"), ("to", {"hosts": ["a"]}, ': say to = "papio", for instance'),
    ],
)  # fmt: skip
def test_a_name_that_is_missing_is_one_of_this_file_and_no_example(
    key: str, names: dict[str, list[str]], said: str
) -> None:
    rules = {"format": "name", "pattern": "^[a-z]+$", "examples": ["papio"]}
    assert remedy.of_nothing(key, rules, remedy.Rulebook(takes=RULEBOOK.takes, names=names)) == said
    assert remedy.of_nothing("host", {**rules, "format": "address"}, RULEBOOK) == ': say host = "papio", for instance'


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("root at localhost", "root@localhost"), ("root (at) localhost", "root@localhost"), ("k[AT]x [dot] org", "k@x.org"), ("root @ localhost", "root@localhost"),
        ("Karl <k@x.org>", "k@x.org"), ("mailto:k@x.org", "k@x.org"), (" k@x.org", "k@x.org"),
        ("root", ""), ("k@x.org", ""), ("Karl Pinc", ""), ("look at this text", ""), ("a at b at c", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_mail_address_that_is_written_for_people_is_read(text: str, plain: str) -> None:
    if not plain:
        assert mail(text) == text
        return
    with pytest.raises(ValueError, match=f'is not a mail address: write "{plain}"'):
        mail(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("192.168.199.256", "is not an IP address"), ("10.0.0", "is not an IP address"), ("0.0.0.0", "no address of one host"), ("::", "no address of one host"),
        ("224.0.0.1", "no address of one host"), ("255.255.255.255", "no address of one host"),
        ("h:99999", "has the port 99999, and ports go from 1 to 65535"), ("h:0", "ports go from 1 to 65535"), ("h:", "ends in a colon: take it out"), ("::1:", "ends in a colon: take it out"),
        ("a:b:c", "has a colon and is no IPv6 address"), ("[::1", "has one bracket of a pair"), ("::1]", "has one bracket of a pair"), ("[::1:22", "has one bracket of a pair"),
    ],
)  # fmt: skip
def test_what_can_be_no_host_is_no_address(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        address(text)


@pytest.mark.parametrize(
    ("text", "letters"), [("15 3 L * *", "L"), ("0 0 * * 5L", "L"), ("0 0 LW * *", "LW"), ("0 0 * * Sunday", "Sunday")]
)
def test_what_other_crons_have_more_is_not_taken(text: str, letters: str) -> None:
    with pytest.raises(ValueError, match=f"has '{letters}'"):
        crontab(text)


@pytest.mark.parametrize(
    "text",
    [
        "papio.test",
        "192.168.199.2",
        "fd00::2",
        "::1",
        "backup-server1",
        "-oProxyCommand=x",
        "",
        "Root@papio:22",
        "pa!pio:22",
    ],
)
def test_a_plain_address_and_what_can_be_none_pass(text: str) -> None:
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
        ("every day at 3:15", "15 3 * * *"), ("daily at 03:15", "15 3 * * *"), ("at 3", "0 3 * * *"), ("3:15 pm", "15 15 * * *"), ("every night at 12:30am", "30 0 * * *"),
        ("nightly at 3", "0 3 * * *"), ("every night at 23:00", "0 23 * * *"), ("every night at 9 am", "0 9 * * *"), ("Sunday night at 11pm", "0 23 * * 0"), ("at 8 o'clock", "0 8 * * *"),
        ("Sunday night at 1 am", "such as '15 3 * * *' for 3:15 every day"), ("at 11 o'clock every night", "such as '15 3 * * *' for 3:15 every day"),
        ("Every Sunday at 4:00", "0 4 * * 0"), ("Sat, Sun 6:00", "0 6 * * 6,0"), ("weekdays at 17:05", "5 17 * * 1-5"), ("weekly on Tuesdays at 3am", "0 3 * * 2"),
        ("every 2 hours", "0 */2 * * *"), ("every 1 hour", "0 * * * *"), ("15 minutes", "*/15 * * * *"), ("every hour", "0 * * * *"), ("every  week", "0 0 * * 0"),
        ("03:05", "5 3 * * *"), ("weekly at three in April", "such as '15 3 * * *' for 3:15 every day"), ("@reboot", "@reboot line of cron"), ("@yearly", "0 0 1 1 *"),
    ],
)  # fmt: skip
def test_other_ways_to_say_when_are_put_into_five_fields(text: str, fields: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        crontab(text)
    assert fields in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "0 0 * * *",
        "15 3 * * Sun",
        "never",
        "25:00",
        "3",
        "every 5 hours",
        "every 90 minutes",
        "3:15 and 4:15",
        "13pm",
        "first Sunday at 3:00",
        "weekly at 3:00",
        # 23:00 or 11:00? And at 1:00 the night of a Sunday is Monday.
        "every night at 11",
        "nightly at 11:30",
        "every night at 5:00",
        "every night at 12",
        "Sunday night at 1:00",
        "*-*-* 03:15:00",
    ],
)
def test_five_fields_and_nonsense_are_left_to_who_reads_them(text: str) -> None:
    assert crontab(text) == text
