"""Whether keepers have signed: ssh-keygen is asked, for those signatures alone that say so of themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import durable
from ..answer import Denied, Refused
from ..command import ask
from . import keepers
from .keepers import Keeper, OrderSignature

_FOLDER = Path("/run/runner")
_PATIENCE = 20
# By these it is seen whether ssh-keygen here can do it at all (8.1 and later): a signature of "" that is right.
_LINE = "runner ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHV44GF4eg58FzRym7X+5OHUFC8vurquTe4/rSCF0TiN"
_RIGHT = (
    "-----BEGIN SSH SIGNATURE-----\n"
    "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgdXjgYXh6DnwXNHKbtf7k4dQULy\n"
    "+6uq5N7j+tIIXROI0AAAAMcnVubmVyLW9yZGVyAAAAAAAAAAZzaGE1MTIAAABTAAAAC3Nz\n"
    "aC1lZDI1NTE5AAAAQCMzJbcdA29aKyRAqYx7hNot+E60mJjJaJGnDFgKOxKFhrMwVzw0O8\n"
    "fHASf8hTm1IHusKtm0Fub0ju/ZpJzc/g0=\n"
    "-----END SSH SIGNATURE-----"
)


def require_able() -> None:
    """Refused where this host has no ssh-keygen that looks at signatures: no order could ever be taken."""
    if not _are_right(b"", _LINE, "runner", keepers.signatures(_RIGHT)):
        raise Refused(
            "this host has no ssh-keygen that can look at signatures", "install openssh-client 8.1 or later there"
        )


def require_signed(order: bytes, text: str, known: Mapping[bytes, Keeper], signed: int) -> None:
    """Denied unless so many different keepers have signed these bytes, as `text` shows."""
    named = keepers.by_name(keepers.signatures(text), known)
    _require_names(tuple(named), signed)
    lines = "\n".join(each.line for each in known.values())
    _require_names([name for name, given in named.items() if _are_right(order, lines, name, given)], signed)


def _require_names(names: Sequence[str], signed: int) -> None:
    if len(names) < signed:
        who = f"{' and '.join(names) or 'none of its keepers'} has signed that order"
        raise Denied(f"{who}, and this host wants {signed} to", "have it signed as runner enrol HOST --out FILE says")


def _are_right(order: bytes, lines: str, name: str, given: Sequence[OrderSignature]) -> bool:
    """Whether one of these is the signature by `name` of the bytes `order`."""
    durable.make_folders(_FOLDER)
    with tempfile.TemporaryDirectory(prefix="order-", dir=_FOLDER) as folder:
        signers, signature, signed = (Path(folder) / each for each in ("keepers", "signature", "order"))
        signers.write_text(f"{lines}\n")
        signed.write_bytes(order)
        verify = ("ssh-keygen", "-Y", "verify", "-n", keepers.NAMESPACE, "-s", str(signature), "-f", str(signers))
        for each in given:
            signature.write_text(each.text)
            with signed.open("rb") as stream:
                answer = ask((*verify, "-I", name), timeout=_PATIENCE, stdin=stream.fileno())
            if answer.exit is None:
                raise Refused(f"ssh-keygen: {answer.err}", "install openssh-client there, or look at its log")
            if answer.exit == 0:
                return True
    return False
