"""Peers that keep trees of hard links: rsnapshot in its two ways, and dirvish."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.meters.measure import Work
from tests.bench.peers.contender import MANY, Place, copied, inside, on_disk

RSNAPSHOT = """config_version	1.2
snapshot_root	{root}/
no_create_root	1
cmd_rsync	/usr/bin/rsync
cmd_cp	/bin/cp
cmd_rm	/bin/rm
retain	daily	{most}
verbose	1
loglevel	1
lockfile	{lock}
link_dest	{link_dest}
one_fs	1
rsync_short_args	-aHAX
rsync_long_args	--delete --numeric-ids --relative
backup	{source}/	./
"""

# Read by dirvish at its own place alone.
DIRVISH_SETTINGS = Path("/etc/dirvish")
DIRVISH = """bank:
	{bank}
index: none
log: text
image-default: %Y%m%d%H%M%S
expire-default: never
"""
VAULT = """client: {client}
tree: {source}
xdev: 1
numeric-ids: 1
rsync-option:
	-AX
"""


@dataclass(kw_only=True, slots=True)
class Rsnapshot:
    """rsnapshot, by --link-dest or in its default way, `cp -al`."""

    place: Place
    link_dest: bool
    name: str

    def work(self, *, most: int = MANY) -> Work:
        """`rsnapshot daily` with `retain daily` of `most`."""
        config = self.place.folder / "rsnapshot.conf"
        text = RSNAPSHOT.format(
            root=self.place.store, lock=self.place.folder / "lock", link_dest=int(self.link_dest),
            source=self.place.source, most=most,
        )  # fmt: skip
        config.write_text(text, "utf-8")
        daily = ("rsnapshot", "-c", str(config), "daily")
        return Work(commands=(daily, on_disk(self.place)), folder=self.place.folder)

    def copies(self) -> int:
        """How many there are."""
        return len(list(self.place.store.glob("daily.*")))

    def newest(self) -> Path:
        """The last copy of the tree."""
        return inside(self.place, self.place.store / "daily.0")

    def oldest(self) -> Path:
        """The first copy of the tree."""
        return inside(self.place, self.place.store / f"daily.{self.copies() - 1}")

    def restore(self, target: Path) -> Work:
        """By rsync: it has no way of its own."""
        return copied(self.place, self.newest(), target)

    def restored(self, target: Path) -> Path:
        """As it was asked for."""
        return target


@dataclass(kw_only=True, slots=True)
class Dirvish:
    """dirvish with dirvish-expire; its settings are at DIRVISH_SETTINGS, which must be ours."""

    place: Place
    name: str = "dirvish"
    made: list[str] = field(default_factory=list)
    number: int = 0

    def work(self, *, most: int = MANY) -> Work:
        """An image, and the end of the oldest."""
        self._settings()
        first = () if self.made else ("--init",)
        self.number += 1
        self.made.append(f"20260101{self.number:06}")
        argv = ("dirvish", "--vault", self.place.store.name, "--image", self.made[-1], *first)
        gone = self._expire() if len(self.made) > most else ()
        return Work(commands=(argv, *gone, on_disk(self.place)), folder=self.place.folder)

    def copies(self) -> int:
        """How many images there are."""
        return len(list(self.place.store.glob("2026*/tree")))

    def newest(self) -> Path:
        """The last copy of the tree."""
        return self.place.store / self.made[-1] / "tree"

    def oldest(self) -> Path:
        """The first copy of the tree."""
        return self.place.store / self.made[0] / "tree"

    def restore(self, target: Path) -> Work:
        """By rsync: it has no way of its own."""
        return copied(self.place, self.newest(), target)

    def restored(self, target: Path) -> Path:
        """As it was asked for."""
        return target

    def _settings(self) -> None:
        vault = self.place.store / "dirvish/default.conf"
        vault.parent.mkdir(exist_ok=True)
        vault.write_text(VAULT.format(client=os.uname().nodename, source=self.place.source), "utf-8")
        (DIRVISH_SETTINGS / "master.conf").write_text(DIRVISH.format(bank=self.place.store.parent), "utf-8")

    def _expire(self) -> tuple[tuple[str, ...], ...]:
        summary = self.place.store / self.made.pop(0) / "summary"
        lines = summary.read_text("utf-8").splitlines()
        ended = ("Expire: 2000-01-01 00:00:00" if line.startswith("Expire:") else line for line in lines)
        summary.write_text("\n".join((*ended, "")), "utf-8")
        return (("dirvish-expire", "--quiet", "--vault", self.place.store.name),)
