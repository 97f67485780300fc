"""papio's clock is a year ahead, and right again: nothing false is sealed where another clock is seen, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import DATA, LOCAL, Runner

YEAR = 365


@contextmanager
def ahead(runner: Runner, days: int) -> Iterator[None]:
    """Each process that starts on papio sees its clock that many days ahead; files keep their times."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    runner.path(PAPIO, "/etc/faketimerc").write_text(f"+{days}d\n")
    preload = runner.path(PAPIO, "/etc/ld.so.preload")
    preload.write_text(f"{library}\n")
    # A wrong clock changes no file that is there, and the library would: it adds the days to what stat says, too.
    reading = {"rsync": "/usr/bin/rsync", "python3": runner.lab.python}
    for name, program in reading.items():
        wrapper = runner.path(PAPIO, f"/usr/local/sbin/{name}")
        wrapper.write_text(f'#!/bin/sh\nNO_FAKE_STAT=1 exec "{program}" "$@"\n')
        wrapper.chmod(0o755)
    try:
        yield
    finally:
        preload.unlink()
        for name in reading:
            runner.path(PAPIO, f"/usr/local/sbin/{name}").unlink()


def day(runner: Runner, host: str) -> int:
    return int(runner.lab.run(host, "date", "+%s").stdout) // 86400


def test_a_clock_a_year_ahead_and_right_again(lab: Lab) -> None:
    runner = Runner(lab=lab)
    runner.settle(files=10)
    runner.good("run", "copy-data")
    (first,) = runner.sealed("local")

    with ahead(runner, YEAR):
        assert day(runner, PAPIO) >= day(runner, BACKUP) + YEAR
        refused = runner.run("run", "backup-papio")
        said = " ".join(refused.said.split())
        assert refused.code == 3 and "the clock of papio says " in said and "it seems 36" in said
        assert "nothing was written; set the clock that is wrong (papio or backup-server1) and run again" in said
        assert runner.sealed() == runner.partials() == []
        # There is no other clock for a store of papio's own: it is sealed, with a word.
        alone = runner.run("run", "copy-data")
        assert alone.code == 3 and "nothing ran since " in alone.said
        assert "if not, set the clock before the next run" in " ".join(alone.said.split())
    _, false = runner.sealed("local")

    # The clock is right: what has no false name goes on, and each message leads to the next command.
    runner.good("run", "backup-papio")
    stopped = runner.run("run", "copy-data")
    assert stopped.code == 3 and f"{false} of store local lies 36" in stopped.said
    assert "1 snapshot from the future, so none can be made" in runner.run("status").said
    (command,) = set(re.findall(rf"runner (snapshots local --set-aside {false})", stopped.said))
    runner.good(*command.split())
    runner.good("run", "copy-data")
    assert runner.sealed("local")[0] == first and len(runner.sealed("local")) == 2
    assert false not in runner.sealed("local")

    (drop,) = set(re.findall(r"runner (snapshots local --drop-aside .*)", runner.run("snapshots").said))
    runner.good(*drop.split())
    runner.good("apply", "plan.toml")
    assert list(runner.store("local").rglob(f"*{false}*")) == []
    assert runner.rsync_silent(f"{LOCAL}/{runner.sealed('local')[-1]}{DATA}") == ""
