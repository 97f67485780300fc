"""What is said of a history that was followed here, and whether it is taken as known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.agent.history.contract.standing import PAGE, ChainStanding
from runner.agent.history.line import BEGUN, EXPIRED, MANIFEST, NOBODY, SEALED, ChainLine, Head, digest_of
from runner.jobs.history import follow, heads
from runner.jobs.history.follow import HistoryBefore, HistoryLook
from runner.model.facts import Holder, Snapshot, StoreFacts
from runner.model.stored import DeclaredPlace, HeadTaken, HistoryDoubt, KnownHistory, SeenHead
from tests.unit import parts

ONE, TWO, NEW = "2026-11-21T081500Z", "2026-11-22T081500Z", "2026-11-23T081500Z"
TIME = "2026-11-22T09:00:00.000000Z"
HERE = heads.declared(parts.site(), parts.site().store("papio"))


def chain(*events: tuple[str, str], start: Head = Head()) -> list[bytes]:  # noqa: B008
    made, last = [], start
    for event, name in events:
        raw = ChainLine(last.number + 1, last.digest, TIME, event, name).raw
        made.append(raw)
        last = Head(last.number + 1, digest_of(raw))
    return made


PAST = ((BEGUN, NOBODY), (SEALED, ONE), (SEALED, TWO))
SINCE = ((MANIFEST, TWO), (SEALED, NEW))


def head(lines: Sequence[bytes]) -> str:
    return Head(len(lines), digest_of(lines[-1])).text if lines else ""


WHOLE = chain(*PAST, *SINCE)
OLD = WHOLE[: len(PAST)]
KNOWN = KnownHistory(
    store="papio", declared=HERE, head=head(OLD), at=parts.NOW - timedelta(days=1), place=9,
    path="/srv/backups/papio", uuid="1-2", alive=(ONE, TWO),
)  # fmt: skip
BEFORE = HistoryBefore(store="papio", declared=HERE, known=KNOWN, place=9)


def answer(lines: Sequence[bytes], whole: Sequence[bytes] | None = None) -> ChainStanding:
    return ChainStanding(head(WHOLE if whole is None else whole), tuple(raw[:-1].decode() for raw in lines))


def stored(*names: str, **changes: Any) -> StoreFacts:
    sealed = tuple(Snapshot(name=name) for name in names)
    return StoreFacts(**{"path": KNOWN.path, "uuid": "1-2", "exists": True, "sealed": sealed, **changes})


def look(said: ChainStanding, facts: StoreFacts, before: HistoryBefore = BEFORE) -> HistoryLook:
    return follow.look(before, said, facts, parts.NOW)


def texts(seen: HistoryLook, asked: tuple[str, ...] = ()) -> list[str]:
    found = heads.findings(parts.site().store("papio"), seen, lambda: asked)
    assert all(each.do for each in found)
    return [each.text.replace("backup-server1", "server") for each in found if each.severity == "attention"]


FINE = answer(WHOLE[3:])
ALL = stored(ONE, TWO, NEW)
ANOTHER = "the history of store papio at server is not the one that this runner saw on 2026-11-22"


def test_what_follows_is_known_from_then_on() -> None:
    seen = look(FINE, ALL)
    assert texts(seen) == [] and seen.firm and heads.doubted(seen) == ""
    assert seen.now and (seen.now.head, seen.now.alive) == (head(WHOLE), (ONE, TWO, NEW))
    assert (seen.now.taken, seen.now.doubt) == (HeadTaken.FOLLOWED, None)
    still = look(answer((), OLD), stored(ONE, TWO))
    assert still.now == KNOWN and texts(still) == []


@pytest.mark.parametrize(
    ("said", "facts", "told"),
    [
        (answer(WHOLE[3:], OLD), ALL, [ANOTHER]),
        (answer((), WHOLE), ALL, [ANOTHER]),
        (ChainStanding("", ()), ALL, [ANOTHER]),
        (answer(chain(*PAST, *SINCE)[2:]), ALL, [ANOTHER]),
        (FINE._replace(lines=("\ud800", "x\ny")), ALL, [ANOTHER]),
        (FINE._replace(lines=(*FINE.lines, "")), ALL, [ANOTHER]),
        (FINE._replace(broken="line 7 is\nodd"), ALL, ["the history of store papio at server cannot be followed: line 7 is\\nodd"]),
        (FINE, stored(TWO, NEW), [f"{ONE} of store papio: gone, with the record, and its history has no line that says why"]),
        (FINE, stored(TWO, NEW, lost=(ONE,)), []),
        (FINE, stored(ONE, TWO, NEW, "2026-11-20T081500Z"), ["2026-11-20T081500Z of store papio: not sealed by its history, and there all the same"]),
        (FINE, stored(ONE, TWO), [f"{NEW} of store papio: gone, with the record, and its history has no line that says why"]),
        # Somebody works on it: it came after the store was read.
        (FINE, stored(ONE, TWO, holder=Holder()), []),
        (FINE, stored(ONE, TWO, NEW, uuid="3-4"), ["store papio at server says that it is in another folder or on another disk than on 2026-11-22, and jobs.toml does not"]),
        (FINE, stored(ONE, TWO, NEW, path="/mnt/papio"), ["store papio at server says that it is in another folder or on another disk than on 2026-11-22, and jobs.toml does not"]),
        (FINE, stored(ONE, TWO, NEW, uuid=""), []),
    ],
)  # fmt: skip
def test_what_is_not_as_it_was_seen_is_told_and_nothing_expires(
    said: ChainStanding, facts: StoreFacts, told: list[str]
) -> None:
    seen = look(said, facts)
    assert texts(seen) == told
    assert bool(heads.doubted(seen)) == bool(told)
    if seen.doubt:
        assert seen.now and seen.now.head == KNOWN.head and seen.now.doubted == parts.NOW


def test_a_doubt_stands_though_all_fits_again() -> None:
    doubted = replace(KNOWN, doubt=HistoryDoubt.ANOTHER, doubted=parts.NOW)
    seen = look(FINE, ALL, replace(BEFORE, known=doubted))
    assert seen.now == doubted and texts(seen) == [ANOTHER]
    known = follow.accepted(BEFORE, answer(WHOLE), ALL, parts.NOW)
    assert known and (known.head, known.doubt, known.taken) == (head(WHOLE), None, HeadTaken.ACCEPTED)
    assert follow.accepted(BEFORE, FINE, ALL, parts.NOW) is None
    assert follow.accepted(BEFORE, ChainStanding("", ()), ALL, parts.NOW) is None


def test_what_a_step_was_answered_must_lie_on_the_way() -> None:
    true = SeenHead(head=head(WHOLE[:4]), at=parts.NOW, place=10)
    false = replace(true, head=head(chain(*PAST, (SEALED, NEW))))
    assert texts(look(FINE, ALL, replace(BEFORE, answered=(true,)))) == []
    assert texts(look(FINE, ALL, replace(BEFORE, answered=(false, true)))) == [ANOTHER]
    assert texts(look(answer((), OLD), stored(ONE, TWO), replace(BEFORE, answered=(true,)))) == [ANOTHER]
    # A journal that has no history yet knows what its own steps were answered.
    new = replace(BEFORE, known=None, answered=(true,))
    seen = look(answer(WHOLE), ALL, new)
    assert seen.now and seen.now.taken == HeadTaken.FOLLOWED
    assert len(texts(look(ChainStanding("", ()), stored(), new))) == 1


def test_what_a_step_was_answered_before_the_known_head_must_lead_there() -> None:
    known = replace(KNOWN, head=head(WHOLE[:4]))
    forged = SeenHead(head=head(chain(*PAST[:2], (SEALED, NEW))), at=parts.NOW, place=10)
    before, said = replace(BEFORE, known=known, answered=(forged,), place=10), answer(WHOLE[4:])
    assert follow.earlier(before) == forged.head and follow.earlier(BEFORE) == ""
    for way in (None, answer(()), answer(WHOLE[3:]), answer(WHOLE[2:])):
        assert follow.look(before, said, ALL, parts.NOW, way).doubt == HistoryDoubt.ANOTHER
    # Another run looked while the step ended.
    true = replace(forged, head=head(WHOLE[:2]))
    later = (true, replace(true, head=head(WHOLE[:3])), replace(true, head=head(WHOLE)))
    before = replace(before, answered=later)
    assert follow.earlier(before) == true.head
    assert texts(follow.look(before, said, ALL, parts.NOW, answer(WHOLE[2:]))) == []
    assert texts(follow.look(before, said, ALL, parts.NOW, answer(WHOLE[2:3])))[0].startswith("the history of store")
    forked = replace(before, answered=(*later, forged))
    assert follow.look(forked, said, ALL, parts.NOW, answer(WHOLE[2:])).doubt == HistoryDoubt.ANOTHER


def test_a_message_says_how_far_its_head_was_checked() -> None:
    store, seen = parts.site().store("papio"), SeenHead(head=head(WHOLE), at=parts.NOW, place=10)
    line = "history of store papio at server: "
    assert heads.head_line(store, BEFORE) == line + KNOWN.head
    told = heads.head_line(store, replace(BEFORE, answered=(seen, replace(seen, head="", place=11))))
    assert told == f"{line}{seen.head} (the next run checks it; checked until now: {KNOWN.head})"
    new = replace(BEFORE, known=None)
    assert heads.head_line(store, replace(new, answered=(seen,))).endswith(" (the next run checks it)")
    assert heads.head_line(store, new) == ""


def test_the_first_that_is_seen_is_taken_as_it_is_and_that_is_said() -> None:
    seen = look(answer(WHOLE), ALL, replace(BEFORE, known=None))
    assert seen.now and seen.now.taken == HeadTaken.FIRST and seen.changes == ()
    (note,) = heads.findings(parts.site().store("papio"), seen, tuple)
    assert note.severity == "note" and "is the first that this runner sees of it" in note.text
    assert look(ChainStanding("", ()), ALL, replace(BEFORE, known=None)).now is None


def test_a_store_that_is_seen_empty_is_known_as_that_and_another_that_is_empty_is_no_doubt_for_ever() -> None:
    seen = look(ChainStanding("", ()), stored(), replace(BEFORE, known=None))
    assert seen.now and (seen.now.head, seen.now.alive, seen.firm) == ("", (), True)
    assert heads.findings(parts.site().store("papio"), seen, tuple) == ()
    wrong = look(ChainStanding("", ()), replace(stored(), uuid="another"))
    assert wrong.now == KNOWN and wrong.problem and not wrong.firm
    assert look(ChainStanding("", ()), stored()).doubt == HistoryDoubt.ANOTHER


def test_what_went_is_told_unless_a_run_asked_for_it() -> None:
    whole = chain(*PAST, (EXPIRED, ONE), (EXPIRED, TWO), (SEALED, NEW))
    seen = look(answer(whole[3:], whole), stored(NEW))
    told = f"{ONE} expired at 2026-11-22T09:00Z"
    assert [text.partition(": ")[2].partition(",")[0] for text in texts(seen)] == [told]
    assert len(texts(seen, (ONE,))) == 1 and texts(seen, (ONE, TWO)) == [] and seen.firm


def test_a_line_that_nothing_here_writes_is_told() -> None:
    whole = chain(*PAST, (SEALED, ONE))
    seen = look(answer(whole[3:], whole), stored(ONE, TWO))
    assert seen.doubt == HistoryDoubt.ODD and "has a line since 2026-11-22 that nothing here writes" in texts(seen)[0]


def test_another_place_in_jobs_toml_is_another_store() -> None:
    site, seen = parts.site(), (SeenHead(head=head(OLD), at=parts.NOW, place=12),)
    store = site.store("papio")
    here = heads.before(site, store, KNOWN, lambda jobs, since: seen if since == 9 else ())
    assert (here.known, here.answered, here.place, heads.last(here)) == (KNOWN, seen, 12, head(OLD))
    moved = replace(KNOWN, declared=DeclaredPlace(host="papio", path="/elsewhere"))
    anew = heads.before(site, store, moved, lambda jobs, since: seen)
    assert (anew.known, anew.answered, anew.place, anew.head) == (None, (), 12, "")


def test_a_disk_that_this_runner_has_made_anew_since_is_another_store() -> None:
    site = parts.site()
    store, asked = site.store("papio"), list[int]()

    def answered(jobs: Sequence[str], since: int) -> Sequence[SeenHead]:
        asked.append(since)
        return ()

    assert heads.before(site, store, KNOWN, answered, (20, KNOWN.at - timedelta(days=1))).known == KNOWN
    assert heads.before(site, store, KNOWN, answered, (20, KNOWN.at + timedelta(days=1))).known is None
    assert asked == [20, 20]


def test_a_long_history_is_asked_for_in_pages() -> None:
    whole = chain((BEGUN, NOBODY), *(((SEALED, ONE),) * PAGE))
    first = answer(whole[:PAGE], whole)
    at = follow.missing(first, "")
    assert at == Head(PAGE, digest_of(whole[PAGE - 1]))
    assert follow.missing(answer(whole[PAGE:], whole), at.text) is None
    assert follow.between(at.text, first.head) == 1 and follow.between(first.head, "") == 0


def test_the_question_has_the_known_head() -> None:
    site = replace(parts.site(), stores=(parts.site().store("papio"),))
    (probe,) = heads.probes(site, (HERE.host,), {"papio": BEFORE})
    assert probe.argv == ("runner-agent", "chain", site.stores[0].path, f"--known={KNOWN.head}")
    assert heads.probes(site, ("nobody",), {"papio": BEFORE}) == ()
