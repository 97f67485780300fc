"""Orders: a host whose key is bound is changed from afar as keepers have signed, and not otherwise."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from runner.engine import machines, planfile, probe
from runner.jobs.policy import order, rights
from runner.model.errors import RunnerError, UsageError
from runner.model.plan import Plan
from runner.model.text import excerpt, printable
from runner.tools import keepers, private
from runner.tools.answers import last_object
from runner.tools.machines import differ
from runner.verbs import enrol, signed
from runner.verbs.app import App

_PATIENCE = 60.0
_LONGEST = 64 << 10


class OrderFile(NamedTuple):
    """An order that was written: what it says, and how many keepers have to sign it."""

    text: str
    signed: int


def ordering(app: App, name: str, path: Path, allow: tuple[str, ...]) -> OrderFile:
    """Write the order that makes host `name` what the jobs and this runner want. UsageError, RunnerError."""
    enrol.require_host(app.site, name)
    planfile.require_replaceable(path, order.HEADING, "order")
    standing = _standing(app, name)
    table = rights.policy(app.site, name, enrol.runs(app), allow)
    text = order.text(app.site, name, standing, probe.runner_agent(), table)
    try:
        private.put(path, text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", do="name a file that can be written") from error
    return OrderFile(text, standing.signed)


def taking(app: App, name: str, path: Path) -> Plan:
    """The plan that brings the order in this file to host `name`. PlanRefused where it is not signed by enough."""
    enrol.require_host(app.site, name)
    content = _read(path)
    standing = _standing(app, name)
    asked = signed.ToSign(
        file=str(path),
        content=content,
        namespace=keepers.ORDER,
        why=f"{name} wants {standing.signed} of its keepers to sign {path}",
    )
    given = signed.given(app, asked, standing.signed)
    signatures = b"".join(given.values()).replace(b"\r\n", b"\n").decode("ascii")
    digest = hashlib.sha256(probe.runner_agent()).hexdigest()
    # The agent there may be an older one, which a look for a plan would not ask: what is sent says all that matters.
    return app.plan_of(order.draft(app.site, name, content.decode("utf-8"), signatures, digest), app.gather(()))


def _standing(app: App, name: str) -> order.OrderStanding:
    """What an order for that host has to say. UsageError where it takes none."""
    result = app.transports[name].run(order.ask(app.site, name), timeout=_PATIENCE)
    answer = last_object(result.out)
    if answer.get("error") or result.exit != 0:
        lines = printable(result.err).strip().splitlines()
        why = excerpt(answer.get("error") or result.why or result.error or (lines[-1] if lines else "it said nothing"))
        raise RunnerError(f"{name} cannot be asked what it takes: {why}", do=_once(name))
    try:
        standing = order.standing(answer)
    except ValueError as error:
        raise RunnerError(f"{name} answers what makes no sense: {printable(str(error))}", do=_once(name)) from error
    bound = machines.bound(Path(app.site.state)).get(name)
    if bound and differ(bound.machine, standing.machine):
        text = f"another machine answers as {name}: its machine-id is {standing.machine}, and it was {bound.machine}"
        raise RunnerError(text, do="find out which machine that is")
    if not standing.machine:
        raise RunnerError(f"{name} has no machine-id, so no order can name it", do="there: systemd-machine-id-setup")
    if not standing.signed:
        raise UsageError(f"{name} takes no order from afar", do=_once(name))
    return standing


def _once(name: str) -> str:
    return f"once, with a key of root there: runner enrol {name} --with FILE --keepers 2"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LONGEST + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", do="write one: runner enrol HOST --out FILE") from error
    if not content.startswith(order.HEADING.encode()) or len(content) > _LONGEST:
        raise UsageError(f"{path} is no order", do="write one: runner enrol HOST --out FILE")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text", do="write one: runner enrol HOST --out FILE") from error
    return content
