"""A plan as a reviewer reads it. The golden texts in cases/view were read by a person."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.jobs.catalogue import KINDS
from runner.model.plan import Check, Effect, Ended, Finding, Forecast, Plan, PlannedJob, PutFile, Skip
from runner.model.role import Role
from runner.planning import planner
from runner.report.line import plain
from runner.report.plan import command_lines, finding_lines, plan_lines, summary
from tests.unit import parts


def live() -> Plan:
    """Both jobs, one taking up an interrupted snapshot, one refused, a host to be prepared, a hook's step."""
    site = parts.site(exclude=("/var/two words",))
    changes = {
        "server": {"store": {"partials": [{"name": "2026-11-23T020000Z", "filesystems": ["/"]}]}},
        "papio": {"program": "", "store": {"problem": "/srv is read-only"}},
    }
    foretold = {"backup-papio": Forecast(bytes=3 * 2**30, files=1200, seconds=840.0, runs=7)}
    return planner.draft(site, site.jobs, parts.facts(changes), KINDS, foretold)


def strange() -> Plan:
    """Text from outside that would like to be more than text, and effects that a sandbox cannot have."""
    guard = Check(host="papio", argv=("true",), field="f", relation="==", value=1, why="the disk\nSummary  is fine")
    return parts.plan(
        parts.step(
            "job/format", "mke2fs", "--", "/dev/x\n\x1b[2J", "a'b\u202e", "100%\x07", effect=Effect.DESTROY,
            needs=("device",), guard=guard, added_by="hook", why="make it\nnew",
        ),
        parts.step("job/put", action=PutFile(path="/p\x1b", artifact="runner-agent", sha256="ab" * 32, mode=0o755)),
        parts.step("job/reboot", "reboot", effect=Effect.INTERRUPT),
        live=False, skips=(Skip(job="other", reason="no answer\n\x1b[31mfrom it"),),
        findings=(
            Finding(severity="note", text="left out: /mnt/\u202ex\nrefusal  forged", source="job"),
            Finding(severity="refusal", text="the wrong disk", source="hooks.fsck", do="look\nat it"),
        ),
    )  # fmt: skip


def text(plan: Plan, *, commands: bool = True) -> str:
    return plain(plan_lines(plan, commands=commands))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plan-live", lambda: text(live())),
        ("plan-brief", lambda: text(live(), commands=False)),
        ("plan-strange", lambda: text(strange())),
        ("plan-nothing", lambda: text(parts.plan(skips=(Skip(job="a", reason="not due until tomorrow"),)))),
    ],
)
def test_the_plan_reads_like_the_golden_text(name: str, shown: object) -> None:
    assert callable(shown)
    now = shown()
    assert now == (parts.CASES / "view" / f"{name}.txt").read_text("utf-8"), f"it is now:\n{now}"


def test_no_text_from_outside_makes_a_line_or_a_colour_of_its_own() -> None:
    lines = [piece for line in plan_lines(strange()) for piece, _ in line]
    assert all("\n" not in piece and piece.isprintable() for piece in lines)
    assert not re.search(r"(?m)^(Summary  is fine|  refusal  forged)", text(strange()))


WORDS = st.text(st.sampled_from("ab \n'\"\\%$`*~!#;&|<>(){}[]\t\x1b\u202e\u00e9\udcff-="), max_size=8)


@given(argv=st.lists(WORDS, min_size=1, max_size=6), width=st.integers(40, 120))
def test_a_folded_command_shows_nothing_that_cannot_be_printed(argv: list[str], width: int) -> None:
    for line in command_lines(argv, width):
        # Line feeds at the very end of a word are the one thing that the shell could not be told otherwise.
        assert line.replace("\n", "").isprintable()
        assert re.search(r"\n(?!\n*')", line) is None


def test_a_plain_command_is_quoted_as_anybody_would_and_folded_at_blanks() -> None:
    argv = ("rsync", "--archive", "two words", "it's", *(f"--link-dest=/store/{number}" for number in range(4)))
    assert shlex.split(" ".join(command_lines(argv, 1000))) == list(argv)
    folded = command_lines(argv, 40)
    assert all(len(line) <= 40 for line in folded)
    assert all(line.endswith(" \\") for line in folded[:-1])


def test_the_same_finding_of_several_jobs_is_told_once() -> None:
    findings = [Finding(severity="note", text="no tunnel", source=source) for source in ("a", "b")]
    assert plain(finding_lines([*findings, Finding(severity="note", text="else", source="a")])) == (
        "\nTo know\n  note       no tunnel  (a, b)\n  note       else  (a)\n"
    )
    assert finding_lines([]) == ()
    cause = "store/papio/unusable"
    told = [
        Finding(severity="attention", text=f"it is away, says {source}", source=source, do=source, cause=cause)
        for source in ("a", "b")
    ]
    assert plain(finding_lines(told)) == ("\nTo know\n  attention  it is away, says a  (a, b)\n             -> a\n")


def job(name: str, **changes: object) -> PlannedJob:
    return PlannedJob(name=name, kind="snapshot", writes=f"s/{name}", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("jobs", "effects", "text"),
    [
        ((job("a"),), [Effect.WRITE], "writes 1 snapshot; how much is not known yet; expires nothing"),
        (
            (job("a", forecast=Forecast(bytes=2**30, seconds=60.0, runs=1)), job("b", resumes=2)),
            [Effect.WRITE],
            "writes 2 snapshots; takes up 2 interrupted snapshots; about 1.0 GiB new in 1 min; what b brings is not known yet; expires nothing",
        ),
        (
            (job("a", forecast=Forecast(runs=1)),),
            [Effect.WRITE],
            "how much a day brings is not known before the second run; expires nothing",
        ),
        (
            (job("a"), job("b", forecast=Forecast(runs=1))),
            [Effect.WRITE],
            "what a brings is not known yet; what a day of b brings is not known",
        ),
        ((job("a"),), [Effect.DESTROY, Effect.INTERRUPT], "interrupts: a/1; destroys: a/0."),
    ],
)
def test_the_summary_says_what_is_written_removed_and_interrupted(
    jobs: tuple[PlannedJob, ...], effects: list[Effect], text: str
) -> None:
    steps = (parts.step(f"a/{number}", effect=effect) for number, effect in enumerate(effects))
    assert text in plain((summary(parts.plan(*steps, jobs=jobs)),))


@pytest.mark.parametrize(
    ("roles", "text"),
    [
        ([Role.EXPIRE], "expires 1 snapshot."),
        ([Role.EXPIRE_DUMP] * 9, "expires 9 dumps."),
        ([Role.EXPIRE, Role.EXPIRE_DUMP], "expires 1 snapshot and 1 dump."),
        # A kind that a plugin brings has no role of ours for what it removes.
        ([Role.STEP], "expires 1 thing."),
        ([Role.REAP], "expires nothing"),
        ([Role.ASIDE] * 2, "; takes 2 snapshots out of the count."),
        ([Role.DROP_PARTIALS, Role.EMPTY], "; drops what was interrupted."),
        ([Role.EXPIRE, Role.TIDY], "; expires 1 snapshot; clears 1 restored folder."),
    ],
)
def test_the_summary_calls_what_expires_by_its_name(roles: list[Role], text: str) -> None:
    steps = (parts.step(f"a/{number}", effect=Effect.EXPIRE, role=role) for number, role in enumerate(roles))
    assert text in plain((summary(parts.plan(*steps, jobs=(job("a"),))),))


@pytest.mark.parametrize("role", [Role.STEP, Role.REAP, Role.TIDY])
def test_what_a_hook_adds_may_be_about_anything(role: Role) -> None:
    step = parts.step("a/1", effect=Effect.EXPIRE, role=role, added_by="a hook")
    assert "expires 1 thing." in plain((summary(parts.plan(step, jobs=(job("a"),))),))


def test_a_job_that_has_nothing_to_do_unless_another_step_failed_is_a_line_without_a_count() -> None:
    step = parts.step("a/1", effect=Effect.WRITE, unless=Ended(step="a/0", codes=(0,)))
    assert "0 steps" not in plain(plan_lines(parts.plan(step, jobs=(job("a"),)), commands=False))


@pytest.mark.parametrize(("place", "said"), [("/var/restored", True), ("", False)])
def test_the_summary_tells_a_restore_from_the_copy_of_a_drill(place: str, said: bool) -> None:
    copy = parts.step("x/copy", effect=Effect.WRITE, role=Role.COPY, subject=place)
    made = parts.plan(copy, jobs=(PlannedJob(name="x", kind="brought"),))
    assert ("gets files back" in plain((summary(made),))) == said
