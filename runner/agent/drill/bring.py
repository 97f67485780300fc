"""`bring`: run a program that reads names from stdin with the names that an earlier step chose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ..arguments import parse
from ..frames import frames


def run(argv: Sequence[str]) -> int:
    """Run the words after `--`, ended by nothing but its own end; its exit code is ours.

    On its stdin are the names in the frames on ours: of each line `./SNAPSHOT/PATH` and a NUL, as
    rsync --from0 --files-from=- wants it. Without any name nothing is run.
    """
    words = parse(argv, words=1, more=True).words
    names = list(_names(sys.stdin.buffer))
    if not names:
        return 0
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        try:
            process.communicate(b"".join(name + b"\0" for name in names))
        except BrokenPipeError:
            process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _names(stream: BinaryIO) -> Iterator[bytes]:
    for frame in frames(stream):
        for line in frame.lines():
            told = json.loads(line)
            if "path" in told and "type" in told:
                # A name that begins with # or ; would be a comment, and one with - an option.
                place = f"./{told['snapshot']}/{told['path']}".rstrip("/")
                yield os.fsencode(place)
