"""Which packages a hold pattern means, and which hold keeps another package back."""

from __future__ import annotations

import pytest

from runner.jobs.packages.debian.apt import Alternative, Clause, PackageVersion
from runner.jobs.packages.debian.held import brought_by, kept_back, to_hold
from runner.jobs.packages.debian.version import fits, key

IMAGE, META = "linux-image-6.1.0-50-amd64", "linux-image-amd64"


def test_patterns_are_of_the_names_that_are_installed_today() -> None:
    installed = {IMAGE: (), "linux-image-6.1.0-56-amd64": (), META: (IMAGE,), "linux-headers-amd64": (), "libc6": ()}
    assert to_hold(["linux-image-*"], installed) == (IMAGE, "linux-image-6.1.0-56-amd64", META)
    assert to_hold(["libc6", "not-there"], installed) == ("libc6",)
    assert to_hold([], installed) == ()


def test_a_metapackage_that_would_bring_the_next_kernel_is_held_with_it() -> None:
    installed = {IMAGE: (), META: (IMAGE,), "linux-all": (IMAGE, "firmware"), "libcap2": ()}
    assert to_hold(["linux-image-6.1.*"], installed) == (IMAGE, META)
    assert to_hold([IMAGE], installed) == (IMAGE, META)


def test_what_only_goes_with_a_held_package_is_not_held_itself() -> None:
    assert to_hold(["libc6"], {"libc6": (), "libc6-dbg": ("libc6",)}) == ("libc6",)


def test_a_pattern_means_a_package_of_every_architecture() -> None:
    assert to_hold(["libc6"], {"libc6": (), "libc6:i386": (), "libc6-dev": ()}) == ("libc6", "libc6:i386")
    assert to_hold(["libc6:i386"], {"libc6": (), "libc6:i386": ()}) == ("libc6:i386",)


def test_names_are_matched_as_a_whole_and_with_their_case() -> None:
    assert to_hold(["LIBC6", "ibc6", "libc"], {"libc6": ()}) == ()


def need(name: str, relation: str = "", version: str = "") -> Clause:
    return (Alternative(name, relation, version),)


def test_what_needs_a_newer_version_of_a_held_package_is_kept_back_by_it() -> None:
    wishes = {
        "libc6": PackageVersion(old="2.36", version="2.37"),
        "app": PackageVersion(old="1", version="2", needs=(need("lib", ">=", "2"), need("held-but-fine", ">=", "1"))),
        "lib": PackageVersion(old="1", version="2", needs=(need("libc6", ">=", "2.37"),)),
    }
    fixed = {"libc6": PackageVersion(version="2.36"), "held-but-fine": PackageVersion(version="1")}
    assert kept_back(wishes, fixed) == {"libc6": (), "app": ("libc6",), "lib": ("libc6",)}


def test_an_alternative_that_is_there_is_enough() -> None:
    wish = PackageVersion(old="1", version="2", needs=(need("held", ">=", "2") + need("other"),))
    blockers = kept_back(
        {"app": wish, "held": PackageVersion(old="1", version="2")}, {"held": PackageVersion(version="1")}
    )
    assert blockers["app"] == ("held",), "no reason is seen, so the hold that could be it is named"
    strict = PackageVersion(old="1", version="2", needs=(need("held", ">=", "2") + need("gone", ">=", "9"),))
    fixed = {"held": PackageVersion(version="1"), "gone": PackageVersion(version="")}
    assert kept_back({"app": strict}, fixed)["app"] == ("gone", "held")


def test_a_held_package_that_needs_the_old_version_or_would_break_keeps_the_new_one_back() -> None:
    old = PackageVersion(version="1", needs=(need("lib", "=", "1"),))
    assert kept_back({"lib": PackageVersion(old="1", version="2")}, {"app": old}) == {"lib": ("app",)}
    breaks = PackageVersion(old="1", version="2", breaks=(need("app", "<<", "2"),))
    assert kept_back({"lib": breaks}, {"app": PackageVersion(version="1")}) == {"lib": ("app",)}


def test_packages_that_need_each_other_come_to_an_end() -> None:
    wishes = {
        "a": PackageVersion(old="1", version="2", needs=(need("b", "=", "2"),)),
        "b": PackageVersion(old="1", version="2", needs=(need("a", "=", "2"), need("held", "=", "2"))),
    }
    assert kept_back(wishes, {"held": PackageVersion(version="1")}) == {"a": ("held",), "b": ("held",)}


def test_who_brings_a_new_package_is_found_over_others() -> None:
    wishes = {
        META: PackageVersion(old="1", version="2", needs=(need("mid"),)),
        "mid": PackageVersion(old="", version="1", needs=(need("new"),)),
    }
    assert brought_by("new", wishes) == (META, "mid")
    assert brought_by(META, wishes) == ()


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0~rc1", "1.0"), ("1.0", "1.0-1"), ("1.0-1", "1.0-1+deb12u1"), ("1.0-9", "1.0-10"), ("9", "1:1"),
        ("1.0~~", "1.0~"), ("1.0a", "1.0+"), ("6.1.99", "6.1.176"),
    ],
)  # fmt: skip
def test_versions_have_debians_order(older: str, newer: str) -> None:
    assert key(older) < key(newer)
    assert fits(older, "<<", newer)
    assert fits(newer, ">=", older)
    assert not fits(older, "=", newer)
    assert fits(older, "", newer)


def test_a_zero_more_or_less_makes_no_difference() -> None:
    assert (key("007"), key("0:1.0"), key("1.0-0")) == (key("7"), key("1.0"), key("1.0"))
