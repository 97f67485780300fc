"""Whatever a host does to the lines of a history, a head that is not at their end is never taken as known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.agent.history.contract.standing import ChainStanding
from runner.jobs.history import follow
from tests.unit import parts
from tests.unit.history.test_heads import BEFORE, KNOWN, OLD, WHOLE, answer, head, stored

SINCE = WHOLE[len(OLD) :]


@given(st.lists(st.sampled_from(WHOLE) | st.binary(max_size=80), max_size=6), st.sampled_from(WHOLE))
def test_lines_that_were_dropped_moved_replaced_or_said_again_lead_nowhere(lines: list[bytes], last: bytes) -> None:
    texts = tuple(raw.removesuffix(b"\n").decode("latin-1") for raw in lines)
    number = WHOLE.index(last) + 1
    said = ChainStanding(head(WHOLE[:number]), texts)
    seen = follow.look(BEFORE, said, stored(), parts.NOW)
    honest = SINCE[: max(0, number - len(OLD))]
    assert seen.now
    if lines == honest and number >= len(OLD):
        assert (seen.now.head, seen.doubt) == (said.head, None)
    else:
        assert seen.doubt and seen.now.head == KNOWN.head


@given(st.text(max_size=100), st.lists(st.text(max_size=100), max_size=4))
def test_rubbish_is_refused_without_a_traceback(broken: str, lines: list[str]) -> None:
    seen = follow.look(BEFORE, answer((), OLD)._replace(broken=broken, lines=tuple(lines)), stored(), parts.NOW)
    assert seen.now and seen.now.head == KNOWN.head
    assert follow.accepted(BEFORE, answer((), WHOLE)._replace(lines=tuple(lines)), stored(), parts.NOW) is None
