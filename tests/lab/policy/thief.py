"""Somebody who has taken papio: root there, with the key that a policy binds, and all that he can type."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.compare import fingerprint, walk
from tests.lab.images import ADDRESS, BACKUP, PAPIO, STORE
from tests.lab.site import FILE, Runner

PROGRAM = "/usr/local/sbin/runner-agent"
TOKEN = "5a" * 16
PLAN = "20261123T081500.000Z"
# What changes on a host that is only looked at.
LIVELY = ("proc", "sys", "dev", "run", "usr", "mnt", "opt", "tmp", STORE[1:], "var/lib", "var/log")
PATIENCE = 60


@dataclass(kw_only=True)
class Thief:
    """What he asks of backup-server1, and what was there before he came."""

    runner: Runner
    key: str
    sealed: dict[str, object] = field(default_factory=dict)
    records: dict[str, bytes] = field(default_factory=dict)
    outside: dict[bytes, object] = field(default_factory=dict)

    def ask(
        self, *command: str, options: tuple[str, ...] = (), stdin: str | None = None, timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Type it for ssh, as it is."""
        known = ("-i", self.key, "-oIdentitiesOnly=yes", "-oBatchMode=yes", "-oConnectTimeout=5")
        argv = ("timeout", str(timeout), "ssh", *known, *options, f"root@{ADDRESS[BACKUP]}", *command)
        return self.runner.lab.run(PAPIO, *argv, check=False, input=stdin, timeout=timeout + 10)

    def now(self) -> str:
        """A name for a snapshot that backup-server1 takes now."""
        return self.runner.lab.run(BACKUP, "date", "-u", "+%Y-%m-%dT%H%M%SZ").stdout.strip()

    def agent(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Ask for a verb, as the runner does."""
        return self.ask(*map(shlex.quote, ("exec", "sh", "-c", "x", TOKEN, PROGRAM, *words)), stdin=stdin)

    def probe(self, **request: object) -> subprocess.CompletedProcess[str]:
        """Ask what a probe asks, with what he likes in it."""
        digest = self.runner.lab.run(BACKUP, "sha256sum", PROGRAM).stdout.split()[0]
        question = {"host": BACKUP, "stores": [], "root": "", "stand_ins": [], "commands": [], **request}
        words = ("exec", "sh", "-c", "x", TOKEN, "python3", "-IS", "-c", "x", digest, "1", PROGRAM)
        return self.ask(*map(shlex.quote, words), stdin=json.dumps(question))

    def rsync(self, *words: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run an rsync of his with his key."""
        rsh = f"ssh -i {self.key} -oIdentitiesOnly=yes -oBatchMode=yes"
        argv = ("timeout", str(timeout), "rsync", f"--rsh={rsh}", *words)
        return self.runner.lab.run(PAPIO, *argv, check=False, timeout=timeout + 10)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the store's lock with his key."""
        words = f"exec sh -c x {TOKEN} {PROGRAM} hold {STORE} --plan={PLAN} --who=me"
        argv = ("ssh", "-i", self.key, "-oBatchMode=yes", f"root@{ADDRESS[BACKUP]}", words)
        holder = self.runner.lab.popen(PAPIO, *argv, stdin=-1)
        assert holder.stdout is not None
        while "held" not in holder.stdout.readline():
            assert holder.poll() is None
        try:
            yield
        finally:
            holder.communicate("")

    def refused(self) -> int:
        """How many requests backup-server1 has noted as refused."""
        said = self.runner.lab.run(BACKUP, PROGRAM, "refused").stdout
        return sum(each["times"] for each in json.loads(said)["attempts"])

    def look(self) -> None:
        """Remember what is there."""
        self.sealed, self.records, self.outside = self._sealed(), self._records(), self._outside()

    def require_untouched(self) -> None:
        """Nothing that was sealed has changed, no record of it, and nothing on the host but the store."""
        now = self._sealed()
        for name, before in self.sealed.items():
            assert name in now, f"{name} is gone"
            assert now[name] == before, f"{name} was touched"
        records = self._records()
        for name, content in self.records.items():
            assert records.get(name) == content, f"the record {name} was touched"
        outside = self._outside()
        assert outside == self.outside, sorted(
            path for path in outside.keys() | self.outside.keys() if outside.get(path) != self.outside.get(path)
        )

    @property
    def _store(self) -> Path:
        return self.runner.store("papio")

    def _sealed(self) -> dict[str, object]:
        return {name: fingerprint(self._store / name) for name in self.runner.sealed()}

    def _records(self) -> dict[str, bytes]:
        folder = self._store / ".runner/records"
        sealed = self.runner.sealed()
        known = [path for path in folder.iterdir() if path.suffix in (".json", ".gz")]
        return {path.name: path.read_bytes() for path in known if path.name.partition(".")[0] in sealed}

    def _outside(self) -> dict[bytes, object]:
        root = self.runner.path(BACKUP, "/")
        lively = {name.encode() for name in LIVELY}
        return {name: entry for name, entry in walk(root, below=LIVELY).items() if name not in lively}


def enrolled(runner: Runner, *options: str) -> str:
    """Enrol backup-server1, use the key from then on, and take root's own out; where the key is."""
    said = runner.good("enrol", BACKUP, *options).said
    found = re.search(r'key = "(.*)"', said)
    assert found, said
    file = runner.path(PAPIO, FILE)
    table = f"[hosts.{BACKUP}]\n"
    file.write_text(file.read_text().replace(table, f'{table}key = "{found[1]}"\n'))
    keys = runner.path(BACKUP, "/root/.ssh/authorized_keys")
    keys.write_text("".join(line for line in keys.read_text().splitlines(keepends=True) if "serve papio" in line))
    return found[1]
