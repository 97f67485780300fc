"""What keepers have signed changes a bound host through the bound key, and nothing that a thief of it brings does."""

from __future__ import annotations

import json
import shlex
import zipfile
from collections.abc import Iterator

import pytest

from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.policy.thief import PROGRAM, TOKEN, Thief, enrolled
from tests.lab.site import FILE, Runner

FOLDER, ORDER, POLICY = "/root/keepers", "/root/order.toml", "/etc/runner/agent.toml"
NAMES = ("anna", "karl", "eve")


@pytest.fixture(scope="module")
def thief(lab: Lab) -> Iterator[Thief]:
    """He has papio; two of anna and karl, whose keys were never there for him, have to sign."""
    made = Runner(lab=lab)
    made.settle(files=5)
    made.path(BACKUP, "/etc/machine-id").write_text(f"{'5a' * 16}\n")
    lab.run(PAPIO, "mkdir", FOLDER)
    for name in NAMES:
        lab.run(PAPIO, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{FOLDER}/{name}")
    keys = {name: made.path(PAPIO, f"{FOLDER}/{name}.pub").read_text() for name in NAMES}
    made.path(PAPIO, "/etc/runner/keepers").write_text("".join(f"{name} {keys[name]}" for name in ("anna", "karl")))
    yield Thief(runner=made, key=enrolled(made, "--keepers", "2"))


def sign(thief: Thief, *names: str, namespace: str = "runner-order") -> str:
    """These have signed what is in ORDER now."""
    lines = [f"ssh-keygen -Y sign -q -n {namespace} -f {FOLDER}/{name} < {ORDER} >> {ORDER}.sig" for name in names]
    script = "\n".join((f"rm -f {ORDER}.sig; touch {ORDER}.sig", *lines))
    thief.runner.lab.run(PAPIO, "sh", "-ec", script)
    return thief.runner.path(PAPIO, f"{ORDER}.sig").read_text()


def standing(thief: Thief) -> dict[str, str]:
    """What of the host an order may change, and what it may not."""
    names = (PROGRAM, POLICY, "/etc/runner/keepers", "/root/.ssh/authorized_keys")
    said = thief.runner.lab.run(BACKUP, "sha256sum", *names).stdout.splitlines()
    return {line.split()[1]: line.split()[0] for line in said}


def older_agent(thief: Thief) -> None:
    """Its agent is of another version: other bytes, and so another digest."""
    program = thief.runner.path(BACKUP, "/opt/sbin/runner-agent")
    program = program if program.exists() else thief.runner.path(BACKUP, PROGRAM)
    with zipfile.ZipFile(program, "a") as archive:
        archive.writestr("version", "older")


def test_two_keepers_change_the_policy_and_the_agent_and_nobody_else_does(thief: Thief) -> None:
    runner = thief.runner
    older_agent(thief)
    before, refused = standing(thief), thief.refused()
    assert "of another version than the runner" in runner.run("plan", "backup-papio").said
    file = runner.path(PAPIO, FILE)
    file.write_text(file.read_text().replace("min = 30", "min = 20"))
    said = runner.good("enrol", BACKUP, "--out", ORDER)
    assert "#   - floor = 30\n#   + floor = 20\n" in said.said and "2 of anna, karl have to read it" in said.said

    # papio's own root has all but the keys of the keepers.
    sign(thief, "anna")
    said = runner.run("enrol", BACKUP, "--order", ORDER)
    assert said.code == 4 and f"{BACKUP} wants 2 of its keepers to sign {ORDER}, and only anna has" in said.said, said
    text, stranger, both = (
        runner.path(PAPIO, ORDER).read_text(),
        sign(thief, "anna", "eve"),
        sign(thief, "anna", "karl"),
    )
    attempts = ((text, stranger), (text.replace("floor = 20", "floor = 1"), both), (text, both + "x" * 30_000))
    for order, given in attempts:
        said = take(thief, order, given)
        assert said["error"] and said["do"], said
    # What is signed comes with another program.
    assert "is not the one that it names" in take(thief, text, both, "junk")["error"]
    assert "for another key" in take(thief, text, both, key="karl")["error"]
    assert standing(thief) == before
    assert thief.refused() == refused + len(attempts) + 2, "the keepers are told of each"

    said = runner.good("enrol", BACKUP, "--order", ORDER, "--commands")
    assert "is given runner-agent" in said.said and "number = 1" in said.said
    after = standing(thief)
    assert {name for name in after if after[name] != before[name]} == {PROGRAM, POLICY}
    policy = runner.path(BACKUP, POLICY).read_text()
    assert "floor = 20" in policy and "signed = 2" in policy and "taken = 1" in policy
    # What was taken is not taken again, also where somebody there has taken it back.
    assert "already done" in runner.good("enrol", BACKUP, "--order", ORDER).said
    runner.path(BACKUP, POLICY).write_text(policy.replace("floor = 20", "floor = 25"))
    changed = standing(thief)
    assert "1 was taken here" in take(thief, text, both)["error"]
    assert standing(thief) == changed


def take(thief: Thief, order: str, signatures: str, program: str = "", key: str = PAPIO) -> dict[str, str]:
    """Present it with the stolen key."""
    words = ("take", key, f"--order={order}", f"--signatures={signatures}")
    script = shlex.join(("exec", "sh", "-c", "x", TOKEN, PROGRAM, *words))
    thief.runner.path(PAPIO, "/run/asked").write_text(script)
    ask = f'ssh -i {thief.key} -oIdentitiesOnly=yes -oBatchMode=yes {BACKUP} "$(cat /run/asked)"'
    said = thief.runner.lab.run(PAPIO, "sh", "-c", ask, check=False, input=program)
    assert said.returncode in (1, 77), said
    answer: dict[str, str] = json.loads(said.stdout.splitlines()[-1])
    return answer
