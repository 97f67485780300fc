"""Which packages a hold pattern means, and which hold keeps another package back."""

from __future__ import annotations

import pytest

from runner.jobs.packages.choice import blocks, choose
from runner.jobs.packages.debian.apt import Alternative, Clause, PackageVersion
from runner.jobs.packages.debian.held import brought_by, kept_back, to_hold
from runner.jobs.packages.debian.version import fits, key
from runner.jobs.packages.redhat.held import held_back
from runner.model.packages import Held, PackageFacts, Update

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


def update(name: str) -> Update:
    return Update(name=name, arch="x86_64", old="1-1", new="2-1")


def test_what_is_held_should_be_held_or_fits_a_pattern_is_not_installed() -> None:
    known = PackageFacts(
        fresh=True, holds=("libc6",), unheld=("linux-image-9",), held=(Held(update=update("old-hold")),),
        updates=tuple(map(update, ("libc6", "linux-image-9", "vim-tiny", "curl"))),
    )  # fmt: skip
    choice = choose(known, ["vim*"], "all")
    assert [each.update.name for each in choice.held] == ["old-hold", "libc6", "linux-image-9", "vim-tiny"]
    assert [each.name for each in choice.install] == ["curl"]
    assert choice.later == ()


def test_each_hold_is_told_with_the_others_that_it_keeps_back() -> None:
    held = (Held(update=update("libc6")), Held(update=update("app"), by=("libc6", "perl")))
    assert blocks(held) == {"libc6": ("app",), "perl": ("app",)}
    assert blocks(held[:1]) == {"libc6": ()}
    assert blocks((Held(update=update("a"), by=("a", "b")),)) == {"a": (), "b": ("a",)}


FILTERED = "  - package {}-0:2-1.x86_64 is filtered out by exclude filtering"


@pytest.mark.parametrize(
    ("problems", "by"),
    [
        ((), ("glibc", "perl")),
        (("Problem: cannot install the best update candidate for app-2-1.x86_64", FILTERED.format("perl")), ("perl",)),
        (
            ("Problem 1: app-2-1.x86_64 needs", FILTERED.format("perl"), "Problem 2: other", FILTERED.format("glibc")),
            ("perl",),
        ),
        ((" app-2-1.x86_64 needs", FILTERED.format("perl")), ("perl",)),
        (("Problem: app-2-1.x86_64", "package nonsense is filtered out by exclude filtering"), ("glibc", "perl")),
    ],
)
def test_dnf_says_which_hold_keeps_an_update_back_or_all_are_named(
    problems: tuple[str, ...], by: tuple[str, ...]
) -> None:
    staying = [update("glibc"), update("app"), update("perl")]
    held = held_back(staying, {"glibc", "perl"}, problems)
    assert [(each.update.name, each.by) for each in held] == [("glibc", ()), ("app", by), ("perl", ())]


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
    two = {"held": PackageVersion(version="1"), "tzdata": PackageVersion(version="1")}
    wishes = {"app": wish, **{name: PackageVersion(old="1", version="2") for name in two}}
    assert kept_back(wishes, two)["app"] == ("held", "tzdata"), "nor which of two"
    strict = PackageVersion(old="1", version="2", needs=(need("held", ">=", "2") + need("gone", ">=", "9"),))
    fixed = {"held": PackageVersion(version="1"), "gone": PackageVersion(version="")}
    assert kept_back({"app": strict}, fixed)["app"] == ("gone", "held")


def test_a_held_package_that_needs_the_old_version_or_would_break_keeps_the_new_one_back() -> None:
    old = PackageVersion(version="1", needs=(need("lib", "=", "1"),))
    assert kept_back({"lib": PackageVersion(old="1", version="2")}, {"app": old}) == {"lib": ("app",)}
    breaks = PackageVersion(old="1", version="2", breaks=(need("app", "<<", "2"),))
    assert kept_back({"lib": breaks}, {"app": PackageVersion(version="1")}) == {"lib": ("app",)}


def test_a_held_package_that_goes_with_the_new_one_does_not_keep_it_back() -> None:
    # What keeps it back is not seen then, so the one hold that has an update is named.
    tzdata = PackageVersion(old="1", version="2")
    for needs in (need("lib", ">=", "1"), need("lib", "=", "1") + need("other"), need("other", "=", "1")):
        staying = {"app": PackageVersion(version="2", needs=(needs,)), "tzdata": PackageVersion(version="1")}
        wishes = {"lib": PackageVersion(old="1", version="2"), "tzdata": tzdata}
        assert kept_back(wishes, staying)["lib"] == ("tzdata",)
    breaks = PackageVersion(old="1", version="2", breaks=(need("app", "<<", "2") + need("gone", "<<", "2"),))
    staying = {"app": PackageVersion(version="2"), "tzdata": PackageVersion(version="1")}
    assert kept_back({"lib": breaks, "tzdata": tzdata}, staying)["lib"] == ("tzdata",)


def test_a_package_does_not_keep_itself_back() -> None:
    both = {
        "a": PackageVersion(old="1", version="2", needs=(need("b", "=", "2"),)),
        "b": PackageVersion(old="1", version="2", needs=(need("a", "=", "2"),)),
    }
    assert kept_back(both, {"a": PackageVersion(version="1")}) == {"a": (), "b": ("a",)}


def test_packages_that_need_each_other_come_to_an_end() -> None:
    ring = {
        "a": PackageVersion(old="1", version="2", needs=(need("b"), need("new"))),
        "b": PackageVersion(old="1", version="2", needs=(need("a"),)),
    }
    assert brought_by("new", ring) == ("a", "b")
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


def test_an_epoch_that_is_no_number_is_none() -> None:
    assert key("x:1.0") == key("1.0")
    assert fits("x:1.0", "<<", "1:0.1")


def test_a_zero_more_or_less_makes_no_difference() -> None:
    assert (key("007"), key("0:1.0"), key("1.0-0")) == (key("7"), key("1.0"), key("1.0"))
