"""The steps of a reboot: nothing is being written, reboot, wait, settled, and everything is there again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.jobs.power import after, agent
from runner.jobs.power.after import Wanted
from runner.jobs.power.patience import Patience
from runner.model.plan import Command, Effect, Step, WaitFor
from runner.model.site import Site
from runner.tools import agent as store

# ssh(1) ends with 255 when the host takes the session down with it.
_SESSION_DIED = 255
_GOES_DOWN = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Reboot:
    """A reboot of `host`, now in boot `boot_id`, as part of `job`.

    `prefix` stands before the names of the steps, and is "" or ends in "/". `systemd` is its version, None
    where another program runs the host. It must not happen later than `by`. `wait` says how long it may
    take, `wanted` what must be there again. `unheld` are folders of stores on the host whose locks end
    before the reboot, and that nobody may have taken then.
    """

    site: Site
    host: str
    job: str
    boot_id: str
    why: str
    wait: Patience
    wanted: Wanted
    prefix: str = ""
    systemd: int | None = None
    by: datetime | None = None
    unheld: tuple[str, ...] = ()

    @property
    def boot(self) -> agent.Boot:
        """The boot before this reboot."""
        return agent.Boot(program=store.program(self.site.host(self.host)), id=self.boot_id)

    def step(self, name: str, action: Command | WaitFor, effect: Effect, why: str) -> Step:
        """A step of this reboot."""
        wait = action.within if isinstance(action, WaitFor) else _GOES_DOWN
        return Step(
            id=f"{self.job}/{self.prefix}{name}", job=self.job, host=self.host, action=action, effect=effect,
            why=why, timeout=wait + _GOES_DOWN, needs=("power",),
        )  # fmt: skip


def reboot_steps(one: Reboot) -> tuple[Step, ...]:
    """All of them. The step that reboots is called `reboot`, the one that waits for the host `back`.

    `reboot` is never run twice: in another boot than the planned one its guard fails. The looks after
    `settled` are taken each despite the others.
    """
    boot = one.boot
    quiet = "nothing is being written, and nobody asks that it stays up"
    still = one.step("still", Command(argv=agent.still(boot, one.by)), Effect.READ, quiet)
    quiet_still = agent.is_still(one.host, agent.still(boot, one.by, one.unheld))
    down = Step(
        id=f"{one.job}/{one.prefix}reboot", job=one.job, host=one.host, effect=Effect.INTERRUPT, why=one.why,
        action=Command(argv=agent.reboot(one.systemd)), guard=quiet_still,
        ok_codes=(0, _SESSION_DIED), timeout=_GOES_DOWN, needs=("power",),
    )  # fmt: skip
    back = one.step(
        "back", WaitFor(until=agent.is_back(one.host, boot), within=one.wait.back), Effect.READ,
        f"it answers, in another boot; waited for {one.wait.why}",
    )  # fmt: skip
    settled = one.step(
        "settled", _settles(one, boot), Effect.READ, "its boot is over, and no disk is being checked"
    )
    looks = after.steps(one.site, f"{one.job}/{one.prefix}", settled, one.wanted)
    return (still, down, back, settled, *looks)


def _settles(one: Reboot, boot: agent.Boot) -> WaitFor:
    argv = agent.came_back(boot.program, "settled")
    until = agent.is_there(one.host, argv, "its boot is over, and no disk is being checked")
    return WaitFor(until=until, within=one.wait.settle)
