"""How often a property is tried: a few times in `make test`, more in `make test-all`, many with `make soak`."""

from __future__ import annotations

import os

from hypothesis import Phase, settings

settings.register_profile("short", max_examples=20, deadline=None)
settings.register_profile("usual", max_examples=100, deadline=None)
settings.register_profile("deep", max_examples=1000, deadline=None)
# The same cases each time, and no look for the smallest that fails.
settings.register_profile(
    "mutants", max_examples=20, deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("PROPERTIES", "short"))
