"""A snapshot that was cut off in a big file is taken up, with the rsync that Debian 12 itself has."""

from __future__ import annotations

import signal
import time

import pytest

from tests.lab.site import until
from tests.vm.recipe import STORE
from tests.vm.site import Site


@pytest.mark.xfail(
    strict=True,
    reason="as a receiver this rsync dies when it takes up a half file from an absolute --partial-dir "
    "(RsyncProject/rsync issue 722, Debian bug 1093696)",
)
def test_half_a_big_file_is_taken_up_by_the_rsync_of_debian_12(site: Site) -> None:
    site.fill("much", 300)
    snapshot = site.start("run", "backup-papio")
    until("the transfer", site.partials, 60)
    time.sleep(4)
    snapshot.send_signal(signal.SIGTERM)
    assert site.finish(snapshot).code == 1
    assert "much" in site.machine.run("find", f"{STORE}/.partial", "-size", "+1000").stdout

    again = site.run("run", "backup-papio")
    assert "segfault" not in site.machine.run("dmesg").stdout
    assert again.code == 0, again.said
    assert len(site.sealed()) == 1
