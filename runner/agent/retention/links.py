"""`links`: whether the largest group of hard links fits into as many snapshots as are kept."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .. import tree
from ..answer import reply
from ..arguments import parse_as
from ..store.layout import nearest, open_store, sealed
from ..tree import folders
from .contract.links import LinkGroups, Links

# Names that an inode has in every snapshot, below which it is not counted: keeps memory small.
FEW = 8


def run(argv: Sequence[str]) -> int:
    """Print the largest group of names that one inode has in the newest snapshot, and the limit; reads only.

    `--max N` is how many snapshots are kept: `fits` is whether N times the group is below the limit of
    names an inode (65,000 with ext4's driver, also on ext3; 32,000 with ext3's own). `most` is the
    highest link count now, of `path`. A group of 8 names or fewer counts as 0.
    """
    options = parse_as(Links, argv)
    store = open_store(options.store)
    counted = sealed(store)
    limit = os.pathconf(nearest(store.root), "PC_LINK_MAX")
    kept = options.max if options.max >= 0 else len(counted)
    groups: dict[int, int] = {}
    most, where = 0, b""
    if counted:
        root = os.open(store.root / counted[-1], tree.FOLDER)
        try:
            for folder in folders(root):
                for entry in folder.entries:
                    links = entry.status.st_nlink
                    if entry.is_folder or links <= FEW * len(counted):
                        continue
                    inode = entry.status.st_ino
                    groups[inode] = groups.get(inode, 0) + 1
                    if links > most:
                        most, where = links, folder.path + b"/" + entry.name
        finally:
            os.close(root)
    largest = max(groups.values(), default=0)
    reply(LinkGroups(largest, most, os.fsdecode(where), limit, fits=largest * kept < limit))
    return 0
