"""Restoring a database and swapping it in: what the plans hold, what they never do, names that are hostile."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from runner.agent.answer import Refused
from runner.agent.database import load, sql
from runner.agent.database.contract import DatabaseServer, unfit
from runner.agent.database.contract_restore import DumpHead, NewestDump, RolesFile, SwapStanding
from runner.agent.database.dumped import entries as dumped
from runner.agent.database.dumped.others import Others
from runner.jobs.database import agent, restore
from runner.jobs.database import swap as swap_db
from runner.jobs.database.agent import Swap
from runner.jobs.database.dump import DumpOptions
from runner.jobs.database.report import restore_db_report
from runner.model.facts import Snapshot
from runner.model.kind import Draft
from runner.model.plan import Command, Effect, Ended
from runner.model.run import Outcome, State, Verdict
from runner.model.site import Job, Site
from runner.tools import answers
from tests.unit import parts

HOSTILE = ("; DROP DATABASE x", "it's", 'q"q', "dbname=x user=y", "a b", "line\nfeed", "ünï", "--help", "x" * 63)
DUMP = Job(name="dump-babase", kind="dump", host="papio", options=DumpOptions(to="/srv/pg", socket="/s"))
DUMPED_HEAD = DumpHead(
    database="babase", dump="2026-11-22T070000Z.dump", sha256="ab" * 32, bytes=3 << 20,
    owner="karl", roles=("karl", "reader"), tables=2, rows=7,
)  # fmt: skip
GLOBALS = RolesFile(file="2026-11-22T070000Z.sql", sha256="cd" * 32, roles=("karl", "reader"))
FOUND = NewestDump(record=DUMPED_HEAD, passed=(), globals=GLOBALS)
SNAPSHOT = Snapshot(name="2026-11-22T081500Z", host="papio")


def draft(site: Site | None = None, **changes: Any) -> Draft:
    here = site or parts.site()
    wanted = restore.DatabaseRestore(job=DUMP, name="babase", into="back", newest=FOUND)
    return restore.draft(here, replace(wanted, **changes), parts.facts(live=here.live), parts.NOW)


def argvs(made: Draft) -> dict[str, tuple[str, ...]]:
    return {step.id.partition("/")[2]: step.action.argv for step in made.steps if isinstance(step.action, Command)}


def test_a_restore_makes_compares_and_only_then_names_it() -> None:
    made = draft()
    assert list(argvs(made)) == ["look", "restore", "compare", "name", "drop"]
    assert max(step.effect for step in made.steps) == Effect.WRITE
    assert all(step.host == "papio" for step in made.steps)
    words = [word for argv in argvs(made).values() for word in argv]
    assert words.count("--into=back") == 2
    assert argvs(made)["restore"][-1] == "/srv/pg/./databases/babase/2026-11-22T070000Z.dump"


def test_restores_of_a_host_are_one_after_the_other() -> None:
    for place in (None, restore.DumpPlace(parts.site().stores[0], SNAPSHOT)):
        planned = draft(place=place).planned
        assert planned and [lock.host for lock in planned.locks if "restore-db" in lock.argv] == ["papio"]


def test_what_was_begun_is_dropped_whatever_fails_and_kept_when_it_has_its_name() -> None:
    drop = draft().steps[-1]
    assert drop.despite == ("restore-db/restore", "restore-db/compare", "restore-db/name")
    assert drop.unless == Ended(step="restore-db/name")
    assert argvs(draft())["drop"][-1] == "--plan=20261123T081500.000Z"


def test_out_of_a_snapshot_the_dump_is_copied_first_read_where_it_is_kept_and_removed_again() -> None:
    here = parts.site()
    made = draft(place=restore.DumpPlace(here.store("papio"), SNAPSHOT), bring=("karl",))
    names = list(argvs(made))
    assert names == [
        "folder", "copy-dump", "copy-record", "copy-globals", "closed", "look", "roles", "restore", "compare", "name",
        "drop", "tidy",
    ]  # fmt: skip
    side = "/var/restored/20261123T081500.000Z"
    assert argvs(made)["copy-dump"][-2:] == (
        "server:/srv/backups/papio/2026-11-22T081500Z/./srv/pg/databases/babase/2026-11-22T070000Z.dump",
        f"{side}/tree/",
    )
    assert argvs(made)["restore"][-1] == f"{side}/tree/./srv/pg/databases/babase/2026-11-22T070000Z.dump"
    assert argvs(made)["roles"][-1] == f"{side}/tree/./srv/pg/globals/2026-11-22T070000Z.sql"
    assert argvs(made)["closed"][1:] == ("received", side)
    assert argvs(made)["tidy"][-1] == side
    assert made.steps[-1].despite == tuple(step.id for step in made.steps[:-1])
    assert made.planned
    assert [lock.resource for lock in made.planned.locks] == [
        "reading papio/2026-11-22T081500Z", "restores of databases on papio",
    ]  # fmt: skip


def test_the_roles_that_it_makes_are_named_one_by_one() -> None:
    made = draft(bring=("karl", "it's"))
    assert [word for word in argvs(made)["roles"] if word.startswith("--role")] == ["--role=karl", "--role=it's"]
    assert f"--sha256={GLOBALS.sha256}" in argvs(made)["roles"]
    assert "roles" not in argvs(draft())


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_stays_one_word_of_every_command(name: str) -> None:
    made = draft(name=name, into=name)
    assert argvs(made)["name"].count(f"--into={name}") == 1
    assert "/srv/pg/./databases/" in argvs(made)["restore"][-1]
    assert "\n" not in argvs(made)["restore"][-1]
    swap = Swap(name=name, new="new", before="before")
    argv = agent.swap("/p", DatabaseServer(), swap, "plan")
    assert argv[-3:] == ("--", name, "new")
    told = [one.text for one in made.findings] + [step.why for step in made.steps]
    assert not [text for text in told if "\n" in text]


@pytest.mark.parametrize("make", [restore.restored, lambda name, now: restore.before(name, "", now)])
@pytest.mark.parametrize("name", [*HOSTILE, "ü" * 31, "界" * 21])
def test_a_made_up_name_is_one_that_a_server_keeps_whole(make: Any, name: str) -> None:
    made = make(name, datetime(2026, 11, 23, 8, 15, tzinfo=UTC))
    assert unfit(made) == ""
    assert len(made.encode()) <= 63
    assert made.endswith("20261123_081500")
    assert made.startswith(name[:10])


def test_two_swaps_within_a_second_need_three_different_names() -> None:
    first = restore.before("babase", "babase_restored", parts.NOW)
    assert first == "babase_before_20261123_081500"
    assert restore.before("babase", first, parts.NOW) == "babase_before_20261123_081501"


@pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 32, "a\0b", "\udcff"])
def test_what_no_database_can_be_called_is_refused(name: str) -> None:
    assert unfit(name)


def test_in_the_sandbox_there_is_no_database() -> None:
    site = parts.site(live=False)
    assert draft(site).skip
    wanted = swap_db.DatabaseSwap(job=DUMP, swap=Swap(name="a", new="b", before="c"), standing=standing())
    skip = swap_db.draft(site, wanted, parts.NOW).skip
    assert skip
    assert skip.reason == "the sandbox has no database"


def test_what_was_passed_over_and_left_behind_is_said() -> None:
    newest = FOUND._replace(passed=("later: it has 0 bytes",), no_roles="the dump of the roles is too long")
    made = draft(newest=newest, left=("runner_restoring_x",))
    text = "\n".join(one.text for one in made.findings)
    assert "a newer dump was passed over: later: it has 0 bytes" in text
    assert "which roles there were is not known: the dump of the roles is too long" in text
    assert "left database runner_restoring_x" in text
    assert "3.0 MiB, 2 tables, 7 rows" in text
    assert "runner restore-db --swap back babase" in [one.command for one in made.findings]


def standing(**changes: Any) -> SwapStanding:
    told = {
        "ready": True,
        "there": True,
        "connected": 2,
        "sessions": [{"user": "karl", "application": "psql", "client": "this host"}],
    }
    told["mark"] = {"runner": "restored", "database": "babase", "dump": "D", "tables": 2, "rows": 7}
    answer = answers.read({**told, **changes}, SwapStanding)
    assert answer
    return answer


def swapped(**changes: Any) -> Draft:
    swap = Swap(name="babase", new="back", before="babase_before_20261123_081500")
    wanted = swap_db.DatabaseSwap(job=DUMP, swap=swap, standing=standing(**changes))
    return swap_db.draft(parts.site(), wanted, parts.NOW)


def test_a_swap_interrupts_is_guarded_keeps_dumps_out_and_says_how_to_undo_it() -> None:
    made = swapped()
    (step,) = made.steps
    assert step.effect == Effect.INTERRUPT
    assert step.guard
    assert (step.guard.field, step.guard.value) == ("ready", True)
    assert made.planned
    assert "hold-host" in made.planned.locks[0].argv
    assert "dump" in made.planned.locks[0].argv
    text = "\n".join(one.text for one in made.findings)
    assert "ends 2 sessions of babase and back" in text
    assert "ends the session of karl with psql from this host" in text
    assert "runner restore-db --swap babase_before_20261123_081500 babase" in [one.command for one in made.findings]
    # What is said in a report is shown as it is: a command has a line of its own.
    assert made.planned.headline.endswith("babase_before_20261123_081500, and nothing drops it but you")
    assert "back was restored from the dump D of babase and compared: 2 tables, 7 rows." in text
    assert "since that dump is not in it" in text


def test_what_was_put_aside_is_told_with_the_time_as_people_read_it() -> None:
    made = swapped(mark={"runner": "before", "database": "babase", "until": "2026-11-28T18:38:25.780755Z"})
    assert made.findings[0].text == "back was babase until 2026-11-28 18:38 UTC"


def test_a_swap_where_nothing_is_replaced_has_nothing_to_undo() -> None:
    made = swapped(there=False, connected=0, sessions=[])
    text = "\n".join(one.text for one in made.findings)
    assert "there is no babase now" in text
    assert "undo" not in text
    assert "nobody is connected" in text


def outcome(step: str, state: State = State.DONE, **result: Any) -> Outcome:
    return Outcome(
        step=f"restore-db/{step}", **parts.role(f"restore-db/{step}"), job="restore-db", state=state, result=result
    )


def test_the_report_says_what_came_back_and_asks_for_a_hand_where_not_all_did() -> None:
    job = draft().planned
    assert job
    fine = restore_db_report(job, (outcome("restore", restored="x", left=[]), outcome("compare"), outcome("name")))
    assert fine
    assert fine.verdict == Verdict.DONE
    assert fine.headline.startswith("babase is back as back, from the dump 2026-11-22T070000Z: 2 tables and 7 rows")
    less = restore_db_report(
        job, (outcome("restore", restored="x", left=["GRANT x"]), outcome("compare"), outcome("name"))
    )
    assert less
    assert (less.verdict, less.details) == (Verdict.ATTENTION, ("did not come back: GRANT x",))
    assert restore_db_report(job, (outcome("restore"), outcome("compare", State.FAILED))) is None


@pytest.mark.parametrize("answer", [{}, {"restored": "x"}, {"restored": "x", "left": "all"}])
def test_settings_that_nobody_knows_of_are_not_taken_for_settings_that_came_back(answer: dict[str, Any]) -> None:
    job = draft().planned
    assert job
    report = restore_db_report(job, (outcome("restore", **answer), outcome("compare"), outcome("name")))
    assert report
    assert report.verdict == Verdict.ATTENTION
    assert "whether the settings of the database came back is not known" in report.headline


def test_statements_are_told_apart_whatever_is_quoted_in_them() -> None:
    text = "\\restrict x;'\nSET a = 'b;''c';\n-- it's; no\nALTER ROLE \"x;\"\"\" SET y TO E'\\\\'';';COMMENT"
    found = [sql.checked(one) for one in sql.statements(text)]
    assert found == ["SET a = 'b;''c'", "ALTER ROLE \"x;\"\"\" SET y TO E'\\\\'';'"]


DUMPED = b"""\\restrict abc
SET client_encoding = 'UTF8';
CREATE ROLE karl;
ALTER ROLE karl WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:x$y:z';
CREATE ROLE "new; DROP ROLE karl";
ALTER ROLE "new; DROP ROLE karl" WITH NOLOGIN PASSWORD 'md5;';
ALTER ROLE "new; DROP ROLE karl" SET search_path TO 'a;b';
CREATE ROLE boss;
GRANT boss TO karl GRANTED BY postgres;
GRANT karl TO "new; DROP ROLE karl" WITH ADMIN OPTION GRANTED BY gone;
GRANT boss TO "new; DROP ROLE karl";
GRANT "new; DROP ROLE karl" TO karl;
COMMENT ON ROLE "new; DROP ROLE karl" IS 'CREATE ROLE boss;';
"""


def test_only_missing_roles_are_made_and_none_that_is_there_is_changed() -> None:
    name = "new; DROP ROLE karl"
    assert sql.created(DUMPED) == {"karl", name, "boss"}
    said = sql.bringing(DUMPED, [name], ["karl", "postgres"])
    assert said == [
        f'CREATE ROLE "{name}"',
        f"ALTER ROLE \"{name}\" WITH NOLOGIN PASSWORD 'md5;'",
        f"ALTER ROLE \"{name}\" SET search_path TO 'a;b'",
        f'GRANT karl TO "{name}" WITH ADMIN OPTION ',
        f"COMMENT ON ROLE \"{name}\" IS 'CREATE ROLE boss;'",
    ]


@pytest.mark.parametrize("name", [*HOSTILE, "back\\slash'", 'a"b;'])
def test_a_name_in_sql_is_read_back_as_itself(name: str) -> None:
    (statement,) = sql.statements(f"ALTER DATABASE {sql.identifier(name)} SET a TO {sql.literal(name)};")
    match = re.fullmatch(rf"ALTER DATABASE ({sql.NAME}) SET a TO {sql.STRING}", statement, re.DOTALL)
    assert match
    assert sql.called(match[1]) == name


def test_a_plan_says_whose_rights_the_code_in_a_dump_has() -> None:
    def told(**changes: Any) -> str:
        return "\n".join(finding.text for finding in draft(**changes).findings)

    assert "with the rights of its owner alone, never with those of a superuser" in told()
    assert "what belongs to postgres is restored with a superuser's rights" in told(supers=("postgres",))
    assert "runs as the account of the database server" in told(supers=("postgres",), superuser=True)
    assert "--superuser" in argvs(draft(superuser=True))["restore"]
    assert not any("--superuser" in argv for argv in argvs(draft()).values())


def test_an_entry_is_restored_by_its_owner_and_rows_of_a_superuser_by_a_role_that_may_do_nothing_else() -> None:
    entries = (
        b"; a comment\n", b"5; 2615 1 SCHEMA - k mallory\n", b"6; 3079 2 EXTENSION - hstore \n",
        b"7; 1259 3 TABLE k t mallory\n", b"8; 1259 4 TABLE public TABLE DATA x postgres\n",
        b"9; 0 3 TABLE DATA k t mallory\n", b"10; 0 4 TABLE DATA public x postgres\n",
        b"11; 0 0 ACL - SCHEMA k mallory\n", b"12; 2606 5 CONSTRAINT k t karl the 2nd\n",
    )  # fmt: skip
    roles = dumped.Roles(("mallory", "postgres", "karl the 2nd"), ("postgres",))
    assert [(each.owner, len(each.lines)) for each in load.divided(entries, roles)] == [
        ("", 2), ("mallory", 1), ("", 1), ("mallory", 1), ("runner_restore", 1), ("karl the 2nd", 1), ("", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("line", [b"7; 1259 3 TABLE k t of nobody\n", b"7; 1259 3 TABLE k t evil postgres\n"])
def test_an_entry_whose_owner_cannot_be_told_is_refused(line: bytes) -> None:
    with pytest.raises(Refused, match=r"cannot be told|does not say whether"):
        load.divided((line,), dumped.Roles(("evil postgres", "postgres"), ("postgres",)))


@pytest.mark.parametrize(
    ("catalogue", "text", "expected"),
    [
        (b"1259", b"TABLE k x app y mallory", (b"k x app y", True)),
        (b"0", b"TABLE DATA k t mallory", (b"k t", False)),
        # A table in a schema that is called DATA.
        (b"1259", b"TABLE DATA t mallory", (b"DATA t", True)),
        (b"2606", b"FK CONSTRAINT k t t_i_fkey mallory", (b"k t t_i_fkey", True)),
        (b"2620", b"TRIGGER k t x mallory", (b"k t x", False)),
        (b"3079", b"EXTENSION - hstore mallory", (b"", False)),
    ],
)
def test_the_schema_of_an_entry_is_what_stands_before_its_name(catalogue: bytes, text: bytes, expected: object) -> None:
    assert dumped.place(catalogue, text, b"mallory") == expected


def test_statements_belong_to_entries_and_a_text_that_reads_like_the_head_of_one_is_refused() -> None:
    script = b"--\n-- TOC entry 7 (class 1259 OID 3)\n-- Name: t\nA;\n-- TOC entry 8 (class 0 OID 0)\nB;\n"
    assert {number: text.split()[-1] for number, text in dumped.texts(script).items()} == {7: b"A;", 8: b"B;"}
    with pytest.raises(Refused, match="looks like the head"):
        dumped.texts(script + b"-- TOC entry 7 (class 1259 OID 3)\n")


def test_a_superusers_function_may_name_his_tables_to_which_others_refer_and_no_table_of_theirs() -> None:
    lines = (
        b"1; 1259 1 TABLE public species postgres\n", b"2; 1259 2 TABLE k seen mallory\n",
        b"3; 2606 3 FK CONSTRAINT k seen seen_fkey mallory\n", b";\tdepends on: 2 1\n",
        b"4; 1247 4 TYPE k kind mallory\n", b"5; 1259 5 SEQUENCE k species mallory\n",
        b"6; 1255 6 FUNCTION public named() postgres\n", b"7; 3381 7 STATISTICS public s postgres\n", b";\tdepends on: 6\n",
        b"8; 1255 8 FUNCTION k conv(k.kind) mallory\n", b";\tdepends on: 4\n", b"9; 2605 9 CAST CAST (k.kind AS integer) \n",
        b";\tdepends on: 4 8\n",
    )  # fmt: skip
    entries = dumped.parsed(lines, dumped.Roles(("mallory", "postgres"), ("postgres",)))
    for text, codes in ((b"from species", ()), (b"from seen", (2,)), (b"'a'::k.kind", (8,)), (b"EXECUTE x", (2, 8))):
        borrowed = Others(entries, {"postgres"}, {6: b"CREATE FUNCTION public.named() ... " + text}).borrowed()
        assert [each.code.number in codes for each in borrowed] == [True] * bool(codes), text


def test_a_superusers_table_of_somebodys_domain_and_a_view_of_somebodys_table_borrow_nothing() -> None:
    lines = (
        b"1; 1255 1 FUNCTION k f(integer) mallory\n", b"2; 1247 2 DOMAIN k d mallory\n", b";\tdepends on: 1\n",
        b"3; 1259 3 TABLE public t postgres\n", b";\tdepends on: 1 2\n", b"4; 1259 4 VIEW public v postgres\n",
        b";\tdepends on: 3 1\n", b"5; 1259 5 INDEX public t_i postgres\n", b";\tdepends on: 3\n",
        b"6; 1259 6 INDEX public t_f postgres\n", b";\tdepends on: 3 1\n",
    )  # fmt: skip
    entries = dumped.parsed(lines, dumped.Roles(("mallory", "postgres"), ("postgres",)))
    statements = {3: b"CREATE TABLE public.t (i k.d DEFAULT 1, CHECK (k.f(i)));"}
    borrowed = [(each.what.number, each.code.number) for each in Others(entries, {"postgres"}, statements).borrowed()]
    assert borrowed == [(6, 1)]
