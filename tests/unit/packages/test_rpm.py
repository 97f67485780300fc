"""Packages of rpm: their names and versions, the order of these, kernels, scriptlets that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.jobs.packages.redhat import rpm
from runner.jobs.packages.redhat.rpm import Package

DNF = Path(__file__).parents[1] / "captures/dnf"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0-1", "1.0-2"),
        ("1.9-1", "1.10-1"),
        ("3.0.7-2.el9", "1:1.0-1"),
        ("1.0~rc1-1", "1.0-1"),
        ("1.0-1", "1.0^git1-1"),
        ("1.0^git1-1", "1.0.1-1"),
        ("1.0a-1", "1.0.1-1"),
        ("2.34-60.el9", "2.34-100.el9"),
        ("9.8.2-0.37.rc1.el6_7.5", "9.8.2-0.37.rc1.el6_7.6"),
        ("3.10.0-1160.el7", "3.10.0-1160.119.1.el7"),
    ],
)
def test_versions_are_ordered_as_rpm_orders_them(older: str, newer: str) -> None:
    assert rpm.key(older) < rpm.key(newer)


@pytest.mark.parametrize(
    ("left", "right"), [("1.0-1", "1.0-1"), ("0:1.0-1", "1.0-1"), ("1.05-1", "1.5-1"), ("1_0-1", "1.0-1")]
)
def test_versions_that_rpm_takes_for_the_same_are_the_same(left: str, right: str) -> None:
    assert rpm.key(left) == rpm.key(right)


def test_installed_packages_are_read_without_an_epoch_of_none() -> None:
    lines = ("bind-libs|32|9.8.2|0.37|x86_64", "glibc|0|2.34|60.el9|x86_64", "package extra is not installed")
    assert rpm.parse(lines) == (
        Package(name="bind-libs", arch="x86_64", version="32:9.8.2-0.37"),
        Package(name="glibc", arch="x86_64", version="2.34-60.el9"),
    )


@pytest.mark.parametrize(
    "line",
    [
        "--import|0|1|1|x86_64",
        "a b|0|1|1|x86_64",
        "a|0|1;rm|1|x86_64",
        "a|0|1|1|../x",
        "a|0||1|noarch",
        "a|x|1|1|noarch",
    ],
)
def test_what_rpm_would_never_accept_is_no_package(line: str) -> None:
    assert rpm.parse((line,)) == ()


def test_a_package_is_named_with_its_epoch_to_dnf_and_without_to_rpm() -> None:
    package = Package(name="bind-libs", arch="x86_64", version="32:9.8.2-0.37")
    assert package.spec == "bind-libs-32:9.8.2-0.37.x86_64"
    assert rpm.from_spec(package.spec) == package
    assert rpm.look((package,)) == ("rpm", "--query", "--", "bind-libs-9.8.2-0.37.x86_64")


KERNELS = (
    Package(name="kernel-core", arch="x86_64", version="5.14.0-70.el9"),
    Package(name="kernel-core", arch="x86_64", version="5.14.0-100.el9"),
    Package(name="kernel-uek", arch="x86_64", version="5.15.0-1.el9uek"),
    Package(name="kernel-headers", arch="x86_64", version="6.0-1"),
    Package(name="kernel-modules", arch="x86_64", version="6.0-1"),
)


@pytest.mark.parametrize(
    ("running", "newest"),
    [
        ("5.14.0-70.el9.x86_64", "5.14.0-100.el9.x86_64"),
        ("5.15.0-1.el9uek.x86_64", "5.15.0-1.el9uek.x86_64"),
        ("6.18.5", "5.15.0-1.el9uek.x86_64"),
    ],
)
def test_the_newest_kernel_is_the_newest_of_the_kind_that_runs(running: str, newest: str) -> None:
    assert rpm.newest_kernel(KERNELS, running) == newest


def test_without_a_kernel_package_the_newest_kernel_is_unknown() -> None:
    assert rpm.newest_kernel((), "6.1.0") == ""


def lines(name: str) -> list[str]:
    return (DNF / name).read_text().splitlines()


def test_a_failed_scriptlet_is_found_though_dnf_says_complete() -> None:
    assert "Complete!" in lines("fail-scriptlet-post-only.stdout")
    log = lines("fail-scriptlet-post-only.stdout") + lines("fail-scriptlet-post-only.stderr")
    assert rpm.failed_scriptlets(log) == ("demo-badpost (postin)",)
    assert rpm.failed_scriptlets(lines("fail-scriptlet-post-and-pre.stderr")) == (
        "demo-conf (prein)", "demo-badpost (postin)",
    )  # fmt: skip


def test_a_failed_scriptlet_is_found_in_the_words_of_yum_and_of_rpm() -> None:
    log = (
        "Non-fatal POSTIN scriptlet failure in rpm package httpd-2.4.6-99.el7.x86_64",
        "warning: %post(httpd-2.4.6-99.el7.x86_64) scriptlet failed, exit status 1",
        "error: %pre(other-1-1.noarch) scriptlet failed, exit status 2",
    )
    assert rpm.failed_scriptlets(log) == ("httpd (postin)", "other (prein)")


def test_a_run_without_failed_scriptlets_names_none() -> None:
    assert rpm.failed_scriptlets(lines("update-assumeno.stdout")) == ()


def test_needs_restarting_is_believed_only_in_words_that_fit_its_exit_code() -> None:
    assert rpm.parse_needs_restarting(1, lines("needs-restarting-r-after.stdout")) == ("systemd",)
    assert rpm.parse_needs_restarting(0, lines("needs-restarting-r-ok.stdout")) == ()
    assert rpm.parse_needs_restarting(1, lines("needs-restarting-r-noplugin.stderr")) is None
    assert rpm.parse_needs_restarting(127, ()) is None
    assert rpm.parse_needs_restarting(None, ()) is None
