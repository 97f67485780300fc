"""What an order says is what keepers read: what a host would read otherwise is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.answer import STALE, AlreadyDone, Denied, Refused
from runner.agent.policy import keepers, order, rights, text
from runner.agent.policy.contract.take import OrderStanding
from runner.jobs.policy import order as written
from runner.jobs.policy.rights import policy
from runner.model.plan import Command, PutFile
from runner.planning import planner
from runner.report.line import plain
from runner.report.plan import plan_lines
from runner.tools.keepers import lines
from tests.unit import parts

MACHINE, WAS, OLD = "5a" * 16, "0f" * 32, "1e" * 32
SITE = parts.site(live=True)
TABLE = policy(SITE, parts.SERVER, {"papio": 1})
STANDING = OrderStanding(MACHINE, 3, 2, WAS, OLD, TABLE.replace("floor = 1", "floor = 30"))
ORDER = written.text(SITE, parts.SERVER, STANDING, b"program", TABLE)
HOST = order.HostStanding(MACHINE, 3, WAS, OLD, as_ordered=False)
POLICY = f'{text.HEAD}\n[keys.other]\nsources = ["/srv"]\n\n{TABLE}'


def test_what_is_written_is_what_a_host_reads() -> None:
    known = order.read(ORDER)
    assert (known.machine, known.number, known.was, known.size) == (MACHINE, 4, WAS, 7)
    assert known.table == TABLE and "#   - floor = 30\n#   + floor = 1\n" in ORDER
    order.require_fits(known, HOST)
    order.require_fits(known, HOST._replace(agent=known.agent))
    same = written.text(SITE, parts.SERVER, STANDING._replace(policy=TABLE), b"program", TABLE)
    assert "nothing changes." in same and "#   +" not in same


def test_what_a_host_says_of_its_policy_is_a_comment_and_stays_one() -> None:
    lying = STANDING._replace(policy='\x1b[2Jx\n[keys.papio]\nfloor = 1\u2028number = 1\nname = "ö"')
    known = order.read(written.text(SITE, parts.SERVER, lying, b"program", TABLE))
    assert (known.number, known.table) == (4, TABLE)


def changed(old: str, new: str) -> Callable[[str], str]:
    return lambda whole: whole.replace(old, new)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed("number = 4", "number = 4\nsigned = 1"), "that is no order"),
        (changed("number = 4", "number = true"), "that is no order"),
        (changed("number = 4", 'number = "4"'), "that is no order"),
        (changed("number = 4", "number = 4\nnumber = 5"), "says 'number' again"),
        (changed("format = 1", "format = 2"), "that is no order"),
        (changed("[keys.papio]", " [keys.papio]"), "that is no order"),
        (lambda whole: f"# \x1b[8m{whole}", "characters that do not show"),
        (lambda whole: f"# \u202e{whole}", "characters that do not show"),
        (lambda whole: whole.replace("\n", "\r\n"), "characters that do not show"),
        (lambda whole: whole + "# x\n" * 20_000, "too long"),
        (lambda whole: "", "that is no order"),
    ],
)
def test_what_is_not_read_by_all_in_the_same_way_is_no_order(change: Callable[[str], str], says: str) -> None:
    assert change(ORDER) != ORDER
    with pytest.raises(Denied, match=says) as denied:
        order.read(change(ORDER))
    assert denied.value.do


@given(whole=st.text(max_size=200) | st.text("[]keys.papio=\"'#\n 1nuber", max_size=200))
def test_any_text_is_an_order_or_denied(whole: str) -> None:
    for given_text in (whole, ORDER + whole, whole + ORDER, ORDER.replace("number = 4\n", whole)):
        try:
            known = order.read(given_text)
        except Denied:
            continue
        assert set(map(type, known)) == {str, int} and known.table.startswith("[")


@given(table=st.text("[]keys.papiother=\"'#\n 1sgned", max_size=80))
def test_no_order_reaches_beyond_the_table_of_its_key(table: str) -> None:
    try:
        after = text.with_table(POLICY, "papio", f"{TABLE}{table}")
    except Refused:
        return
    assert text.table_of(after, "other") == text.table_of(POLICY, "other")
    assert after.startswith(text.HEAD) and rights.parse(after, "other") == rights.parse(POLICY, "other")


@pytest.mark.parametrize(
    ("differs", "says", "code"),
    [
        ({"machine": "6b" * 16}, "and this one is 6b", 1),
        ({"machine": ""}, "and this one is not known", 1),
        ({"taken": 4}, "has the number 4, and 4 was taken here", 1),
        ({"taken": 9}, "has the number 4, and 9 was taken here", 1),
        ({"was": "00" * 32}, "is not the one that the order was made for", STALE),
        ({"agent": "00" * 32}, "is not the one that the order replaces", STALE),
    ],
)
def test_an_order_is_for_one_host_as_it_is_now(differs: dict[str, Any], says: str, code: int) -> None:
    with pytest.raises(Denied, match=says) as denied:
        order.require_fits(order.read(ORDER), HOST._replace(**differs))
    assert denied.value.code == code


def test_a_program_has_a_size_that_programs_have() -> None:
    for size in (0, order.MOST_PROGRAM + 1):
        with pytest.raises(Denied, match="no program has"):
            order.require_fits(order.read(ORDER)._replace(size=size), HOST)


def test_what_was_taken_and_still_stands_is_done_and_what_somebody_took_back_is_not() -> None:
    known = order.read(ORDER)
    taken = HOST._replace(taken=4, was="00" * 32, agent=known.agent, as_ordered=True)
    with pytest.raises(AlreadyDone):
        order.require_fits(known, taken)
    for other in (taken._replace(as_ordered=False), taken._replace(agent=OLD)):
        with pytest.raises(Denied, match="4 was taken here"):
            order.require_fits(known, other)


def test_a_number_stands_above_all_tables_once_and_the_rest_stays() -> None:
    signed = text.with_number(POLICY, "signed", 2)
    assert signed == POLICY.replace("format = 1\n", "format = 1\nsigned = 2\n")
    assert text.with_number(text.with_number(signed, "signed", 3), "signed", 0) == POLICY
    assert text.with_number('[keys.papio]\nsigned = "no"', "taken", 1) == 'taken = 1\n[keys.papio]\nsigned = "no"'
    assert text.with_number("", "taken", 1) == "taken = 1\n"
    for wrong in ('signed = "2"', "signed = true", "signe = 2", "signed = 2\nsigned = 2"):
        with pytest.raises(Refused):
            rights.parse(f"{wrong}\n{TABLE}", "papio")


def test_the_table_of_a_key_is_what_was_written_for_it() -> None:
    whole = text.with_table(POLICY, "papio", TABLE)
    assert text.table_of(whole, "papio") == TABLE.strip("\n") and text.table_of(whole, "karl") == ""


BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIHV44GF4eg58FzRym7X+5OHUFC8vurquTe4/rSCF0TiN"


def test_who_may_sign_is_read_by_both_sides_in_the_same_way() -> None:
    file = f"# who\n\n  anna   ssh-ed25519 {BLOB}   her laptop\n"
    (keeper,) = keepers.parse(lines(file)).values()
    assert keeper == keepers.Keeper("anna", f"anna ssh-ed25519 {BLOB}")


@pytest.mark.parametrize(
    "line",
    [
        f"* ssh-ed25519 {BLOB}",
        f"anna,karl ssh-ed25519 {BLOB}",
        f"anna cert-authority ssh-ed25519 {BLOB}",
        f'anna namespaces="*" ssh-ed25519 {BLOB}',
        f"anna ssh-rsa {BLOB}",
        f"anna ssh-ed25519-cert-v01@openssh.com {BLOB}",
        f"anna ssh-ed25519 {BLOB[:-9]}",
        "anna ssh-ed25519",
        f"anna ssh-ed25519 {BLOB}!",
    ],
)
def test_a_line_that_is_not_one_persons_key_is_none(line: str) -> None:
    with pytest.raises(Refused, match="line 1 of the keepers"):
        keepers.parse(f"{line}\n")


@given(whole=st.text(max_size=300) | st.binary(max_size=200).map(lambda each: each.decode("latin-1")))
def test_any_text_has_signatures_or_none(whole: str) -> None:
    armoured = f"-----BEGIN SSH SIGNATURE-----\n{whole}\n-----END SSH SIGNATURE-----"
    assert keepers.signatures(whole) == keepers.signatures(armoured) == ()


def test_the_plan_has_the_order_word_for_word_and_the_program_beside_it() -> None:
    draft = written.draft(SITE, parts.SERVER, ORDER, "signatures", "ab" * 32)
    (step,) = draft.steps
    assert isinstance(step.action, Command)
    assert step.action.argv[1:] == ("take", parts.PAPIO, f"--order={ORDER}", "--signatures=signatures")
    assert (step.action.artifact, step.action.sha256, step.host) == ("runner-agent", "ab" * 32, parts.SERVER)
    # Whichever agent is there takes it: no other is put there first.
    plan = planner.assemble(SITE, (draft,), parts.facts({parts.SERVER: {"program": "old"}}), {})
    assert plan.steps == (step,) and not isinstance(plan.steps[0].action, PutFile)
    assert "is given runner-agent (abababababab)" in plain(plan_lines(plan))
