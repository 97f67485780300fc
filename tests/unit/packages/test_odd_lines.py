"""Which lines of what aptitude and apt-get wrote speak of an error, and which only seem to."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.jobs.packages.debian.trouble import odd_lines

CAPTURES = Path(__file__).parents[1] / "captures" / "apt"
CAUSE = "run-parts: executing /etc/kernel/postinst.d/zz-update-grub 2.6.26-2-486 /boot/vmlinuz-2.6.26-2-486"
NOISE = ["error: out of partition.", "error: out of partition"]


def odd(name: str) -> tuple[str, ...]:
    paths = sorted(CAPTURES.glob(f"{name}.*"))
    assert paths
    return odd_lines([line for path in paths for line in path.read_text().splitlines()])


@pytest.mark.parametrize(
    "name",
    [
        "guide-nothing",
        "guide-performed",
        "guide-held",
        "nothing-aptitude-safe-upgrade-y",
        "net-refused-then-aptitude-safe-upgrade",
        "upg-apt-get-q-y-dist-upgrade-again",
        "upg-aptitude-safe-upgrade-y",
        "conffile-apt-get-y-confold",
        "hold3-safe-upgrade-y-again",
        "brokendep-aptitude-safe-upgrade-y",
        "hold3-seed-held-list",
        "trixie-held-list",
        "trixie-held-aptitude-y",
        "vm-sec-4-safe-upgrade-y",
    ],
)
def test_a_captured_log_without_an_error_has_no_odd_line(name: str) -> None:
    assert odd(name) == ()


def test_every_line_of_a_script_that_failed_is_shown() -> None:
    lines = odd("fail-postinst-aptitude-safe-upgrade-y")
    assert "postinst: cannot start service" in lines
    assert any("post-installation script subprocess returned error" in line for line in lines)


def test_the_spurious_error_is_noise_only_after_the_line_that_explains_it() -> None:
    assert odd_lines(["Setting up linux-image-2.6.26-2-486 (2.6.26-19) ...", CAUSE, *NOISE]) == ()
    assert odd_lines([*NOISE, CAUSE]) == tuple(NOISE)
    assert odd_lines([f"echo {CAUSE}", *NOISE]) == tuple(NOISE)


@pytest.mark.parametrize(
    "line",
    [
        "error: out of partition table space", "grub-probe: error: out of partition", "update-grub failed",
        "error: out of partition; error: disk failure", "E: Sub-process failed", "W: Failed to fetch something",
    ],
)  # fmt: skip
def test_the_noise_hides_nothing_else(line: str) -> None:
    assert odd_lines([CAUSE, NOISE[1], line, NOISE[1]]) == (line,)


def test_a_package_with_error_in_its_name_is_no_error() -> None:
    lines = [
        "The following packages will be upgraded:", "  libgpg-error0 liberror-perl", "Get: 1 http://x/ libgpg-error0",
        "Unpacking libgpg-error0 (1.47) over (1.46) ...", "Setting up libgpg-error0 (1.47) ...",
        "ih  libgpg-error0   - library of error values", "libgpg-error0: an error of its own",
    ]  # fmt: skip
    assert odd_lines(lines) == ("libgpg-error0: an error of its own",)
