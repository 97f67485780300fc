"""What apt and dpkg log when something was wrong, on Debian 12 and 13: what it is, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.jobs.packages.debian import trouble

CAPTURES = Path(__file__).parents[1] / "captures" / "apt"


def lines(name: str) -> list[str]:
    text = "".join(path.read_text() for path in sorted(CAPTURES.glob(f"{name}.*")))
    assert text, name
    return text.splitlines()


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("expired-release-apt-get-update", {"expired"}),
        ("future-release-apt-get-update", {"clock"}),
        ("sig-bad-apt-get-update", {"signature"}),
        ("sig-expkey-apt-get-update", {"signature"}),
        ("sig-nokey-apt-get-update", {"signature"}),
        ("sig-nokey-lists-apt-get-update-error-on", {"signature"}),
        ("sig-unsigned-apt-get-update", {"signature"}),
        ("trixie-sig-nokey-update", {"signature"}),
        ("releaseinfo-change-apt-get-update", {"moved"}),
        ("net-404-apt-get-update", {"unreachable"}),
        ("net-dns-apt-get-update", {"unreachable"}),
        ("net-refused-apt-get-update-erroron", {"unreachable"}),
        ("trixie-net-refused-update", {"unreachable"}),
        ("net-hang-apt-get-update-timeout", {"unreachable"}),
        ("net-deb-404-apt-get-y", {"damaged"}),
        ("net-hash-mismatch-apt-get-y", {"damaged"}),
        ("diskfull-archives-apt-get-y", {"disk full"}),
        ("diskfull-unpack-apt-get-y", {"half", "disk full"}),
        ("lock-dpkg-frontend-apt-get-y", {"lock"}),
        ("lock-dpkg-frontend-apt-get-timeout", {"lock"}),
        ("lock-lists-apt-get-update", {"lock"}),
        ("lock-archives-apt-get-y", {"lock"}),
        ("lock-dpkg-only-apt-get-y", {"lock"}),
        ("dpkg-interrupted-apt-get-y", {"interrupted"}),
        ("fail-postinst-apt-get-y", {"half"}),
        ("conffile-apt-get-y-nullstdin", {"half"}),
        ("unmet-apt-get-s-dist-upgrade", {"broken"}),
        ("upg-aptitude-safe-upgrade-y", set()),
        ("conffile-apt-get-y-confold", set()),
    ],
)
def test_each_trouble_is_known_by_what_was_said(name: str, kinds: set[str]) -> None:
    troubles = trouble.read(lines(name))
    assert {each.what for each in troubles} == kinds
    assert all(each.do for each in troubles)
    assert [each.what for each in troubles if each.mends] == [kind for kind in ("interrupted",) if kind in kinds]


def test_a_lock_names_the_program_that_has_it() -> None:
    (first, *_) = trouble.read(lines("lock-dpkg-frontend-apt-get-y"))
    assert "held by process 341 (python3)" in first.text


def test_a_key_that_is_missing_one_that_expired_and_a_bad_signature_have_remedies_of_their_own() -> None:
    names = ("sig-nokey-apt-get-update", "sig-expkey-apt-get-update", "sig-bad-apt-get-update")
    firsts = [trouble.read(lines(name))[0].do for name in names]
    assert len(set(firsts)) == 3


def test_an_error_that_nobody_knows_is_told_in_its_own_words() -> None:
    log = ["E: The dog ate \x1b[31mit", "E: Some index files failed to download. They have been ignored", "W: dull"]
    (only,) = trouble.read(log)
    assert (only.what, only.text) == ("unknown", "The dog ate \\x1b[31mit")


def test_boot_that_ran_full_is_told_apart_from_another_disk() -> None:
    log = [
        "cp: error writing '/boot/initrd.img-6.1.0-56.new': No space left on device",
        "update-initramfs: failed for /boot/initrd.img-6.1.0-56 with 1.",
    ]
    assert [each.what for each in trouble.read(log)] == ["boot full"]
