"""`serve`: the one command behind a key. It lets through what the policy of this host gives that key, and no more.

sshd runs it, whatever whoever has the key asks for, and what was asked for is in the environment. That is read as
words, compared with what the runner asks for, and done here: no shell sees it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..answer import TROUBLE, Denied, Refused, refusal, refuse
from ..arguments import parse_as
from ..confined import privileges
from ..store.layout import open_store
from . import allowed, hidden, lending, limits, places, refusals, wire
from .contract.serve import Serve
from .newest import newest
from .rights import ALL, Rights, rights_of
from .verdict import DO, Allowed, denied

# What every command of the runner has for an environment.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "LANGUAGE": "",
    "TZ": "UTC",
    "HOME": "/root",
}
ASKED = "SSH_ORIGINAL_COMMAND"
PROGRAM = "/usr/local/sbin/runner-agent"
# What Python reads texts by. A client may send these, and everything is started anew without.
_LOCALE = re.compile(r"LANG|LANGUAGE|LC_[A-Z]+")
# By this a process is known to have been begun for a key.
_OURS = "RUNNER_SERVES"
# As boot.py says it: another program is wanted than the one that is here.
ANOTHER = 80
_SIGNALS = ("TERM", "KILL", "INT", "HUP")


def run(argv: Sequence[str]) -> int:
    """Do what SSH_ORIGINAL_COMMAND asks for, if the policy gives the key NAME that right; else say no, and note it."""
    key, command = parse_as(Serve, argv).key, os.environ.get(ASKED, "")
    _begin_clean(key)
    asked, token = command, ""
    try:
        request = wire.read(command)
        asked, token = " ".join(request.words), request.token
        _announce(token)
        places.take(key)
        return _Service(rights_of(key), request).done()
    except BrokenPipeError:
        raise
    except (Refused, *TROUBLE) as problem:
        refused = refusal(problem)
        # What nobody of ours would send is an attempt too; a disk that fails is none.
        if isinstance(problem, Denied) or not isinstance(problem, (Refused, OSError)):
            refusals.note(key, asked or "a shell")
        if token or asked.startswith(PROGRAM):
            return refuse(refused)
        # rsync speaks on the output.
        sys.stderr.write(f"runner-agent: {refused.error}; {refused.do}\n")
        return refused.code


def _begin_clean(key: str) -> None:
    """Nothing of the environment that whoever asks can choose stays, and Python reads names as it always does."""
    clean = {**ENVIRONMENT, _OURS: key}
    # Python sets this one itself.
    foreign = [name for name in os.environ if _LOCALE.fullmatch(name) and os.environ[name] != "C.UTF-8"]
    if foreign and _OURS not in os.environ:
        again = {name: os.environ[name] for name in (ASKED,) if name in os.environ}
        os.execve(sys.argv[0], (sys.argv[0], *sys.argv[1:]), {**clean, **again})  # noqa: S606
    os.environ.clear()
    os.environ.update(clean)
    time.tzset()
    os.chdir("/")


def _announce(token: str) -> None:
    """Say that the command begins, and which processes are its: as hosts/ssh.py expects it."""
    if not token:
        return
    if os.getpgrp() != os.getpid() and os.getsid(0) != os.getpid():
        os.setpgid(0, 0)
    sys.stdout.write(f"{token}\n")
    sys.stdout.flush()
    sys.stderr.write(f"{token} {os.getpgrp()}\n")
    sys.stderr.flush()


class _Service(NamedTuple):
    """What is asked for, by a key with these rights."""

    rights: Rights
    request: wire.WireRequest

    def done(self) -> int:
        """Do it: the exit code, where it did not become another program. Raises Denied."""
        words = self.request.words
        limits.bind(
            self.rights.name, {str(open_store(path).root): rights for path, rights in self.rights.stores.items()}
        )
        hidden.hide((*self.rights.others, *self.rights.stores))
        hidden.show(self.rights.sources)
        if self.request.digest:
            return self._answer(words)
        if words[:1] == (PROGRAM,):
            return self._verb(words[1:])
        if words[:2] == ("rsync", "--server"):
            return lending.look(self.rights, words)
        if words[:1] == ("kill",):
            return self._kill(words)
        return self._command(words)

    def _answer(self, words: Sequence[str]) -> int:
        """A question to the program, which is asked here and never comes along."""
        import hashlib  # noqa: PLC0415

        if hashlib.sha256(Path(sys.argv[0]).read_bytes()).hexdigest() != self.request.digest:
            if self.request.path:
                return ANOTHER
            raise Refused(
                "the runner-agent of this host is of another version than the runner, and is not replaced from afar",
                "let keepers order it: runner enrol HOST --out FILE; or as root: runner enrol HOST --with KEY",
            )
        if words[0] != "probe":
            return self._verb(words)
        from . import questions  # noqa: PLC0415

        return questions.probe(self.rights, self._require_readable)

    def _verb(self, words: Sequence[str]) -> int:
        self._require_readable(allowed.require(self.rights, words))
        if words[0] == "keep-room":
            # A verb that ends what receives waits for its end: nobody else says how late that comes.
            words = lending.receiving(self.rights, words)
        else:
            self._make_way()
        from .. import __main__ as door  # noqa: PLC0415  (it imports this)

        sys.argv = [sys.argv[0], *words]
        if words[0] not in privileges.WHOLE:
            # The others begin programs of the host, and read little.
            limits.bound_memory()
        privileges.keep(words[0])
        code: int = door.perform(list(words))
        return code

    def _command(self, words: Sequence[str]) -> int:
        """What is no verb of ours: a step of a job that upgrades packages, or ends this host."""
        if not (self.rights.power or self.rights.packages):
            raise denied(self.rights, "that here")
        import subprocess  # noqa: PLC0415  (few have a right to any)

        from .upkeep import commands, power  # noqa: PLC0415

        commands.require(self.rights, words, commands.STEP)
        if tuple(words) in power.ENDS:
            power.count(self.rights.name)
        self._make_way()
        # Not in place of this process: whoever asked may end it, and knows it as one that was begun for the key.
        code = subprocess.run(words, check=False, env=ENVIRONMENT).returncode
        return code if code >= 0 else 128 - code

    def _require_readable(self, what: Allowed) -> None:
        if what.source:
            # Whoever looks opens it once more, and says what it lacks; by then nothing can be noted here.
            with contextlib.suppress(OSError):
                os.close(hidden.opened(os.fsencode(what.source)))
        limited = what.store and what.snapshots and self.rights.stores[what.store].reads != ALL
        if limited and not set(what.snapshots) <= set(newest(open_store(what.store))):
            raise Denied(
                f"the key {self.rights.name} reads only the newest snapshot of that store",
                allowed.reading_all(self.rights, what),
            )

    def _make_way(self) -> None:
        if self.request.niceness:
            os.nice(self.request.niceness)
        if self.request.idle:
            from ..command import ask  # noqa: PLC0415  (few want it)

            ask(("ionice", "--class=idle", f"--pid={os.getpid()}"), timeout=10)

    def _kill(self, words: Sequence[str]) -> int:
        """Signal a group of processes that was begun for this key."""
        fits = len(words) == 5 and words[1] == "-s" and words[3] == "--" and words[2] in _SIGNALS
        group = words[4][1:] if fits and words[4][:1] == "-" else ""
        if not (group.isascii() and group.isdigit() and len(group) < 10 and int(group) > 1):
            raise Denied("no signal to anything but what was begun for this key", DO)
        try:
            begun = Path(f"/proc/{group}/cmdline").read_bytes().split(b"\0")[:-1]
            root = Path(f"/proc/{group}").stat().st_uid == 0
        except OSError:
            return 1
        if not root or begun[-3:] != [PROGRAM.encode(), b"serve", self.rights.name.encode()]:
            raise Denied("no signal to anything but what was begun for this key", DO)
        os.killpg(int(group), getattr(signal, f"SIG{words[2]}"))
        return 0
