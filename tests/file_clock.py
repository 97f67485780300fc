"""The clock by which the kernel notes the times of files."""

from __future__ import annotations

import os
import tempfile
import time


def outrun_now() -> None:
    """Wait until a file that changes has a later time than it is now.

    That clock goes on in ticks of some milliseconds, and on a busy machine a tick may come late.
    """
    moment = time.time_ns()
    with tempfile.TemporaryFile() as probe:
        while os.fstat(probe.fileno()).st_ctime_ns <= moment:
            time.sleep(0.001)
            os.fchmod(probe.fileno(), 0o600)
