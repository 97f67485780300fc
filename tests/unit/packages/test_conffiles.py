"""What is said of a configuration file that packages and people both have a version of."""

from __future__ import annotations

import pytest

from runner.jobs.packages import conffiles


@pytest.mark.parametrize(
    ("path", "gone", "words"),
    [
        ("/etc/a.conf.dpkg-dist", False, "/etc/a.conf stays; compare it with /etc/a.conf.dpkg-dist"),
        ("/etc/a.conf.dpkg-dist", True, "/etc/a.conf was removed, and stays so; the new one is /etc/a.conf.dpkg-dist"),
        ("/etc/a.conf.rpmnew", False, "/etc/a.conf stays; compare it with /etc/a.conf.rpmnew"),
        ("/etc/a.conf.rpmsave", False, "/etc/a.conf is the new one; what was there is /etc/a.conf.rpmsave"),
        ("/etc/a.conf.rpmsave", True, "/etc/a.conf is gone; what was there is /etc/a.conf.rpmsave"),
    ],
)
def test_only_what_is_there_stays(path: str, gone: bool, words: str) -> None:
    assert conffiles.words(path, gone=gone) == words
