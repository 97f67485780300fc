"""What the tests of hooks share: a small site, and plugins made from a few words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from runner.config.plugins import Hooks
from runner.model.event import Progress
from runner.model.facts import Facts, HostFacts
from runner.model.plan import Command, Effect, Plan, PlannedJob, Step
from runner.model.run import Report, Verdict
from runner.model.site import Hook, Host, Site

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
SITE = Site(
    name="babase", controller="papio", folder="/", state="/", sandbox="/", digest="",
    hosts=(Host(name="papio", address=""),),
)  # fmt: skip
JOB = PlannedJob(name="backup-papio", kind="snapshot")
STEP = Step(
    id="backup-papio/send", job="backup-papio", host="papio", action=Command(argv=("true",)),
    effect=Effect.WRITE, why="sends",
)  # fmt: skip
FACTS = Facts(at=NOW, hosts={"papio": HostFacts(name="papio")})
PLAN = Plan(id="p", made_at=NOW, site="babase", live=True, jobs=(JOB,), steps=(STEP,))
EVENT = Progress(step="s", job="j", files=1, bytes=1, at=NOW)
REPORT = Report(
    site="babase", run="r", controller="papio", verdict=Verdict.DONE, started=NOW, ended=NOW
)  # fmt: skip


def load(folder: Path, **sources: str) -> Hooks:
    """Hooks from modules `mysite.<name>` with these sources; `C` is put into an object by `plugin`."""
    home = folder / "mysite"
    home.mkdir(exist_ok=True)
    for name, source in sources.items():
        start = "from runner.hookspecs import hookimpl\nimport pluggy\n"
        (home / f"{name}.py").write_text(start + source, encoding="utf-8")
    hooks = tuple(Hook(name=f"mysite.{name}", module=f"mysite.{name}") for name in sources)
    return Hooks.load(replace(SITE, folder=str(folder), hooks=hooks))


def method(spec: str, body: str, arguments: str = "", mark: str = "@hookimpl") -> str:
    """The source of a plugin with one hook."""
    head = f"class C:\n    {mark}\n    def {spec}(self{arguments}):\n        {body}\n"
    return head + "def plugin(settings):\n    return C()\n"


@contextmanager
def imports_as_they_were() -> Iterator[None]:
    """Forget afterwards what was imported from `mysite`, and where it was looked for."""
    path, modules, writes = list(sys.path), set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:] = path
        sys.dont_write_bytecode = writes
        for name in set(sys.modules) - modules:
            if name.startswith("mysite"):
                del sys.modules[name]
