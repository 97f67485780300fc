"""runner-agent's verbs for a host as a whole: what outlives a connection, and the host as it is now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from runner.model.plan import Argv, Check
from runner.tools import fields

# As probes: the program that probes answers them itself, so that nothing need be installed.
UP: Argv = ("runner-agent", "up")
OUTDATED: Argv = ("runner-agent", "outdated")
CARRIED: Argv = ("runner-agent", "carried")

Pairs = tuple[tuple[str, str], ...]


def hold_host(
    program: str,
    resource: Literal["packages", "power", "dump", "drill", "restore-db"],
    plan: str,
    who: str,
    attach: str = "",
) -> Argv:
    """Take one of the locks of a host and keep it until stdin ends.

    `attach` is a plan whose carried command may still work: the holder waits for its end.
    """
    other = (f"--attach={attach}",) if attach else ()
    return (program, "hold-host", resource, f"--plan={plan}", f"--who={who}", *other)


def run(
    program: str, plan: str, step: str, argv: Sequence[str], packages: str = "", then: Sequence[Argv] = ()
) -> Argv:
    """Run `argv` so that it comes to its end whatever becomes of the connection, then each of `then`,
    however it ended. `packages` says whose list of packages is compared (see jobs/packages), "" for
    none; it needs their lock.
    """
    after = tuple(f"--then={json.dumps(list(each))}" for each in then)
    family = (f"--packages={packages}",) if packages else ()
    return (program, "carry", f"--plan={plan}", f"--step={step}", *family, *after, "--", *argv)


def again(program: str, plan: str, step: str, within: int = 0) -> Argv:
    """Wait for the end of what was begun for that step (at most `within` seconds, where that is not 0)
    and print its answer. Begins nothing, stops nothing, needs no lock.
    """
    most = (f"--within={within}",) if within else ()
    return (program, "carry", f"--plan={plan}", f"--step={step}", "--again", *most)


def told(program: str, plan: str, step: str) -> Argv:
    """Note at the host that a person was told how it ended."""
    return (program, "carry", f"--plan={plan}", f"--step={step}", "--told")


def outdated(program: str, unit: str = "") -> Argv:
    """Print as JSON what is older than its files; with `unit` also `needs_restart`. Reads only."""
    return (program, "outdated", *((f"--unit={unit}",) if unit else ()))


def runs_new(program: str, host: str, unit: str) -> Check:
    """The claim that `unit` runs no file that was replaced."""
    return Check(
        host=host,
        argv=outdated(program, unit),
        field="needs_restart",
        relation="==",
        value=False,
        why=f"{unit} runs no old files",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """How a carried command ended. `exit` is None where nobody saw it, and `note` says why.

    `upgraded` are (name, old, new); `unfinished` are packages in a state between two; `problem` says
    why the packages could not be compared. `conffiles` are files to look at, `services` units that
    still run old files, `reboot` reasons for one, in words. `log` are the last lines of `lines`.
    """

    exit: int | None
    seconds: float | None = None
    note: str = ""
    problem: str = ""
    log: tuple[str, ...] = ()
    lines: int = 0
    upgraded: tuple[tuple[str, str, str], ...] = ()
    installed: Pairs = ()
    removed: Pairs = ()
    unfinished: Pairs = ()
    conffiles: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    pid1: bool = False
    reboot: tuple[str, ...] = ()
    then: tuple[tuple[Argv, int | None], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """A command that was begun at a host. `exit` is None while it is `alive`, or where nobody saw its end.

    `told`: a person knows how it ended.
    """

    plan: str
    step: str
    argv: Argv = ()
    started: datetime | None = None
    ended: datetime | None = None
    exit: int | None = None
    alive: bool = False
    told: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Outdated:
    """What on a host is older than its files. `newest` is "" where no kernel is found.

    `changed` are packages (name, version) newer than the boot; `flag` is /run/reboot-required; `ksta`
    is what needrestart says of the kernel (1: the newest runs), None where it is not installed.
    `boot_free` and `boot_size` are bytes; `entry` is None where no boot loader is known.
    """

    running: str = ""
    newest: str = ""
    services: tuple[str, ...] = ()
    pid1: bool = False
    changed: Pairs = ()
    flag: bool = False
    ksta: int | None = None
    boot_free: int | None = None
    boot_size: int | None = None
    initrd: bool = False
    entry: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """Somebody who is logged in at a terminal; `source` is "" at the console."""

    name: str
    source: str = ""
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Inhibitor:
    """A program that asks that the host not be shut down, and why."""

    who: str
    why: str = ""
    what: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Up:
    """A host that is up. `system` and `failed` are systemd's, empty without it.

    `mounts` are (uuid, mount point); `checking` are devices with a check of their filesystem under way.
    """

    boot_id: str
    kernel: str = ""
    system: str = ""
    failed: tuple[str, ...] = ()
    up_since: datetime | None = None
    users: tuple[User, ...] = ()
    systemd: bool = False
    inhibitors: tuple[Inhibitor, ...] = ()
    mounts: Pairs = ()
    checking: tuple[str, ...] = ()


def parse_answer(text: str) -> Answer | None:
    """Read what `run` and `again` printed; None where it is no answer (a refusal, nothing at all)."""
    found = fields.last_object(text)
    if found.get("carried") is not True:
        return None
    packages = found.get("packages")
    changes: Mapping[str, Any] = packages if isinstance(packages, dict) else {}
    return Answer(
        exit=fields.whole(found.get("exit")),
        seconds=fields.number(found.get("seconds")),
        note=fields.text(found.get("note")),
        problem=fields.text(found.get("problem")),
        log=fields.texts(found.get("log")),
        lines=fields.whole(found.get("lines")) or 0,
        upgraded=tuple((one[0], one[1], one[2]) for one in fields.rows(changes.get("upgraded"), 3)),
        installed=fields.pairs(changes.get("installed")),
        removed=fields.pairs(changes.get("removed")),
        unfinished=fields.pairs(changes.get("unfinished")),
        conffiles=fields.texts(found.get("conffiles")),
        services=fields.texts(found.get("services")),
        pid1=found.get("pid1") is True,
        reboot=fields.texts(found.get("reboot")),
        then=tuple(
            (fields.texts(one.get("argv")), fields.whole(one.get("exit")))
            for one in fields.objects(found.get("then"))
        ),
    )


def parse_carried(text: str) -> tuple[Carried, ...]:
    """Read what `carried` printed, newest first."""
    return tuple(
        Carried(
            plan=fields.text(one.get("plan")),
            step=fields.text(one.get("step")),
            argv=fields.texts(one.get("argv")),
            started=fields.moment(one.get("started")),
            ended=fields.moment(one.get("ended")),
            exit=fields.whole(one.get("exit")),
            alive=one.get("alive") is True,
            told=one.get("told") is True,
        )
        for one in fields.objects(fields.last_object(text).get("carried"))
    )


def parse_outdated(text: str) -> Outdated | None:
    """Read what `outdated` printed; None where it is something else."""
    found = fields.last_object(text)
    kernel = found.get("kernel")
    if not isinstance(kernel, dict):
        return None
    asked = found.get("needrestart")
    entry = found.get("entry")
    return Outdated(
        running=fields.text(kernel.get("running")),
        newest=fields.text(kernel.get("newest")),
        services=fields.texts(found.get("services")),
        pid1=found.get("pid1") is True,
        changed=fields.pairs(found.get("changed")),
        flag=found.get("flag") is True,
        ksta=fields.whole(asked.get("ksta")) if isinstance(asked, dict) else None,
        boot_free=fields.whole(found.get("boot_free")),
        boot_size=fields.whole(found.get("boot_size")),
        initrd=found.get("initrd") is True,
        entry=entry if isinstance(entry, bool) else None,
    )


def parse_up(text: str) -> Up | None:
    """Read what `up` printed; None where it is something else: an answer without a boot is none."""
    found = fields.last_object(text)
    boot_id = fields.text(found.get("boot_id"))
    if not boot_id:
        return None
    mounts = found.get("mounts")
    return Up(
        boot_id=boot_id,
        kernel=fields.text(found.get("kernel")),
        system=fields.text(found.get("system")),
        failed=fields.texts(found.get("failed")),
        up_since=fields.moment(found.get("up_since")),
        users=tuple(
            User(
                name=fields.text(one.get("name")),
                source=fields.text(one.get("from")),
                since=fields.moment(one.get("since")),
            )
            for one in fields.objects(found.get("users"))
        ),
        systemd=found.get("systemd") is True,
        inhibitors=tuple(
            Inhibitor(
                who=fields.text(one.get("who")),
                why=fields.text(one.get("why")),
                what=fields.text(one.get("what")),
            )
            for one in fields.objects(found.get("inhibitors"))
        ),
        mounts=tuple((str(key), fields.text(value)) for key, value in mounts.items())
        if isinstance(mounts, dict)
        else (),
        checking=fields.texts(found.get("checking")),
    )
