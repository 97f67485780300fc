"""The words that go to dnf, and what its simulation says."""

from __future__ import annotations

from pathlib import Path

from runner.jobs.packages.redhat import dnf, survey, trouble
from runner.jobs.packages.redhat.rpm import Package
from runner.model.packages import Update

CAPTURES = Path(__file__).parents[1] / "captures/dnf"
GLIBC = Package(name="glibc", arch="x86_64", version="2.34-100.el9")


def transaction(name: str, section: str) -> dnf.Transaction:
    sections = survey.sections((CAPTURES / name).read_text())[section]
    return dnf.parse_transaction(sections.out, sections.err)


def names(updates: tuple[Update, ...]) -> list[str]:
    return [update.name for update in updates]


def test_packages_are_installed_by_exact_version_and_no_key_lock_or_replacement_is_taken_on_the_way() -> None:
    argv = dnf.install("dnf", (GLIBC,), ("kernel*",))
    assert argv[-2:] == ("install", "glibc-2.34-100.el9.x86_64")
    assert set(argv) >= {
        "-y", "--setopt=*.skip_if_unavailable=1", "--setopt=exit_on_lock=True", "--setopt=*.gpgkey=",
        "--setopt=obsoletes=0", "--exclude=kernel*",
    }  # fmt: skip


def test_lists_are_fetched_anew_and_a_dead_mirror_is_an_error_with_either_program() -> None:
    assert dnf.refresh("dnf")[-2:] == ("--refresh", "makecache")
    argv = dnf.refresh("yum")
    assert argv[3:6] == ("sh", "-c", '"$@" clean expire-cache && "$@" makecache')
    assert all("--setopt=*.skip_if_unavailable=0" in each for each in (argv, dnf.refresh("dnf")))


def test_a_simulation_names_what_is_upgraded_and_what_comes_along() -> None:
    simulated = transaction("look-updates.stdout", "would")
    assert sorted(names(simulated.updates)) == ["bind-libs", "bind-utils", "extra", "glibc", "kernel-core"]
    assert simulated.removals == ()
    assert simulated.problems == ()


def test_what_is_skipped_is_not_in_the_simulation_and_the_reason_is_kept() -> None:
    simulated = transaction("look-held.stdout", "would")
    assert names(simulated.updates) == ["glibc"]
    assert any("bind-libs-32:9.8.2-0.37.rc1.el6_7.6.x86_64 is filtered out" in line for line in simulated.problems)


def test_a_replaced_package_is_a_removal() -> None:
    assert transaction("look-replaced.stdout", "full").removals == ("oldname",)
    assert transaction("look-replaced.stdout", "would").removals == ()


def test_an_old_kernel_that_makes_room_for_the_next_is_no_removal() -> None:
    table = (
        "Installing:", " kernel-core x86_64 5.14.0-100.el9 updates 6.1 k",
        "Removing:", " kernel-core x86_64 5.14.0-10.el9 @System 6.1 k",
        "Removing dependent packages:", " kmod-x x86_64 1-1 @System 6.1 k", "", "Transaction Summary",
    )  # fmt: skip
    assert dnf.parse_transaction(table).removals == ("kmod-x",)


def test_a_row_that_was_broken_is_whole_again() -> None:
    table = (
        "Upgrading:",
        " a-very-long-name",
        "                x86_64 1.0-1 updates 6.1 k",
        " b noarch 2-1 base 1 k",
        "",
    )
    assert [(update.name, update.arch, update.new, update.origin) for update in dnf.parse_transaction(table).updates] == [
        ("a-very-long-name", "x86_64", "1.0-1", "updates"), ("b", "noarch", "2-1", "base"),
    ]  # fmt: skip


def test_a_hostile_package_is_in_no_list() -> None:
    assert dnf.parse_upgrades(("--nogpgcheck|0|1|1|x86_64|evil|1", "glibc|0|2.34|1|x86_64|base|77")) == (
        (Package(name="glibc", arch="x86_64", version="2.34-1"), "base", 77),
    )  # fmt: skip
    assert dnf.parse_transaction(("Upgrading:", " --nogpgcheck x86_64 1-1 evil 1 k")).updates == ()


def failed(name: str, exit: int = 1) -> tuple[str, str]:
    lines = tuple((CAPTURES / name).read_text().splitlines())
    reason = trouble.lists(survey.Section(exit=exit, err=lines))
    assert reason.do
    return reason.what, reason.text


def test_why_lists_cannot_be_had_is_told_with_the_repository_and_a_remedy() -> None:
    what, text = failed("fail-repo-down-with-cache-refresh.stderr")
    assert what == "unreachable"
    assert "repo 'base'" in text
    assert failed("fail-repo-404.stderr")[0] == "moved"
    assert failed("fail-repo-gpgcheck.stderr")[0] == "signature"
    assert failed("fail-disk-full-cache.stderr")[0] == "disk full"
    assert failed("fail-not-root.stderr")[0] == "broken"


def test_a_failure_without_a_word_is_a_trouble_too() -> None:
    reason = trouble.lists(survey.Section(exit=1))
    assert (reason.what, reason.text) == (
        "unreachable", "the package lists could not be fetched: exit 1 without a message",
    )  # fmt: skip


def test_repositories_that_check_signatures_are_read_with_their_keys() -> None:
    lines = (
        "[main]", "gpgcheck=1", "[base]", "enabled=1", "gpgkey=file:///etc/pki/rpm-gpg/A", "  file:///etc/pki/rpm-gpg/B",
        "[off]", "enabled = 0", "[plain]", "gpgcheck=no", "[bare]", "exclude=kernel*",
    )  # fmt: skip
    assert trouble.repositories(lines) == {
        "base": ("file:///etc/pki/rpm-gpg/A", "file:///etc/pki/rpm-gpg/B"), "bare": (),
    }  # fmt: skip


def test_too_little_room_is_told_before_anything_is_fetched() -> None:
    kernel = Update(name="kernel-core", arch="x86_64", old="1-1", new="2-1")
    troubles = trouble.room({"boot": 50 << 20, "var": 10 << 20}, (kernel,), 5 << 20)
    assert [each.what for each in troubles] == ["boot full", "disk full"]
    assert trouble.room({"boot": 500 << 20, "var": 10 << 30}, (kernel,), 5 << 20) == ()
    assert trouble.room({}, (kernel,), 5 << 20) == ()
    glibc = Update(name="glibc", arch="x86_64", old="1-1", new="2-1")
    assert trouble.room({"boot": 50 << 20}, (glibc,), 5 << 20) == ()


def test_only_programs_that_work_on_packages_are_locks() -> None:
    seen = survey.Section(exit=0, out=("77|dnf", "88|sshd", "|", "x|dnf"))
    (lock,) = trouble.locked(seen, seen)
    assert lock.text == "dnf (process 77) is at work on the packages"
