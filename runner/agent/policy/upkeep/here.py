"""What this host knows of its packages and disks, of which whoever asks may say anything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from ...packages.families import FAMILIES
from ...packages.installed import installed, listed
from ..rights import Rights
from . import disks


class Here:
    """This host. Each method looks anew; Refused or OSError where it cannot."""

    def strange(self, family: str, words: Sequence[str], *, held: bool) -> tuple[str, ...]:
        """Those of the words that are no upgrade which its archives offer now; with `held` also of what it holds."""
        return FAMILIES[family].strange(words, held)

    def installed(self, family: str) -> Collection[str]:
        """The names of its packages."""
        return {name for name, _ in installed(listed(family, {})).versions}

    def old_units(self) -> Collection[str]:
        """The services that run files which an upgrade replaced."""
        from ...packages.outdated import old_files  # noqa: PLC0415  (few ask)

        return old_files(Path("/")).services

    def is_own_device(self, rights: Rights, device: str) -> bool:
        """Whether a store of the key lies on that disk, mounted or not."""
        return disks.is_own_device(rights, device)

    def is_bounded(self) -> bool:
        """Whether what is begun here lacks rights of root's, as the line of a key without `packages` has it."""
        return "\nNoNewPrivs:\t1\n" in Path("/proc/self/status").read_text("ascii", "replace")


HERE = Here()
