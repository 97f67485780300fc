"""Read the hosts before planning: one round trip a host, all at once, READ commands only; one process for those here.

The agent travels over standard input where the host has another: nothing need be installed, nothing is written. No host
hides another.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from runner.hosts import boot, kept
from runner.hosts.session import KEPT_OUT
from runner.hosts.transport import Local, Result, Transport
from runner.model.facts import STAND_IN, Facts, HostFacts, Probe, Reading, StoreFacts
from runner.model.site import Host, Site
from runner.model.text import excerpt, printable
from runner.tools import agent, bug, trust
from runner.tools.answers import json_object, last_object, understood

_PATIENCE = 120.0

MEND = "run it again; if it stays so, look for what prints into the output of ssh or python3 on that host"

_HANGS = "look there for a disk or a mount that hangs"
_PYTHON = "see that python3 there is 3.9 or later, and works"

_MADE = (1980, 1, 1, 0, 0, 0)
_DOOR = "import sys\n\nfrom runner_agent.start import run\n\nrun(sys.argv[0], '{}')\n"


def gather(
    site: Site,
    hosts: Sequence[str],
    probes: Iterable[Probe],
    transports: Mapping[str, Transport],
    *,
    at: datetime,
    program: bytes,
) -> Facts:
    """Read these hosts; `program` is runner-agent as shipped. Never raises for a host."""
    probes = tuple(probes)
    questions = {name: request(site, site.host(name), probes) for name in hosts}
    here = [name for name in hosts if type(transports[name]) is Local]

    def read(name: str) -> HostFacts:
        try:
            return _read(name, transports[name], program, questions[name])
        except Exception as error:  # a host that has found a bug of ours: the others are read all the same
            return HostFacts(name=name, error=bug.words(bug.or_lack(error)), do=bug.MEND)

    def together(of: Mapping[str, Mapping[str, Any]]) -> Mapping[str, HostFacts]:
        try:
            return _together(of, transports, program)
        except Exception as error:
            bug.or_lack(error)
            return {}

    with ThreadPoolExecutor(max_workers=max(len(hosts), 1), thread_name_prefix="probe") as pool:
        near = pool.submit(together, {name: questions[name] for name in here})
        far = list(pool.map(read, [name for name in hosts if name not in here]))
        # What its machine did not answer with the others it may answer alone.
        alone = list(pool.map(read, [name for name in here if name not in near.result()]))
    known = {facts.name: facts for facts in (*near.result().values(), *far, *alone)}
    return Facts(at=at, hosts={name: known[name] for name in hosts}, program=hashlib.sha256(program).hexdigest())


def request(site: Site, host: Host, probes: Sequence[Probe]) -> dict[str, Any]:
    """The question for one host: its stores as they are declared, and the commands of its probes."""
    disks = {disk.name: disk for disk in site.disks}
    stores = [
        {
            "name": store.name,
            "path": host.at(store.path),
            "mount": disks[store.disk].mount if store.disk and not host.root else "",
            "uuid": disks[store.disk].uuid if store.disk and not host.root else "",
        }
        for store in site.stores
        if store.host == host.name
    ]
    commands = [
        {"id": probe.id, "argv": list(probe.argv), "timeout": probe.timeout}
        for probe in probes
        if probe.host == host.name and (site.live or not probe.needs)
    ]
    return {
        "host": host.name,
        "stores": stores,
        "root": host.root,
        "stand_ins": list(host.stand_ins),
        "commands": commands,
        "program": agent.program(host),
        "former": agent.former(host),
    }


def _together(
    questions: Mapping[str, Mapping[str, Any]], transports: Mapping[str, Transport], program: bytes
) -> Mapping[str, HostFacts]:
    """Ask one process for several hosts of this machine; the facts of those that it answered beyond doubt."""
    if len(questions) < 2:
        return {}
    patience = _PATIENCE + sum(command["timeout"] for each in questions.values() for command in each["commands"])
    transport, room = transports[next(iter(questions))], len(questions) * KEPT_OUT
    kept = bytearray()

    def keep(data: bytes) -> None:
        kept.extend(data[: room - len(kept)])

    boot.run_agent(transport, program, (), list(questions.values()), timeout=patience, sink=keep)
    known = {}
    # What follows the last newline is cut off.
    for name, line in zip(questions, bytes(kept).split(b"\n")[:-1], strict=False):
        with suppress(ValueError):
            answer = json_object(line) if len(line) <= KEPT_OUT else {}
            if answer.get("name") == name and not (facts := _understood(name, questions[name], answer)).error:
                known[name] = facts
    return known


def _read(name: str, transport: Transport, program: bytes, question: Mapping[str, Any]) -> HostFacts:
    patience = _PATIENCE + sum(command["timeout"] for command in question["commands"])
    result = boot.run_agent(transport, program, (), question, timeout=patience)
    if result.exit != 0:
        return _unread(name, result)
    if result.cut:
        return HostFacts(name=name, error=f"its answer is longer than {len(result.out) >> 20} MiB", do=MEND)
    try:
        facts = _understood(name, question, json_object(result.out))
    except ValueError as error:
        return HostFacts(name=name, error=f"its answer makes no sense: {printable(str(error))}", do=MEND)
    return facts if facts.error else replace(facts, shell=excerpt(result.shell.decode("utf-8", "replace")))


def _understood(name: str, question: Mapping[str, Any], answer: Mapping[str, Any]) -> HostFacts:
    """The facts of a host in its answer; ValueError where that makes no sense."""
    stores = {each["name"]: _store(each, _part(answer, "stores", each["name"])) for each in question["stores"]}
    readings = {each["id"]: _reading(_part(answer, "readings", each["id"])) for each in question["commands"]}
    ours = {"name": name, "do": "", "stores": {}, "readings": {}, "shell": ""}
    facts = understood({**answer, **ours}, HostFacts)
    played = question["root"] or question["stand_ins"]
    if not played and any(filesystem.type == STAND_IN for filesystem in facts.filesystems):
        raise ValueError(f"`type` cannot be {STAND_IN!a}")
    lacking = sorted(
        [f"store {store}" for store, known in stores.items() if known is None]
        + [each for each, known in readings.items() if known is None]
    )
    if lacking:
        return HostFacts(name=name, error=f"its answer lacks {', '.join(lacking)}", do=MEND)
    return replace(
        facts,
        stores={store: known for store, known in stores.items() if known},
        readings={each: known for each, known in readings.items() if known},
    )


def _unread(name: str, result: Result) -> HostFacts:
    """A host that gave no answer: what each kind of failure is, and what to do about it."""
    answer = last_object(result.out)
    if answer.get("error"):
        return HostFacts(name=name, error=excerpt(answer["error"]), do=advice(name, answer) or MEND)
    do = result.do
    if not do and not result.lost:
        do = _HANGS if result.timed_out else _PYTHON
    return HostFacts(name=name, error=result.why or why(result), do=do)


def _part(answer: Mapping[str, Any], table: str, name: str) -> object:
    """What a host answers for one of its stores or commands; None where it does not."""
    whole = answer.get(table, {})
    if not isinstance(whole, dict):
        raise ValueError(f"`{table}` is no table")
    return whole.get(name)


def _store(asked: Mapping[str, str], answer: object) -> StoreFacts | None:
    """A store as it was answered; one whose answer does not fit cannot be used, and its host's others can."""
    if answer is None:
        return None
    try:
        store = understood(answer, StoreFacts)
        for key, names in (
            ("sealed", [snapshot.name for snapshot in store.sealed]),
            ("partials", [partial.name for partial in store.partials]),
        ):
            if names != sorted(set(names)):
                raise ValueError(f"`{key}` is not in order, or names one twice")
        return store
    except ValueError as error:
        why = f"what its host answers of it makes no sense: {printable(str(error))}; look at {asked['path']} there"
        return StoreFacts(path=asked["path"], exists=False, problem=why)


def _reading(answer: object) -> Reading | None:
    try:
        return None if answer is None else understood(answer, Reading)
    except ValueError as error:
        return Reading(exit=None, err=f"the answer makes no sense: {printable(str(error))}")


def advice(host: str, answer: Mapping[str, Any]) -> str:
    """What a host says is to be done, as its words: it may be nobody's friend. "" where it says nothing."""
    words = excerpt(answer.get("do", ""))
    return f"{host} says: {words}" if words else ""


def why(result: Result) -> str:
    """Why an agent gave no answer."""
    answer = last_object(result.out)
    if answer.get("error"):
        return excerpt(f"{answer['error']}; {answer.get('do', '')}")
    lines = printable(result.err).strip().splitlines()
    return result.error or (lines[-1] if lines else f"runner-agent ended {result.exit}")


@functools.cache
def runner_agent() -> bytes:
    """The file to install as `runner-agent`; it needs python3, 3.9 or later, and nothing else."""
    folder = Path(__file__).parent.parent / "agent"
    modules = tuple(folder.rglob("*.py"))
    trust.require_modules(map(str, modules))
    names = {f"runner_agent/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in modules}
    sources = hashlib.sha256(
        b"".join(b"%s\0%d\0%s" % (name.encode(), len(names[name]), names[name]) for name in sorted(names))
    )
    names["__main__.py"] = _DOOR.format(sources.hexdigest()).encode()
    # What packs them is a part of what it is.
    of = sources.digest() + Path(__file__).read_bytes()
    return kept.kept(folder / "__init__.py", agent.ARTIFACT, of, functools.partial(_packed, names))


def _packed(names: Mapping[str, bytes]) -> bytes:
    """One file of these, which Python runs."""
    import zipfile  # late: it is packed once

    stream = io.BytesIO()
    # Nothing of the caller's Python and no site-packages: safer for root, and a quarter of its start is saved.
    stream.write(b"#!/usr/bin/env -S python3 -IS\n")
    # It may travel over a slow line.
    with zipfile.ZipFile(stream, "a") as archive:
        for name in sorted(names):
            entry = zipfile.ZipInfo(name, _MADE)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, names[name], zipfile.ZIP_DEFLATED)
    return stream.getvalue()
