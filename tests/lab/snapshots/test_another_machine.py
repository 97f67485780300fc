"""A machine of another name, one with a copy of jobs.toml, one that answers at another's address: none is papio."""

from __future__ import annotations

import json

from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import MAIL, STATE, Runner

PAPIO_S, ANOTHER, THIRD = "a1" * 16, "b2" * 16, "c3" * 16
MACHINES = f"{STATE}/machines.json"


def be(runner: Runner, host: str, machine: str) -> None:
    runner.path(host, "/etc/machine-id").write_text(f"{machine}\n")


def bound(runner: Runner) -> dict[str, str]:
    return {
        name: each["machine"] for name, each in json.loads(runner.path(PAPIO, MACHINES).read_text())["hosts"].items()
    }


def test_only_the_machine_that_was_papio_is_papio_until_a_person_says_otherwise(fresh_lab: Lab) -> None:
    runner = Runner(lab=fresh_lab)
    runner.settle(files=10)
    be(runner, PAPIO, PAPIO_S)
    be(runner, BACKUP, THIRD)
    runner.good("run", "backup-papio")
    assert bound(runner) == {"papio": PAPIO_S, "backup-server1": THIRD}
    (first,) = runner.sealed()
    assert runner.record(first)["machine"] == PAPIO_S

    # It is known by its id, whatever it is called; a machine that is not known is told both ways.
    fresh_lab.run(PAPIO, "hostname", "laptop")
    runner.good("run", "copy-data")
    be(runner, PAPIO, ANOTHER)
    refused = runner.run("run", "backup-papio")
    assert refused.code == 2 and "this machine is called laptop" in refused.said and "--here papio" in refused.said

    # The same, as a host of jobs.toml: what was bound here says no; in a fresh checkout, the store does.
    refused = runner.run("run", "backup-papio", "--here", "papio")
    assert refused.code == 3 and ANOTHER in refused.said and PAPIO_S in refused.said
    assert "runner run --here papio --new-machine papio" in refused.said
    runner.path(PAPIO, MACHINES).unlink()
    refused = runner.run("run", "backup-papio", "--here", "papio")
    assert refused.code == 3 and f"that of {first} was {PAPIO_S}" in " ".join(refused.said.split())
    assert runner.sealed() == [first], "nothing of it is in papio's store"

    # Another machine at backup-server1's address: what needs it waits, the rest goes on.
    fresh_lab.run(PAPIO, "hostname", "papio")
    be(runner, PAPIO, PAPIO_S)
    runner.good("run", "backup-papio")
    be(runner, BACKUP, ANOTHER)
    runner.path(PAPIO, MAIL).unlink()
    refused = runner.run("run", "backup-papio", "copy-data")
    assert refused.code == 3 and len(runner.sealed("local")) == 2 and len(runner.sealed()) == 2
    mail = " ".join(runner.path(PAPIO, MAIL).read_text().split())
    assert f"another machine answers as backup-server1: its machine-id is {ANOTHER}, and it was {THIRD}" in mail
    assert "runner run --new-machine backup-server1" in mail
    lifted = runner.good("run", "backup-papio", "--new-machine", "backup-server1")
    assert f"backup-server1 is the machine {ANOTHER} from now on, and no longer {THIRD}" in lifted.said
    assert len(runner.sealed()) == 3 and bound(runner)["backup-server1"] == ANOTHER

    # papio was set up anew: one command, and the store takes its snapshots again.
    be(runner, PAPIO, THIRD)
    assert runner.run("run", "backup-papio").code == 3
    runner.good("run", "backup-papio", "--new-machine", "papio")
    assert runner.record(runner.sealed()[-1])["machine"] == THIRD
