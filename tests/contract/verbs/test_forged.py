"""Plans that were changed and summed anew by somebody without the key: none runs, each is refused in words."""

from __future__ import annotations

import contextlib
import io
import random
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from runner.__main__ import run
from runner.engine import planfile, seal
from runner.hosts.session import Session
from runner.hosts.transport import Result, Transport
from runner.jobs.catalogue import KINDS
from runner.jobs.disks.disk import DiskKind
from runner.jobs.packages.upgrade import UpgradeKind
from runner.model.errors import PlanRefused, UsageError
from runner.model.plan import Effect, Plan
from runner.planning import planner
from runner.verbs import app
from tests.contract.site import Place, small
from tests.contract.verbs.forgeries import alike, forgery
from tests.unit import upkeep_parts
from tests.unit.disks import test_disk
from tests.unit.planning.test_planner import GOLDEN, of_case
from tests.unit.retention import test_prune

SEED = 13
RAN: list[tuple[str, ...]] = []


class Recorder(Transport):
    """A way to a host by which nothing gets there, and all that was meant to is remembered."""

    def _open(self, argv: tuple[str, ...]) -> Session | Result:
        RAN.append(argv)
        return Result(exit=None, error="nothing runs here")


def real_plans() -> Iterator[Plan]:
    """What the planner makes of real readings: snapshots, expiries, a disk that is formatted, an upgrade and reboots."""
    for name in ("live-push", "resume-one"):
        site, facts = of_case(GOLDEN[name])
        yield planner.draft(site, [site.job(job) for job in GOLDEN[name]["jobs"]], facts, KINDS, {})
    yield test_prune.planned(test_prune.sealed(12))
    blank = test_disk.facts(test_disk.BLANK_DISK)
    yield planner.draft(test_disk.SITE, (test_disk.JOB,), blank, {"disk": DiskKind()}, {})
    job = upkeep_parts.with_options(upkeep_parts.UPGRADE, reboot="before and after")
    yield planner.draft(
        upkeep_parts.SITE, (job,), upkeep_parts.facts("waiting"), {**KINDS, "upgrade": UpgradeKind()}, {}
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = small(tmp_path_factory.mktemp("forged"))
    assert made.runner("plan", "--out", "own.toml").code == 0
    return made


@pytest.fixture(scope="module")
def plans(place: Place) -> tuple[bytes, ...]:
    """Plans of every kind, with this site's own seal; the last is one that it would run."""
    made = []
    for plan in real_plans():
        planfile.write(plan, place.folder / "plan.toml", place.key)
        made.append((place.folder / "plan.toml").read_bytes())
    return (*made, (place.folder / "own.toml").read_bytes())


def parsed(plans: tuple[bytes, ...]) -> tuple[dict[str, Any], ...]:
    return tuple(tomllib.loads(plan.decode()) for plan in plans)


def test_the_plans_are_of_every_effect(plans: tuple[bytes, ...]) -> None:
    effects = {step["effect"] for values in parsed(plans) for step in values["steps"]}
    assert effects == {effect.name.lower() for effect in Effect}


@pytest.mark.parametrize(("part", "many"), [(0, 150), pytest.param(1, 2850, marks=pytest.mark.soak)])
def test_none_of_three_thousand_forgeries_runs(
    part: int, many: int, place: Place, plans: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `apply` as it is typed, to its end: nothing is asked of a host, written, or told, and there is no traceback."""
    dice, values, file = random.Random(f"{SEED} {part}"), parsed(plans), place.folder / "plan.toml"
    monkeypatch.setattr(app, "transports", lambda site, config: {host.name: Recorder(host.name) for host in site.hosts})
    monkeypatch.chdir(place.folder)
    RAN.clear()
    before, refused = place.listing().keys(), 0
    while refused < many:
        content = forgery(dice, plans, values)
        if same(content, values):
            continue
        file.write_bytes(content)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(["apply", "plan.toml"])
        text = err.getvalue()
        assert code in (PlanRefused.code, UsageError.code) and not out.getvalue(), content
        assert text.startswith("runner: ") and "Traceback" not in text and len(text) < 500, text
        assert text.replace("\n", "").isprintable() and "  -> make " in text, text
        refused += 1
    assert RAN == [] and place.listing().keys() == before and not place.mails()
    assert not (place.state / "journal.sqlite").exists() or place.rows("SELECT * FROM runs") == []


def same(content: bytes, plans: tuple[dict[str, Any], ...]) -> bool:
    """Whether it means what one of these plans means: a change may fall on a remark, or change nothing."""
    try:
        return any(tomllib.loads(content.decode()) == values for values in plans)
    except (ValueError, RecursionError):
        return False


def test_what_means_the_same_is_the_same_plan(place: Place, plans: tuple[bytes, ...]) -> None:
    """The seal is of what is said, so a remark and another order change nothing; nor does the code."""
    dice, file = random.Random(SEED), place.folder / "plan.toml"
    for content, values in zip(plans, parsed(plans), strict=True):
        file.write_bytes(content)
        made = planfile.take(file, place.key)
        assert made.content == content and made.code == seal.code(values["seal"], place.key)
        for _ in range(8):
            file.write_bytes(alike(dice, values))
            assert planfile.take(file, place.key)[:2] == made[:2]
