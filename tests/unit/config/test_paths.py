"""A path that is not taken: what is wrong with this very one, and what to write."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.config import paths

HOLDS = "stands for all below it"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (paths.absolute, "/"), (paths.absolute, "/srv/a b "), (paths.below, "/srv/.hidden"), (paths.device, "/dev/sdb1"), (paths.whole, "/var/cache"),
        (paths.plain, "state"), (paths.plain, ".state/a"), (paths.plain, "/var/lib/runner"), (paths.rooted, "/etc/"), (paths.rooted, "/a//b"),
        # The schema says what it says of a text without anything.
        (paths.below, ""), (paths.plain, ""), (paths.rooted, ""),
    ],
)  # fmt: skip
def test_a_plain_path_is_taken(read: Callable[[str], str], text: str) -> None:
    assert read(text) == text


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (paths.below, "srv/backups/papio", "does not begin with '/': write \"/srv/backups/papio\""), (paths.absolute, "home/", "does not begin with '/': write \"/home\""),
        (paths.below, " /srv", "does not begin with '/': write \"/srv\""), (paths.below, "./srv", "does not begin with '/': write all of the path"),
        (paths.below, "C:\\backups", "does not begin with '/': write all of the path"), (paths.below, "$HOME/x", "does not begin with '/': write all of the path"),
        (paths.below, "~/x", "begins with '~': write that folder out, from '/'"), (paths.below, "papio:/srv/", 'is more than a path: write "/srv"'),
        (paths.below, "file:///srv", 'is more than a path: write "/srv"'), (paths.below, "/srv/", "ends in '/': write \"/srv\""),
        (paths.below, "//srv//a", "has '//' in it: write \"/srv/a\""), (paths.below, "/srv/./a", "has '.' in it: write \"/srv/a\""),
        (paths.below, "/srv/../a", "has '..' in it: write the path that it leads to"), (paths.below, "/", "is all of the host: write a path below it"),
        (paths.below, "//", "is all of the host"), (paths.below, "/.", "is all of the host"), (paths.absolute, "//", "has '//' in it: write \"/\""),
        (paths.plain, "a/", "ends in '/': write \"a\""), (paths.plain, "./a", "has '.' in it: write \"a\""), (paths.rooted, "etc", "does not begin with '/': write \"/etc\""),
        (paths.device, "sdb1", 'is no path: write "/dev/sdb1"'), (paths.device, "dev/sdb1", "does not begin with '/': write \"/dev/sdb1\""),
        (paths.device, "LABEL=my disk", "is no path: write its path below /dev"), (paths.device, "by-label/papio", "is no path: write its path below /dev"),
        (paths.device, "LABEL=..", "is no path: write its path below /dev"), (paths.device, "papio", "is no path: write its path below /dev"), (paths.device, "nvme0n1p2", 'is no path: write "/dev/nvme0n1p2"'),
        (paths.device, "usb-Disk-0:0-part1", "is no path: write its path below /dev"), (paths.below, "rsync://backup-server1", "is an address: write the path of a file or folder on that host"),
        (paths.below, "rsync://h/module/x", "is an address: write the path"), (paths.below, "ssh://h/srv", 'is more than a path: write "/srv"'), (paths.below, "papio:/", "is more than a path: write the path alone"),
        (paths.below, "papio:/a/../b", "is more than a path: write the path alone"), (paths.plain, "//", "is all of the host: write a path below it"),
        (paths.device, "UUID=0a4f-3c1e", 'is no path: write "/dev/disk/by-uuid/0a4f-3c1e"'),
        (paths.whole, "*.tmp", HOLDS), (paths.whole, "var/cache", "does not begin with '/': write \"/var/cache\""),
    ],
)  # fmt: skip
def test_another_path_is_told_what_is_wrong_with_it(read: Callable[[str], str], text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read(text)
    assert told in str(caught.value)
