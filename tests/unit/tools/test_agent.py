"""What runner-agent wants: every option that is sent to it is one that it knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.agent.__main__ import VERBS, _run
from runner.agent.arguments import argv as words
from runner.agent.host.contract.mounts import LookAtMount
from runner.agent.look.contract import Look, Settle
from runner.agent.retention.contract.expire import Expire
from runner.agent.retention.contract.floor import Floor
from runner.agent.snapshots.contract.begin import Begin
from runner.agent.snapshots.contract.explain import Explain
from runner.agent.snapshots.contract.seal import Seal
from runner.agent.snapshots.contract.walk import Walk
from runner.agent.store.contract.pins import Pin, Unpin
from runner.model.site import Host
from runner.tools import agent

# Below a device nothing can ever be made.
NOWHERE = "/dev/null/store"
BARE = agent.At(program="/p/runner-agent", path=NOWHERE, plan="plan")
AT = agent.At(program="/p/runner-agent", path=NOWHERE, plan="plan", mount="/mnt", uuid="1-2")
NAME = "2026-11-23T081500Z"
SEAL = Seal(
    store=NOWHERE, name=NAME, plan="plan", host="papio", job="job", started="2026-11-23T08:15:00+00:00",
    checksum="md5", transfer=("job/send-1=/",), explained=("job/explain-1=/",), kept=("kept:s/x/0=/",),
    absent=("/home",), disk=AT.disk,
)  # fmt: skip
BEGIN = Begin(NOWHERE, NAME, ("/", "/--home"), "plan", "", (NAME,), AT.disk)


@pytest.mark.parametrize(
    "argv",
    [
        agent.check_disk(AT),
        agent.newest(AT),
        AT.call("begin", BEGIN),
        BARE.call("begin", Begin(NOWHERE, NAME, ("/",), "plan", NAME)),
        AT.call("explain", Explain(NOWHERE, "2026-11-23T08:15:00+00:00")),
        AT.call("walk", Walk(NOWHERE, "2026-11-23T08:15:00+00:00", ("/a",), ("/--b",))),
        ("/p/runner-agent", *words("look", Look(NOWHERE, NOWHERE, NAME, "", ("/a",), ("/--b",), "job/differ-1", 6))),
        ("/p/runner-agent", *words("settle", Settle(NOWHERE, NOWHERE, NAME, ("job/look-1", "job/scan-1"), "job/x"))),
        AT.call("seal", SEAL),
        BARE.call("seal", SEAL._replace(disk=BARE.disk)),
        agent.reap(AT)[agent.reap(AT).index("/p/runner-agent") :],
        AT.call("mounted", LookAtMount("/no/such/mount")),
        ("/p/runner-agent", *agent.find(NOWHERE)),
        ("/p/runner-agent", *agent.diff(NOWHERE, NAME, NAME)),
        ("/p/runner-agent", *agent.record(NOWHERE, NAME)),
        AT.call("floor", Floor(NOWHERE, 30, "plan", disk=AT.disk)),
        AT.call("expire", Expire(NOWHERE, NAME, "plan", 30, AT.disk)),
        AT.call("pin", Pin(NOWHERE, NAME, "plan", "2027-01-01T00:00:00+00:00", "--for ever", AT.disk)),
        AT.call("unpin", Unpin(NOWHERE, NAME, "plan", AT.disk)),
        ("/p/runner-agent", *agent.freed(NOWHERE, NAME)),
    ],
    ids=lambda argv: argv[1],
)
def test_the_program_knows_every_word_that_is_sent_to_it(argv: tuple[str, ...], capsys: Any) -> None:
    assert argv[0] == "/p/runner-agent"
    assert argv[1] in VERBS
    _run(list(argv[1:]))
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer.get("do") != "see docs/store.md", answer
    assert "no option" not in str(answer.get("error", ""))


def test_a_word_that_it_does_not_know_is_refused(capsys: Any) -> None:
    assert _run(["newest", NOWHERE, "--colour=red"]) == 1
    assert "no option --colour" in capsys.readouterr().out


def test_the_disk_is_named_to_every_verb_that_writes_and_only_where_there_is_one() -> None:
    for argv in (
        agent.hold(AT, who="me"), AT.call("begin", BEGIN), AT.call("seal", SEAL), agent.reap(AT), agent.check_disk(AT),
    ):  # fmt: skip
        assert {"--mount=/mnt", "--uuid=1-2"} <= set(argv)
    assert not any(word.startswith(("--mount", "--uuid")) for word in agent.hold(BARE, who="me"))


def test_in_the_sandbox_the_program_is_in_the_sandbox() -> None:
    assert agent.program(Host(name="a", address="")) == "/usr/local/sbin/runner-agent"
    assert agent.program(Host(name="a", address="", root="/s/a")) == "/s/a/usr/local/sbin/runner-agent"
