"""`enrol`: write what a key may ask of this host, and bind the key to that. For whoever is root here already."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from .. import durable
from ..answer import Refused, reply
from ..arguments import parse_as
from . import rights, toml
from .contract.enrol import Enrol, Enrolled

_PROGRAM = "/usr/local/sbin/runner-agent"
_HEAD = (
    "# What each ssh key that is bound to `runner-agent serve NAME` may ask of this host.\n"
    "# A person on this host changes it. What is not written here is not allowed.\n"
    "format = 1\n"
)
_LONGEST = 1 << 20
# What the verbs of a store take, and confining what receives: capabilities(7). No network and no kernel. Each verb
# gives up more than that: confined/privileges.py.
_RIGHTS = (
    "chown dac_override dac_read_search fowner fsetid kill linux_immutable mac_admin mknod setfcap setgid setpcap "
    "setuid sys_admin sys_nice sys_ptrace sys_resource"
)
# Before a host ends its database is asked who is connected, as its own user: PAM writes that down.
_ENDING = "audit_write"


def run(argv: Sequence[str]) -> int:
    """Put the table of the key into the policy and its line into authorized_keys, in place of those that are there.

    All else in both files stays byte for byte. The policy comes first: a key is never there without one.
    """
    options = parse_as(Enrol, argv)
    place = Path(rights.POLICY)
    before = _text(place, rights.LONGEST)
    after = with_table(before or _HEAD, options.key, options.policy)
    keys = Path(options.keys)
    lines = _text(keys, _LONGEST)
    bound = with_line(lines, options)
    if after != before:
        durable.make_folders(place.parent, 0o755)
        durable.write_file(place, after.encode(), 0o644)
    rights.rights_of(options.key)
    if bound != lines:
        durable.make_folders(keys.parent, 0o700)
        durable.write_file(keys, bound.encode("utf-8", "surrogateescape"), 0o600)
    reply(Enrolled(options.key, after != before, bound != lines))
    return 0


def with_table(text: str, key: str, table: str) -> str:
    """The policy with `table` for `key`, and what it says of other keys. Refused where it would not be understood."""
    only = toml.parse(table)
    if set(only) != {"keys"} or set(only["keys"]) != {key}:
        raise Refused(f"the policy that was given is not of the key {key} alone", "see docs/trust.md")
    ours = re.compile(rf"\[keys\.{re.escape(key)}[.\]]")
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.lstrip(" \t").startswith("["):
            inside = ours.match(line.lstrip(" \t")) is not None
        if not inside:
            kept.append(line)
    whole = "".join(kept).rstrip("\n") + "\n\n" + table.strip("\n") + "\n"
    rights.parse(whole, key)
    return whole


def with_line(text: str, options: Enrol) -> str:
    """The keys of root with that of `options`, bound to its policy; every other line stays as it is.

    Refused where the same key stands there unbound: sshd takes the first line that fits.
    """
    source = f'from="{options.from_}",' if options.from_ else ""
    bound = f'{_PROGRAM} serve {options.key}" '
    own = f'restrict,{source}command="{_dropping(options)}{bound}{options.public} runner:{options.key}'
    kept = [line for line in text.split("\n") if bound not in line or line.lstrip().startswith("#")]
    blob = options.public.split(" ")[1]
    if any(blob in line and not line.lstrip().startswith("#") for line in kept):
        raise Refused(
            "that key is in authorized_keys already, bound to nothing or to another policy", "make a key of its own"
        )
    present = [line for line in text.split("\n") if bound in line and not line.lstrip().startswith("#")]
    if present == [own]:
        return text
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
    return f"/usr/bin/setpriv --no-new-privs --bounding-set=-all,{bounding} -- "


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
