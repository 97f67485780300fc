"""Keepers sign plans with their ssh keys: ssh-keygen's signatures of a file, and its file of who may sign."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from runner.agent.policy.contract.enrol import KEEPER
from runner.model.plan import Argv

# A signature that was made for anything else, such as a commit or a login, is none of these.
PLAN, ORDER = "runner-plan", "runner-order"
# Behind a key may be a remark.
_KEEPER = re.compile(rf"({KEEPER.pattern}) ")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_SIGNATURE = re.compile(rb"-----BEGIN SSH SIGNATURE-----\r?\n[A-Za-z0-9+/=\r\n]{1,20000}-----END SSH SIGNATURE-----")


def beside(plan: str) -> Path:
    """Where the signatures of the plan in this file are: as ssh-keygen names them."""
    return Path(f"{plan}.sig")


def sign(plan: str, namespace: str = PLAN) -> str:
    """What a keeper types to sign the plan in this file; the next keeper's signature goes to the same place."""
    file, signatures = shlex.quote(plan), shlex.quote(str(beside(plan)))
    return f"ssh-keygen -Y sign -n {namespace} -f ~/.ssh/id_ed25519 < {file} >> {signatures}"


def find(signature: Path, keepers: str) -> Argv:
    """Ask whose key made the signature: a name a line, and exit 0, where it is one of `keepers`."""
    return ("ssh-keygen", "-Y", "find-principals", "-s", str(signature), "-f", keepers)


def verify(signature: Path, keepers: str, name: str, namespace: str = PLAN) -> Argv:
    """Ask whether it is the signature by `name` of what stands on its standard input: exit 0."""
    return ("ssh-keygen", "-Y", "verify", "-n", namespace, "-s", str(signature), "-f", keepers, "-I", name)


def signatures(content: bytes) -> tuple[bytes, ...]:
    """The signatures in a file to which each keeper has added one."""
    return tuple(b"%s\n" % match[0] for match in _SIGNATURE.finditer(content))


def name(word: str) -> str:
    """The keeper's name that a word is; "" where it is a pattern, a list, or nothing that a name can be."""
    return word if _NAME.fullmatch(word) else ""


def lines(text: str) -> str:
    """Who may sign an order, as a host keeps it: lines of allowed signers. ValueError where one is none."""
    kept = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        match = _KEEPER.match(" ".join((*words, "")))
        if not match:
            raise ValueError(f"line {number} is not one person's name and public key, alone")
        kept.append(f"{match[1]}\n")
    return "".join(kept)


def names(text: str) -> tuple[str, ...]:
    """Who may sign, each once, by a file of allowed signers. ValueError where a line is not of one person."""
    known: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not name(words[0]):
            raise ValueError(f"line {number} does not begin with the name of one person")
        known[words[0]] = None
    return tuple(known)
