"""A snapshot that was cut off in a big file is taken up, with the rsync that Debian 12 itself has."""

from __future__ import annotations

import signal
import time

from tests.lab.site import until
from tests.vm.site import Site


def test_a_big_file_that_was_cut_off_arrives_with_the_rsync_of_debian_12(site: Site) -> None:
    site.fill("much", 300)
    snapshot = site.start("run", "backup-papio")
    until("the transfer", site.partials, 180)
    time.sleep(4)
    snapshot.send_signal(signal.SIGTERM)
    assert site.finish(snapshot).code == 1

    again = site.run("run", "backup-papio")
    # Half a file in a --partial-dir would kill this rsync, again and again (Debian bug 1093696).
    assert "segfault" not in site.machine.run("dmesg").stdout
    assert again.code == 0, again.said
    assert len(site.sealed()) == 1
