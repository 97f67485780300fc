"""What two keepers have to sign: what destroys, and more expiries of a store than are usual there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.model.errors import PlanRefused
from runner.model.plan import Effect, Plan, PlannedJob, Step
from runner.model.site import Retention, Site, Store
from runner.planning import keepers
from runner.tools import keepers as tool
from tests.unit import parts

AGENT, STORE = "/usr/local/sbin/runner-agent", "/srv/backups/papio"
POLICY = Retention(min=2, max=9, per_day=3, expire_usual=3)


def site(*, two: bool = True, policy: Retention | None = POLICY) -> Site:
    papio = Store(name="papio", host="server", path=STORE, retention=policy)
    return parts.site(two_keepers=two, stores=(papio,))


def going(job: str, many: int, *, first: int = 1, path: str = STORE) -> list[Step]:
    """Steps of `job` by which so many snapshots may go."""
    return [
        parts.step(
            f"{job}/{day}", AGENT, "expire", path, f"2026-10-{day:02}T081500Z", host="server", effect=Effect.EXPIRE
        )
        for day in range(first, first + many)
    ]


def recycling(job: str) -> Step:
    words = (AGENT, "clone", STORE, "2026-11-23T081500Z", "--recycle=2026-09-01T081500Z")
    return parts.step(f"{job}/clone", *words, host="server", effect=Effect.EXPIRE)


def plan(*steps: Step) -> Plan:
    names = dict.fromkeys(step.job for step in steps)
    return parts.plan(*steps, jobs=tuple(PlannedJob(name=name, kind="x") for name in names))


DESTROY = parts.step("disk/make", "mke2fs", effect=Effect.DESTROY)
HALT = parts.step("halt/off", "poweroff", effect=Effect.INTERRUPT)


@pytest.mark.parametrize(
    ("steps", "needing"),
    [
        ((), {}),
        ((HALT, *going("purge", 3)), {}),
        ((*going("purge", 3), *going("purge", 3)), {}),  # the same ones
        ((DESTROY, HALT), {"disk": "disk/make would destroy what cannot be had back"}),
        (
            tuple(going("purge", 4)),
            {"purge": "purge would expire 4 snapshots of store papio, and 3 in a plan are usual (expire_usual)"},
        ),
        # The snapshot that one expires for is not held up.
        (
            (recycling("backup"), *going("purge", 3)),
            {"purge": "purge would expire 3 snapshots of store papio (1 more by other jobs), and 3 in a plan are usual (expire_usual)"},
        ),
        # Who takes little with each of many jobs takes as much.
        (
            (*going("a", 2), *going("b", 2, first=9)),
            {"a": "a would expire 2 snapshots of store papio (2 more by other jobs), and 3 in a plan are usual (expire_usual)"},
        ),
        (
            tuple(going("purge", 1, path="/srv/elsewhere")),
            {"purge": "purge would expire 1 snapshot of /srv/elsewhere, and it is no store of jobs.toml"},
        ),
    ],
)  # fmt: skip
def test_which_jobs_need_two_keepers_and_why(steps: tuple[Step, ...], needing: dict[str, str]) -> None:
    assert keepers.reasons(plan(*steps), site()) == needing
    assert keepers.reasons(plan(*steps), site(two=False)) == {}


def test_a_store_without_a_retention_usually_expires_nothing() -> None:
    assert keepers.reasons(plan(*going("purge", 1)), site(policy=None))
    assert not keepers.reasons(plan(*going("purge", 9)), site(policy=replace(POLICY, expire_usual=9)))


@pytest.mark.parametrize("signers", [(), ("anna",), ("anna", "anna")])
def test_one_keeper_is_not_two(signers: tuple[str, ...]) -> None:
    for steps in ((DESTROY,), tuple(going("purge", 4))):
        with pytest.raises(PlanRefused, match="so two keepers have to sign it") as refused:
            keepers.allow(plan(*steps), site(), reviewed=True, confirmed=True, signers=signers)
        assert refused.value.command.startswith("runner plan ")
        keepers.allow(plan(*steps), site(), reviewed=True, confirmed=True, signers=("anna", "karl"))
        keepers.allow(plan(*steps), site(two=False), reviewed=True, confirmed=True, signers=signers)


def test_signatures_do_not_stand_for_reading() -> None:
    with pytest.raises(PlanRefused, match="would destroy, and jobs.toml allows"):
        keepers.allow(plan(DESTROY), site(), reviewed=False, confirmed=True, signers=("anna", "karl"))


@pytest.mark.parametrize("confirmed", [True, False])
def test_an_unattended_run_does_the_rest_and_says_how_it_is_signed(confirmed: bool) -> None:
    whole = plan(recycling("backup"), HALT, *going("purge", 3), DESTROY)
    left = keepers.contain(whole, site(), confirmed=confirmed)
    assert {step.job for step in left.steps} == {job.name for job in left.jobs}
    assert {job.name for job in left.jobs} == {"backup", *(["halt"] if confirmed else [])}
    waiting = {skip.job for skip in left.skips if skip.reason == "it needs two keepers"}
    assert waiting == {"purge", "disk"}
    said = {finding.source: finding for finding in left.findings if finding.source in waiting}
    assert all(finding.text.endswith("so two keepers have to sign it") for finding in said.values())
    assert said["purge"].do.startswith("runner plan purge --out plan.toml, read it, have it signed")
    keepers.allow(left, site(), reviewed=False, confirmed=confirmed)


def test_without_two_keepers_the_ceiling_is_all() -> None:
    whole = plan(*going("purge", 99))
    assert keepers.contain(whole, site(two=False), confirmed=False) == whole
    assert keepers.contain(plan(DESTROY), site(two=False), confirmed=False).jobs == ()


def test_each_line_of_keepers_is_of_one_person() -> None:
    text = '# those who may sign\n\nanna ssh-ed25519 A\nkarl namespaces="runner-plan" ssh-rsa B\n  anna ssh-ed25519 C\n'
    assert tool.names(text) == ("anna", "karl")
    assert tool.names("") == ()
    for line in ("*", "anna,karl", "!anna", '"anna b"', "-anna", "a*", "\x1banna", "a" * 65, "é"):
        with pytest.raises(ValueError, match="line 2 does not begin with the name of one person"):
            tool.names(f"anna ssh-ed25519 A\n{line} ssh-ed25519 B\n")


def test_what_is_typed_to_sign_survives_a_shell() -> None:
    assert tool.sign("my plan.toml").endswith("< 'my plan.toml' >> 'my plan.toml.sig'")


def test_signatures_are_found_one_after_the_other_and_nothing_else() -> None:
    begin, end = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----"
    one, two = begin + b"AAAA\n" + end, begin + b"BB==\n" + end
    assert tool.signatures(b"junk\n" + one + b"\n\n" + two) == (one + b"\n", two + b"\n")
    for junk in (b"", begin, end, begin + b"\0\n" + end, begin * 1000, begin + b"A" * 30000 + b"\n" + end):
        assert tool.signatures(junk) == ()
    assert tool.signatures(begin + b"AAAA\n" + one) == (one + b"\n",)
