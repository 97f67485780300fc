"""The steps of an upgrade up to the reboot: other updates, the held packages, the holds, and is it whole."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from runner.jobs.packages import agent
from runner.jobs.packages import steps as package_steps
from runner.jobs.packages.held import fits
from runner.jobs.packages.redhat import rpm
from runner.jobs.packages.steps import Work
from runner.model.packages import Update
from runner.model.plan import Check, Effect, Step, WaitFor
from runner.tools import detached

# Packages that bring a kernel to boot, or build what it boots from.
_BOOTS = ("linux-image-*", "kernel", "kernel-core", "kernel-rt*", "kernel-uek*", "kernel-PAE*")
# A package with its version, as apt-get(8) is told.
_APT = re.compile(r"[a-z0-9][a-z0-9+.:-]*=[0-9][A-Za-z0-9.+:~-]*")
_LOOKED = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What an upgrade is to do: `others` first, then `upgraded`, for which the holds `free` are let go.

    `held` is held afterwards whatever came of it, `fresh` if it worked, `unheld` before everything else.
    `left` is what an earlier run began, `reboot` are reasons for a reboot already. `kernel`: one comes, and
    then `room` must be free in /boot, in bytes.
    """

    left: tuple[detached.Carried, ...] = ()
    others: tuple[Update, ...] = ()
    upgraded: tuple[Update, ...] = ()
    free: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()
    repairs: tuple[Step, ...] = ()
    reboot: tuple[str, ...] = ()
    kernel: bool = False
    room: int = 0


def boots(name: str) -> bool:
    """Whether the package of that name brings a kernel."""
    return fits(name, _BOOTS)


def named(argv: Iterable[str]) -> tuple[str, ...]:
    """The packages that a carried command of ours named with their versions."""
    found: dict[str, None] = {}
    for word in argv:
        if _APT.fullmatch(word):
            found[word.partition("=")[0]] = None
        elif spec := rpm.from_spec(word):
            found[spec.name] = None
    return tuple(found)


def steps(work: Work, wish: Wish) -> tuple[Step, ...]:
    """All of them, in order. The holds come back although anything before failed; nothing else does.

    The upgrade holds again by itself, at the host, so that the holds are back even where the
    connection is lost for good; the steps after it make sure, and prove it.
    """
    made = [*package_steps.attach(work, wish.left), *wish.repairs]
    made += package_steps.hold(work, wish.unheld, name="hold-first")
    if wish.others or wish.upgraded:
        made.append(work.step("refresh", work.family.refresh(work.host), "fetch the package lists"))
    if wish.others:
        made += package_steps.install(work, "others", wish.others, effect=Effect.INTERRUPT)
    if wish.upgraded:
        made += _upgrade(work, wish)
    made += package_steps.hold(work, wish.held, despite=made)
    made += package_steps.verify(work, wish.held, despite=made)
    made += package_steps.hold(work, wish.fresh, name="hold-new")
    made += package_steps.look(work, (*wish.others, *wish.upgraded))
    guarded = package_steps.guarded(work, made, (*wish.others, *wish.upgraded))
    return (*guarded, *(_boot(work) if wish.kernel else ()))


def _upgrade(work: Work, wish: Wish) -> tuple[Step, ...]:
    argv = work.family.upgrade(work.host, wish.upgraded, wish.free, (*wish.held, *wish.fresh))
    why = f"upgrade what was held back, {package_steps.words(wish.upgraded)}, and hold it again"
    guard = agent.installable(
        work.program, work.host.name, work.family.lists, wish.upgraded, wish.room if wish.kernel else 0
    )
    return package_steps.carried(work, "upgrade", argv, why, effect=Effect.INTERRUPT, guard=guard)


def _boot(work: Work) -> tuple[Step, ...]:
    """A machine that finds nothing to boot comes back only by hand: see first that it will."""
    argv = detached.outdated(work.program)
    initrd = Check(
        host=work.host.name, argv=argv, field="initrd", relation="==", value=True,
        why="the newest kernel has what it boots from",
    )  # fmt: skip
    # None: no boot loader is known, so nothing is known against it.
    entry = Check(
        host=work.host.name, argv=argv, field="entry", relation="!=", value=False,
        why="the boot loader knows the newest kernel",
    )  # fmt: skip
    return tuple(
        Step(
            id=work.id(one.field), job=work.job.name, host=work.host.name, effect=Effect.READ, why=one.why,
            action=WaitFor(until=one, within=_LOOKED), timeout=_LOOKED * 4, needs=("packages",),
        )
        for one in (initrd, entry)
    )  # fmt: skip
