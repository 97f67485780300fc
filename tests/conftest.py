"""How often a property is tried: a few times in the unit tier, more in the rest of `make test`, many with `make soak`."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("short", max_examples=20, deadline=None)
settings.register_profile("usual", max_examples=100, deadline=None)
settings.register_profile("deep", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("PROPERTIES", "short"))
