"""Ask the agent of a host something: the one that is installed there if it is ours to the last byte, else our own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.hosts.transport import Result, Transport

# What a host ends with that has another program, or none: nothing of it was run, and nothing was printed.
ANOTHER = 80

# A descriptor in memory is what is compared and what is run: nobody can put another program between the two.
_BOOT = f"""
import hashlib, os, sys, zipimport
digest, size, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
parts = []
try:
    source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC) if path else 0
    left = size if not path or os.fstat(source).st_size == size else 0
    while left:
        parts.append(os.read(source, min(left, 65536)))
        left = left - len(parts[-1]) if parts[-1] else 0
except OSError:
    pass
program = b''.join(parts)
if hashlib.sha256(program).hexdigest() != digest:
    sys.exit({ANOTHER} if path else 'the program was cut off')
memory = os.memfd_create('runner-agent')
os.write(memory, program)
sys.path.insert(0, '/proc/self/fd/%d' % memory)
sys.argv = [path, *(sys.argv[4:] or ['probe'])]
exec(zipimport.zipimporter(sys.path[0]).get_code('__main__'))
"""

# `python3 -IS -c BOOT DIGEST LENGTH PATH [VERB ...]` runs the program in the file PATH if it has that digest. Where
# PATH is "" the program comes on stdin, unbuffered, so that the rest of stdin is left to the verb (probe, unless
# another is named). In one line, for every login shell.
BOOT = f"exec({_BOOT.strip()!r})"


def run_agent(
    transport: Transport,
    program: bytes,
    verb: tuple[str, ...],
    question: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    timeout: float,
    sink: Callable[[bytes], None] | None = None,
) -> Result:
    """Have `program` answer on that host, installed there or not; it travels only where the host has another."""
    asked = json.dumps(question).encode("ascii")

    def attempt(path: str, *sent: bytes) -> Result:
        argv = ("python3", "-IS", "-c", BOOT, hashlib.sha256(program).hexdigest(), str(len(program)), path, *verb)
        return transport.run(argv, stdin=(*sent, asked), timeout=timeout, sink=sink)

    if transport.agent:
        result = attempt(transport.agent)
        if result.exit != ANOTHER or result.out or result.error:
            return result
    return attempt("", program)
