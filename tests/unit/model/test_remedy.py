"""What to do where a file of ours cannot be used is said by its cause."""

from __future__ import annotations

import errno
import os

import pytest

from runner.model.errors import remedy


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "free room there"),
        (errno.EDQUOT, "may not use more"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "another user's"),
        (errno.EPERM, "another user's"),
        (errno.EIO, "look at that file"),
        (0, "look at that file"),
    ],
)
def test_the_remedy_is_that_of_the_cause(code: int, words: str) -> None:
    advice = remedy(OSError(code, os.strerror(code)))
    assert words in advice and ("room" in advice) == (code in (errno.ENOSPC, errno.EDQUOT))
