"""The outputs of earlier steps on stdin, one frame each: a line of JSON, then exactly its bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from .answer import Refused, shown

LONGEST = 1 << 20
PIECE = 1 << 16
# How a step ended, in a frame.
DONE, NOT_NEEDED = "done", "not needed"


class Frame:
    """The output of the step `source`; `state` and `exit` tell how it ended."""

    def __init__(self, stream: BinaryIO, source: str, state: str, ended: int | None, size: int) -> None:
        self.source = source
        self.state = state
        self.exit = ended
        self._stream = stream
        self._left = size

    def lines(self) -> Iterator[bytes]:
        """Each line once, with its newline; the last one may lack it. Refused if stdin ends too soon."""
        while self._left:
            line = self._stream.readline(min(self._left, LONGEST))
            if not line:
                raise _torn(self.source)
            self._left -= len(line)
            yield line

    def names(self) -> Iterator[bytes]:
        """Each name once, without the NUL that ends it. Refused where the last one has none, or is endless."""
        begun = b""
        while self._left:
            piece = self._stream.read(min(self._left, PIECE))
            if not piece:
                raise _torn(self.source)
            self._left -= len(piece)
            *whole, rest = piece.split(b"\0")
            if whole:
                whole[0] = begun + whole[0]
                yield from whole
                begun = rest
            else:
                begun += rest
            if len(begun) > LONGEST:
                raise _torn(self.source)
        if begun:
            raise _torn(self.source)

    def skip(self) -> None:
        """Read to the end of the frame."""
        for _ in self.lines():
            pass
        if self._stream.read(1) != b"\n":
            raise _torn(self.source)


def frames(stream: BinaryIO) -> Iterator[Frame]:
    """Every frame in order; what its reader leaves unread is skipped. Refused if one is torn."""
    while True:
        head = stream.readline(LONGEST)
        if not head:
            return
        frame = _frame(stream, head)
        yield frame
        frame.skip()


def json_lines(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """The object on each line of each frame."""
    for frame in frames(stream):
        for line in frame.lines():
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError):
                fields = None
            if not isinstance(fields, dict):
                raise Refused(f"a line of {shown(frame.source)} cannot be read", "run the job again")
            yield fields


def _frame(stream: BinaryIO, head: bytes) -> Frame:
    try:
        fields = json.loads(head)
        source, state, size, ended = fields["from"], fields["state"], fields["bytes"], fields.get("exit")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refused("stdin is not made of frames", "write each output as docs/store.md shows") from None
    whole = isinstance(ended, int) or ended is None
    if not (head.endswith(b"\n") and whole and isinstance(size, int) and size >= 0):
        raise _torn(str(source))
    return Frame(stream, str(source), str(state), ended, size)


def _torn(source: str) -> Refused:
    return Refused(f"the output of {shown(source)} is cut off", "run the job again; the partial is kept")
