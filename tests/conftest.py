"""What holds for all tests: the signals they get, the mounts they see, and how often a property is tried.

That is a few times in `make test`, more in `make test-all`, and many with `make soak`.
"""

from __future__ import annotations

import os
import signal

from hypothesis import Phase, settings

from tests.mounts import own_namespace

# Whoever starts us in the background of a script has us ignore SIGINT, and nohup has us ignore SIGHUP; every program
# that a test starts would inherit that. We stay deaf, and so do our workers, by a handler: programs do not inherit it.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN or f"TESTS_DEAF_TO_{_number.name}" in os.environ:
        os.environ[f"TESTS_DEAF_TO_{_number.name}"] = "yes"
        signal.signal(_number, lambda number, frame: None)

own_namespace()

settings.register_profile("short", max_examples=20, deadline=None)
settings.register_profile("usual", max_examples=100, deadline=None)
settings.register_profile("deep", max_examples=1000, deadline=None)
# The same cases each time, and no look for the smallest that fails.
settings.register_profile(
    "mutants", max_examples=20, deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("PROPERTIES", "short"))
