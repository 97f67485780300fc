"""Whose signature of an order counts, as the real ssh-keygen has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.agent.answer import Denied
from runner.agent.policy import keepers as who
from runner.agent.policy import signatures
from runner.tools import keepers
from tests.contract.verbs.test_two_keepers import allowed, key, signature

ORDER = b"# An order\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: key(folder, name) for name in ("anna", "karl", "eve")}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "_FOLDER", tmp_path / "run")


def signed(signer: Path, content: bytes = ORDER) -> bytes:
    return signature(signer, content, keepers.ORDER)


def require(keys: dict[str, Path], *given: bytes, options: str = "", enough: int = 2) -> None:
    text = keepers.lines(allowed(keys["anna"], "anna") + allowed(keys["karl"], "karl", options))
    signatures.require_signed(ORDER, b"".join(given).decode("latin-1"), who.parse(text), enough)


def test_signatures_of_two_keepers_count_and_no_others(keys: dict[str, Path]) -> None:
    anna, karl, eve = (signed(each) for each in keys.values())
    # What it says of itself is karl's, and it is another's.
    forged = eve.replace(eve.split(b"\n")[1], karl.split(b"\n")[1]).replace(eve.split(b"\n")[2], karl.split(b"\n")[2])
    for what, given, says in (
        ("nobody's", (), "none of its keepers has signed that order, and this host wants 2 to"),
        ("one keeper's", (anna,), "anna has signed that order, and this host wants 2 to"),
        ("the same keeper's twice", (anna, signed(keys["anna"])), "anna has signed"),
        ("a stranger's", (anna, eve), "anna has signed"),
        ("for a plan", (anna, signature(keys["karl"], ORDER)), "anna has signed"),
        ("of another order", (anna, signed(keys["karl"], ORDER + b"\n")), "anna has signed"),
        ("half of one", (anna, karl[:-60]), "anna has signed"),
        ("a forged one", (anna, forged), "anna has signed"),
        ("of old orders", (anna, karl, *(signed(keys["eve"], bytes([n])) for n in range(7))), "more signatures came"),
        ("endless", (anna, karl, b"x" * 30_000), "more signatures came"),
    ):
        with pytest.raises(Denied, match=says) as denied:
            require(keys, *given)
        assert denied.value.do, what
    require(keys, anna, karl)
    require(keys, b"some words\n", signed(keys["karl"], b"an old one"), eve, karl, anna)
    require(keys, karl, enough=1)


def test_what_ssh_keygen_checks_of_a_key_holds(keys: dict[str, Path]) -> None:
    given = (signed(keys["anna"]), signed(keys["karl"]))
    require(keys, *given, options='namespaces="runner-order,runner-plan"')
    for options in ('namespaces="runner-plan"', 'valid-before="20200101"'):
        with pytest.raises(Denied, match="anna has signed"):
            require(keys, *given, options=options)


def test_a_host_knows_whether_its_ssh_keygen_can_look(monkeypatch: pytest.MonkeyPatch) -> None:
    signatures.require_able()
    monkeypatch.setattr(signatures, "_RIGHT", signatures._RIGHT.replace("CMzJbcd", "CMzJbce"))
    with pytest.raises(signatures.Refused, match="no ssh-keygen that can look at signatures"):
        signatures.require_able()
