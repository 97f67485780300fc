"""What sshd says of those who want to get in, OpenSSH 5 to 10.

Names come from strangers and may hold anything, so every pattern covers a whole message and takes what
sshd itself wrote at its fixed end.
"""

from __future__ import annotations

import re
from re import Pattern
from typing import NamedTuple

UNCLEAR = b"?"

_FROM = rb"(?P<source>[0-9A-Za-z:.%_-]{1,80})"
_USER = rb"(?P<user>.{0,400})"
_PORT = rb" port [0-9]{1,5}"
_SSH = rb"(?: ssh[12])?"
_PRE = rb" \[preauth\]"
_KEY = rb": [A-Z0-9-]{2,30} (?:[A-Z0-9]{3,8}:[0-9A-Za-z+/=]{20,90}|[0-9a-f:]{47})(?: .*)?"


_SUDO = re.compile(rb" *([^ ]{1,100}) : (.*)", re.DOTALL)
_WHY = re.compile(rb"(?!problem with )([0-9A-Za-z][0-9A-Za-z',; -]{1,150}?) ; [A-Z]{3,8}=")
_SU = re.compile(rb"(FAILED SU )?\(to ([^ ]{1,100})\) ([^ ]{1,100}) on ([^ ]{1,60})")
_SU_FAILED = re.compile(rb"FAILED SU \(to (.{0,400})\) ([^ ]{1,100}) on ([^ ]{1,60})", re.DOTALL)
_SHADOW_SU = re.compile(rb"(Successful|FAILED) su for ([^ ]{1,100}) by ([^ ]{1,100})")
_PAM_SU = re.compile(
    rb"pam_unix\(su(?:-l)?:session\): session opened for user ([^ ]{1,100}) by ([^ ]{0,100})\(uid=[0-9]+\)"
)
_PAM_SU_FAILED = re.compile(
    rb"pam_unix\(su(?:-l)?:auth\): authentication failure; .* ruser=([^ ]{0,100}) rhost=[^ ]{0,100} +user=([^ ]{1,100})"
)
_LOGIN = re.compile(rb"(?:ROOT |DIALUP AT .{1,40} )?LOGIN ON ([^ ]{1,40})(?: BY ([^ ]{1,100}))?(?: FROM [^ ]{1,100})?")
_LOGIN_FAILED = re.compile(
    rb"FAILED LOGIN (?:SESSION |\([0-9]{1,4}\) |[0-9]{1,4} )(?:on '([^ ']{1,40})' )?(?:FROM [^ ]{1,100} )?"
    rb"FOR '?(.{0,400}?)'?, [A-Za-z ]{1,60}",
    re.DOTALL,
)


class Event(NamedTuple):
    """One thing that sshd (or another program) said of an attempt.

    `what` is `accepted`; or one of the refused: `failed` (an authentication), `unknown` (no such user, or
    not allowed), `none` (it asked what it may try), `pam` (PAM refused), `tries` (too many), `left` (went
    before logging in), which may all be of one attempt, and `dropped` (sent away), which never is; or
    `root` (only PermitRootLogin refused root), `kex` (a beginning that may be an end), `ownership` (a key
    was not looked at: its file is open to others).
    """

    what: str
    user: bytes = b""
    source: bytes = b""
    method: bytes = b""
    to: bytes = b""


def _all(*patterns: bytes) -> Pattern[bytes]:
    return re.compile(b"|".join(patterns), re.DOTALL)


_ACCEPTED = _all(
    rb"Accepted (?P<method>[a-z0-9/_-]{1,60}) for (?P<user>[^ ]{1,100}) from " + _FROM + _PORT + _SSH + rb"(?:: .*)?"
)
# A name with spaces, as from a directory of another system.
_ACCEPTED_ODD = _all(
    rb"Accepted (?P<method>[a-z0-9/_-]{1,60}) for "
    + _USER
    + rb" from "
    + _FROM
    + _PORT
    + _SSH
    + rb"(?:"
    + _KEY
    + rb")?"
)
_FAILED = _all(
    rb"Failed (?P<method>[a-z0-9/_-]{1,60}) for (?:(?:invalid|illegal) user )?"
    + _USER
    + rb" from "
    + _FROM
    + _PORT
    + _SSH
)
# The key's own text is a stranger's too: first and last place where sshd's part may end.
_FAILED_KEY = _all(
    rb"Failed (?P<method>[a-z0-9/_-]{1,60}) for (?:(?:invalid|illegal) user )?"
    + _USER
    + rb" from "
    + _FROM
    + _PORT
    + _SSH
    + _KEY
)
_FAILED_KEY_FIRST = re.compile(_FAILED_KEY.pattern.replace(b".{0,400}", b".{0,400}?"), re.DOTALL)
_UNKNOWN = _all(
    rb"(?:Invalid|Illegal) user " + _USER + rb" from " + _FROM + rb"(?:" + _PORT + rb")?(?:" + _PRE + rb")?"
)
_NOT_ALLOWED = _all(rb"User " + _USER + rb" from " + _FROM + rb" not allowed because [ -~]{1,120}")
_PAM = _all(rb"(?:error: )?PAM: [A-Za-z' -]{1,80} for (?:(?:illegal|invalid) user )?" + _USER + rb" from " + _FROM)
_TRIES = (
    _all(
        rb"(?:error: )?maximum authentication attempts exceeded for (?:invalid user )?"
        + _USER
        + rb" from "
        + _FROM
        + _PORT
        + _SSH
        + rb"(?:"
        + _PRE
        + rb")?"
    ),
    _all(
        rb"Disconnecting (?:authenticating|invalid) user "
        + _USER
        + rb" "
        + _FROM
        + _PORT
        + rb": Too many authentication failures(?:"
        + _PRE
        + rb")?"
    ),
)
_GONE = rb"(?:Connection (?:closed|reset) by|Disconnected from)"
_LEFT = (
    _all(_GONE + rb" " + _FROM + rb"(?:" + _PORT + rb")?" + _PRE),
    _all(_GONE + rb" (?:authenticating|invalid) user " + _USER + rb" " + _FROM + _PORT + _PRE),
    _all(rb"Received disconnect from " + _FROM + rb"(?:" + _PORT + rb")?: ?[0-9]+:.*" + _PRE),
    _all(rb"Did not receive identification string from " + _FROM + rb"(?:" + _PORT + rb")?(?:" + _PRE + rb")?"),
    _all(rb"(?:fatal: |error: )?Unable to negotiate with " + _FROM + _PORT + rb": .*"),
    _all(rb"(?:fatal: )?Timeout before authentication for " + _FROM + rb"(?:" + _PORT + rb")?"),
    _all(rb"(?:error: )?banner exchange: Connection from " + _FROM + _PORT + rb": .*"),
    _all(rb"(?:fatal: )?ssh_dispatch_run_fatal: Connection from " + _FROM + _PORT + rb": .*" + _PRE),
    _all(rb"Bad protocol version identification .* from " + _FROM + rb"(?:" + _PORT + rb")?"),
    _all(rb"refused connect from .{0,300}\(" + _FROM + rb"\)"),
)
# These the server itself says, the same process for all.
_DROPPED = (
    _all(rb"(?:error: )?drop connection #[0-9]+ from \[" + _FROM + rb"\]:[0-9]{1,5} on .*"),
    _all(rb"(?:fatal: )?Timeout before authentication for connection from " + _FROM + rb" to .*"),
)
_KEX = _all(rb"(?:error: )?kex_exchange_identification: .*")
_CLOSED = _all(rb"Connection (?:closed|reset) by " + _FROM + _PORT)
# Said a second time before the login, with [preauth]: that is the same one.
_ROOT = _all(rb"ROOT LOGIN REFUSED FROM " + _FROM + rb"(?:" + _PORT + rb")?")
_OWNERSHIP = _all(rb"Authentication refused: bad ownership or modes for .*")

# By the message's first word (after `error: ` or `fatal: `), so that most patterns are never tried.
_BY_WORD: dict[bytes, tuple[tuple[str, Pattern[bytes]], ...]] = {
    b"Accepted": (("accepted", _ACCEPTED), ("accepted", _ACCEPTED_ODD)),
    b"Failed": (("failed", _FAILED),),
    b"Invalid": (("unknown", _UNKNOWN),),
    b"Illegal": (("unknown", _UNKNOWN),),
    b"User": (("unknown", _NOT_ALLOWED),),
    b"PAM:": (("pam", _PAM),),
    b"maximum": (("tries", _TRIES[0]),),
    b"Disconnecting": (("tries", _TRIES[1]),),
    b"Connection": (("left", _LEFT[0]), ("left", _LEFT[1]), ("closed", _CLOSED)),
    b"Disconnected": (("left", _LEFT[0]), ("left", _LEFT[1])),
    b"Received": (("left", _LEFT[2]),),
    b"Did": (("left", _LEFT[3]),),
    b"Unable": (("left", _LEFT[4]),),
    b"Timeout": (("left", _LEFT[5]), ("dropped", _DROPPED[1])),
    b"banner": (("left", _LEFT[6]),),
    b"ssh_dispatch_run_fatal:": (("left", _LEFT[7]),),
    b"Bad": (("left", _LEFT[8]),),
    b"refused": (("left", _LEFT[9]),),
    b"drop": (("dropped", _DROPPED[0]),),
    b"kex_exchange_identification:": (("kex", _KEX),),
    b"ROOT": (("root", _ROOT),),
    b"Authentication": (("ownership", _OWNERSHIP),),
}


def read(message: bytes) -> Event | None:
    """What a message of sshd says; None for all that is no attempt."""
    start = message[7:] if message[:7] in (b"error: ", b"fatal: ") else message
    if start.startswith((b"Failed publickey ", b"Failed hostbased ")):
        return _failed_key(start)
    for what, pattern in _BY_WORD.get(start.split(b" ", 1)[0], ()):
        found = pattern.fullmatch(message)
        if found is not None:
            said = found.groupdict()
            method = said.get("method") or b""
            asked = what == "failed" and method == b"none"
            return Event("none" if asked else what, said.get("user") or b"", said.get("source") or b"", method)
    return None


def _failed_key(message: bytes) -> Event | None:
    patterns = (_FAILED, _FAILED_KEY_FIRST, _FAILED_KEY)
    found = [one for one in (pattern.fullmatch(message) for pattern in patterns) if one is not None]
    if not found:
        return None
    if len({one.span("source") for one in found}) > 1:
        return Event("failed", UNCLEAR, UNCLEAR, found[0]["method"])
    return Event("failed", found[0]["user"], found[0]["source"], found[0]["method"])


def sudo(message: bytes) -> Event | None:
    """Who ran which program as whom (`method` is the program), or was `refused` and why (`method`).

    The folder it was run in and the command's words are the user's own text: where they make it doubtful
    as whom, or what, that is `?`.
    """
    found = _SUDO.fullmatch(message)
    if found is None:
        return None
    user, rest = found.groups()
    ran = rest.startswith((b"TTY=", b"PWD=", b"HOST="))
    why = None if ran else _WHY.match(rest)
    if not ran and why is None:
        return None
    to = _only(rest, b" ; USER=").split(b" ", 1)[0] or UNCLEAR
    if why is not None:
        return Event("refused", user, b"", why[1], to)
    command = _only(rest, b" ; COMMAND=").split(b" ", 1)[0]
    return Event("allowed", user, b"", command.rpartition(b"/")[2] or UNCLEAR, to)


def _only(text: bytes, mark: bytes) -> bytes:
    parts = text.split(mark)
    return parts[1] if len(parts) == 2 else b""


def su(message: bytes) -> Event | None:
    """Who became whom, or was `refused`; with `method` `pam` where only PAM said it (older systems)."""
    if found := _SU.fullmatch(message):
        return Event("refused" if found[1] else "allowed", found[3], found[4], b"", found[2])
    if found := _SU_FAILED.fullmatch(message):
        return Event("refused", found[2], found[3], b"", found[1])
    if found := _SHADOW_SU.fullmatch(message):
        return Event("allowed" if found[1] == b"Successful" else "refused", found[3], b"", b"", found[2])
    if found := _PAM_SU.fullmatch(message):
        return Event("allowed", found[2] or b"root", b"", b"pam", found[1])
    if found := _PAM_SU_FAILED.fullmatch(message):
        return Event("refused", found[1] or UNCLEAR, b"", b"pam", found[2])
    return None


def login(message: bytes) -> Event | None:
    """Who logged in at the machine's own screen and keyboard, or `failed` to."""
    if found := _LOGIN.fullmatch(message):
        return Event("accepted", found[2] or b"root", found[1], b"console")
    if found := _LOGIN_FAILED.fullmatch(message):
        return Event("failed", found[2], found[1] or b"console", b"console")
    return None
