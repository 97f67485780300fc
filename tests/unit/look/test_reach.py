"""How far rsync gets is one rule, told of paths alone."""

from __future__ import annotations

import pytest

from runner.agent.look.reach import Reach

REACH = Reach(levels=3, length=10)


@pytest.mark.parametrize(
    ("path", "end"),
    [
        (b"f", b""),
        (b"a/b/f", b""),
        # The folder itself is copied, and what is in it is not.
        (b"a/b/c", b""),
        (b"a/b/c/f", b"a/b/c"),
        (b"a/b/c/d/e/f", b"a/b/c"),
        (b"a/1234567890/f", b"a/1234567890"),
        (b"1234567890/f", b""),
        (b"12345678901/f", b"12345678901"),
        (b"12345678901", b""),
        (b"12345678901/b/c/d", b"12345678901"),
        (b"", b""),
    ],
)
def test_the_first_folder_is_named_that_rsync_gets_to_nothing_in(path: bytes, end: bytes) -> None:
    assert REACH.end_of(path) == end
    folders = [path[:place] for place, byte in enumerate(path) if byte == ord("/")]
    ending = [folder for folder in folders if REACH.ends_at(folder.count(b"/") + 1, len(folder))]
    assert end == (ending[0] if ending else b"")
