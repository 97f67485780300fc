"""The ground on which they meet: the source and each one's disk, at the depth at which a site has them.

A site's copies are at /srv/backups/papio/NAME/...; here they are at /srv/CONTENDER/papio/NAME/..., in a namespace of
mounts in which /srv is a folder of ours: for every link rsync 3.5 walks down all of the --link-dest path, so that a
deeper ground would make everybody look good against it. The runner's lie one folder deeper, in its sandbox.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.meters.disk import EXT4, Disk, disk
from tests.bench.peers.contender import Contender, Place
from tests.bench.peers.contenders import MADE, OURS
from tests.bench.peers.linked import DIRVISH_SETTINGS
from tests.bench.peers.ours import KEEPER

SRV = Path("/srv")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """The source's disk, and who is there; `top` is the folder in which all of it is."""

    top: Path
    source: Disk
    runs: Mapping[str, Contender] = field(default_factory=dict)

    def settle(self) -> None:
        """Write everything."""
        for one in (self.source, *(run.place.disk for run in self.runs.values())):
            one.settle()


@contextmanager
def own_srv(folder: Path) -> Iterator[Path]:
    """Have `folder` in the place of /srv; needs a namespace of our own (`tests.mounts`)."""
    folder.mkdir()
    subprocess.run(("mount", "--bind", folder, SRV), check=True)
    try:
        yield SRV
    finally:
        subprocess.run(("umount", SRV), check=True)


@contextmanager
def ground(top: Path, names: Sequence[str], *, images: Path | None, size: int) -> Iterator[Ground]:
    """Lay it out in `top`, which is emptied afterwards; without `images` in plain folders, without disks."""
    top.mkdir(exist_ok=True)
    with ExitStack() as stack:
        stack.callback(_clear, top)
        source = stack.enter_context(_disk(top / "babase", images, size, EXT4))
        runs = {}
        for name in names:
            folder = top if name == OURS else top / "work" / name
            folder.mkdir(parents=True, exist_ok=True)
            mount = top / KEEPER / "papio" if name == OURS else top / name / "papio"
            place = Place(
                folder=folder, source=source.mount, disk=stack.enter_context(_disk(mount, images, size, None))
            )  # fmt: skip
            runs[name] = MADE[name](place)
            if name == "dirvish":
                stack.enter_context(_settings(top / "work/settings"))
        yield Ground(top=top, source=source, runs=runs)


@contextmanager
def _disk(mount: Path, images: Path | None, size: int, made: tuple[str, ...] | None) -> Iterator[Disk]:
    mount.mkdir(parents=True)
    if not images:
        yield Disk(mount=mount)
        return
    image = images / f"{mount.parent.name}-{mount.name}.img"
    with disk(image, mount, size=size, **({"made": made} if made else {})) as one:
        yield one


@contextmanager
def _settings(folder: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    folder.mkdir()
    subprocess.run(("mount", "--bind", folder, DIRVISH_SETTINGS), check=True)
    try:
        yield
    finally:
        subprocess.run(("umount", DIRVISH_SETTINGS), check=True)


def _clear(top: Path) -> None:
    for one in top.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
        else:
            one.unlink()
