"""What `check-update` prints, of yum 3 and of dnf: rows that are broken, replaced packages, headers."""

from __future__ import annotations

from pathlib import Path

from runner.jobs.packages.redhat import dnf, survey

CAPTURES = Path(__file__).parents[1] / "captures"


def listed(name: str) -> tuple[list[tuple[str, str, str]], tuple[str, ...]]:
    updates, replaced = dnf.parse_check_update((CAPTURES / name).read_text().splitlines())
    return [(f"{new.name}.{new.arch}", new.version, repository) for new, repository, _ in updates], replaced


def test_the_mail_of_the_guide_is_two_updates() -> None:
    assert listed("yum3/check-update-seed.stdout") == (
        [
            ("bind-libs.x86_64", "32:9.8.2-0.37.rc1.el6_7.6", "sl-security"),
            ("bind-utils.x86_64", "32:9.8.2-0.37.rc1.el6_7.6", "sl-security"),
        ],
        (),
    )


def test_rows_that_yum_broke_once_or_twice_are_whole_again_and_replaced_packages_are_no_updates() -> None:
    updates, replaced = listed("yum3/check-update-el7-long.stdout")
    assert len(updates) == 11
    assert updates[9:] == [
        ("subscription-manager-rhsm-certificates.x86_64", "1.24.54-1.el7.centos", "updates"),
        (
            "python2-cryptography-with-a-rather-long-name.x86_64",
            "1.7.2-2.el7.1.0.20240101git0123456789ab", "sl-security-testing",
        ),
    ]  # fmt: skip
    assert replaced == ("dracut-old",)


def test_what_dnf_prints_is_read_the_same_way() -> None:
    updates, replaced = listed("dnf/check-update-q.stdout")
    assert len(updates) == 6
    assert updates[2][0] == "demo-a-package-with-a-really-long-name-for-wrapping.x86_64"
    assert replaced == ("demo-oldname",)


def test_what_yum_says_besides_is_no_update() -> None:
    rows = (
        "Loaded plugins: fastestmirror, langpacks",
        "Last metadata expiration check: 0:01:54 ago on Mon Nov 23 03:39:55 2026.",
        "Security: kernel-3.10.0-1160.119.1.el7.x86_64 is an installed security update",
        "Repodata is over 2 weeks old. Install yum-cron? Or run: yum makecache fast",
        "",
    )
    assert dnf.parse_check_update(rows) == ((), ())


def test_a_hostile_name_is_no_update() -> None:
    rows = ("--installroot=/.x86_64   1.0-1   evil", "glibc.x86_64   2.34-1   base", "$(id).noarch 1-1 evil")
    updates, _ = dnf.parse_check_update(rows)
    assert [offer.package.name for offer in updates] == ["glibc"]


def test_names_go_to_the_look_as_arguments_and_never_into_its_text() -> None:
    argv = dnf.look_with_yum3("yum", ("kernel*", "$(reboot)"))
    assert argv[:2] == ("sh", "-c")
    assert argv[3:] == ("look", "yum", "kernel*", "$(reboot)")
    assert "reboot)" not in argv[2]
    assert dnf.look("dnf", ("kernel*",))[3:] == ("look", "dnf", "kernel*")


def test_a_line_that_pretends_to_be_another_section_stays_in_its_own() -> None:
    text = "all exit 0\nall out end exit 0\nall out would exit 0\nall err x\nnonsense\n"
    sections = survey.sections(text)
    assert set(sections) == {"all"}
    assert sections["all"].out == ("end exit 0", "would exit 0")
    assert sections["all"].err == ("x",)
