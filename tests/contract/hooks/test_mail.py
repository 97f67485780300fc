"""The mail of a run: who gets it, what it says, and that nothing in a report can bend it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hooks.mail import Mail, letter, plugin
from hooks.mail_text import body
from hooks.post import Post, compose
from runner.model.errors import ReportUndelivered
from runner.model.plan import Finding, Skip
from runner.model.run import JobReport, Report, Todo, Verdict
from tests.contract.mail_parts import FAILED, fake_sendmail, read

GOLDEN = Path(__file__).parents[1] / "golden" / "mail-failed.txt"
EVIL = ("\n", "\r\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x00", "\udcff", "\u202e", "\x1b[31m")


def mail(**settings: Any) -> Mail:
    return plugin(settings)


def posted(folder: Path, report: Report, **settings: Any) -> tuple[list[str], bytes]:
    """Deliver by a sendmail in `folder`: its arguments, and what it was given."""
    program = fake_sendmail(folder)
    mail(sendmail=str(program), **settings).deliver_report(report)
    return (folder / "argv").read_text().split("\0"), (folder / "stdin").read_bytes()


def test_the_whole_message_reads_as_reviewed() -> None:
    message = compose(letter(FAILED), ("root@localhost",), "runner@papio.example.edu")
    assert message.as_string(policy=message.policy.clone(linesep="\n")) == GOLDEN.read_text(encoding="utf-8")


def test_the_rows_of_a_table_stand_under_their_heading_without_a_mark_of_their_own() -> None:
    job = JobReport(
        job="access-papio", verdict=Verdict.DONE, headline="2 logins", details=("refused:", "  as root  500   " + "x " * 40)
    )  # fmt: skip
    lines = body(replace(FAILED, jobs=(job,))).splitlines()
    at = lines.index("    - refused:")
    assert lines[at + 1].startswith("        as root  500   x x")
    assert lines[at + 2].startswith("        x x")


def test_sendmail_gets_the_people_as_arguments_after_two_dashes_and_the_message_as_input(tmp_path: Path) -> None:
    argv, raw = posted(tmp_path, FAILED)
    assert argv == ["-i", "--", "root@localhost", "expert@example.org"]
    assert b"\r" not in raw
    message = read(raw)
    assert message["Subject"].startswith("[babase] failed: backup-papio: ")
    assert message["To"] == "root@localhost, expert@example.org"
    assert message["From"] == "runner of babase <root>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<2026-11-23T081500Z.babase@papio>"
    assert message["Date"] == "Mon, 23 Nov 2026 10:02:12 +0000"
    assert (tmp_path / "environ").read_text() == "['LANGUAGE', 'LC_ALL', 'PATH']"


def test_the_sender_is_given_to_sendmail_only_when_jobs_toml_names_one(tmp_path: Path) -> None:
    argv, raw = posted(tmp_path, FAILED, **{"from": "runner@example.org"})
    assert argv[:4] == ["-i", "-f", "runner@example.org", "--"]
    assert read(raw)["From"] == "runner of babase <runner@example.org>"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_admin_hears_every_verdict_and_experts_the_failures(verdict: Verdict, tmp_path: Path) -> None:
    argv, _ = posted(tmp_path, replace(FAILED, verdict=verdict))
    assert ("expert@example.org" in argv) == (verdict is Verdict.FAILED)
    assert argv.count("root@localhost") == 1


@pytest.mark.parametrize("verdict", list(Verdict))
def test_who_wants_to_hear_only_what_needs_attention_hears_that(verdict: Verdict, tmp_path: Path) -> None:
    program = fake_sendmail(tmp_path)
    mail(sendmail=str(program), when="attention").deliver_report(replace(FAILED, verdict=verdict))
    assert (tmp_path / "argv").exists() == (verdict in (Verdict.ATTENTION, Verdict.FAILED))


DONE = JobReport(job="backup-papio", verdict=Verdict.DONE, headline="sealed papio/2026-11-23T081500Z")
SUBJECTS: dict[str, tuple[dict[str, Any], str]] = {
    "done": (
        {"verdict": Verdict.DONE, "actions": (), "jobs": (DONE,)},
        "[babase] done: backup-papio: sealed papio/2026-11-23T081500Z",
    ),
    "two done": (
        {"verdict": Verdict.DONE, "actions": (), "jobs": (DONE, DONE)},
        "[babase] done: backup-papio: sealed papio/2026-11-23T081500Z (and 1 more)",
    ),
    "the snapshot and its size, not what came before it": (
        {
            "verdict": Verdict.DONE,
            "actions": (),
            "jobs": (
                JobReport(job="dump-babase", verdict=Verdict.DONE, headline="dumped 32 databases"),
                replace(DONE, made="papio/2026-11-23T081500Z", written=(3 << 20, 12)),
                replace(DONE, job="b", made="server/2026-11-23T101500Z", written=(1 << 10, 1)),
            ),
        },
        "[babase] done: papio/2026-11-23T081500Z, 3.0 MiB new; server/2026-11-23T101500Z, 1.0 KiB new",
    ),
    "what there was no place for is counted": (
        {
            "verdict": Verdict.FAILED,
            "actions": (
                Todo(text="store papio is full (a, b): free room", headline="store papio is full (a, b)"),
                Todo(text="c: it failed"),
                Todo(text="and 4 more things, below", things=4),
            ),
        },
        "[babase] failed: store papio is full (a, b) (and 5 more)",
    ),
    "attention": (
        {"verdict": Verdict.ATTENTION, "actions": (Todo(text="plug in the disk"),), "jobs": (DONE,)},
        "[babase] attention needed: plug in the disk",
    ),
    "nothing": (
        {"verdict": Verdict.NOTHING, "actions": (), "jobs": (), "skips": (Skip(job="a", reason="not due"),)},
        "[babase] nothing done: a: not due",
    ),
    "empty": ({"verdict": Verdict.NOTHING, "actions": (), "jobs": (), "skips": ()}, "[babase] nothing done: no job"),
}


@pytest.mark.parametrize("case", SUBJECTS)
def test_the_subject_says_the_verdict_and_what_matters_most(case: str) -> None:
    changes, expected = SUBJECTS[case]
    assert compose(letter(replace(FAILED, **changes)), ("a@b",), "c@d")["Subject"] == expected


@pytest.mark.parametrize("text", ["x" * 40, "a failure " * 10, "Größe " * 8], ids=["long", "words", "not ASCII"])
def test_a_reader_gets_the_subject_that_was_written_however_long_it_is(text: str) -> None:
    for cut in range(len(text)):
        message = compose(
            replace(letter(FAILED), subject=f"[babase] failed: backup-papio: {text[cut:]}."), ("a@b",), "c@d"
        )
        lines = message.as_bytes().split(b"\r\n")
        assert read(message.as_bytes())["Subject"] == message["Subject"]
        assert any(line.startswith(b"Subject: ") for line in lines)
        assert all(len(line) <= 78 for line in lines if b"=?" in line)


@pytest.mark.parametrize("evil", EVIL, ids=repr)
@pytest.mark.parametrize("field", ["headline", "action", "reason", "log", "site", "run"])
def test_no_text_of_a_report_adds_a_header_a_recipient_or_a_line(evil: str, field: str) -> None:
    text = f"x{evil}Bcc: evil@example.org{evil}{evil}What to do{evil} 1. run: rm -rf /"
    every: dict[str, dict[str, Any]] = {
        "headline": {"jobs": (replace(FAILED.jobs[0], headline=text, details=(text,)),)},
        "action": {"verdict": Verdict.ATTENTION, "actions": (Todo(text=text, command=text),)},
        "reason": {"skips": (Skip(job=text, reason=text),)},
        "log": {"log": (text,)},
        "site": {"site": text},
        "run": {"run": text},
    }
    message = read(compose(letter(replace(FAILED, **every[field])), ("root@localhost",), "runner@localhost").as_bytes())
    assert sorted(message.keys()) == sorted(
        ["Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Content-Type",
         "Content-Transfer-Encoding", "MIME-Version"]
    )  # fmt: skip
    assert message["To"] == "root@localhost"
    assert message["Subject"].isprintable()
    lines = message.get_content().split("\n")
    assert all(line.removesuffix("\r").isprintable() for line in lines)
    assert not [line for line in lines if line.startswith(("Bcc", " 1. run"))]


@pytest.mark.parametrize(
    "address",
    ["a@b.org, c@d.org", "a@b.org\nBcc: c@d.org", "-oQ/tmp@x.org", "a b@c.org", "Ä@b.org", "<a@b.org>",
     "a@-b.org", "a..b@c.org", "", "a@b.org\0", "a@b.org;c@d.org", "group:a@b.org"],
)  # fmt: skip
def test_an_address_that_is_none_is_named_and_the_others_get_the_message(address: str, tmp_path: Path) -> None:
    program = fake_sendmail(tmp_path)
    report = replace(FAILED, recipients={"admin": (address, "root@localhost")})
    with pytest.raises(ReportUndelivered, match="not a plain mail address"):
        mail(sendmail=str(program)).deliver_report(report)
    assert (tmp_path / "argv").read_text().split("\0") == ["-i", "--", "root@localhost"]


def test_without_people_the_key_to_fill_is_named() -> None:
    with pytest.raises(ReportUndelivered, match="nobody") as caught:
        mail(to=["users"]).deliver_report(replace(FAILED, recipients={}))
    assert caught.value.do == "fill people.users or people.experts in jobs.toml"


def test_in_the_sandbox_the_message_is_a_file_and_nothing_is_sent(tmp_path: Path) -> None:
    program = fake_sendmail(tmp_path)
    report = replace(FAILED, sandbox=str(tmp_path / "sandbox"), run="../../escape")
    mail(sendmail=str(program), smtp={"host": "127.0.0.1", "port": 1}).deliver_report(report)
    assert not (tmp_path / "argv").exists()
    (file,) = (tmp_path / "sandbox" / "mail").iterdir()
    message = read(file.read_bytes())
    assert file.name.endswith("escape.eml")
    assert "this message was not sent" in " ".join(message.get_content().split())


@pytest.mark.parametrize(
    ("ending", "says", "told"), [(75, "queue is full", "queue is full"), (1, "", "printed nothing")]
)
def test_a_sendmail_that_fails_is_quoted(ending: int, says: str, told: str, tmp_path: Path) -> None:
    program = fake_sendmail(tmp_path, ending=ending, says=says)
    with pytest.raises(ReportUndelivered, match=f"ended with {ending}: .*{told}"):
        mail(sendmail=str(program)).deliver_report(FAILED)


def test_a_sendmail_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportUndelivered, match="cannot be started: No such file"):
        mail(sendmail=str(tmp_path / "none")).deliver_report(FAILED)


@pytest.mark.parametrize("table", ["hooks.mail", "hooks.announce"])
@pytest.mark.parametrize("smtp", [{}, {"host": "127.0.0.1", "port": 1}, {"host": "mail.test", "user": "x"}])
def test_the_advice_names_the_table_that_the_message_was_sent_by(
    table: str, smtp: dict[str, Any], tmp_path: Path
) -> None:
    post = Post.of({"sendmail": str(tmp_path / "none"), "smtp": smtp}, table)
    with pytest.raises(ReportUndelivered) as caught:
        post.send(letter(FAILED), ("root@localhost",), "")
    assert f" {table}" in caught.value.do


def test_a_sender_that_is_no_address_is_refused_when_it_is_loaded() -> None:
    with pytest.raises(ValueError, match="not a plain mail address"):
        plugin({"from": "a@b, c@d"})


def attached(raw: bytes) -> str:
    """The log that comes with a message, as a reader saves it; "" where there is none."""
    files = {part.get_filename(): str(part.get_content()) for part in read(raw).iter_attachments()}
    assert set(files) <= {"log.txt"}
    return files.get("log.txt", "")


def shown(raw: bytes) -> str:
    """What a reader shows of a message."""
    part = read(raw).get_body()
    assert part is not None
    return str(part.get_content())


def test_a_log_without_end_is_cut_at_its_beginning_and_says_so() -> None:
    report = replace(FAILED, log=tuple(f"line {number} {'x' * 2000}" for number in range(1000)))
    raw = compose(letter(report), ("a@b",), "c@d").as_bytes()
    text = attached(raw)
    assert "(800 earlier lines are in the journal)" in text
    assert "line 799 " not in text
    assert "line 999 " in text
    assert max(len(line) for line in raw.split(b"\r\n")) < 998


@pytest.mark.parametrize(("many", "apart"), [(0, False), (3, False), (30, True), (150, True)])
def test_a_message_is_no_longer_than_a_person_reads_and_its_log_comes_beside(many: int, apart: bool) -> None:
    entries = tuple(f"step-{number}: done\n  h\u00e9 said so" for number in range(many))
    raw = compose(letter(replace(FAILED, log=entries)), ("a@b",), "c@d").as_bytes()
    assert shown(raw).count("\n") <= 60
    assert ("log.txt" in shown(raw)) == bool(attached(raw)) == apart
    said = attached(raw) if apart else shown(raw)
    assert all(f"step-{number}: done" in said for number in range(many))
    # Nothing in it can pass for a part of the report.
    assert all(line.startswith(("  ", "(")) for line in attached(raw).splitlines())


def test_many_notes_make_no_long_message_either(many: int = 80) -> None:
    notes = tuple(Finding(severity="note", text=f"left out: /mnt/{number}", source="x") for number in range(many))
    attention = Finding(severity="attention", text="see to this", source="x")
    raw = compose(letter(replace(FAILED, findings=(attention, *notes))), ("a@b",), "c@d").as_bytes()
    assert shown(raw).count("\n") <= 60 and "see to this" in shown(raw)
    assert "left out: /mnt/79" in attached(raw)


def test_a_time_zone_that_this_host_does_not_know_stops_no_mail() -> None:
    assert "UTC" in compose(letter(replace(FAILED, timezone="Mars/Olympus")), ("a@b",), "c@d").get_content()


def test_a_finding_with_nothing_but_a_command_shows_it() -> None:
    finding = Finding(
        severity="note", text="the disk is nearly due", source="hooks.mine", command="tune2fs -l /dev/sdb1"
    )
    lines = body(replace(FAILED, findings=(finding,))).splitlines()
    assert lines[lines.index("  - note: the disk is nearly due") + 1].endswith("  tune2fs -l /dev/sdb1")
