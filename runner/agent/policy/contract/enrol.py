"""The options of `enrol`, and its answer."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from ...arguments import AbsolutePath, Count, FileNameWord, Pattern

# As authorized_keys(5) has it, without options and comment.
PUBLIC = Pattern(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]{40,4000}={0,2}")
# Addresses, networks and patterns of sshd's `from`; "" for any.
FROM = Pattern(r"(?:[0-9A-Fa-f.:/*!]{1,60}(?:,[0-9A-Fa-f.:/*!]{1,60}){0,20})?")
# A line of those who may sign an order (ssh-keygen(1), ALLOWED SIGNERS): a person's name, what ssh-keygen checks of the
# key, the key. No pattern of names, and no authority that makes keys.
_CHECKED = r'(?:namespaces="[A-Za-z0-9@.,_-]{1,200}"|valid-(?:after|before)="[0-9]{8,14}Z?")'
KEEPER = Pattern(
    rf"[A-Za-z0-9][A-Za-z0-9._@+-]{{0,63}} (?:{_CHECKED}(?:,{_CHECKED}){{0,2}} )?"
    r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) "
    r"[A-Za-z0-9+/]{40,4000}={0,2}"
)


class Enrol(NamedTuple):
    """Options of `enrol`: `policy` is the text of [keys.NAME] in this host's policy, NAME that of `key`.

    `public` is the public key, which opens no more than that, `from_` where it may come from. `keys` is the file with
    the keys of root. So many of the `keepers`, a line each, have to sign what changes this from afar (0: nothing does).
    """

    key: FileNameWord
    public: Annotated[str, PUBLIC]
    policy: str
    from_: Annotated[str, FROM] = ""
    keys: AbsolutePath = "/root/.ssh/authorized_keys"
    signed: Count = 0
    keepers: str = ""


class Enrolled(NamedTuple):
    """Answer of `enrol`: whether the policy, the line of the key and the keepers were written now."""

    enrolled: str
    policy: bool
    line: bool
    keepers: bool


class Revoke(NamedTuple):
    """Options of `revoke`: the name of the key, as in this host's policy; `keys` is the file with the keys of root."""

    key: FileNameWord
    keys: AbsolutePath = "/root/.ssh/authorized_keys"


class Revoked(NamedTuple):
    """Answer of `revoke`: whether the policy and the line were there until now, and how many requests were ended."""

    revoked: str
    policy: bool
    line: bool
    ended: int
