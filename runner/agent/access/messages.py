"""The messages of sshd, sudo, su and login about who got in or tried to; OpenSSH 5 to 10.

Names come from strangers and may hold anything, so every pattern covers a whole message and takes what
sshd itself wrote at its fixed end.
"""

from __future__ import annotations

import re
from re import Match, Pattern
from typing import NamedTuple

UNCLEAR = b"?"


class Event(NamedTuple):
    """What a message of sshd (or another program) means for an attempt.

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


_SOURCE = rb"(?P<source>[0-9A-Za-z:.%_-]{1,80})"
_PORT = rb" port [0-9]{1,5}"
_PARTS = {
    b"method": rb"(?P<method>[a-z0-9/_-]{1,60})",
    b"user": rb"(?P<user>.{0,400})",
    b"source": _SOURCE,
    b"port": _SOURCE + _PORT,
    b"maybe_port": _SOURCE + rb"(?:" + _PORT + rb")?",
    b"end": _SOURCE + _PORT + rb"(?: ssh[12])?",
    b"key": rb": [A-Z0-9-]{2,30} (?:[A-Z0-9]{3,8}:[0-9A-Za-z+/=]{20,90}|[0-9a-f:]{47})(?: .*)?",
    b"pre": rb" \[preauth\]",
}


def _message(pattern: bytes) -> Pattern[bytes]:
    return re.compile(pattern % _PARTS, re.DOTALL)


_FAILED = rb"Failed %(method)s for (?:(?:invalid|illegal) user )?%(user)s from %(end)s"
_MESSAGES = (
    ("accepted", rb"Accepted %(method)s for (?P<user>[^ ]{1,100}) from %(end)s(?:: .*)?"),
    # A name with spaces, as from a directory of another system.
    ("accepted", rb"Accepted %(method)s for %(user)s from %(end)s(?:%(key)s)?"),
    ("failed", _FAILED),
    ("unknown", rb"Invalid user %(user)s from %(maybe_port)s(?:%(pre)s)?"),
    ("unknown", rb"Illegal user %(user)s from %(maybe_port)s(?:%(pre)s)?"),
    ("unknown", rb"User %(user)s from %(source)s not allowed because [ -~]{1,120}"),
    ("pam", rb"(?:error: )?PAM: [A-Za-z' -]{1,80} for (?:(?:illegal|invalid) user )?%(user)s from %(source)s"),
    (
        "tries",
        rb"(?:error: )?maximum authentication attempts exceeded for (?:invalid user )?%(user)s from "
        rb"%(end)s(?:%(pre)s)?",
    ),
    (
        "tries",
        rb"Disconnecting (?:authenticating|invalid) user %(user)s %(port)s: "
        rb"Too many authentication failures(?:%(pre)s)?",
    ),
    ("left", rb"Connection (?:closed|reset) by %(maybe_port)s%(pre)s"),
    ("left", rb"Connection (?:closed|reset) by (?:authenticating|invalid) user %(user)s %(port)s%(pre)s"),
    ("closed", rb"Connection (?:closed|reset) by %(port)s"),
    ("left", rb"Disconnected from %(maybe_port)s%(pre)s"),
    ("left", rb"Disconnected from (?:authenticating|invalid) user %(user)s %(port)s%(pre)s"),
    ("left", rb"Received disconnect from %(maybe_port)s: ?[0-9]+:.*%(pre)s"),
    ("left", rb"Did not receive identification string from %(maybe_port)s(?:%(pre)s)?"),
    ("left", rb"(?:fatal: |error: )?Unable to negotiate with %(port)s: .*"),
    ("left", rb"(?:fatal: )?Timeout before authentication for %(maybe_port)s"),
    # The next two are logged by the server itself, one process for all.
    ("dropped", rb"(?:fatal: )?Timeout before authentication for connection from %(source)s to .*"),
    ("dropped", rb"(?:error: )?drop connection #[0-9]+ from \[%(source)s\]:[0-9]{1,5} on .*"),
    ("left", rb"(?:error: )?banner exchange: Connection from %(port)s: .*"),
    ("left", rb"(?:fatal: )?ssh_dispatch_run_fatal: Connection from %(port)s: .*%(pre)s"),
    ("left", rb"Bad protocol version identification .* from %(maybe_port)s"),
    ("left", rb"refused connect from .{0,300}\(%(source)s\)"),
    ("kex", rb"(?:error: )?kex_exchange_identification: .*"),
    # It is logged a second time before the login, with [preauth]: that is the same attempt.
    ("root", rb"ROOT LOGIN REFUSED FROM %(maybe_port)s"),
    ("ownership", rb"Authentication refused: bad ownership or modes for .*"),
)
# The key's own text is a stranger's too: first and last place where sshd's part may end.
_FAILED_KEY = (
    _message(_FAILED),
    _message(_FAILED.replace(b"%(user)s", b"(?P<user>.{0,400}?)") + b"%(key)s"),
    _message(_FAILED + b"%(key)s"),
)


def _by_word() -> dict[bytes, list[tuple[str, Pattern[bytes]]]]:
    words: dict[bytes, list[tuple[str, Pattern[bytes]]]] = {}
    for what, pattern in _MESSAGES:
        word = re.sub(rb"^\(\?:[a-z:| ]*\)\?", b"", pattern).split(b" ", 1)[0]
        words.setdefault(word, []).append((what, _message(pattern)))
    return words


# By the message's first word (after `error: ` or `fatal: `), so that most patterns are never tried.
_BY_WORD = _by_word()

_SUDO = re.compile(rb" *([^ ]{1,100}) : (.*)", re.DOTALL)
_WHY = re.compile(rb"(?!problem with )([0-9A-Za-z][0-9A-Za-z',; -]{1,150}?) ; [A-Z]{3,8}=")
_BY = rb"(?P<user>[^ ]{1,100})"
_TO = rb"(?P<to>[^ ]{1,100})"
_TERMINAL = rb"(?P<source>[^ ]{1,60})"
_SU = (
    ("allowed", re.compile(rb"\(to " + _TO + rb"\) " + _BY + rb" on " + _TERMINAL)),
    ("refused", re.compile(rb"FAILED SU \(to (?P<to>.{0,400})\) " + _BY + rb" on " + _TERMINAL, re.DOTALL)),
    ("allowed", re.compile(rb"Successful su for " + _TO + rb" by " + _BY)),
    ("refused", re.compile(rb"FAILED su for " + _TO + rb" by " + _BY)),
)
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


def read(message: bytes) -> Event | None:
    """The event that a message of sshd is about; None where it is about no attempt."""
    start = message[7:] if message[:7] in (b"error: ", b"fatal: ") else message
    if start.startswith((b"Failed publickey ", b"Failed hostbased ")):
        return _failed_key(start)
    for what, pattern in _BY_WORD.get(start.split(b" ", 1)[0], ()):
        parts = pattern.fullmatch(message)
        if parts is not None:
            event = _event(what, parts)
            return event._replace(what="none") if what == "failed" and event.method == b"none" else event
    return None


def _event(what: str, parts: Match[bytes]) -> Event:
    return Event(what, **parts.groupdict(b""))


def _failed_key(message: bytes) -> Event | None:
    readings = [parts for parts in (pattern.fullmatch(message) for pattern in _FAILED_KEY) if parts is not None]
    if not readings:
        return None
    event = _event("failed", readings[0])
    unclear = len({parts.span("source") for parts in readings}) > 1
    return event._replace(user=UNCLEAR, source=UNCLEAR) if unclear else event


def sudo(message: bytes) -> Event | None:
    """Who ran which program as whom (`method` is the program), or was `refused` and why (`method`).

    The folder it was run in and the command's words are the user's own text: where they make it doubtful
    as whom, or what, that is `?`.
    """
    parts = _SUDO.fullmatch(message)
    if parts is None:
        return None
    user, rest = parts.groups()
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
    """Who became whom, or was `refused`; with `method` `pam` where only PAM logged it (older systems)."""
    for what, pattern in _SU:
        if parts := pattern.fullmatch(message):
            return _event(what, parts)
    if parts := _PAM_SU.fullmatch(message):
        return Event("allowed", parts[2] or b"root", method=b"pam", to=parts[1])
    if parts := _PAM_SU_FAILED.fullmatch(message):
        return Event("refused", parts[1] or UNCLEAR, method=b"pam", to=parts[2])
    return None


def login(message: bytes) -> Event | None:
    """Who logged in at the machine's own screen and keyboard, or `failed` to."""
    if parts := _LOGIN.fullmatch(message):
        return Event("accepted", parts[2] or b"root", parts[1], b"console")
    if parts := _LOGIN_FAILED.fullmatch(message):
        return Event("failed", parts[2], parts[1] or b"console", b"console")
    return None
