"""What a contract writes as a command line, the verb reads back; every file of contracts is read by Python 3.9 too."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import agent
from runner.agent.answer import Refused
from runner.agent.arguments import Field, argv, fields, parse_as
from runner.agent.snapshots.contract import Sealed
from runner.agent.store import contract_probe as store
from runner.model import facts
from runner.tools import answers

FILES = sorted(Path(agent.__path__[0]).glob("*/contract*.py"))
CONTRACTS = [
    contract
    for module in (importlib.import_module(f"runner.agent.{file.parent.name}.{file.stem}") for file in FILES)
    for _, contract in inspect.getmembers(module, inspect.isclass)
    if hasattr(contract, "_fields") and contract.__module__ == module.__name__
]
OPTIONS = [one for one in CONTRACTS if one.__doc__.startswith("Options of")]
ANSWERS = [one for one in CONTRACTS if one not in OPTIONS]

PLAIN = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


def _values(field: Field) -> st.SearchStrategy[Any]:
    if field.kind == "bool":
        return st.booleans()
    if field.kind == "int":
        return st.integers(min_value=field.least, max_value=10**9)
    if field.kind == "tuple":
        return st.lists(PLAIN).map(tuple)
    # A word before `--` that begins as an option would be taken for one.
    return PLAIN.filter(lambda text: not text.startswith("--")) if field.place == "word" else PLAIN


@pytest.mark.parametrize("contract", OPTIONS, ids=lambda one: f"{one.__module__.split('.')[2]}.{one.__name__}")
@given(data=st.data())
def test_a_verb_reads_the_options_that_were_written(contract: type[Any], data: st.DataObject) -> None:
    known = fields(contract)
    own = {field.key: data.draw(_values(field)) for field in known if not field.part}
    parts = {
        part: kind(**{field.key: data.draw(_values(field)) for field in known if field.part == part})
        for part, kind in get_type_hints(contract).items()
        if part in {field.part for field in known}
    }
    options = contract(**own, **parts)
    words = argv("verb", options)
    assert words[0] == "verb"
    assert parse_as(contract, words[1:]) == options


@pytest.mark.parametrize("contract", OPTIONS, ids=lambda one: one.__name__)
def test_an_option_that_is_not_known_is_refused(contract: type[Any]) -> None:
    words = [field.name for field in fields(contract) if field.place == "word"]
    with pytest.raises(Refused, match="no option --of-tomorrow"):
        parse_as(contract, (*words, "--of-tomorrow=1"))


@pytest.mark.parametrize("contract", ANSWERS, ids=lambda one: one.__name__)
def test_every_answer_can_be_read_and_rubbish_is_none(contract: type[Any]) -> None:
    rubbish = {key.rstrip("_"): object for key in contract._fields}
    assert answers.read("{}", contract) is None or contract._field_defaults
    assert answers.read({key: [["x"], 1.5] for key in rubbish}, contract) is None


@pytest.mark.parametrize("file", FILES, ids=lambda one: f"{one.parent.name}.{one.stem}")
def test_a_file_of_contracts_pays_for_nothing(file: Path) -> None:
    known = {"typing", "datetime", "__future__", "..arguments", ".contract"}
    lines = [line.split()[1] for line in file.read_text().splitlines() if line.startswith(("from ", "import "))]
    assert set(lines) <= known
    # Evaluated, also by 3.9: no `X | None`.
    assert "| None" not in file.read_text()


@pytest.mark.parametrize(
    ("contract", "facts_type"),
    [
        (store.SnapshotAnswer, facts.Snapshot),
        (store.PartialAnswer, facts.Partial),
        (store.SpaceAnswer, facts.Space),
        (store.ProofAnswer, facts.Proven),
        (store.HolderAnswer, facts.Holder),
        (store.StoreAnswer, facts.StoreFacts),
    ],
)
def test_what_a_probe_answers_of_a_store_is_what_the_facts_are(contract: type[Any], facts_type: type[Any]) -> None:
    assert set(contract._fields) == {field.name for field in dataclasses.fields(facts_type)}


@pytest.mark.parametrize("key", ["files", "added_bytes", "exceptions"])
def test_no_answer_counts_less_than_nothing(key: str) -> None:
    answer = {**dict.fromkeys(Sealed._fields, 1), "sealed": "2026-11-23T081500Z"}
    assert answers.read(answer, Sealed) is not None
    assert answers.read({**answer, key: -1}, Sealed) is None
