"""runner-store's verb `access`: who got into a host, or tried to. See docs/store.md."""

from __future__ import annotations

from collections.abc import Sequence

from runner.model.plan import Argv

STATE = "/var/lib/runner/access"


def look(program: str, *, hours: int, rows: int, expected: Sequence[str]) -> Argv:
    """Print as JSON what the host's logs say of the last `hours`, with `rows` rows a table.

    Adds what was counted to the host's own history of it. Sources in the networks `expected` are never new.
    """
    return (
        "nice", "--adjustment=10", program, "access", f"--hours={hours}", f"--rows={rows}", f"--state={STATE}",
        *(f"--expected={one}" for one in expected),
    )  # fmt: skip
