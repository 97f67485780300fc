"""`enrol`: write what a key may ask of this host, and bind the key to that; `revoke` takes it back. For root here."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Sequence
from pathlib import Path

from .. import durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..host import processes
from . import keepers, rights, signatures, text
from .contract.enrol import Enrol, Enrolled, Revoke, Revoked

FOLDER = Path(rights.POLICY).parent
_PROGRAM = "/usr/local/sbin/runner-agent"
_LONGEST = 1 << 20
# What the verbs of a store take, and confining what receives: capabilities(7). No network and no kernel. Each verb
# gives up more than that: confined/privileges.py.
_RIGHTS = (
    "chown dac_override dac_read_search fowner fsetid kill linux_immutable mac_admin mknod setfcap setgid setpcap "
    "setuid sys_admin sys_nice sys_ptrace sys_resource"
)
# Before a host ends its database is asked who is connected, as its own user: PAM writes that down.
_ENDING = "audit_write"
_SETPRIV = "/usr/bin/setpriv"


def run(argv: Sequence[str]) -> int:
    """Put the table of the key into the policy and its line into authorized_keys, in place of those that are there.

    All else in both files stays byte for byte, but who may sign an order. The policy comes before the line: a key is
    never there without one.
    """
    options = parse_as(Enrol, argv)
    _require_able(options)
    durable.make_folders(FOLDER, 0o755)
    with durable.alone(FOLDER):
        place, keys, keepers_place = Path(rights.POLICY), Path(options.keys), Path(keepers.FILE)
        before, lines, known = _text(place, rights.LONGEST), _text(keys, _LONGEST), _text(keepers_place, _LONGEST)
        after = text.with_table(before or text.HEAD, options.key, options.policy)
        after = text.with_number(after, "signed", options.signed)
        bound = with_line(lines, options)
        signers = options.keepers if options.signed else known
        # Who may sign stands there before it is asked for.
        if signers != known:
            durable.write_file(keepers_place, signers.encode(), 0o644)
        if after != before:
            durable.write_file(place, after.encode(), 0o644)
        rights.rights_of(options.key)
        if bound != lines:
            durable.make_folders(keys.parent, 0o700)
            durable.write_file(keys, bound.encode("utf-8", "surrogateescape"), 0o600)
    reply(Enrolled(options.key, after != before, bound != lines, signers != known))
    return 0


def revoke(argv: Sequence[str]) -> int:
    """Take the key out of the policy and out of authorized_keys, and end what is done for it now.

    The policy first: over a connection that is open a key goes on without its line, but each request reads the policy.
    """
    options = parse_as(Revoke, argv)
    place, keys = Path(rights.POLICY), Path(options.keys)
    with durable.alone(FOLDER) if FOLDER.is_dir() else contextlib.nullcontext():
        before, lines = _text(place, rights.LONGEST), _text(keys, _LONGEST)
        after = text.without_table(before, options.key)
        others = "\n".join(line for line in lines.split("\n") if not _is_of(line, options.key))
        if after != before:
            durable.write_file(place, after.encode(), 0o644)
        if others != lines:
            durable.write_file(keys, others.encode("utf-8", "surrogateescape"), 0o600)
    reply(Revoked(options.key, after != before, others != lines, _end(options.key)))
    return 0


def _end(key: str) -> int:
    """End every request of the key; what it has detached, such as an upgrade, comes to its end."""
    known = set[int]()
    while others := [pid for pid in processes.begun_with(b"serve", key.encode()) if pid not in known]:
        for pid in others:
            known.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return len(known)


def _is_of(line: str, key: str) -> bool:
    """Whether a line of authorized_keys is that of a key which is bound here."""
    return f'{_PROGRAM} serve {key}" ' in line and not line.lstrip().startswith("#")


def _require_able(options: Enrol) -> None:
    """Refused where this host lacks what a request with the key starts, or what looks at an order."""
    if not os.access(_SETPRIV, os.X_OK):
        raise Refused(
            f"this host has no {_SETPRIV}, with which each request of the key begins", "install util-linux there"
        )
    if options.signed:
        keepers.require_enough(keepers.parse(options.keepers), options.signed)
        signatures.require_able()


def with_line(before: str, options: Enrol) -> str:
    """The keys of root with that of `options`, bound to its policy; every other line stays as it is.

    Refused where the same key stands there unbound: sshd takes the first line that fits.
    """
    source = f'from="{options.from_}",' if options.from_ else ""
    bound = f'{_PROGRAM} serve {options.key}" '
    own = f'restrict,{source}command="{_dropping(options)}{bound}{options.public} runner:{options.key}'
    kept = [line for line in before.split("\n") if not _is_of(line, options.key)]
    blob = options.public.split(" ")[1]
    if any(blob in line and not line.lstrip().startswith("#") for line in kept):
        raise Refused(
            "that key is in authorized_keys already, bound to nothing or to another policy", "make a key of its own"
        )
    present = [line for line in before.split("\n") if _is_of(line, options.key)]
    if present == [own]:
        return before
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join((*kept, own)) + "\n"


def _dropping(options: Enrol) -> str:
    """What begins `serve` without the rights that nothing needs which the key may ask for."""
    own = rights.parse(options.policy, options.key)
    if own.packages:
        # The scripts of packages are root's, and may need any.
        return ""
    kept = f"{_RIGHTS} {_ENDING}" if own.power else _RIGHTS
    bounding = ",".join(f"+{right}" for right in kept.split())
    return f"{_SETPRIV} --no-new-privs --bounding-set=-all,{bounding} -- "


def _text(path: Path, most: int) -> str:
    """What is in one of our files, "" where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(most + 1)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or len(content) > most:
            raise Refused(f"{path} is no file of ours", "look at what is there")
    return content.decode("utf-8", "surrogateescape")
