"""What aptitude and apt-get wrote, and the guide's three mails, understood as the guide says."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.jobs.packages.debian.trouble import odd_lines, understood

CAPTURES = Path(__file__).parents[1] / "captures" / "apt"
CAUSE = "run-parts: executing /etc/kernel/postinst.d/zz-update-grub 2.6.26-2-486 /boot/vmlinuz-2.6.26-2-486"


def capture(name: str) -> str:
    return "".join(path.read_text() for path in sorted(CAPTURES.glob(f"{name}.*")))


def test_the_guides_mail_that_nothing_was_done() -> None:
    found = understood(capture("guide-nothing"))
    assert (found.verdict, found.upgraded, found.held, found.noise, found.odd) == ("nothing", (), (), 0, ())


def test_the_guides_mail_that_updates_were_performed() -> None:
    found = understood(capture("guide-performed"))
    assert found.verdict == "performed"
    assert set(found.upgraded) == {"libmysqlclient15off", "mysql-common"}
    assert (found.held, found.odd) == ((), ())


def test_the_guides_mail_that_a_person_must_act() -> None:
    found = understood(capture("guide-held"))
    assert found.verdict == "held back"
    assert found.held == (("linux-image-2.6.26-2-486", "Linux 2.6.26 image on x86"),)
    assert (found.upgraded, found.odd) == ((), ())


@pytest.mark.parametrize(
    ("name", "verdict", "upgraded", "held"),
    [
        ("nothing-aptitude-safe-upgrade-y", "nothing", 0, ""),
        ("net-refused-then-aptitude-safe-upgrade", "nothing", 0, ""),
        ("upg-apt-get-q-y-dist-upgrade-again", "nothing", 0, ""),
        ("upg-aptitude-safe-upgrade-y", "performed", 5, ""),
        ("conffile-apt-get-y-confold", "performed", 6, ""),
        ("hold3-safe-upgrade-y-again", "held back", 0, ""),
        ("brokendep-aptitude-safe-upgrade-y", "held back", 5, ""),
        ("hold3-seed-held-list", "held back", 0, "linux-image-9.9.9-demo"),
        ("trixie-held-list", "held back", 0, "linux-image-9.9.9-demo"),
        ("trixie-held-aptitude-y", "held back", 4, ""),
        ("vm-sec-4-safe-upgrade-y", "held back", 18, ""),
    ],
)
def test_a_captured_log(name: str, verdict: str, upgraded: int, held: str) -> None:
    found = understood(capture(name))
    assert found.verdict == verdict
    assert len(found.upgraded) == upgraded
    assert [one for one, _ in found.held] == ([held] if held else [])
    assert found.odd == ()


def test_a_package_whose_script_failed_is_not_among_the_upgraded_and_every_line_of_it_is_shown() -> None:
    found = understood(capture("fail-postinst-aptitude-safe-upgrade-y"))
    assert "demo-badpost" not in found.upgraded
    assert len(found.upgraded) == 5
    assert "postinst: cannot start service" in found.odd
    assert any("post-installation script subprocess returned error" in line for line in found.odd)


def test_the_spurious_error_is_noise_only_after_the_line_that_explains_it() -> None:
    noise = "error: out of partition.\nerror: out of partition\n"
    after = understood(f"Setting up linux-image-2.6.26-2-486 (2.6.26-19) ...\n{CAUSE}\n{noise}")
    assert (after.verdict, after.noise, after.odd) == ("performed", 2, ())
    before = understood(f"{noise}{CAUSE}\n")
    assert (before.noise, before.odd) == (0, ("error: out of partition.", "error: out of partition"))
    assert understood(f"echo {CAUSE}\n{noise}").noise == 0


@pytest.mark.parametrize(
    "line",
    [
        "error: out of partition table space", "grub-probe: error: out of partition", "update-grub failed",
        "error: out of partition; error: disk failure", "E: Sub-process failed", "W: Failed to fetch something",
    ],
)  # fmt: skip
def test_the_noise_hides_nothing_else(line: str) -> None:
    found = understood(f"{CAUSE}\nerror: out of partition\n{line}\nerror: out of partition\n")
    assert (found.noise, found.odd) == (2, (line,))


def test_a_package_with_error_in_its_name_is_no_error() -> None:
    lines = [
        "The following packages will be upgraded:", "  libgpg-error0 liberror-perl", "Get: 1 http://x/ libgpg-error0",
        "Unpacking libgpg-error0 (1.47) over (1.46) ...", "Setting up libgpg-error0 (1.47) ...",
        "ih  libgpg-error0   - library of error values", "libgpg-error0: an error of its own",
    ]  # fmt: skip
    assert odd_lines(lines) == ("libgpg-error0: an error of its own",)
    assert understood("\n".join(lines)).upgraded == ("libgpg-error0",)


def test_what_is_only_planned_or_makes_no_sense_is_not_performed() -> None:
    planned = "The following packages will be upgraded:\n  demo-lib \n1 packages upgraded, 0 newly installed, "
    assert understood(f"{planned}0 to remove and 0 not upgraded.\nWould download packages.\n").verdict == "unknown"
    assert understood("").verdict == understood("ih\x00\r\r\nSetting up").verdict == "unknown"
