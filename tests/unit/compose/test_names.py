"""Names that end with NUL, read from a frame piece by piece."""

from __future__ import annotations

from io import BytesIO

import pytest

from runner.agent import frames
from runner.agent.answer import Refused


def read(content: bytes, size: int | None = None) -> list[bytes]:
    size = len(content) if size is None else size
    return list(frames.Frame(BytesIO(content), "look", "done", 0, size).names())


@pytest.mark.parametrize("names", [[], [b"./a"], [b"./a\n", b"", b"./b" * 9], [b"", b""]])
@pytest.mark.parametrize("first", [*range(frames.PIECE - 12, frames.PIECE + 2), 2 * frames.PIECE, 3 * frames.PIECE - 1])
def test_every_name_once_wherever_a_piece_of_it_ends(names: list[bytes], first: int) -> None:
    known = [b"x" * first, *names]
    assert read(b"".join(name + b"\0" for name in known)) == known
    assert read(b"".join(name + b"\0" for name in names)) == names


def test_the_end_of_the_frame_is_no_end_of_a_name() -> None:
    for content, size in ((b"./a\0./b", None), (b"./a\0", 5), (b"", 1), (b"x" * (frames.LONGEST + frames.PIECE), None)):
        with pytest.raises(Refused, match="cut off"):
            read(content, size)


def test_what_follows_in_the_stream_is_left_there() -> None:
    stream = BytesIO(
        b'{"from": "look", "state": "done", "exit": 0, "bytes": 6}\na\0bc\0d\n{"from": "x", "state": "done", "bytes": 0}\n\n'
    )
    found = [(each.source, next(each.names(), None)) for each in frames.frames(stream)]
    assert found == [("look", b"a"), ("x", None)]
