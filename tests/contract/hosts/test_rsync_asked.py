"""What the probe says of an rsync: its version in either form, and whether it takes an option that some had later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.agent import command, probe
from runner.tools.rsync import version_number

# As rsync 3.1.3 says it, and the JSON that 3.2.7 prints for -VV.
PROSE = "rsync  version 3.1.3  protocol version 31\nCopyright (C) 1996-2018 by Andrew Tridgell and others.\n"
JSON = '{"program": "rsync", "version": "3.2.7", "checksum_list": ["xxh128", "md5", "none"]}'
KNOWN = {"version": "3.2.7", "checksums": ["xxh128", "md5"]}
UNKNOWN = '[ "$1" != --trust-sender ] || { echo "rsync: --trust-sender: unknown option" >&2; exit 1; }'


@pytest.mark.parametrize(
    ("script", "about"),
    [
        (f"cat <<'END'\n{JSON}\nEND", {**KNOWN, "trusts": True}),
        (f"{UNKNOWN}\ncat <<'END'\n{JSON}\nEND", {**KNOWN, "trusts": False}),
        (f"{UNKNOWN}\ncat <<'END'\n{PROSE}END", {"version": "3.1.3", "checksums": [], "trusts": False}),
        (f"cat <<'END'\n{PROSE}END", {"version": "3.1.3", "checksums": [], "trusts": True}),
        ("exit 12", {"version": "", "checksums": [], "trusts": False}),
        ("", {"version": "", "checksums": [], "trusts": False}),
    ],
    ids=["new", "before the option", "before JSON", "given the option later", "broken", "none"],
)
def test_each_rsync_is_known_for_what_it_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, about: dict[str, Any]
) -> None:
    if script:
        (tmp_path / "rsync").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "rsync").chmod(0o755)
    # A script needs others.
    monkeypatch.setitem(command.ENVIRONMENT, "PATH", str(tmp_path) if not script else f"{tmp_path}:/usr/bin:/bin")
    assert probe._rsync.__wrapped__() == about


def test_the_one_that_is_here_can_all_that_is_asked_of_it() -> None:
    here = probe._rsync.__wrapped__()
    assert here["trusts"] and "xxh128" in here["checksums"] and version_number(here["version"]) >= (3, 2, 7)
