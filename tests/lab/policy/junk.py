"""Snapshots of rubbish that a thief makes by his own hand: each verb of a run, with names and jobs as he likes."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.lab.images import ADDRESS, BACKUP, PAPIO, STORE
from tests.lab.policy.thief import PLAN, PROGRAM, TOKEN, Thief

# One connection for all that he asks: he is in a hurry.
SHARED = ("-oControlMaster=auto", "-oControlPath=/run/junk.socket", "-oControlPersist=60")
OFFSETS = {
    "now": timedelta(),
    "another minute": timedelta(minutes=4),
    "too far ahead": timedelta(minutes=9),
    "another year": timedelta(days=400),
    "a year ago": timedelta(days=-365),
}


def _frame(source: str, body: bytes) -> str:
    head = {"from": source, "state": "done", "exit": 0, "bytes": len(body)}
    return f"{json.dumps(head)}\n{body.decode()}\n"


OUTPUTS = _frame("t", b"Number of files: 10 (reg: 5, dir: 5)\nTotal file size: 100 bytes\n") + _frame(
    "w", b'{"names": 1, "young": 0}\n'
)


def asked(thief: Thief, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    argv = ("exec", "sh", "-c", "x", TOKEN, PROGRAM, words[0], STORE, f"--plan={PLAN}", *words[1:])
    return thief.ask(*map(shlex.quote, argv), options=SHARED, stdin=stdin)


@contextlib.contextmanager
def holding(thief: Thief) -> Iterator[None]:
    """Hold the store's lock with his key; the shared connection ends with that."""
    try:
        with thief.holding():
            yield
    finally:
        ended(thief)


def ended(thief: Thief) -> None:
    """The shared connection is closed."""
    thief.runner.lab.run(PAPIO, "ssh", "-O", "exit", "-oControlPath=/run/junk.socket", "x", check=False)


def junk(thief: Thief, number: int, when: str) -> bool:
    """Try to seal one, and leave no partial; whether it was sealed."""
    clock = datetime.strptime(thief.now(), "%Y-%m-%dT%H%M%SZ")
    name = f"{clock + OFFSETS[when]:%Y-%m-%dT%H%M%SZ}"
    newest = thief.runner.sealed()[-1]
    whole = number % 2 == 0
    share = ("--whole=/",) if whole else (f"--share={newest}",)
    asked(thief, "begin", name, f"--basis={newest}", f"--job=junk-{number}", *share, "--", "/")
    rsh = f"ssh -i {thief.key} -oIdentitiesOnly=yes {' '.join(SHARED)}"
    path = f"{PROGRAM} keep-room {STORE} --partial={name} -- rsync"
    there = f"root@{ADDRESS[BACKUP]}:{STORE}/.incoming/{name}/0/"
    sent = ("rsync", "-s", "-r", f"--rsh={rsh}", f"--rsync-path={path}", "/run/junk/", there)
    thief.runner.lab.run(PAPIO, *sent, check=False, timeout=60)
    if not whole:
        asked(thief, "clone", name, f"--basis={newest}=/")
    asked(thief, "compose", name)
    sealing = (f"--host=h{number}", f"--job=junk-{number}", "--started=", "--checksum=xxh128")
    said = asked(thief, "seal", name, *sealing, "--transfer=t=/", "--walked=w=/", stdin=OUTPUTS)
    if said.returncode != 0:
        asked(thief, "drop-partials", "--", name)
    return said.returncode == 0
