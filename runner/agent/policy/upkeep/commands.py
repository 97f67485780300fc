"""Whether a key may have a command that is no verb of the agent: only what a job that it may have says, word by word.

What is always the same in such a command, a script among it, is known here by its SHA-256, so nothing of it can be
another; each word after that is compared with what this host itself knows (docs/decisions/0012).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ...answer import Refused
from ...packages.families import FAMILIES, FamilyRow, OwnCommand
from ..rights import Rights
from ..verdict import denied
from . import power
from .here import HERE, Here

LOOK, STEP, DETACHED = "look", "step", "detached"
# Of names of packages, as jobs.toml has them in `hold`: no option, no path, nothing of a shell.
_PATTERN = re.compile(r"[A-Za-z0-9_*?\[][A-Za-z0-9_.+:~*?\[\]!^-]*")
_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+:~^-]*")
_RESTART = ("systemctl", "restart", "--")
# In the middle of an installation a script that lacks a right would leave a package half there.
_BOUNDED = "the line of this key in authorized_keys was written without `packages`, and keeps rights from their scripts"
_EXCLUDED, _INSTALL, _END = "--exclude=", "install", "--"


def require(rights: Rights, words: Sequence[str], use: str, packages: str = "", here: Here = HERE) -> None:
    """Denied unless a job of a kind that the key may have says exactly this.

    `use` is how: LOOK for a probe, STEP for a step, DETACHED for what goes on without its connection; then `packages`
    is whose list of packages is compared with that of before.
    """
    words = tuple(words)
    with_power = {LOOK: power.is_look, STEP: power.is_step, DETACHED: power.is_detached}[use]
    if not packages and with_power(rights, words, here):
        return
    if rights.packages and use == STEP and words[:3] == _RESTART and len(words) == 4:
        if words[3] not in here.old_units():
            raise denied(rights, f"restart {words[3][:60]!a}, which runs no files that were replaced")
        return
    for name, row in FAMILIES.items():
        own = _own(row, words)
        if own and own.use == use and (packages == name or use != DETACHED) and _has(rights, own):
            if use == DETACHED and here.is_bounded():
                raise Refused(_BOUNDED, "where the key of root is: runner enrol HOST --allow ..., as before")
            _Rest(rights, name, own.upgrade, here).require(own.rest, words[own.fixed :])
            return
    raise denied(rights, "that here")


def _own(row: FamilyRow, words: Sequence[str]) -> OwnCommand | None:
    digests = {fixed: power.digest(words[:fixed]) for fixed in {own.fixed for own in row.own}}
    return next((own for own in row.own if digests[own.fixed] == own.digest), None)


def _has(rights: Rights, own: OwnCommand) -> bool:
    if own.ends and rights.power:
        return True
    return "upgrade" in rights.packages if own.upgrade else bool(rights.packages)


class _Rest:
    """The words of a command that change, of packages of that family; `free`: also of what the host holds."""

    def __init__(self, rights: Rights, family: str, free: bool, here: Here) -> None:
        self._rights, self._family, self._free, self._here = rights, family, free, here
        self._row = FAMILIES[family]

    def require(self, kind: str, words: Sequence[str]) -> None:
        """Denied where one of them is not what may stand there."""
        checks: Mapping[str, Callable[[Sequence[str]], None]] = {
            "": self._nothing,
            "patterns": self._patterns,
            "labels": self._labels,
            "names": self._names,
            "changes": self._changes,
            "kept": self._kept,
            "freeing": self._freeing,
        }
        checks[kind](words)

    def _nothing(self, words: Sequence[str]) -> None:
        self._all(not words, words)

    def _patterns(self, words: Sequence[str]) -> None:
        self._all(all(map(_PATTERN.fullmatch, words)), words)

    def _labels(self, words: Sequence[str]) -> None:
        self._all(bool(words) and all(map(_LABEL.fullmatch, words)), words)

    def _names(self, words: Sequence[str], coming: Sequence[str] = ()) -> None:
        """Packages that are installed here, or are `coming`: programs take other words for much else."""
        known = self._here.installed(self._family)
        names = [self._row.split(word)[0] for word in words]
        self._all(bool(words) and all(name in known or name in coming for name in names), words)

    def _changes(self, words: Sequence[str]) -> None:
        """Each package in the very version to which this host would upgrade it now, and nothing beside."""
        self._all(bool(words) and all(map(self._row.change.fullmatch, words)), words)
        if strange := self._here.strange(self._family, words, held=self._free):
            what = f"{strange[0][:80]!a}: no upgrade that the archives of this host offer it now"
            raise denied(self._rights, f"install {what}")

    def _kept(self, words: Sequence[str]) -> None:
        """Patterns of what stays as it is, then what is installed."""
        first = next((place for place, word in enumerate(words) if not word.startswith(_EXCLUDED)), len(words))
        self._patterns([word[len(_EXCLUDED) :] for word in words[:first]])
        self._all(words[first : first + 1] == (_INSTALL,), words)
        self._changes(words[first + 1 :])

    def _freeing(self, words: Sequence[str]) -> None:
        """Holds to be freed, --, holds that are there afterwards, --, and how the rest is installed."""
        self._all(words.count(_END) >= 2, words)
        first = words.index(_END)
        second = words.index(_END, first + 1)
        free, again, command = words[:first], words[first + 1 : second], words[second + 1 :]
        own = _own(self._row, command)
        self._all(own is not None and own.rest == "changes", words)
        changes = command[own.fixed :] if own else ()
        self._changes(changes)
        # What is freed for this is held again: no hold is lost by it.
        self._all(set(free) <= set(again), words)
        if again:
            self._names(again, [self._row.split(word.partition("=")[0])[0] for word in changes])

    def _all(self, fits: bool, words: Sequence[str]) -> None:
        if not fits:
            raise denied(self._rights, f"that command with {' '.join(words)[:80]!a}")
