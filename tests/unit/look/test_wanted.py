"""What is listed whatever the record says, where its folder went, is closed, or is none any more."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping

import pytest

from runner.agent.look.differences import (
    ABSENT,
    FOLDER,
    GONE,
    REPLACED,
    THERE,
    UNSEEN,
    Differences,
    ListedName,
    is_before,
)  # fmt: skip
from runner.agent.look.entries import FolderEntries, PackedFolder

Tree = Mapping[bytes, Iterable[bytes]]


def _entries(tree: Tree) -> Iterator[FolderEntries]:
    """A name that ends in a slash is a folder; one that begins with `=` has a second name, of the same inode."""
    for path, names in tree.items():
        listed = []
        for name in sorted(names):
            kind = stat.S_IFDIR if name.endswith(b"/") else stat.S_IFREG
            inode, links = (7, 2) if name.startswith(b"=") else (1, 1)
            fields = (kind | 0o644, inode, 1, links, 0, 0, 0, 0, 0, 9)
            listed.append(
                (name.rstrip(b"/"), os.stat_result(fields, {"st_mtime_ns": 9, "st_ctime_ns": 9, "st_rdev": 0}))
            )
        yield FolderEntries(path, listed, 100)


def _listed(before: Tree, now: Tree, wanted: Iterable[bytes]) -> list[ListedName]:
    differences = Differences((each.recorded() for each in _entries(before)), wanted)
    packed: list[PackedFolder] = []
    listed: list[ListedName] = []
    for entries in _entries(now):
        listed += differences.folder(entries)
        packed.append(entries.recorded())
    return [*listed, *differences.rest(), *differences.linked(iter(packed))]


@pytest.mark.parametrize(
    ("before", "now", "wanted", "listed"),
    [
        ({b"": [b"a"]}, {b"": [b"a"]}, [], []),
        ({b"": [b"a"]}, {b"": [b"a"]}, [b"a"], [(b"a", THERE)]),
        ({b"": [b"a"]}, {b"": []}, [b"a"], [(b"a", GONE)]),
        ({b"": []}, {b"": []}, [b"a"], [(b"a", ABSENT)]),
        # Its folder is gone, is a file now, or never was: nothing is below it.
        ({b"": [b"d/"], b"d": [b"a"]}, {b"": []}, [b"d/a"], [(b"d", GONE)]),
        ({b"": [b"d/"], b"d": [b"a"]}, {b"": [b"d"]}, [b"d/a"], [(b"d", REPLACED)]),
        ({b"": []}, {b"": []}, [b"d/e/a"], []),
        # A folder that was one before is known for that, and so is what was one.
        ({b"": [b"d/"], b"d": []}, {b"": [b"d/"], b"d": []}, [b"d"], [(b"d", FOLDER)]),
        ({b"": [b"d/"], b"d": []}, {b"": [b"d/"], b"d": [b"a"]}, [b"d"], [(b"d", FOLDER), (b"d/a", THERE)]),
        ({b"": [b"d/"]}, {b"": [b"d/"]}, [b"d"], [(b"d", FOLDER)]),
        ({b"": [b"d"]}, {b"": [b"d/"], b"d": [b"a"]}, [], [(b"d", THERE), (b"d/a", THERE)]),
        ({b"": []}, {b"": [b"d/"], b"d": []}, [], [(b"d", THERE)]),
        ({b"": [b"d/"], b"d": []}, {b"": [b"d"]}, [], [(b"d", REPLACED)]),
        # It is there and was not entered.
        ({b"": [b"d/"], b"d": [b"a"]}, {b"": [b"d/"]}, [b"d/a"], [(b"d/a", UNSEEN)]),
        ({b"": [b"d/"], b"d": [b"a"]}, {b"": [b"d/"]}, [b"d/e/f"], [(b"d/a", UNSEEN), (b"d/e/f", UNSEEN)]),
        ({b"": [b"d/"]}, {b"": [b"d/"]}, [b"d/e/f", b"d/g"], [(b"d/g", UNSEEN), (b"d/e/f", UNSEEN)]),
        ({b"": [b"d/"], b"d": [b"e/"], b"d/e": [b"a"]}, {b"": [b"d/"]}, [], [(b"d/e", UNSEEN)]),
        # Whoever has the same inode goes along.
        ({b"": [b"=a", b"=b"]}, {b"": [b"=a", b"=b"]}, [b"=b"], [(b"=b", THERE), (b"=a", THERE)]),
        ({b"": [b"=a", b"=b"]}, {b"": [b"=a", b"=b"]}, [b"=b", b"=a"], [(b"=a", THERE), (b"=b", THERE)]),
    ],
)
def test_what_is_wanted_is_listed_as_far_as_it_can_be_there(
    before: Tree, now: Tree, wanted: list[bytes], listed: list[ListedName]
) -> None:
    assert _listed(before, now, wanted) == listed


def test_folders_come_in_the_order_of_their_names_and_what_is_in_them_before_the_next() -> None:
    order = [b"", b"a", b"a/b", b"a/b/c", b"a.b", b"a0", b"b"]
    assert all(is_before(one, other) for one, other in zip(order, order[1:], strict=False))
