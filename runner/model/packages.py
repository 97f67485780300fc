"""A host's packages as they were read: what can be upgraded, what is held, what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

What = (
    Literal["lock", "interrupted", "broken", "half", "boot full", "disk full", "expired", "signature"]
    | Literal["moved", "clock", "unreachable", "damaged", "hold drift", "hidden", "phased", "unknown"]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """A newer version of an installed package; `old` is "" for a package that is newly installed.

    Versions are as the package manager writes them (an epoch of 0 is left out).
    `origin` is where it comes from, `security` whether it is a security update as its origin says.
    """

    name: str
    arch: str
    old: str
    new: str
    origin: str = ""
    security: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """An update that is not installed because of a hold: of the package itself, or of `by`, others."""

    update: Update
    by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Something that keeps the packages from being upgraded: what, the evidence, what a person does.

    `mends` is true where the runner repairs it by itself (see the kind's `repair` step). `package` and
    `version` say which package it is about, "" where it is about none or several.
    """

    what: What
    text: str
    do: str
    mends: bool = False
    package: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageFacts:
    """What was read of one host's packages, from lists that were fetched for this reading.

    `fresh` is false where they could not all be fetched. Of those that could, everything is by these alone:
    `partly` is true, and a trouble names the archives that did not answer. Where none could it is by the old lists.
    `for_security` is false where no archive is one for security updates, so that there never can be any.
    `updates` are what can be installed without touching a hold and without removing anything; `held` the others.
    `removals` are what a full upgrade would remove. `installed` are the packages whose name fits a hold
    pattern of jobs.toml, and `holds` what is held now (by every program that keeps holds), by name.
    `unheld` should be held and is not; `stray` is held and should not be. `running` and `newest` are releases of
    kernels, as `uname -r` prints them, "" if unknown. `reboot` are reasons for a reboot that is needed already,
    in words. `boot_free` is the room in /boot in bytes, `download` what the updates take to fetch.
    """

    fresh: bool
    partly: bool = False
    for_security: bool = True
    updates: tuple[Update, ...] = ()
    held: tuple[Held, ...] = ()
    removals: tuple[str, ...] = ()
    installed: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    running: str = ""
    newest: str = ""
    reboot: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    boot_free: int | None = None
    download: int | None = None
