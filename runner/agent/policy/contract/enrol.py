"""The options of `enrol`, and its answer."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from ...arguments import AbsolutePath, FileNameWord, Pattern

# As authorized_keys(5) has it, without options and comment.
PUBLIC = Pattern(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]{40,4000}={0,2}")
# Addresses, networks and patterns of sshd's `from`; "" for any.
FROM = Pattern(r"(?:[0-9A-Fa-f.:/*!]{1,60}(?:,[0-9A-Fa-f.:/*!]{1,60}){0,20})?")


class Enrol(NamedTuple):
    """Options of `enrol`: `policy` is the text of [keys.NAME] in this host's policy, NAME that of `key`.

    `public` is the public key, which opens no more than that, `from_` where it may come from. `keys` is the file with
    the keys of root.
    """

    key: FileNameWord
    public: Annotated[str, PUBLIC]
    policy: str
    from_: Annotated[str, FROM] = ""
    keys: AbsolutePath = "/root/.ssh/authorized_keys"


class Enrolled(NamedTuple):
    """Answer of `enrol`: whether the policy and the line of the key were written now, or were as they are."""

    enrolled: str
    policy: bool
    line: bool
