"""Two hosts, a job of every kind, and the whole answer of each host to its probe, to be changed at will."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from hooks import fsck
from runner.engine import probe
from runner.hosts.transport import Result
from runner.jobs.catalogue import KINDS
from runner.model.facts import Facts, Probe
from runner.model.plan import Plan
from runner.model.site import Job, Retention, Site
from runner.planning import floors, planner, review
from tests.unit import parts, power_parts, upkeep_parts
from tests.unit.database import test_dump
from tests.unit.disks import test_disk

OLD = ("2026-11-18T081500Z", "2026-11-19T081500Z")
ONE, TWO, THREE = "2026-11-20T081500Z", "2026-11-21T081500Z", "2026-11-22T081500Z"
RETENTION = Retention(min=1, max=2)


def _job(kind: str, host: str, **own: Any) -> Job:
    return Job(name=f"{kind}-{host}", kind=kind, host=host, options=KINDS[kind].options(**own))


def site() -> Site:
    """The site of parts with a job of every kind, most of them on server."""
    usual = parts.site()
    server, papio = parts.SERVER, parts.PAPIO
    jobs = (
        *usual.jobs,
        _job("prune", server, store="papio"),
        _job("check", server, store="papio", proven_every=timedelta(days=7)),
        _job("audit", server, store="papio"),
        _job("drill", server, store="papio", database=""),
        _job("dump", server, to="/srv/dumps"),
        _job("dump", papio, to="/srv/dumps"),
        _job("disk", server, disk="disk"),
        _job("updates", server),
        _job("updates", papio),
        _job("upgrade", server),
        _job("reboot", server),
        _job("halt", server, start="press the button"),
        _job("access", server),
        _job("prune", papio, store="server"),
    )
    hosts = tuple(replace(each, packages={papio: "dnf", server: "apt"}[each.name]) for each in usual.hosts)
    stores = tuple(replace(each, retention=RETENTION) for each in usual.stores)
    return replace(usual, hosts=hosts, stores=stores, jobs=jobs)


HOOK = fsck.plugin({"when_due": "forward"})


def probes(of: Site) -> tuple[Probe, ...]:
    """All that the kinds and the hook about fsck(8) ask."""
    own = [each for job in of.jobs for each in KINDS[job.kind].probes(of, job)]
    return tuple({(each.host, each.id): each for each in (*HOOK.declare_probes(of), *own)}.values())


def _stored(of: str, mounts: list[str], path: str, uuid: str) -> dict[str, Any]:
    gained = {"freed_bytes": 1000, "freed_inodes": 10}
    counts = {"files": 5, "folders": 2, "added_files": 1, "added_bytes": 9, "exceptions": 0, "recorded": True}
    sealed = [
        {
            "name": name, "host": of, "job": f"backup-{of}", "filesystems": mounts, "started": f"{name[:10]}T08:15:00Z",
            "sealed": f"{name[:10]}T08:20:00Z", "pinned_until": None, "pinned_why": "", "being_read": False,
            "proven": ["files"] if name == TWO else [], **counts, **gained,
        }
        for name in (*OLD, ONE, TWO, THREE)
    ]  # fmt: skip
    sealed[2] |= {"pinned_until": "2027-01-01T00:00:00Z", "pinned_why": "the paper"}
    return {
        "path": path, "exists": True, "mounted": True, "writable": True, "uuid": uuid, "device": "/dev/sdb1",
        "sealed": sealed, "trash": [ONE], "unread": [], "odd": [], "problem": "", "whole_seconds": False,
        "partials": [{"name": "2026-11-22T091500Z", "basis": THREE, "filesystems": mounts}],
        "holder": None,
        "space": {"size": 10**12, "free": 10**11, "inodes": 10**7, "inodes_free": 10**6},
        "proven": {"files": {"snapshot": TWO, "at": "2026-11-22T08:15:00Z"}},
    }  # fmt: skip


def _outputs() -> dict[str, str]:
    """What each probe prints, by the end of its id."""
    power = power_parts.host_readings(fsck=power_parts.boot_checks(**{"superblock": power_parts.SUPERBLOCK}))
    kept = {"babase": [test_dump.dump(2), test_dump.dump(1)]}
    folder = {"exists": True, "free": 1 << 40, "databases": kept, "globals": [ONE], "odd": ["x"], "real": "/srv/dumps"}
    return {
        **{name: each.out for name, each in power.items()},
        "packages.apt": upkeep_parts.survey("waiting"),
        "packages.dnf": (parts.CASES.parent / "captures/dnf/look-updates.stdout").read_text("utf-8"),
        "packages.outdated": json.dumps(upkeep_parts.OUTDATED),
        "packages.detached": json.dumps({"detached": [upkeep_parts.begun("updates-server/install", alive=False)]}),
        **{f"disk.disk.{name}": text or "" for name, text in _disk().items()},
        **{f"{test_dump.SERVER}.dump-{host}": json.dumps(test_dump.server("babase", "a b"))
           for host in (parts.PAPIO, parts.SERVER)},
        **{f"{test_dump.FOLDER}.dump-{host}": json.dumps(folder) for host in (parts.PAPIO, parts.SERVER)},
    }  # fmt: skip


def _disk() -> dict[str, str | None]:
    mount, number = "/srv/backups/papio", f"{os.major(2081)}:{os.minor(2081)}"
    line = test_disk.LINE.replace(test_disk.UUID, power_parts.UUID)
    return {
        **test_disk.RIGHT_DISK, "device": test_disk.device(**{"maj:min": number, "mountpoint": mount}),
        "marks": test_disk.marks(("ext3", power_parts.UUID, "disk")), "fstab": f"{line}\n",
        "identity.papio": json.dumps({"uuid": power_parts.UUID, "since": "2026"}),
    }  # fmt: skip


def whole(name: str) -> dict[str, Any]:
    """What host `name` answers to its probe, nothing left out."""
    of, mounts = {parts.SERVER: (parts.PAPIO, ["/", "/home"]), parts.PAPIO: (parts.SERVER, ["/"])}[name]
    (mine,) = (store for store in site().stores if store.host == name)
    uuid = power_parts.UUID if mine.disk else ""
    usual = json.loads(json.dumps(parts._hosts(live=True)[name], default=str))
    outputs = _outputs()
    return {
        **usual, "name": name, "kernel": "6.1.0-50-amd64", "former": False, "now": parts.NOW.isoformat(),
        "filesystems": [{"root": "/", "uuid": "", "used": 1, "inodes_used": 1, **each} for each in usual["filesystems"]],
        "stores": {mine.name: _stored(of, mounts, mine.path, uuid)},
        "readings": {
            each.id: {"exit": 0, "out": outputs.get(each.id, ""), "err": ""} for each in probes(site()) if each.host == name
        },
    }  # fmt: skip


# What no answer has, or means something else to a program that trusts it. None of the words begins as a path does.
WORDS = (
    "--MARK", "-e MARK", "../../MARK", "MARK\n-e", "\x1b[31mMARK", "\u202eMARK", "MA\0RK", "", "//MARK", "x" * 900_000,
    "\udc80MARK", "/a/../MARK", "9999-12-31T235959Z", "0000-01-01T000000Z", "2026-02-30T000000Z", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z", "5" * 5000, "-1", "NaN", "\u00b2",
)  # fmt: skip
VALUES = (
    -1, 0, 2**62, 2**63 - 1, 2**63, 2**64, 10**400, 1.5, float("inf"), float("nan"), True, False, None, [], {}, [None],
    ["--MARK"], {"a": "--MARK"}, [[[]]] * 1000, json.loads("[" * 50 + "]" * 50),
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, answer: Any) -> Any:
    """The answer with something in it that does not belong there: however deep, and in what programs printed too."""
    what = draw(st.sampled_from(("below", "below", "below", "whole", "gone", "twice")))
    if isinstance(answer, str) and answer.lstrip()[:1] in ("{", "[") and what != "whole":
        return json.dumps(draw(changed(json.loads(answer))))
    if isinstance(answer, str) and "\n" in answer.strip() and what != "whole":
        lines = answer.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        words = re.split(r"([ \t:|=]+)", lines[at])
        words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(WORDS))
        put = {"below": ["".join(words)], "gone": [], "twice": [lines[at], lines[at]]}[what]
        return "\n".join((*lines[:at], *put, *lines[at + 1 :]))
    if not isinstance(answer, (dict, list)) or not answer or what == "whole":
        return draw(st.sampled_from((*WORDS, *VALUES)))
    keys: list[Any] = list(answer) if isinstance(answer, dict) else list(range(len(answer)))
    key = draw(st.sampled_from(keys))
    if what == "gone":
        return [each for at, each in enumerate(answer) if at != key] if isinstance(answer, list) else {
            name: each for name, each in answer.items() if name != key
        }  # fmt: skip
    if what == "twice":
        return (
            [answer[key], *answer]
            if isinstance(answer, list)
            else {**answer, draw(st.sampled_from(WORDS)): answer[key]}
        )
    copy: Any = list(answer) if isinstance(answer, list) else dict(answer)
    copy[key] = draw(changed(answer[key]))
    return copy


def numbered(output: str, digits: str) -> Iterator[str]:
    """The output with one line's numbers replaced, line after line; in JSON within it too."""
    if output.lstrip()[:1] in ("{", "["):
        yield from map(json.dumps, _numbered(json.loads(output), digits))
        return
    lines = output.split("\n")
    for at, line in enumerate(lines):
        if re.search(r"[0-9]", line):
            yield "\n".join((*lines[:at], re.sub(r"[0-9]+", digits, line), *lines[at + 1 :]))


def _numbered(value: Any, digits: str) -> Iterator[Any]:
    if isinstance(value, str):
        yield from numbered(value, digits)
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        for changed in _numbered(value[key], digits):
            copy = value.copy()
            copy[key] = changed
            yield copy


@dataclass(frozen=True)
class Answering:
    """A way to a host that answers everything with these words."""

    host: str
    words: bytes
    agent: str = ""

    def run(self, argv: tuple[str, ...], **_: Any) -> Result:
        """The words, whatever is asked."""
        return Result(exit=0, out=self.words)


def known(words: Mapping[str, bytes]) -> Facts:
    """The facts, where each host prints these words."""
    ways: Any = {name: Answering(name, text) for name, text in words.items()}
    return probe.gather(site(), tuple(words), probes(site()), ways, at=parts.NOW, program=b"")


def planned(facts: Facts) -> Plan:
    """The plan of every job, with what the hook wants and what the review finds."""
    here = site()
    plan = planner.draft(here, here.jobs, facts, KINDS, {})
    plan = planner.insert(plan, facts, lambda job, steps, known: HOOK.add_steps(here, job, steps, known))
    found = (*review.check(plan), *floors.refusals(plan, here, facts), *HOOK.check_plan(here, plan, facts))
    return replace(plan, findings=(*plan.findings, *found))
