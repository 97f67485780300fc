"""What the wire says is read as words, and a verb is let through with arguments of this key's stores alone."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.__main__ import VERBS
from runner.agent.answer import Denied, Refused
from runner.agent.policy import allowed, wire
from runner.agent.policy.contract.enrol import Enrol
from runner.agent.policy.enrol import with_line
from runner.agent.policy.rights import FURTHER, Rights, StoreRights
from runner.agent.policy.text import with_table
from runner.agent.probe import READERS
from runner.hosts import boot
from runner.hosts.ssh import _START

TOKEN, STORE, OTHER = "5a" * 16, "/srv/backups/papio", "/srv/backups/karl"
NAME, DIGEST = "2026-11-23T081500Z", "0f" * 32
RIGHTS = Rights("papio", {STORE: StoreRights()}, ("/srv/data",))
ALL = Rights("papio", {STORE: StoreRights(reads="all")}, ("/",), ("reboot",), FURTHER)


def over_ssh(*argv: str) -> str:
    return f"exec {shlex.join(('sh', '-c', _START, TOKEN, *argv))}"


def test_what_the_runner_sends_is_read_without_its_shell() -> None:
    assert wire.read(over_ssh("runner-agent", "newest", STORE)) == wire.WireRequest(
        ("runner-agent", "newest", STORE), TOKEN
    )
    asked = wire.read(over_ssh("python3", "-IS", "-c", boot.BOOT, DIGEST, "9", "/usr/local/sbin/runner-agent"))
    assert asked == wire.WireRequest(("probe",), TOKEN, DIGEST, "/usr/local/sbin/runner-agent")
    bare = wire.read("rsync --server -slHogDtpAXrxSe.LsfxCIvu")
    assert bare == wire.WireRequest(("rsync", "--server", "-slHogDtpAXrxSe.LsfxCIvu"))
    idle = wire.read(over_ssh(*wire.IDLE, "/usr/local/sbin/runner-agent", "freed", STORE))
    assert (idle.niceness, idle.idle, idle.words[1]) == (19, True, "freed")


@pytest.mark.parametrize(
    "command", ["", "exec sh -c id", "exec sh -c 'id' token id", "'", "x" * (wire.LONGEST + 1), f"exec sh -c x {TOKEN}"]
)
def test_what_is_no_command_of_the_runner_is_none(command: str) -> None:
    with pytest.raises(Denied):
        wire.read(command)


@given(command=st.text(max_size=60))
def test_any_command_is_words_or_denied(command: str) -> None:
    try:
        asked = wire.read(command)
    except Denied:
        return
    assert all(isinstance(word, str) for word in asked.words)


@pytest.mark.parametrize(
    "words",
    [
        ("seal", OTHER, NAME, "--plan=p"),
        ("seal", f"{STORE}/", NAME, "--plan=p"),
        ("begin", f"{STORE}/../karl", NAME, "--plan=p", "--basis=", "--", "/"),
        ("expire", OTHER, NAME, "--plan=p", "--min=1"),
        ("keep-room", "/etc", "--", "rsync", "--server"),
        ("floor", STORE, "1", "--plan=p", "--lower"),
        ("unpin", STORE, NAME, "--plan=p"),
        ("set-aside", STORE, NAME, "--plan=p", "--min=1"),
        ("find", STORE),
        ("look", "/etc", f"--scans={allowed.SCANS}x", f"--name={NAME}"),
        ("look", "/srv/database", f"--scans={allowed.SCANS}x", f"--name={NAME}"),
        ("look", "/srv/data", "--scans=/etc/cron.d", f"--name={NAME}"),
        ("look", "/srv/data", f"--scans={allowed.SCANS}../../cron.d", f"--name={NAME}"),
        ("look", "/srv/data", f"--scans={allowed.SCANS}a/b", f"--name={NAME}"),
        ("restored", "/root"),
        ("detached", "--state=/root"),
        ("idle", "--state=/root"),
        ("hold-host", "packages", "--plan=p", "--who=w"),
        ("hold-host", "power", "--plan=p", "--who=w"),
        ("detach", "--plan=p", "--step=s", "--", "id"),
        ("bring", "--", "id"),
        ("make-restored", "/etc", "x"),
        ("put-fstab-line", "--new=x"),
        ("make-unwritable", "/"),
        ("mark-disk", STORE, "--uuid=x", "--since=x"),
        ("dump", "/srv", NAME, "--programs=/tmp", "--", "x"),
        ("databases", "--programs=/tmp"),
        ("page", "http://169.254.169.254/"),
        ("access", "--file=/etc/shadow"),
        ("in-use", "/"),
        ("serve", "root"),
        ("enrol", "papio", "--public=x", "--policy=x"),
        ("refused", "--forget"),
        ("nothing",),
        (),
    ],
)
def test_a_key_has_no_right_to_what_is_not_its_own(words: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        allowed.require(RIGHTS, words)
    assert refused.value.do


@pytest.mark.parametrize(
    "words",
    [
        ("hold-host", "power", "--plan=p", "--who=w", "--state=/etc"),
        ("hold-host", "the-store", "--plan=p", "--who=w"),
        ("access", "--file=/etc/shadow", "--hours=1", "--rows=1"),
        ("access", "--state=/etc", "--hours=1", "--rows=1"),
        ("unpin", OTHER, NAME, "--plan=p"),
        ("detach", "--plan=p", "--step=s", "--", "id"),
        ("enrol", "papio", "--public=x", "--policy=x"),
        ("serve", "papio"),
    ],
)
def test_not_even_a_key_with_all_rights_has_these(words: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        allowed.require(ALL, words)


def test_what_a_day_wants_is_allowed_and_says_what_it_reads() -> None:
    assert allowed.require(RIGHTS, ("seal", STORE, NAME, "--plan=p")) == allowed.Allowed(STORE)
    assert allowed.require(RIGHTS, ("search", STORE, NAME)) == allowed.Allowed(STORE, (NAME,))
    sample = ("sample", STORE, "--seed=1", "--files=1", "--most=1", "--", NAME)
    assert allowed.require(RIGHTS, sample) == allowed.Allowed(STORE, (NAME,))
    assert allowed.require(ALL, ("find", STORE)) == allowed.Allowed(STORE)
    look = ("look", "/srv/data/x", f"--scans={allowed.SCANS}server", f"--name={NAME}")
    assert allowed.require(RIGHTS, look) == allowed.Allowed(source="/srv/data/x")
    assert allowed.require(ALL, ("unpin", STORE, NAME, "--plan=p")) == allowed.Allowed(STORE)
    assert allowed.require(ALL, ("hold-host", "power", "--plan=p", "--who=w")) == allowed.Allowed()


def test_every_verb_that_is_allowed_is_one_and_its_contract_is_there() -> None:
    assert set(allowed._VERBS) <= set(VERBS)
    for place, _ in allowed._VERBS.values():
        with pytest.raises(Refused):
            allowed.options(place, ("--of-tomorrow=1",))


def test_each_look_that_a_probe_may_ask_for_is_judged() -> None:
    # What asks PostgreSQL names programs that are run.
    assert set(READERS) - {"databases", "dumps"} == set(allowed._ASKED) <= set(allowed._VERBS)


@pytest.mark.parametrize("argv", [("sh", "-c", "id"), ("runner-agent", "seal"), ("runner-agent",), (), ("up",)])
def test_a_probe_may_ask_for_looks_of_the_agent_alone(argv: tuple[str, ...]) -> None:
    with pytest.raises(Denied):
        allowed.require_question(RIGHTS, argv)


KEY = f"ssh-ed25519 {'A' * 68}"
TABLE = '[keys.papio]\nsources = ["/"]\n\n[keys.papio.stores."/srv/a"]\nfloor = 3\n'


def test_a_table_takes_the_place_of_its_own_and_all_else_stays() -> None:
    before = '# mine\nformat = 1\n\n[keys.karl]\n# of karl\npower = ["reboot"]\n'
    first = with_table(before, "papio", TABLE)
    assert first == before + "\n" + TABLE
    assert with_table(first, "papio", TABLE) == first
    second = with_table(first + "\n[keys.last]\n", "papio", TABLE.replace("3", "4"))
    assert "# of karl\n" in second and "floor = 4" in second and "floor = 3" not in second and "[keys.last]" in second


@pytest.mark.parametrize("table", ["[keys.karl]\n", "[keys.papio]\n[keys.karl]\n", "format = 1\n", "", "x"])
def test_a_table_of_another_key_is_refused(table: str) -> None:
    with pytest.raises(Refused):
        with_table("", "papio", table)


def test_a_line_takes_the_place_of_its_own_and_a_key_that_is_unbound_stays_out() -> None:
    options = Enrol("papio", KEY, TABLE, "192.168.199.1")
    others = "# root's\nssh-ed25519 BBBB root\n"
    bound = with_line(others, options)
    assert bound.startswith(others) and bound.count("\n") == 3
    (line,) = [each for each in bound.splitlines() if KEY in each]
    assert line.startswith('restrict,from="192.168.199.1",command="/usr/bin/setpriv --no-new-privs ')
    assert f' -- /usr/local/sbin/runner-agent serve papio" {KEY} ' in line
    assert with_line(bound, options) == bound
    again = with_line(bound, options._replace(public=f"ssh-ed25519 {'C' * 68}"))
    assert KEY not in again and again.count("serve papio") == 1
    with pytest.raises(Refused, match="already"):
        with_line(f"{KEY} root\n", options)


def test_a_line_keeps_the_rights_that_what_is_allowed_needs_and_no_more() -> None:
    options = Enrol("papio", KEY, TABLE)
    plain, power, packages = (
        with_line("", options._replace(policy=TABLE.replace("[keys.papio]", f"[keys.papio]{more}", 1)))
        for more in ("", '\npower = ["reboot"]', '\npackages = ["updates"]')
    )
    assert "+audit_write" not in plain and "+audit_write" in power
    assert all("setpriv --no-new-privs --bounding-set=-all," in line for line in (plain, power))
    assert packages.startswith('restrict,command="/usr/local/sbin/runner-agent serve papio" ')
