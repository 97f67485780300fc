"""What sudo, su and login say of who became whom."""

from __future__ import annotations

import re

from .messages import UNCLEAR, Event

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
_LOGIN = re.compile(
    rb"(?:ROOT |DIALUP AT .{1,40} )?LOGIN ON ([^ ]{1,40})(?: BY ([^ ]{1,100}))?(?: FROM [^ ]{1,100})?"
)
_LOGIN_FAILED = re.compile(
    rb"FAILED LOGIN (?:SESSION |\([0-9]{1,4}\) |[0-9]{1,4} )(?:on '([^ ']{1,40})' )?(?:FROM [^ ]{1,100} )?"
    rb"FOR '?(.{0,400}?)'?, [A-Za-z ]{1,60}",
    re.DOTALL,
)


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
