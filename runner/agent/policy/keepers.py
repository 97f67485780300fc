"""Who may sign an order for this host, and what a signature says of itself. Pure: nothing is proven here.

A line of the file is a name, what ssh-keygen(1) checks of a key, and the key: no patterns, no authorities.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..answer import Denied, Refused
from .contract.enrol import KEEPER

FILE = "/etc/runner/keepers"
# A signature that was made for anything else, such as a plan, is none of an order.
NAMESPACE = "runner-order"
# So many are looked at: two or three keepers sign, and each may have signed twice.
MOST, LONGEST = 8, 24 << 10
_ARMOUR = re.compile(r"-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]{1,8000})\n-----END SSH SIGNATURE-----")
_MAGIC = b"SSHSIG\0\0\0\1"


class Keeper(NamedTuple):
    """One line of the file: whose it is, and the line itself."""

    name: str
    line: str


class OrderSignature(NamedTuple):
    """A signature as it is written, and the key that it says it is of."""

    text: str
    key: bytes


def parse(text: str) -> Mapping[bytes, Keeper]:
    """The keepers by their keys. Refused for a line that is none, and for a key that stands there twice."""
    known: dict[bytes, Keeper] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split(" ")
        key = _key(words) if KEEPER.fullmatch(line) else b""
        if not key:
            raise Refused(f"line {number} of the keepers is no name and public key", "NAME ssh-ed25519 AAAA..., alone")
        if key in known:
            raise Refused(f"{known[key].name} has a key twice, or shares it with {words[0]}", "a key each")
        known[key] = Keeper(words[0], line)
    return known


def require_enough(known: Mapping[bytes, Keeper], signed: int) -> None:
    """Refused where not so many people could sign."""
    names = {each.name for each in known.values()}
    if len(names) < signed:
        raise Refused(
            f"{signed} keepers have to sign, and {len(names)} could",
            "name more of them, with a key each (docs/trust.md)",
        )


def signatures(text: str) -> tuple[OrderSignature, ...]:
    """The signatures of orders in a text, each once. Denied where these are too many."""
    if len(text) > LONGEST:
        raise Denied("more signatures came than anybody needs", "remove those of earlier orders from FILE.sig")
    armoured = {match[0]: _signed_by(match[1]) for match in _ARMOUR.finditer(text)}
    given = tuple(OrderSignature(f"{armour}\n", key) for armour, key in armoured.items() if key)
    if len(given) > MOST:
        raise Denied("more signatures came than anybody needs", "remove those of earlier orders from FILE.sig")
    return given


def by_name(given: Sequence[OrderSignature], known: Mapping[bytes, Keeper]) -> Mapping[str, Sequence[OrderSignature]]:
    """The signatures of each keeper, as they say themselves; without those of anybody else."""
    named: dict[str, list[OrderSignature]] = {}
    for each in given:
        if each.key in known:
            named.setdefault(known[each.key].name, []).append(each)
    return named


def _key(words: Sequence[str]) -> bytes:
    """The key of a line, b"" where it is not of the type that the line says."""
    kind, key = words[-2].encode(), _decoded(words[-1])
    return key if _text(key, 0) == kind else b""


def _signed_by(body: str) -> bytes:
    """The key in a signature of our namespace; b"" where it is another's, or none. See PROTOCOL.sshsig of OpenSSH."""
    content = _decoded(body.replace("\n", ""))
    if not content.startswith(_MAGIC):
        return b""
    key = _text(content, len(_MAGIC))
    return key if _text(content, len(_MAGIC) + 4 + len(key)) == NAMESPACE.encode() else b""


def _text(content: bytes, at: int) -> bytes:
    """A text with its length before it; b"" where it is not whole."""
    size = int.from_bytes(content[at : at + 4], "big")
    text = content[at + 4 : at + 4 + size]
    return text if len(text) == size else b""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
