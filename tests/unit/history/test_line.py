"""The reader of a chain: what it takes, what it refuses, and what a store holds after it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.history import line as lines
from runner.agent.history.line import Broken, ChainLine, Head, Story, head_of, parsed

NAMES = tuple(f"2026-11-{day:02}T010000Z" for day in range(1, 29))
TIME = "2026-11-01T01:00:00.000000Z"
A, B, C = (digit * 64 for digit in "abc")
Said = tuple[str, str, dict[str, str]]

digests = st.sampled_from((A, B, C))
said = st.sampled_from([event for event in lines.EVENTS if event not in (lines.BEGUN, lines.UNDONE)]).flatmap(
    lambda event: st.tuples(
        st.just(event),
        st.sampled_from(NAMES),
        st.dictionaries(st.sampled_from(sorted(lines.EVENTS[event])), digests) if lines.EVENTS[event] else st.just({}),
    )
)


def chain(*told: Said) -> list[bytes]:
    """The lines of a chain in which this happened."""
    head, made = Head(), []
    for event, name, files in ((lines.BEGUN, lines.NOBODY, {}), *told):
        raw = ChainLine(head.number + 1, head.digest, TIME, event, name, files).raw
        head = Head(head.number + 1, hashlib.sha256(raw).hexdigest())
        made.append(raw)
    return made


def story(raw: Sequence[bytes]) -> Story:
    read = Story()
    for each in raw:
        read.tell(each)
    return read


@given(st.lists(said, max_size=12))
def test_what_is_written_is_read_and_its_head_is_the_last_line(told: list[Said]) -> None:
    made = chain(*told)
    assert [parsed(raw) for raw in made[1:]] == [
        ChainLine(number, hashlib.sha256(made[number - 2]).hexdigest(), TIME, *each)
        for number, each in enumerate(told, 2)
    ]
    read = story(made)
    assert head_of(read.head.text) == read.head == (len(made), hashlib.sha256(made[-1]).hexdigest())


@given(st.lists(said, min_size=1, max_size=8), st.data())
def test_a_line_that_changed_went_came_or_moved_breaks_it_or_gives_another_head(
    told: list[Said], data: st.DataObject
) -> None:
    made = chain(*told)
    head = story(made).head
    at = data.draw(st.integers(0, len(made) - 1))
    changed = list(made)
    match data.draw(st.sampled_from(("byte", "drop", "twice", "swap", "cut"))):
        case "byte":
            place = data.draw(st.integers(0, len(made[at]) - 1))
            changed[at] = made[at][:place] + bytes([made[at][place] ^ 1]) + made[at][place + 1 :]
        case "drop":
            del changed[at]
        case "twice":
            changed.insert(at, made[at])
        case "swap":
            other = (at + 1) % len(made)
            changed[at], changed[other] = changed[other], changed[at]
        case _:
            changed = changed[:at]
    try:
        assert story(changed).head != head
    except Broken as broken:
        assert 1 <= broken.number <= len(made) + 1


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_a_file_has_it_is_read_or_broken_and_nothing_else(content: list[bytes]) -> None:
    with_newlines = [raw.replace(b"\n", b"") + b"\n" for raw in content]
    for raw in with_newlines:
        line = parsed(raw)
        assert line is None or line.raw == raw
    if content:
        with pytest.raises(Broken):
            story(with_newlines)


@given(st.lists(said, max_size=8), said.filter(lambda each: each[0] != lines.ADOPTED))
def test_what_is_undone_has_not_happened(told: list[Said], last: Said) -> None:
    before, after = story(chain(*told)), story(chain(*told, last, (lines.UNDONE, last[1], {})))
    assert (after.alive, after.aside) == (before.alive, before.aside)
    assert len(after.odd) == len(before.odd)


def test_nothing_undoes_what_is_not_the_last() -> None:
    for told in (
        ((lines.UNDONE, NAMES[0], {}),),
        ((lines.SEALED, NAMES[0], {}), (lines.UNDONE, NAMES[1], {})),
        ((lines.SEALED, NAMES[0], {}), (lines.UNDONE, NAMES[0], {}), (lines.UNDONE, NAMES[0], {})),
    ):
        with pytest.raises(Broken):
            story(chain(*told))


def test_a_snapshot_keeps_what_is_known_of_it_until_it_goes() -> None:
    one, two = NAMES[:2]
    told: list[Said] = [
        (lines.SEALED, one, {"record": A, "sums": A}),
        (lines.SEALED, two, {"record": B, "sums": B}),
        (lines.MANIFEST, two, {"names": B}),
        (lines.INHERITED, two, {"sums": C}),
        (lines.EXPIRED, one, {}),
        (lines.ASIDE, two, {}),
    ]
    known = {"record": B, "sums": C, "names": B}
    assert (story(chain(*told)).alive, story(chain(*told)).aside) == ({}, {two: known})
    assert story(chain(*told, (lines.BACK, two, {}))).alive == {two: known}
    assert story(chain(*told, (lines.DROPPED, two, {}))).aside == {}


def test_what_no_program_of_ours_writes_is_odd() -> None:
    one, two = NAMES[:2]
    order = story(chain((lines.SEALED, two, {}), (lines.SEALED, one, {}))).odd
    assert [(why, line.name) for why, line in order] == [("order", one)]
    again = story(
        chain((lines.SEALED, one, {}), (lines.MANIFEST, one, {"names": A}), (lines.MANIFEST, one, {"names": B}))
    ).odd
    assert [(why, line.name) for why, line in again] == [("replaced", one)]
